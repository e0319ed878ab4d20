"""The flag of attributes to add to latents."""

import math
from collections.abc import Mapping

from absl import flags

from musicvae_jax.commands import transition_flags
from musicvae_jax.music.attributes import ATTRIBUTES
from musicvae_jax.system.errors import UserError

MAX_AMOUNT = 10.0

_ATTRIBUTE = flags.DEFINE_list(
    "attribute",
    [],
    f"generate, reconstruct: change {', '.join(ATTRIBUTES)}, as density:+1,range:-0.5; 1 adds what "
    "in the training data lies between melodies that have much of it and that have little.",
)


def read(texts: Mapping[str, str] | None = None) -> dict[str, float]:
    """How much of each attribute is to be added.

    Args:
      texts: by flag, what is to be taken instead of what the command line says.

    Raises:
      UserError: an attribute is unknown or named twice, or its amount is no such number.
    """
    amounts: dict[str, float] = {}
    for entry in transition_flags.value_of(_ATTRIBUTE.name, texts or {}):
        name, _, amount = (part.strip() for part in entry.partition(":"))
        if name not in ATTRIBUTES:
            raise UserError(
                f"--attribute={entry}: no such attribute; valid are {', '.join(ATTRIBUTES)}, each "
                "with an amount, as density:+1"
            )
        if name in amounts:
            raise UserError(f"--attribute={entry}: {name} is given twice")
        amounts[name] = _amount(entry, amount)
    return amounts


def _amount(entry: str, text: str) -> float:
    try:
        amount = float(text)
    except ValueError:
        amount = math.nan
    if not abs(amount) <= MAX_AMOUNT:
        raise UserError(
            f"--attribute={entry}: a number from -{MAX_AMOUNT:g} to {MAX_AMOUNT:g} is needed after "
            "the colon, as density:+1"
        )
    return amount
