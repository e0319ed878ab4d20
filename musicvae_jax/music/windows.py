"""From melodies or drums to windows of whole bars that are worth learning from."""

import collections
import dataclasses
import math
from collections.abc import Callable
from typing import Any, TypeVar

import numpy as np

from musicvae_jax.music.drum_codec import DrumCodec
from musicvae_jax.music.drums import Drums
from musicvae_jax.music.melody import MAX_PITCH, MIN_PITCH, Melody
from musicvae_jax.music.tokens import FIRST_ONSET, HOLD, NOTE_OFF, MelodyCodec
from musicvae_jax.system.errors import UserError


@dataclasses.dataclass(frozen=True)
class WindowRules:
    """Which windows are music enough to keep.

    A singer rests for some bars between two phrases, and such windows are kept. A window
    that is silent for longer, or in most of its bars, is an interlude of other instruments.

    Attributes:
      bars: the length of a window.
      max_silent_share: the longest silence within a window, as a share of it. A silence of
        one bar is always kept.
      min_sounding_share: in how many of its bars a note sounds at least, as a share.
      min_unique_pitches: how many different pitches it has at least.
    """

    bars: int = 16
    max_silent_share: float = 0.25
    min_sounding_share: float = 0.5
    min_unique_pitches: int = 3

    @property
    def max_silent_bars(self) -> int:
        """The longest silence within a window."""
        return max(1, int(self.max_silent_share * self.bars))

    @property
    def min_sounding_bars(self) -> int:
        """In how many bars of a window a note sounds at least."""
        return math.ceil(self.min_sounding_share * self.bars)


@dataclasses.dataclass(frozen=True)
class Windows:
    """The windows of a melody, sliding by one bar.

    Attributes:
      start_bars: [windows] int32, of those kept.
      tokens: [windows, bars * steps_per_bar], of `MelodyCodec` or `DrumCodec`, as they are stored.
      refusals: how many were not kept, by reason.
    """

    start_bars: np.ndarray
    tokens: np.ndarray
    refusals: collections.Counter[str]


def _sounding(tokens: np.ndarray) -> np.ndarray:
    """The onset token that still sounds at each step [steps], 0 in silence."""
    latest = np.maximum.accumulate(np.where(tokens != HOLD, np.arange(tokens.size), 0))
    return np.where(tokens[latest] >= FIRST_ONSET, tokens[latest], 0)


def _silence_so_far(silent: np.ndarray) -> np.ndarray:
    """How many silent steps end with each step of [steps] bool."""
    step = np.arange(silent.size)
    return step - np.maximum.accumulate(np.where(silent, -1, step))


def _kept(tokens: np.ndarray, reasons: dict[str, np.ndarray]) -> Windows:
    """The windows to which no reason applies; the others count for their first reason.

    Args:
      tokens: [windows, steps] of all windows.
      reasons: by their texts to which windows they apply, [windows] bool.
    """
    refused = np.zeros(len(tokens), bool)
    refusals: collections.Counter[str] = collections.Counter()
    for reason, applies in reasons.items():
        refusals[reason] = int((applies & ~refused).sum())
        refused |= applies
    kept = np.flatnonzero(~refused)
    return Windows(kept.astype(np.int32), tokens[kept], +refusals)


def melody_windows(melody: Melody, rules: WindowRules) -> Windows:
    """Cuts a melody into every window of `rules.bars` bars that the rules keep.

    A note held into a window is struck again at its first step, as `Melody.window` does;
    all windows are made at once.
    """
    per_bar = melody.grid.steps_per_bar
    length, max_silent_steps = rules.bars * per_bar, rules.max_silent_bars * per_bar
    count = melody.num_bars - rules.bars + 1
    if count <= 0:
        nothing = np.zeros((0, length), np.uint8)
        return Windows(np.zeros(0, np.int32), nothing, collections.Counter())
    outside = (melody.pitch < MIN_PITCH) | (melody.pitch > MAX_PITCH)
    inside_range = dataclasses.replace(
        melody,
        pitch=np.clip(melody.pitch, MIN_PITCH, MAX_PITCH),
        num_steps=melody.num_bars * per_bar,
    )
    whole = MelodyCodec().encode(inside_range)
    sounding = _sounding(whole)
    is_outside = np.zeros(whole.size + 1, np.int32)
    np.add.at(is_outside, melody.start[outside], 1)
    np.add.at(is_outside, melody.end[outside], -1)

    def windows(per_step: np.ndarray) -> np.ndarray:
        return np.lib.stride_tricks.sliding_window_view(per_step, length)[::per_bar]

    tokens = windows(whole).astype(np.uint8)
    first_sounding = sounding[::per_bar][:count]
    first = np.where(tokens[:, 0] == NOTE_OFF, HOLD, tokens[:, 0])
    tokens[:, 0] = np.where(first == HOLD, first_sounding, first)
    # Within a window, a silence is at most as long as the window so far.
    silence = np.minimum(windows(_silence_so_far(sounding == 0)), np.arange(1, length + 1))
    sounding_bars = (windows(sounding) > 0).reshape(count, rules.bars, -1).any(axis=2).sum(axis=1)
    present = np.zeros((count, MelodyCodec().vocab), bool)
    present[np.arange(count)[:, None], tokens] = True
    unique_pitches = present[:, FIRST_ONSET:].sum(axis=1)

    reasons = {
        "silent": unique_pitches == 0,
        "pitches outside of the piano": windows(np.cumsum(is_outside[:-1])).any(axis=1),
        f"over {max_silent_steps} steps of silence": (silence.max(axis=1) > max_silent_steps),
        f"sound in fewer than {rules.min_sounding_bars} bars": (
            sounding_bars < rules.min_sounding_bars
        ),
        f"fewer than {rules.min_unique_pitches} different pitches": (
            unique_pitches < rules.min_unique_pitches
        ),
    }
    return _kept(tokens, reasons)


