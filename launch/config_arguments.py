"""Configurations from command lines that name several of them."""

import pathlib
from collections.abc import Sequence

import accelerators
import ml_collections
from absl import flags
from ml_collections import config_flags

from musicvae_jax import configs
from musicvae_jax.checkpoints import config_check
from musicvae_jax.system.errors import UserError


def read(argument: str, changes: Sequence[str]) -> dict[str, ml_collections.ConfigDict]:
    """Configurations by name.

    Args:
      argument: names or paths, divided by commas.
      changes: of each, such as --config.train.accumulate=2.

    Raises:
      UserError: there is no such configuration or field, or a value is not valid.
    """
    return {pathlib.Path(path).stem: _changed(path, changes) for path in argument.split(",")}


def _changed(argument: str, changes: Sequence[str]) -> ml_collections.ConfigDict:
    path = pathlib.Path(configs.find(argument))
    if not path.is_file():
        raise UserError(
            f"--config={argument}: no such file; known are {', '.join(configs.names())}"
        )
    argv = ["", f"--config={path}", *changes]
    values = flags.FlagValues()
    try:
        config_flags.DEFINE_config_file("config", flag_values=values, sys_argv=argv)
        unknown = values(argv)[1:]
    except (flags.Error, AttributeError, KeyError, TypeError, ValueError) as error:
        unknown_field = config_check.unknown_field(changes)
        raise UserError(unknown_field or accelerators.first_line(error)) from error
    if unknown:
        raise UserError(f"{unknown[0]}: an option has the form --NAME=VALUE")
    config_check.check(values.config)
    return values.config
