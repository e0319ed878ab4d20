import numpy as np
import pytest

from musicvae_jax.music import tempo


def test_ramp_golden():
    # 60 * 2 ** (k / 65): 64 quarters, and the ratio is the same into and out of the bridge.
    [ramp] = tempo.tempo_ramp(60.0, 120.0, [tempo.Stage(16)])
    assert [step for step, _ in ramp] == list(range(0, 256, 4))
    np.testing.assert_allclose([b for _, b in ramp], 60 * 2 ** (np.arange(1, 65) / 65))
    # In one bar quarters would jump by 8 per cent, so it goes in sixteenths.
    [ramp] = tempo.tempo_ramp(120.0, 180.0, [tempo.Stage(1)])
    assert [step for step, _ in ramp] == list(range(16))
    np.testing.assert_allclose([b for _, b in ramp], 120 * 1.5 ** (np.arange(1, 17) / 17))
    assert tempo.tempo_ramp(97.0, 97.0, [tempo.Stage(5)]) == [[(0, 97.0)]]


def test_a_ramp_backwards_is_the_ramp_back():
    up = [bpm for _, bpm in tempo.tempo_ramp(80.0, 131.0, [tempo.Stage(7)])[0]]
    down = [bpm for _, bpm in tempo.tempo_ramp(131.0, 80.0, [tempo.Stage(7)])[0]]
    np.testing.assert_allclose(up, down[::-1])


@pytest.mark.parametrize("bpm", [0.0, -1.0, 3.0, 1e9, float("nan")])
def test_tempos_that_midi_has_not(bpm):
    with pytest.raises(ValueError, match="cannot be written to MIDI"):
        tempo.microseconds_per_quarter(bpm)
