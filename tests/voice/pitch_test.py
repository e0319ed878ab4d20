"""The pitch of a voice: sines and rich tones as they are, noise as none."""

import numpy as np
import pytest

from musicvae_jax.voice import pitch
from musicvae_jax.voice.sound import SAMPLE_RATE_HZ
from tests.voice import sounds

INSIDE = slice(25, 75)


@pytest.mark.parametrize("tone", [37.0, 48.0, 60.25, 71.5, 84.0, 96.0])
def test_tones_have_their_pitch_to_five_cents(tone):
    track = pitch.track(sounds.melody([(tone, 0.0, 1.0)]))
    np.testing.assert_allclose(track.pitch[INSIDE], tone, atol=0.05)
    assert track.periodicity[INSIDE].min() > 0.95
    assert np.isnan(track.pitch[110:]).all() and not track.is_loud[110:].any()


def test_overtones_and_their_missing_fundamental_change_nothing():
    time = np.arange(SAMPLE_RATE_HZ) / SAMPLE_RATE_HZ
    hz = 440 * 2 ** ((55 - 69) / 12)
    for numbers in (range(1, 12), range(2, 9)):
        tone = sum(np.sin(2 * np.pi * hz * k * time) / k for k in numbers)
        track = pitch.track((0.2 * tone).astype(np.float32))
        np.testing.assert_allclose(track.pitch[INSIDE], 55, atol=0.05)


def test_noise_has_no_pitch():
    noise = np.random.default_rng(0).normal(0, 0.1, SAMPLE_RATE_HZ).astype(np.float32)
    track = pitch.track(noise)
    assert np.isnan(track.pitch).mean() > 0.9
    assert np.median(track.periodicity) < 0.4


def test_time_is_where_it_sounds_and_pieces_have_no_seams():
    """Longer than the frames that are looked at together."""
    track = pitch.track(sounds.melody([(60, 1.0, 7.0)], gap_sec=0.0))
    has_pitch = np.flatnonzero(~np.isnan(track.pitch))
    assert has_pitch[0] == pytest.approx(100, abs=3)
    assert has_pitch[-1] == pytest.approx(700, abs=3)
    assert has_pitch.size == has_pitch[-1] - has_pitch[0] + 1
