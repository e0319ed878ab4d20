import dataclasses

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from musicvae_jax.music.melody import Melody
from musicvae_jax.music.tokens import MelodyCodec
from musicvae_jax.music.windows import WindowRules, first_window, melody_windows
from musicvae_jax.system.errors import UserError
from tests import helpers


def test_windows_slide_by_a_bar_and_refuse_silence_and_monotony():
    busy = [(60 + i % 5, 4 * i, 4 * i + 4) for i in range(12)]  # bars 0..2
    monotone = [(60, 96 + 4 * i, 100 + 4 * i) for i in range(8)]  # bars 6, 7
    melody = Melody.from_notes(busy + monotone, 128)
    windows = melody_windows(melody, WindowRules(bars=2))
    assert windows.start_bars.tolist() == [0, 1, 2]
    assert windows.refusals == {"silent": 2, "fewer than 3 different pitches": 2}
    assert windows.tokens.shape == (3, 32)
    assert windows.tokens.dtype == np.uint8


def test_first_window_skips_a_long_silence():
    notes = [(60, 0, 4)] + [(60 + i % 5, 48 + 4 * i, 52 + 4 * i) for i in range(12)]
    melody = Melody.from_notes(notes, 96)
    assert first_window(melody, 2, "x") == melody.window(2, 2)
    assert first_window(melody, 6, "x") == melody.window(0, 6)
    with pytest.raises(UserError, match="x: has 6 bars of 4/4, 7 are needed"):
        first_window(melody, 7, "x")


def test_a_singer_may_rest_for_some_bars_but_an_interlude_is_no_melody():
    def sung(*bars):
        notes = [(60 + i, 16 * bar + 4 * i, 16 * bar + 4 * i + 4) for bar in bars for i in range(4)]
        return Melody.from_notes(notes, 16 * 16)

    def refusals(melody):
        return dict(melody_windows(melody, WindowRules()).refusals)

    assert refusals(sung(0, 1, 2, 3, 8, 9, 10, 11, 15)) == {}  # twice four bars of rest
    assert refusals(sung(*range(5), *range(10, 16))) == {"over 64 steps of silence": 1}
    assert refusals(sung(0, 3, 4, 7, 8, 11, 14)) == {"sound in fewer than 8 bars": 1}


def slow_refusal(window, rules):
    """The rules, one window at a time."""
    if window.pitch.size == 0:
        return "silent"
    if window.pitch.min() < 21 or window.pitch.max() > 108:
        return "pitches outside of the piano"
    sounding = [False] * window.num_steps
    for _, start, end in window.notes():
        sounding[start:end] = [True] * (end - start)
    longest = run = 0
    for sounds in sounding:
        run = 0 if sounds else run + 1
        longest = max(longest, run)
    if longest > 16 * rules.max_silent_bars:
        return f"over {16 * rules.max_silent_bars} steps of silence"
    bars = [any(sounding[step : step + 16]) for step in range(0, window.num_steps, 16)]
    if sum(bars) < rules.min_sounding_bars:
        return f"sound in fewer than {rules.min_sounding_bars} bars"
    if len(set(window.pitch.tolist())) < rules.min_unique_pitches:
        return f"fewer than {rules.min_unique_pitches} different pitches"
    return None


@given(
    helpers.melodies(min_pitch=19, max_pitch=110),
    st.integers(1, 4),
    st.floats(0, 1),
    st.floats(0, 1),
    st.integers(0, 4),
)
def test_all_windows_at_once_are_those_cut_one_at_a_time(melody, bars, silent, sounding, pitches):
    rules = WindowRules(bars, silent, sounding, pitches)
    # As long as its bars, which is how melodies come out of songs and tunes.
    melody = dataclasses.replace(melody, num_steps=melody.num_bars * 16)
    kept, tokens, refusals = [], [], {}
    for start_bar in range(melody.num_bars - bars + 1):
        window = melody.window(start_bar, bars)
        reason = slow_refusal(window, rules)
        if reason is None:
            kept.append(start_bar)
            tokens.append(MelodyCodec().encode(window).tolist())
        else:
            refusals[reason] = refusals.get(reason, 0) + 1
    windows = melody_windows(melody, rules)
    assert windows.start_bars.tolist() == kept
    assert windows.tokens.tolist() == tokens
    assert dict(windows.refusals) == refusals
