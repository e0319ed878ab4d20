import numpy as np
import pytest

from benchmarks import renditions
from musicvae_jax.midi import read
from musicvae_jax.midi.analysis import beats
from musicvae_jax.midi.extraction import extract
from musicvae_jax.midi.song import seconds_at
from musicvae_jax.music.examples import example_melodies
from musicvae_jax.notation import read as notation_read
from tests.midi.extraction_test import song, track


def performed(melody, seed, accompanied):
    """A performance of a melody with a tempo that drifts, and the second of each quarter note."""
    rng = np.random.default_rng(seed)
    parts = [renditions.melody_part(melody.pitch, melody.start / 4, melody.end / 4)]
    if accompanied:
        parts = renditions.accompany(rng, parts[0])
    drift = 0.08 * np.sin(np.arange(120) / 9)
    seconds = 1.0 + np.cumsum(60 / rng.uniform(80, 130) * np.exp(drift))
    played = renditions.played(rng, parts, seconds, jitter_sec=0.012)
    # The file says 120, at which a second is two quarter notes.
    return renditions.midi_bytes(played, 120, (4, 4), 2 * renditions.TICKS_PER_QUARTER), seconds


@pytest.mark.parametrize("accompanied", [False, True])
@pytest.mark.parametrize("name", ["ode_to_joy", "reel"])
def test_beats_of_a_performance_are_tracked(name, accompanied):
    melody = example_melodies()[name]
    data, seconds = performed(melody, 1, accompanied)
    found = read.song_from_bytes(data, "x")
    assert any("beats were tracked" in warning for warning in found.warnings)
    # The seconds of the beats are those of the file.
    heard = seconds_at(np.arange(4.0, 60.0), found.tempos)
    off = np.abs(heard[:, None] - seconds).min(axis=1)
    assert np.median(off) < 0.03
    notes = extract(found).melody.pitch
    assert abs(notes.size - melody.pitch.size) < 0.1 * melody.pitch.size


def test_a_grid_is_no_performance():
    grids = [
        [(60 + n % 7, n / parts, (n + 1) / parts) for n in range(64)]
        for parts in (1, 2, 3, 4, 6, 8)
    ]
    swing = [(60, n // 2 + (n % 2) * 2 / 3, n // 2 + (n % 2) * 2 / 3 + 0.1) for n in range(64)]
    for notes in [*grids, swing]:
        assert not beats.is_without_grid(song(track(notes)))
    by_chance = np.sort(np.random.default_rng(0).uniform(0, 100, 200))
    assert beats.is_without_grid(song(track([(60, t, t + 0.1) for t in by_chance])))


def test_noise_has_no_beats():
    by_chance = np.sort(np.random.default_rng(0).uniform(0, 200, 300))
    noise = song(track([(60, t, t + 0.1) for t in by_chance]))
    assert beats.on_tracked_beats(noise) is None


def test_a_performance_is_kept_whole_on_its_tracked_beats():
    data, _ = performed(example_melodies()["reel"], 1, True)
    whole = notation_read.whole_from_bytes(data, "x.mid")
    resolution = whole.arrangement.ticks_per_quarter
    melody = [note for note in whole.arrangement.notes if note.channel == 0]
    steps = np.array([4 * (note.start / resolution - whole.origin) for note in melody])
    assert len(melody) == whole.melody.pitch.size
    assert np.abs(np.sort(steps) - whole.melody.start).max() < 0.6


def test_loose_playing_to_a_click_has_a_grid():
    rng = np.random.default_rng(0)
    places = np.arange(256) / 4 + rng.normal(0, 0.035, 256) + 1
    assert not beats.is_without_grid(song(track([(60, t, t + 0.1) for t in np.sort(places)])))
