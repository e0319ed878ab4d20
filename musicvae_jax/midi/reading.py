"""What a user knows of a music file, which counts more than what is found in it."""

import dataclasses
import math
import re

from musicvae_jax.music.grid import GRIDS, METER_NAMES, METERS, SIXTEENTHS, Grid
from musicvae_jax.system.errors import UserError

# Meters whose bars, one or two at a time, are 16 sixteenths long.
DUPLE_METERS = tuple(meter for meter, grids in METERS.items() if SIXTEENTHS in grids)
# In quarter notes a minute.
MIN_TEMPO_BPM, MAX_TEMPO_BPM = 10.0, 1000.0
MAX_BAR_ONE = 10_000.0


@dataclasses.dataclass(frozen=True)
class Reading:
    """How a music file is to be read; None leaves it to the reader.

    Attributes:
      bar_one: where a bar begins, in quarter notes from the beginning of the file, or of the
        beats that `tempo_bpm` gives. What sounds before it is kept in the bars before.
      meter: of the whole file, whatever it says: one of `METERS`.
      grid: of the whole file, with its meter, whatever it says and however its notes fit.
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
    grid: Grid | None = None

    def __post_init__(self) -> None:
        if self.bar_one is not None and not 0 <= self.bar_one <= MAX_BAR_ONE:
            raise UserError(
                f"bar_one={self.bar_one}: a number of quarter notes from 0 to {MAX_BAR_ONE:g} is "
                "needed",
                "bar_one",
            )
        if self.meter is not None and self.meter not in METERS:
            text = "/".join(map(str, self.meter))
            raise UserError(f"meter={text}: cannot be read; valid are {METER_NAMES}", "meter")
        grids = METERS[self.meter] if self.meter is not None else (self.grid,)
        if self.grid is not None and self.grid not in grids:
            text = "/".join(map(str, self.meter or ()))
            raise UserError(
                f"meter={text}, grid={self.grid.name}: they exclude each other", "meter", "grid"
            )
        bpm = self.tempo_bpm
        if bpm is not None and not (math.isfinite(bpm) and MIN_TEMPO_BPM <= bpm <= MAX_TEMPO_BPM):
            raise UserError(
                f"tempo={bpm}: quarter notes a minute from {MIN_TEMPO_BPM:g} to "
                f"{MAX_TEMPO_BPM:g} are needed",
                "tempo",
            )

    @property
    def whole_meter(self) -> tuple[int, int] | None:
        """The meter of the whole file, if it is known."""
        if self.meter is not None or self.grid is None:
            return self.meter
        return (self.grid.numerator, self.grid.denominator)


AS_FOUND = Reading()


def make_reading(
    bar_one: float | None = None,
    meter: str | None = None,
    tempo_bpm: float | None = None,
    track: str | None = None,
    grid: str | None = None,
) -> Reading:
    """A reading with a meter such as `4/4` and a grid such as `triplets` as text.

    Raises:
      UserError: a value is not valid.
    """
    match = re.fullmatch(r"\s*(\d{1,2})/(\d{1,2})\s*", meter) if meter is not None else None
    if meter is not None and match is None:
        raise UserError(f"meter={meter}: not a meter; valid are {METER_NAMES}", "meter")
    beats = (int(match[1]), int(match[2])) if match else None
    if grid is not None and grid.strip() not in GRIDS:
        raise UserError(f"grid={grid}: unknown; valid are {', '.join(GRIDS)}", "grid")
    steps = None if grid is None else GRIDS[grid.strip()]
    return Reading(bar_one, beats, tempo_bpm, track=track, grid=steps)
