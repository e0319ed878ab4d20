"""What every source of melodies gives: songs cut into windows, or why there is none."""

import collections
import dataclasses
import re
from collections.abc import Sequence

import numpy as np

from musicvae_jax.music.drums import Drums
from musicvae_jax.music.melody import Melody
from musicvae_jax.music.windows import WindowRules, Windows, windows_of

# Words that say how a tune is danced or which copy of it this is, not which tune it is.
_GENERIC_WORDS = frozenset(
    [
        *("a", "an", "the", "reel", "reels", "hornpipe", "jig", "strathspey", "clog"),
        *("fling", "highland", "march", "air", "no", "2nd", "setting"),
    ]
)


# Where words meet in a title without spaces.
_JOINED_WORDS = re.compile(r"(?<=[a-z])(?=[A-Z])|(?<=[a-z])(?=(?:reel|jig|hornpipe)(?:[A-Z]|$))")


@dataclasses.dataclass(frozen=True)
class SourceSong:
    """The windows of a song, and what tells it from others.

    Attributes:
      id: unique within the data set.
      names: normalised titles; songs that share one are one song in several versions.
      tempo_bpm: quarter notes per minute, where the song begins.
      key_shift: semitones by which the song was transposed.
      num_quarters: how long its melodies last, in quarter notes.
      windows: those kept, and why others were not.
      split: of which it is, where its collection says so; empty for any, by its names.
    """

    id: str
    names: tuple[str, ...]
    tempo_bpm: float
    key_shift: int
    num_quarters: float
    windows: Windows
    split: str = ""


@dataclasses.dataclass(frozen=True)
class Refusal:
    """A song that gave no melody, and why."""

    id: str
    reason: str


@dataclasses.dataclass(frozen=True)
class Elsewhere:
    """A song that the data set of the usual grid holds, whose split its versions here share.

    Attributes:
      id: as of `SourceSong`; the same song may be one of this data set too.
      names: as of `SourceSong`.
    """

    id: str
    names: tuple[str, ...]


def source_song(
    id: str,
    names: tuple[str, ...],
    melodies: Sequence[Melody] | Sequence[Drums],
    rules: WindowRules,
    key_shift: int = 0,
) -> SourceSong | Refusal:
    """Cuts the melodies of a song into windows; none reaches from one into the next.

    Args:
      id, names, key_shift: as in `SourceSong`.
      melodies: at least one, or drums; bars are counted through all of them.
      rules: which windows are kept.

    Returns:
      The song, or a refusal if all melodies are shorter than a window.
    """
    if all(melody.num_bars < rules.bars for melody in melodies):
        return Refusal(id, f"shorter than {rules.bars} bars")
    parts = [windows_of(melody, rules) for melody in melodies]
    bars = np.array([melody.num_bars for melody in melodies])
    offsets = (np.cumsum(bars) - bars).tolist()
    windows = Windows(
        np.concatenate(
            [part.start_bars + first for part, first in zip(parts, offsets, strict=True)]
        ).astype(np.int32),
        np.concatenate([part.tokens for part in parts]),
        sum((part.refusals for part in parts), collections.Counter()),
    )
    num_quarters = sum(melody.num_quarters for melody in melodies)
    return SourceSong(id, names, melodies[0].tempo_bpm, key_shift, num_quarters, windows)


def normal_title(title: str) -> str:
    """Brings spellings of one title together.

    `Reel, The Acrobat's` and, as files are called, `acrobats_reel` and `AcrobatsreelThe`
    become `acrobats`.
    """
    title = title.replace("_", " ").strip()
    if " " not in title:
        title = _JOINED_WORDS.sub(" ", title)
    words = re.sub(r"[^\w\s]", "", title.lower()).split()
    return "".join(word for word in words if word not in _GENERIC_WORDS) or "".join(words)
