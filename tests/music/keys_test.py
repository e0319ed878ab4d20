import re

import numpy as np
import pytest
from music21 import note, stream

from musicvae_jax.datasets.melodies import abc_notation, folk
from musicvae_jax.music import keys


@pytest.fixture(scope="module")
def tunes():
    """Melodies of O'Neill's, with their notated tonic and mode where that is major or minor."""
    result = []
    for path in folk.corpus_files("oneills1850"):
        for text in abc_notation.split_tunes(path.read_text(errors="replace")):
            notated = re.search(r"(?m)^K:\s*([A-G])([#b]?)(m?)\s*$", text)
            try:
                result.append((folk.read_tune(text, "x").melody, notated))
            except folk.TuneRejectedError:
                continue
    return result


@pytest.fixture(scope="module")
def weights(tunes):
    return np.stack([keys.pitch_class_weights(m.pitch, m.end - m.start) for m, _ in tunes])


@pytest.mark.parametrize(("profiles", "method"), [("krumhansl", "krumhansl"), ("aarden", "key")])
@pytest.mark.parametrize("every", [40, pytest.param(1, marks=pytest.mark.slow)])
def test_agrees_with_music21(tunes, weights, profiles, method, every):
    tonic, is_minor, correlation = keys.find_keys(weights, profiles)
    for index in range(0, len(tunes), every):
        part = stream.Stream()
        for pitch, start, end in tunes[index][0].notes():
            part.append(note.Note(pitch, quarterLength=(end - start) / 4))
        theirs = part.analyze(method)
        assert (tonic[index], is_minor[index]) == (theirs.tonic.pitchClass, theirs.mode == "minor")
        assert correlation[index] == pytest.approx(theirs.correlationCoefficient, abs=1e-6)


def test_finds_the_notated_keys(tunes, weights):
    tonic, is_minor, _ = keys.find_keys(weights)
    right = []
    for index, (_, notated) in enumerate(tunes):
        if notated:
            letter, accidental, minor = notated.groups()
            expected = keys.NAMES.index(letter) + {"#": 1, "b": -1, "": 0}[accidental]
            right.append((tonic[index], is_minor[index]) == (expected % 12, minor == "m"))
    assert len(right) > 500
    assert np.mean(right) > 0.85


def test_scales_golden():
    c_major = keys.pitch_class_weights(np.array([60, 62, 64, 65, 67, 69, 71, 72]), np.ones(8))
    tonic, is_minor, _ = keys.find_keys(np.stack([c_major, np.roll(c_major, 3), np.zeros(12)]))
    assert [keys.key_name(t, m) for t, m in zip(tonic, is_minor, strict=True)][:2] == [
        "C major",
        "Eb major",
    ]


def test_shifts_are_the_nearest():
    tonic, is_minor = np.arange(12), np.zeros(12, bool)
    shift = keys.shift_to_c_or_a(tonic, is_minor)
    assert shift.tolist() == [0, -1, -2, -3, -4, -5, -6, 5, 4, 3, 2, 1]
    assert ((9 + keys.shift_to_c_or_a(np.array([9]), np.array([True]))) % 12).tolist() == [9]
    assert ((tonic + keys.shift_to_c_or_a(tonic, ~is_minor)) % 12 == 9).all()
