"""What every source of melodies gives: songs cut into windows, or why there is none."""

import dataclasses
import re

from musicvae_jax.melody import Melody
from musicvae_jax.windows import WindowRules, Windows, melody_windows

# Words that say how a tune is danced or which copy of it this is, not which tune it is.
_GENERIC_WORDS = frozenset(
    [
        *("a", "an", "the", "reel", "reels", "hornpipe", "jig", "strathspey", "clog"),
        *("fling", "highland", "march", "air", "no", "2nd", "setting"),
    ]
)


@dataclasses.dataclass(frozen=True)
class SourceSong:
    """The windows of a song, and what tells it from others.

    Attributes:
      id: unique within the data set.
      names: normalised titles; songs that share one are one song in several versions.
      source: the collection or folder.
      tempo_bpm: quarter notes per minute.
      key_shift: semitones by which the song was transposed.
      num_bars: of the whole melody.
      windows: those kept, and why others were not.
    """

    id: str
    names: tuple[str, ...]
    source: str
    tempo_bpm: float
    key_shift: int
    num_bars: int
    windows: Windows


@dataclasses.dataclass(frozen=True)
class Refusal:
    """A song that gave no melody, and why."""

    id: str
    reason: str


def source_song(
    id: str,
    names: tuple[str, ...],
    source: str,
    melody: Melody,
    rules: WindowRules,
    key_shift: int = 0,
) -> SourceSong | Refusal:
    """Cuts a melody into windows; refuses one that is shorter than a window."""
    if melody.num_bars < rules.bars:
        return Refusal(id, f"shorter than {rules.bars} bars")
    windows = melody_windows(melody, rules)
    return SourceSong(id, names, source, melody.tempo_bpm, key_shift, melody.num_bars, windows)


def normal_title(title: str) -> str:
    """Brings spellings of one title together: `Reel, The Acrobat's` -> `acrobats`."""
    words = re.sub(r"[^\w\s]", "", title.lower()).split()
    return "".join(word for word in words if word not in _GENERIC_WORDS) or "".join(words)
