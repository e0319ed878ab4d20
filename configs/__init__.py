"""Configurations of models and of their training: `default` has every field, with a comment.

The package `musicvae_jax.configs` is a link to this folder; an installed one is a copy of it.
"""

import importlib
import pathlib

import ml_collections

_FOLDER = pathlib.Path(__file__).parent


def names() -> list[str]:
    """The names of all configurations, sorted."""
    return sorted(path.stem for path in _FOLDER.glob("[!_]*.py"))


def find(name: str) -> str:
    """The path of a configuration's file.

    Args:
      name: of a configuration here; anything else is returned as it is, for a path.
    """
    return str(_FOLDER / f"{name}.py") if name in names() else name


def load(name: str) -> ml_collections.ConfigDict:
    """The configuration of that name.

    Raises:
      ModuleNotFoundError: there is none.
    """
    return importlib.import_module(f"musicvae_jax.configs.{name}").get_config()
