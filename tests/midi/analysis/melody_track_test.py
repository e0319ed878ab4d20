"""Which track is the melody, by what is heard and by what is written."""

import dataclasses

import numpy as np
import pytest

from benchmarks import arranged_songs
from musicvae_jax.midi import extraction
from musicvae_jax.midi.analysis import melody_track
from musicvae_jax.midi.song import make_song
from musicvae_jax.music.examples import example_melodies


def track(notes, **changes):
    return dataclasses.replace(arranged_songs.track(np.array(notes, float)), **changes)


def sung(height=0, bars=16, begin=16):
    """Eight bars of a tune, again and again, with a breath at the end of each fourth bar."""
    pitch = (60, 62, 64, 64, 65, 64, 62, 60, 62, 62, 67, 65, 64)
    beat = (0, 1, 1.5, 2, 4, 4.5, 5, 6, 8, 9.5, 10, 11, 12)
    length = (1, 0.5, 0.5, 1.5, 0.5, 0.5, 1, 1.5, 1.5, 0.5, 1, 1, 2)
    return [
        (p + height, begin + 4 * bar + b, begin + 4 * bar + b + n)
        for bar in range(0, bars, 4)
        for p, b, n in zip(pitch, beat, length, strict=True)
    ]


def chords(pitches, length, bars=24):
    return [
        (p + (0, 5, 7, 0)[int(beat // 4) % 4], beat, beat + 0.95 * length)
        for beat in np.arange(0, 4 * bars, length)
        for p in pitches
    ]


def arpeggio(pitches, bars=24):
    return [(pitches[i % len(pitches)], 0.5 * i, 0.5 * i + 0.5) for i in range(8 * bars)]


def taken(*tracks, syllables=()):
    song = make_song(tracks, [], [], syllables=syllables)
    best = extraction.extract(song).tracks[0]
    assert best.decision == "taken"
    return best.number


MELODY = track(sung())


@pytest.mark.parametrize(
    "other",
    [
        track(chords((79, 84, 88), 4)),  # a pad above it
        track(chords((48, 52, 55), 0.5)),
        track(arpeggio((72, 76, 79, 84))),
        track(chords((36,), 1)),
        track(chords((84,), 1)),  # a bell
        track(sung(12, bars=4, begin=0) + sung(12, bars=4, begin=80)),  # before and after it
    ],
    ids=["pad", "strum", "arpeggio", "bass", "bell", "lead"],
)
def test_the_sung_line_is_taken_whatever_plays_beside_it(other):
    assert taken(MELODY, other) == 1
    assert taken(other, MELODY) == 2


def test_scores_do_not_depend_on_keys_tempos_or_what_is_played_twice():
    tracks = [MELODY, track(chords((48, 52, 55), 1)), track(arpeggio((60, 64, 67)))]
    scores = melody_track.scores(tracks)
    late = [dataclasses.replace(t, start=t.start + 64, end=t.end + 64) for t in tracks]
    np.testing.assert_allclose(melody_track.scores(late), scores)
    louder = [dataclasses.replace(t, velocity=t.velocity * 0 + 120) for t in tracks]
    np.testing.assert_allclose(melody_track.scores(louder), scores)


def test_a_track_with_the_words_at_its_notes_is_taken():
    counter = track(sung(12, begin=18))
    syllables = MELODY.start - 0.3  # as karaoke files show them before they are sung
    assert taken(counter, MELODY, syllables=counter.start) == 1
    assert taken(counter, MELODY, syllables=syllables) == 2


@pytest.mark.parametrize("name", ["Мелодия", "主旋律", "メロディ", "Vocals", "MEL", "lead guitar"])
def test_names_of_melodies(name):
    assert melody_track.is_named_melody(name)


@pytest.mark.parametrize(
    "name", ["", "Backing Vocals", "Lead Bass", "Harmony voice", "Melody chords", "Caramel"]
)
def test_names_of_others(name):
    assert not melody_track.is_named_melody(name)


def test_every_feature_has_a_weight_of_its_sign():
    """What a musician would say tells a melody, or tells against it."""
    against = {"chords", "from_voice", "wide", "narrow", "leaps", "loops", "slow"}
    against |= {"accompanies", "bass", "pad", "percussion"}
    for name, weight in melody_track.WEIGHTS.items():
        assert (weight <= 0) if name in against else (weight >= 0), name


def test_few_notes_and_many_tracks():
    alone = [track([(60, 0, 1)]), track([(61, 0, 1), (62, 0, 1)]), track([(5, 900, 901)])]
    assert np.isfinite(melody_track.features(alone)).all()
    assert melody_track.features(alone).shape == (3, len(melody_track.WEIGHTS))


def test_arranged_songs_are_understood():
    """A small share of the benchmark: songs of many tracks, whose melody is known."""
    tunes = [
        np.c_[m.pitch, m.start / 4, m.end / 4].astype(float) for m in example_melodies().values()
    ]
    rng = np.random.default_rng(1)
    right = 0
    for form in (arranged_songs.pop_with_piano, arranged_songs.band, arranged_songs.game) * 2:
        made = form(arranged_songs.Arranger(np.array(sung(bars=24)), tunes, rng))
        right += taken(*made.song.tracks) == made.melody + 1
    assert right >= 5
