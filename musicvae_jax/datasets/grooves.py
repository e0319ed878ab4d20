"""Performances of the Groove MIDI Dataset, with what tokens do not hold: velocity and timing."""

import dataclasses
import logging
from collections.abc import Mapping, Sequence

import numpy as np

from musicvae_jax.datasets.melodies.music_files import ReadingRules
from musicvae_jax.datasets.melodies.sources import find_source
from musicvae_jax.midi import drums as midi_drums
from musicvae_jax.midi.read import FileError
from musicvae_jax.music.drum_kit import PIECES
from musicvae_jax.music.drums import STEPS_PER_BAR, Drums
from musicvae_jax.music.windows import WindowRules
from musicvae_jax.notation import read

logger = logging.getLogger(__name__)

SOURCE = "groove"
BARS = 4  # of a window
STRIDE_BARS = 2
SPLITS = ("train", "validation", "test")


@dataclasses.dataclass(frozen=True)
class Grooves:
    """Windows of performances.

    Attributes:
      velocity: [windows, steps, 9] uint8, 0 where there is no hit.
      offset: [windows, steps, 9] float32, in steps.
      tempo_bpm: [windows] float32.
      performance: [windows] int32, the number of the performance.
    """

    velocity: np.ndarray
    offset: np.ndarray
    tempo_bpm: np.ndarray
    performance: np.ndarray

    @property
    def hits(self) -> np.ndarray:
        """[windows, steps, 9] bool."""
        return self.velocity > 0

    def __len__(self) -> int:
        return len(self.velocity)

    def __getitem__(self, windows: np.ndarray | slice) -> "Grooves":
        return Grooves(*(array[windows] for array in vars(self).values()))


def read_performances(folder: str) -> dict[str, list[Drums]]:
    """The performances in 4/4 by split.

    Args:
      folder: of the published collections, in which `groove` is one.

    Raises:
      UserError: it is not there.
    """
    source = find_source(SOURCE, ReadingRules(WindowRules(), extraction="drums"), folder)
    files, split_of = source.files(), source.splits()
    found: dict[str, list[Drums]] = {split: [] for split in SPLITS}
    for file in files:
        try:
            song = read.read_song(file.path, source.rules.reading)
        except FileError as error:
            logger.warning("%s", error)
            continue
        drums, _, _ = midi_drums.drums_of(song)
        if drums is not None:
            found[split_of[file.id]].append(drums)
    return found


def cut(performances: Sequence[Drums]) -> Grooves:
    """Windows of `BARS` bars, every `STRIDE_BARS`; the last of each is filled up with silence."""
    velocities, offsets, tempos, numbers = [], [], [], []
    length, stride = BARS * STEPS_PER_BAR, STRIDE_BARS * STEPS_PER_BAR
    for number, drums in enumerate(performances):
        velocity, offset = drums.grids()
        starts = range(0, max(len(velocity) - length + stride, stride), stride)
        for start in starts:
            missing = length - len(velocity[start : start + length])
            pad = ((0, missing), (0, 0))
            velocities.append(np.pad(velocity[start : start + length], pad).astype(np.uint8))
            offsets.append(np.pad(offset[start : start + length], pad))
            tempos.append(drums.tempo_bpm)
            numbers.append(number)
    shape = (0, length, len(PIECES))
    return Grooves(
        np.stack(velocities) if velocities else np.zeros(shape, np.uint8),
        np.stack(offsets) if offsets else np.zeros(shape, np.float32),
        np.array(tempos, np.float32),
        np.array(numbers, np.int32),
    )


def load(folder: str) -> dict[str, Grooves]:
    """`cut` of `read_performances`, by split."""
    return {split: cut(drums) for split, drums in read_performances(folder).items()}


def to_arrays(grooves: Mapping[str, Grooves]) -> dict[str, np.ndarray]:
    """All in one flat mapping, for an `.npz` file; `from_arrays` is the reverse."""
    return {
        f"{split}_{name}": array
        for split, part in grooves.items()
        for name, array in vars(part).items()
    }


def from_arrays(arrays: Mapping[str, np.ndarray]) -> dict[str, Grooves]:
    """See `to_arrays`."""
    names = [field.name for field in dataclasses.fields(Grooves)]
    return {split: Grooves(*(arrays[f"{split}_{name}"] for name in names)) for split in SPLITS}