def drum_windows(drums: Drums, rules: WindowRules) -> Windows:
    """Cuts drums into every window of `rules.bars` bars that the rules keep.

    As of melodies, a window that is silent for long, or in most of its bars, is not kept; the
    rules of pitches do not count.
    """
    codec, length = DrumCodec(), rules.bars * drums.grid.steps_per_bar
    count = drums.num_bars - rules.bars + 1
    if count <= 0:
        nothing = np.zeros((0, length), codec.dtype)
        return Windows(np.zeros(0, np.int32), nothing, collections.Counter())
    whole = np.zeros(drums.num_bars * drums.grid.steps_per_bar, codec.dtype)
    whole[: drums.num_steps] = codec.encode(drums)
    tokens = np.lib.stride_tricks.sliding_window_view(whole, length)[:: drums.grid.steps_per_bar]
    is_struck = codec.onsets(tokens)
    step = np.arange(length)
    latest = np.maximum.accumulate(np.where(is_struck, step, -1), axis=1)
    silence = (step - latest).max(axis=1)
    sounding_bars = is_struck.reshape(count, rules.bars, -1).any(axis=2).sum(axis=1)
    longest = rules.max_silent_bars * drums.grid.steps_per_bar
    reasons = {
        "silent": sounding_bars == 0,
        f"over {longest} steps of silence": silence > longest,
        f"sound in fewer than {rules.min_sounding_bars} bars": (
            sounding_bars < rules.min_sounding_bars
        ),
    }
    return _kept(tokens, reasons)


_CUTS: dict[type, Callable[[Any, WindowRules], Windows]] = {
    Melody: melody_windows,
    Drums: drum_windows,
}
Music = TypeVar("Music", Melody, Drums)


def windows_of(music: Melody | Drums, rules: WindowRules) -> Windows:
    """`melody_windows` or `drum_windows`."""
    return _CUTS[type(music)](music, rules)


def first_window(melody: Music, bars: int, source: str) -> Music:
    """The first window that the rules keep, or else simply the first.

    Raises:
      UserError: the melody is shorter than `bars`.
    """
    if melody.num_bars < bars:
        raise UserError(
            f"{source}: has {melody.num_bars} bars of {melody.grid.meter}, {bars} are needed"
        )
    kept = windows_of(melody, WindowRules(bars=bars)).start_bars
    return melody.window(int(kept[0]) if kept.size else 0, bars)


def bridge_ends(first: Music, second: Music, bars: int, is_spliced: bool) -> tuple[Music, Music]:
    """The two melodies of `bars` bars that a bridge of as many bars is made from.

    Bar i of a bridge lies between bar i of one and bar i of the other. A bridge that is
    spliced in repeats, and slowly leaves, the end of the first melody, and prepares its
    successor's beginning: those are the last bars of the first and the first bars of the
    second, so phrases keep their place. A transition that stands alone goes from the
    first window of one that is worth it (`first_window`) to that of the other. A melody
    that is shorter goes round; the second so that it comes to its end with the bridge.
    """
    if is_spliced:
        taken = min(bars, first.num_bars)
        first = first.window(first.num_bars - taken, taken)
        second = second.window(0, min(bars, second.num_bars))
    else:
        first, second = (
            first_window(melody, min(bars, melody.num_bars), "") for melody in (first, second)
        )
    return play_round(first, 0, bars), play_round(second, -bars % second.num_bars, bars)


def play_round(melody: Music, start_bar: int, bars: int) -> Music:
    """`bars` bars from `start_bar` of a melody that is played round and round."""
    rounds = -(-(start_bar + bars) // melody.num_bars)
    return melody.then(*[melody] * (rounds - 1)).window(start_bar, bars)
