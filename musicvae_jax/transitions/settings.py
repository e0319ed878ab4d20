"""How a transition is made, apart from its strategy and its curves."""

import dataclasses
from collections.abc import Iterable

from musicvae_jax.music.keys import SCALES, TONICS
from musicvae_jax.system.errors import UserError
from musicvae_jax.transitions import mixing

ENDS = ("exact", "model")
RHYTHMS = (0, 1, 2)
# The least distance between the limits of pitch, so that every scale has a note between them.
MIN_RANGE = 11


@dataclasses.dataclass(frozen=True)
class Settings:
    """How a transition is made, the same for a whole batch.

    Attributes:
      path: a name in `mixing.PATHS`, how latents move.
      granularity: a name in `mixing.GRANULARITIES`, what is mixed as a whole.
      ends: `exact` or `model`, see `strategies`.
      scale: `none`, `auto`, or a tonic and a scale, see `constraints.allowed_pitches`.
      pitch_range: the lowest and the highest MIDI note, at least 11 apart.
      rhythm: 1 or 2 keeps the rhythm of that melody throughout, and 0 is free. Under 1,
        melody 2 is played in melody 1's rhythm, and the other way round.

    Raises:
      UserError: a value is not as described.
    """

    path: str = "linear"
    granularity: str = "bar"
    ends: str = "exact"
    scale: str = "none"
    pitch_range: tuple[int, int] = (0, 127)
    rhythm: int = 0

    def __post_init__(self) -> None:
        for name, valid in (
            ("path", mixing.PATHS),
            ("granularity", mixing.GRANULARITIES),
            ("ends", ENDS),
            ("rhythm", RHYTHMS),
        ):
            value = getattr(self, name)
            if value not in valid:
                listed = ", ".join(map(str, valid))
                raise UserError(f"{name}={value}: unknown; valid are {listed}", name)
        tonic, _, scale = self.scale.partition("_")
        if self.scale not in ("none", "auto") and not (tonic in TONICS and scale in SCALES):
            raise UserError(
                f"scale={self.scale}: unknown; valid are none, auto, or a tonic and one of "
                f"{', '.join(SCALES)}, such as C_major or F#_dorian",
                "scale",
            )
        if len(self.pitch_range) != 2:
            raise wrong_pitch_range(self.pitch_range)
        low, high = self.pitch_range
        if not 0 <= low <= high - MIN_RANGE <= 127 - MIN_RANGE:
            raise wrong_pitch_range(self.pitch_range)

    @property
    def restricts_pitches(self) -> bool:
        return self.scale != "none" or self.pitch_range != (0, 127)

    def without_pitches(self) -> "Settings":
        """The same for music that has no pitches: nothing is asked of them."""
        return dataclasses.replace(self, scale="none", pitch_range=(0, 127), rhythm=0)


def wrong_pitch_range(values: Iterable[object]) -> UserError:
    """The error of values, or of texts for them, that are not a range of pitches."""
    return UserError(
        f"pitch_range={','.join(map(str, values))}: two MIDI notes from 0 to 127 are needed, the "
        f"second at least {MIN_RANGE} above the first, such as 55,79",
        "pitch_range",
    )
