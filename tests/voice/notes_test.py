"""Notes from pitch: what was sung, whatever the voice does on its way."""

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given, settings

from musicvae_jax.voice import pitch
from musicvae_jax.voice.notes import notes, tuning
from musicvae_jax.voice.pitch import FRAMES_PER_SEC, PitchTrack
from tests.voice import sounds

# A rest, a repeated note, steps and leaps.
TUNE = [
    (60, 0.3, 0.6),
    (62, 0.6, 0.75),
    (64, 0.75, 0.9),
    (64, 0.9, 1.3),
    (76, 1.6, 1.8),
    (57, 1.8, 2.5),
]


def heard(sound: np.ndarray) -> np.ndarray:
    return notes(pitch.track(sound))


def assert_are(found: np.ndarray, tune: list[tuple[float, float, float]], shift: int = 0) -> None:
    """Pitches exactly, onsets within 25 ms, ends within 60 ms."""
    assert found[:, 0].tolist() == [tone + shift for tone, _, _ in tune]
    np.testing.assert_allclose(found[:, 1], [start for _, start, _ in tune], atol=0.025)
    np.testing.assert_allclose(found[:, 2], [end for _, _, end in tune], atol=0.06)


def sung(curve: list[float], level: list[float] | None = None) -> PitchTrack:
    """A track with a pitch in each frame, 0 for none."""
    tone = np.array(curve, np.float64)
    tone[tone == 0] = np.nan
    level_db = np.zeros(tone.size) if level is None else np.array(level, np.float64)
    return PitchTrack(tone, level_db, ~np.isnan(tone), np.ones(tone.size))


def test_a_melody_of_sines_gives_its_notes():
    assert_are(heard(sounds.melody(TUNE)), TUNE)


@settings(max_examples=6)
@given(st.integers(-18, 24))
def test_transposed_sound_gives_transposed_notes(shift):
    moved = [(tone + shift, start, end) for tone, start, end in TUNE]
    assert_are(heard(sounds.melody(moved)), TUNE, shift)


@settings(max_examples=4)
@given(st.floats(0.0, 0.6), st.floats(-0.4, 0.4), st.integers(0, 99))
def test_vibrato_noise_and_another_tuning_give_the_same_notes(vibrato, offset, seed):
    moved = [(tone + offset, start, end) for tone, start, end in TUNE]
    sound = sounds.melody(moved, vibrato=vibrato)
    noise = np.random.default_rng(seed).normal(0, 0.01, sound.size).astype(np.float32)
    assert heard(sound + noise)[:, 0].tolist() == [tone for tone, _, _ in TUNE]


def test_a_glide_is_no_note():
    glide = np.linspace(60, 67, 8).tolist()
    found = notes(sung([60] * 40 + glide + [67] * 40))
    assert found[:, 0].tolist() == [60, 67]
    assert found[1, 1] == pytest.approx(0.44, abs=0.03)


@pytest.mark.parametrize("slip", [12, -12, 24])
def test_slips_by_an_octave_are_mended(slip):
    curve = [62] * 30 + [62 + slip] * 8 + [62] * 30
    assert notes(sung(curve))[:, 0].tolist() == [62]
    # A leap by an octave that lasts is one.
    curve = [62] * 30 + [62 + slip] * 30 + [62] * 30
    assert notes(sung(curve))[:, 0].tolist() == [62, 62 + slip, 62]


def test_a_note_is_repeated_at_a_dip_and_not_by_tremolo():
    level = np.zeros(100)
    level[48:52] = [-4, -9, -9, -4]
    found = notes(sung([62] * 100, level.tolist()))
    assert found[:, 0].tolist() == [62, 62]
    assert found[1, 1] == pytest.approx(0.51, abs=0.02)
    trembling = 1.5 * np.sin(2 * np.pi * 6 * np.arange(100) / FRAMES_PER_SEC)
    assert len(notes(sung([62] * 100, trembling.tolist()))) == 1


def test_louder_notes_are_faster_struck():
    level = [-12.0] * 40 + [0.0] * 40
    soft, loud = notes(sung([60] * 40 + [64] * 40, level))[:, 3]
    assert soft < loud <= 127


def test_tuning_follows_a_voice_that_sinks():
    sinking = 60 - np.linspace(0, 0.9, 60 * FRAMES_PER_SEC)
    np.testing.assert_allclose(tuning(sinking)[[1500, 4500]], [-0.225, -0.675], atol=0.1)
    assert notes(sung(sinking.tolist()))[:, 0].tolist() == [60]


def test_nothing_is_heard_in_silence():
    assert notes(sung([0] * 50)).shape == (0, 4)
    assert notes(pitch.track(np.zeros(24_000, np.float32))).shape == (0, 4)
