import dataclasses

import numpy as np
import pytest

from benchmarks import renditions
from musicvae_jax.midi.analysis import bars, cues, downbeats
from musicvae_jax.midi.reading import AS_FOUND
from musicvae_jax.midi.song import make_song
from musicvae_jax.music.examples import example_melodies
from tests.midi.extraction_test import track


def accompanied(name="reel", seed=0):
    melody = example_melodies()[name]
    part = renditions.melody_part(melody.pitch, melody.start / 4, melody.end / 4)
    parts = renditions.accompany(np.random.default_rng(seed), part)
    return make_song(
        [
            dataclasses.replace(
                track(part.notes[:, :3]), name=part.name, program=part.program, is_drum=part.is_drum
            )
            for part in parts
        ],
        [],
        [],
    )


def later(song, quarters):
    tracks = [
        dataclasses.replace(track, start=track.start + quarters, end=track.end + quarters)
        for track in song.tracks
    ]
    return dataclasses.replace(song, tracks=tuple(tracks))


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("quarters", [0.0, 0.5, 1.0, 2.0, 3.25])
def test_probabilities_move_with_the_song(seed, quarters):
    song = accompanied(seed=seed)
    here, there = downbeats.probabilities(song), downbeats.probabilities(later(song, quarters))
    assert here.sum() == pytest.approx(1)
    # The first note of a bar, not of a song, is what moves: only `size` may differ.
    assert here.argmax() == 0
    assert there.argmax() == int(4 * quarters)


def test_an_offset_is_where_sixteenth_0_is():
    song = accompanied()
    moved = downbeats.probabilities(later(song, 1.1), offset=1.1)
    np.testing.assert_allclose(moved, downbeats.probabilities(song), atol=1e-6)


def test_cues_by_hand():
    """Two bars: a whole note, then four quarter notes, the second of which is low."""
    song = make_song([track([(60, 0, 4), (60, 4, 5), (40, 5, 6), (60, 6, 7), (60, 7, 8)])], [], [])
    notes = cues.on_grid(song)
    line = notes.line()
    assert (notes.size, line.start.tolist()) == (32, [0, 16, 20, 24, 28])
    assert line.length.tolist() == [16, 4, 4, 4, 4]
    profile = dict(zip(cues.CUES, cues.profile(notes, line), strict=True))
    assert profile["onsets"].argmax() == 0
    assert set(np.flatnonzero(profile["onsets"] > 0)) == {0, 4, 8, 12}
    assert profile["lengths"].argmax() == 0
    assert profile["low"].argmax() == profile["bass"].argmax() == 4
    assert [profile[name].argmax() for name in ("first", "last", "end")] == [0, 12, 0]
    assert not profile["odd_end"].any()
    assert not downbeats.is_ensemble(notes, line)


def test_an_accompanied_song_that_was_recorded_late_gets_its_bars():
    song = later(accompanied("ode_to_joy"), 1.06)
    found = bars.found(song, AS_FOUND)
    [(first, *meter)] = found.meters
    assert meter == [4, 4]
    assert first % 4 == pytest.approx(1.06, abs=0.01)
    assert "a bar begins at quarter note 1.06" in found.warnings[-1]
    # Those of a file that is right are left alone.
    right = bars.found(accompanied("ode_to_joy"), AS_FOUND)
    assert (right.meters, right.warnings) == (((0.0, 4, 4),), ())
