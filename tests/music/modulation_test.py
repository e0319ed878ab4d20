import hypothesis
import hypothesis.strategies as st
import numpy as np
import pytest

from musicvae_jax.music import modulation
from musicvae_jax.music.examples import example_melodies
from musicvae_jax.music.melody import Melody
from musicvae_jax.music.modulation import Key
from tests import helpers

ODE, REEL = example_melodies().values()
C_MAJOR, A_MINOR = Key(0, False, 1.0), Key(9, True, 1.0)
MAJOR = {0, 2, 4, 5, 7, 9, 11}


def scale(root):
    return {(root + step) % 12 for step in MAJOR}


def test_keys_of_the_examples():
    assert [modulation.find_key(melody).name for melody in (ODE, REEL)] == ["C major", "D major"]
    assert modulation.find_key(Melody.from_notes([], 16)).name == "no key"


@pytest.mark.parametrize("semitones", range(-11, 12))
def test_a_transposed_melody_comes_back_by_the_nearest_way(semitones):
    moved = ODE.transpose(semitones)
    key = modulation.find_key(moved)
    assert key.name == modulation.find_key(ODE).transpose(semitones).name
    shift = modulation.shift_to_key(moved, key, C_MAJOR)
    assert (shift + semitones) % 12 == 0
    assert -6 <= shift <= 5


def test_between_major_and_minor_the_notes_agree():
    assert modulation.shift_to_key(ODE, C_MAJOR, A_MINOR) == 0
    # D minor has F major's notes; C major is the nearest with them five below.
    assert modulation.shift_to_key(ODE, Key(2, True, 1.0), C_MAJOR) == -5


def test_a_melody_at_the_edge_of_the_piano_takes_another_octave():
    low = Melody.from_notes([(21, 0, 4), (28, 4, 8)], 16)
    assert modulation.shift_to_key(low, Key(2, False, 1.0), C_MAJOR) == 10
    wide = Melody.from_notes([(21, 0, 4), (108, 4, 8)], 16)
    assert modulation.shift_to_key(wide, Key(2, False, 1.0), C_MAJOR) == -2
    all_of_midi = Melody.from_notes([(0, 0, 4), (127, 4, 8)], 16)
    assert modulation.shift_to_key(all_of_midi, Key(2, False, 1.0), C_MAJOR) == 0


def test_pairs_are_what_a_bridge_is_made_from():
    melodies = [ODE, REEL, ODE.transpose(5)]
    keep = modulation.plan_keys(melodies, "keep", loop=True)
    assert keep.pairs == ((ODE, REEL), (REEL, melodies[2]), (melodies[2], ODE))
    transpose = modulation.plan_keys(melodies, "transpose")
    assert transpose.shifts == (0, -2, -5)
    assert transpose.pairs == ((ODE, REEL.transpose(-2)), (REEL.transpose(-2), ODE))
    glide = modulation.plan_keys(melodies, "glide", loop=True)
    assert glide.shifts == (0, 0, 0)
    assert glide.glides == (2, 3, -5)
    for index, (first, second) in enumerate(glide.pairs):
        assert first == melodies[index]
        assert second.transpose(glide.glides[index]) == melodies[(index + 1) % 3]
        keys = [modulation.find_key(melody) for melody in (first, second)]
        assert keys[0].scale_root == keys[1].scale_root


def diatonic_melody(rng, bars, root):
    octave, degree = np.divmod(rng.integers(-7, 8, 4 * bars), 7)
    pitch = 60 + root + 12 * octave + np.array(sorted(MAJOR))[degree]
    return Melody.from_notes(
        [(p, 4 * i, 4 * i + 4) for i, p in enumerate(pitch.tolist())], 16 * bars
    )


@pytest.mark.parametrize("semitones", range(-12, 13))
def test_a_glide_walks_through_neighbouring_scales(semitones):
    rng = np.random.default_rng(semitones + 12)
    melody = diatonic_melody(rng, 16, root=2)
    moved = modulation.glide(melody, Key(2, False, 1.0), semitones, np.linspace(0, 1, 16))
    assert moved.window(0, 1) == melody.window(0, 1)
    assert moved.window(15, 1) == melody.window(15, 1).transpose(semitones)
    fifths = (7 * semitones + 6) % 12 - 6
    before = 0
    for bar in range(16):
        old, new = melody.window(bar, 1).pitch, moved.window(bar, 1).pitch
        np.testing.assert_array_equal(np.sign(np.diff(new)), np.sign(np.diff(old)))
        # The register moves evenly, give or take what one step of a scale is.
        assert np.mean(new - old) == pytest.approx(semitones * bar / 15, abs=1.6)
        # The scales that hold these notes include the one that it should be by now.
        now = round(fifths * bar / 15)
        assert set((new % 12).tolist()) <= scale(2 + 7 * now)
        assert abs(now - before) <= 1
        before = now


@hypothesis.given(helpers.melodies(40, 90), st.integers(0, 11), st.booleans(), st.integers(-8, 8))
def test_a_glide_keeps_the_rhythm_and_arrives_exactly(melody, tonic, is_minor, semitones):
    key = Key(tonic, is_minor, 1.0)
    for t, expected in ((0.0, 0), (1.0, semitones)):
        moved = modulation.glide(melody, key, semitones, np.full(melody.num_bars, t))
        assert moved == melody.transpose(expected)
    moved = modulation.glide(melody, key, semitones)
    assert [n[1:] for n in moved.notes()] == [n[1:] for n in melody.notes()]
    assert np.abs(moved.pitch - melody.pitch).max(initial=0) <= abs(semitones) + 3


def test_a_glide_is_by_default_between_the_melodies():
    # One bar is half way from C to E, two fifths of four: D major. C E G becomes D F# A.
    triad = Melody.from_notes([(60, 0, 4), (64, 4, 8), (67, 8, 16)], 16)
    assert modulation.glide(triad, C_MAJOR, 4).pitch.tolist() == [62, 66, 69]
