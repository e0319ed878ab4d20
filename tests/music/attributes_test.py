import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from musicvae_jax.music.attributes import ATTRIBUTES, measure
from musicvae_jax.music.melody import Melody
from musicvae_jax.music.tokens import CODECS
from tests import helpers

ENCODE = CODECS["melody"].encode


def strength(step):
    """How strong a step is: 4 on bar lines, then half bars, quarters, eighths, and 0."""
    return next(level for level in (4, 3, 2, 1, 0) if step % 2**level == 0)


def count(melody):
    """All attributes, note by note."""
    notes = melody.notes()
    if not notes:
        return dict.fromkeys(ATTRIBUTES, 0.0)
    pitches = [pitch for pitch, _, _ in notes]
    jumps = [abs(b - a) for a, b in itertools.pairwise(pitches)]
    starts = [start for _, start, _ in notes]
    syncopated = 0
    for start, following in zip(starts, [*starts[1:], melody.num_steps], strict=True):
        passed = range(start + 1, following)
        syncopated += any(strength(step) > strength(start) for step in passed)
    in_c = [pitch for pitch in pitches if "x.x.xx.x.x.x"[pitch % 12] == "x"]
    return {
        "density": len(notes) / (melody.num_steps / 16),
        "interval": sum(jumps) / len(jumps) if jumps else 0.0,
        "diatonic": len(in_c) / len(notes),
        "syncopation": syncopated / len(notes),
        "range": max(pitches) - min(pitches),
    }


def attributes_of(melody):
    [row] = measure(ENCODE(melody)[None])
    return dict(zip(ATTRIBUTES, row.tolist(), strict=True))


def rhythm(starts, num_steps=32):
    ends = [*starts[1:], num_steps]
    notes = [(60, start, end) for start, end in zip(starts, ends, strict=True)]
    return attributes_of(Melody.from_notes(notes, num_steps))["syncopation"]


def test_golden():
    notes = [(60, 0, 4), (67, 4, 6), (66, 6, 10), (66, 12, 13)]
    assert attributes_of(Melody.from_notes(notes, 32)) == {
        "density": 2.0,
        "interval": pytest.approx((7 + 1 + 0) / 3),
        "diatonic": 0.5,
        "syncopation": 0.5,  # the third is held over the half bar; no fifth on the bar line
        "range": 7.0,
    }


@pytest.mark.parametrize(
    ("starts", "share"),
    [
        ([0, 4, 8, 12, 16], 0),  # quarters
        ([0, 6, 8, 14, 16], 0),  # dotted quarters and eighths
        ([0, 3, 4, 7, 8, 16], 0),  # dotted eighths and sixteenths
        ([0, 4, 12, 16], 1 / 4),  # a half note from the second quarter
        ([0, 2, 6, 8, 16], 1 / 5),  # a quarter from the second eighth
        ([0, 3, 6, 8, 16], 1 / 5),  # a sixteenth before the quarter instead of it
        ([0, 12, 24], 1 / 3),  # held over the bar line
        ([0, 24], 0),  # the end of the melody is no bar line
    ],
)
def test_syncopation(starts, share):
    assert rhythm(starts) == pytest.approx(share)


def test_without_notes_and_with_one():
    assert attributes_of(Melody.from_notes([], 16)) == dict.fromkeys(ATTRIBUTES, 0.0)
    one = attributes_of(Melody.from_notes([(61, 5, 16)], 16))
    expected = {"density": 1, "interval": 0, "diatonic": 0, "syncopation": 1, "range": 0}
    assert one == expected


@given(st.lists(helpers.melodies(), min_size=1, max_size=4))
def test_a_batch_is_counted_note_by_note(melodies):
    steps = max(melody.num_steps for melody in melodies)
    melodies = [Melody.from_notes(melody.notes(), steps) for melody in melodies]
    tokens = np.stack([ENCODE(melody) for melody in melodies]).astype(np.uint8)
    expected = [list(count(melody).values()) for melody in melodies]
    np.testing.assert_allclose(measure(tokens), expected, rtol=1e-12)
    # Note-offs in silence, which a model may say, count for nothing.
    silent = np.pad(tokens, ((0, 0), (0, 16)))
    silent[:, -16:-8] = 1
    np.testing.assert_array_equal(measure(silent)[:, [1, 2, 4]], measure(tokens)[:, [1, 2, 4]])


@given(helpers.melodies(min_pitch=40, max_pitch=80), st.integers(-12, 12))
def test_transposition_changes_the_key_alone(melody, semitones):
    before, after = attributes_of(melody), attributes_of(melody.transpose(semitones))
    assert {k: v for k, v in before.items() if k != "diatonic"} == {
        k: v for k, v in after.items() if k != "diatonic"
    }
    if abs(semitones) == 12:
        assert before == after
