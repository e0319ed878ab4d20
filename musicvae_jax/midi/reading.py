"""What a user knows of a music file, which counts more than what is found in it."""

import dataclasses
import math
import re

from musicvae_jax.system.errors import UserError

# Meters whose bars, one or two at a time, are 16 sixteenths long.
DUPLE_METERS = ((4, 4), (2, 2), (2, 4), (4, 8), (8, 8))
METER_NAMES = ", ".join(f"{numerator}/{denominator}" for numerator, denominator in DUPLE_METERS)
# In quarter notes a minute.
MIN_TEMPO_BPM, MAX_TEMPO_BPM = 10.0, 1000.0
MAX_BAR_ONE = 10_000.0


@dataclasses.dataclass(frozen=True)
class Reading:
    """How a music file is to be read; None leaves it to the reader.

    Attributes:
      bar_one: where a bar begins, in quarter notes from the beginning of the file, or of the
        beats that `tempo_bpm` gives. What sounds before it is kept in the bars before.
      meter: of the whole file, whatever it says: one of `DUPLE_METERS`.
      tempo_bpm: the quarter notes a minute at which the beats lie in time, whatever the file
        says.
      as_declared: whether what a MIDI file says of its bars is taken for right, whatever its
        notes suggest.
      track: the number or the name of the track that is the melody.

    Raises:
      UserError: a value is not valid.
    """

    bar_one: float | None = None
    meter: tuple[int, int] | None = None
    tempo_bpm: float | None = None
    as_declared: bool = False
    track: str | None = None

    def __post_init__(self) -> None:
        if self.bar_one is not None and not 0 <= self.bar_one <= MAX_BAR_ONE:
            raise UserError(
                f"bar_one={self.bar_one}: a number of quarter notes from 0 to {MAX_BAR_ONE:g} is "
                "needed",
                "bar_one",
            )
        if self.meter is not None and self.meter not in DUPLE_METERS:
            text = "/".join(map(str, self.meter))
            raise UserError(f"meter={text}: cannot be read; valid are {METER_NAMES}", "meter")
        bpm = self.tempo_bpm
        if bpm is not None and not (math.isfinite(bpm) and MIN_TEMPO_BPM <= bpm <= MAX_TEMPO_BPM):
            raise UserError(
                f"tempo={bpm}: quarter notes a minute from {MIN_TEMPO_BPM:g} to "
                f"{MAX_TEMPO_BPM:g} are needed",
                "tempo",
            )


AS_FOUND = Reading()


def make_reading(
    bar_one: float | None = None,
    meter: str | None = None,
    tempo_bpm: float | None = None,
    track: str | None = None,
) -> Reading:
    """A reading with a meter such as `4/4` as text.

    Raises:
      UserError: a value is not valid.
    """
    match = re.fullmatch(r"\s*(\d{1,2})/(\d{1,2})\s*", meter) if meter is not None else None
    if meter is not None and match is None:
        raise UserError(f"meter={meter}: not a meter; valid are {METER_NAMES}", "meter")
    beats = (int(match[1]), int(match[2])) if match else None
    return Reading(bar_one, beats, tempo_bpm, track=track)
