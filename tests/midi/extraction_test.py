import dataclasses

import numpy as np
import pytest

from musicvae_jax.midi import extraction
from musicvae_jax.midi.extraction import extract_melody
from musicvae_jax.midi.song import Song, Track
from musicvae_jax.system.errors import UserError


def track(notes, name="", program=0, is_drum=False):
    """A track of `(pitch, start, end)` in quarter notes."""
    table = np.array(notes, np.float64).reshape(-1, 3)
    pitch = table[:, 0].astype(np.int32)
    return Track(name, program, is_drum, pitch, pitch * 0 + 64, table[:, 1], table[:, 2])


def sung(notes):
    return dataclasses.replace(track(notes), num_syllables=len(notes))


def song(*tracks, meters=((0.0, 4, 4),), tempos=((0.0, 120.0),)):
    return Song(tuple(tracks), meters, tempos)


SCALE = [(60 + i, i, i + 1) for i in range(8)]


def test_the_top_note_of_a_chord_is_taken_and_the_next_onset_ends_it():
    chords = [(48, 0, 4), (60, 0, 4), (67, 0, 4), (65, 1, 2), (64, 2.02, 3), (62, 3, 3.01)]
    line = extraction.highest_line(track(chords), 0.0, 16.0)
    assert line == [(67, 0, 4), (65, 4, 8), (64, 8, 12), (62, 12, 13)]


def test_drums_and_bass_are_not_the_melody():
    drums = track([(99, i, i + 1) for i in range(64)], is_drum=True)
    bass = track([(36, i, i + 1) for i in range(64)], program=33)
    lead = track([(p + 7, s, e) for p, s, e in SCALE], program=73)
    assert extract_melody(song(drums, bass, lead), "x").program == 73


@pytest.mark.parametrize(
    "name",
    ["Lead Vocal", "MELODIE", "Singstimme", "Gesang 1", "Chant (ténor)", "il canto", "Voz", "voix"],
)
def test_a_track_named_melody_wins(name):
    high = track([(90, i, i + 1) for i in range(64)])
    named = track(SCALE, name=name)
    assert extract_melody(song(high, named), "x").pitch.tolist() == list(range(60, 68))


def test_a_word_within_another_one_names_no_melody():
    high = track([(76 + i % 5, i, i + 1) for i in range(64)])
    named = track(SCALE, name="Enchanted")
    assert extract_melody(song(high, named), "x").pitch.min() == 76


def test_the_upper_of_two_voices_wins_though_the_lower_has_more_notes():
    upper = track([(70 + i % 3, i, i + 1) for i in range(36)])
    lower = track([(64 + i % 3, i, i + 1) for i in range(42)])
    assert extract_melody(song(lower, upper), "x").pitch.min() == 70


def test_blank_bars_are_dropped_and_bars_are_kept_whole():
    late = track([(p, s + 9, e + 9) for p, s, e in SCALE])
    melody = extract_melody(song(late), "x")
    assert melody.notes()[0] == (60, 4, 8)
    assert melody.num_steps == 48


def test_the_longest_stretch_is_read_with_its_own_tempo():
    meters = ((0.0, 3, 4), (3.0, 4, 4))
    melody = extract_melody(
        song(track(SCALE), meters=meters, tempos=((0.0, 80.0), (3.0, 90.0))), "x"
    )
    assert melody.notes()[0] == (63, 0, 4)
    assert melody.tempo_bpm == 90.0


@pytest.mark.parametrize(
    ("bad", "message"),
    [
        (song(), "x.mid: no usable melody: the file has no notes"),
        (song(track(SCALE, is_drum=True)), "only drum tracks"),
        (
            song(track(SCALE), meters=((0.0, 5, 4),)),
            "the meter is 5/4; valid are 4/4, 2/2, 2/4, 4/8, 8/8, 3/4, 6/8, 3/8, 9/8, 12/8, ",
        ),
        (song(track(SCALE[:2], "Flute", 73)), r"track \('Flute', program 73\) has 2 notes"),
        (song(sung(SCALE[:3]), track(SCALE)), "has 3 notes in 4/4, 4 are needed$"),
        (song(track([(10, i, i + 1) for i in range(8)])), "pitches 10..10, outside of the piano"),
    ],
)
def test_refusals_say_what_was_looked_at_and_why(bad, message):
    if not bad.tracks:
        bad = Song((), bad.meters, bad.tempos)
    with pytest.raises(UserError, match=message):
        extract_melody(bad, "x.mid")


def test_a_user_names_the_track():
    drums = track([(60, i, i + 1) for i in range(8)], "Kit", is_drum=True)
    tracks = song(track(SCALE, "Flute"), track([(50, i, i + 1) for i in range(8)], "Viola"), drums)
    assert extract_melody(tracks, "x", "2").pitch.max() == 50
    assert extract_melody(tracks, "x", " viola").pitch.max() == 50
    assert extract_melody(tracks, "x", "3").pitch.max() == 60
    reports = extraction.extract(tracks, track="Viola").tracks
    assert {r.number: r.decision for r in reports} == {
        1: "not asked for",
        2: "taken",
        3: "not asked for",
    }
    for unknown in ("0", "4", "-1", "Cello", "", "٣"):
        with pytest.raises(UserError, match=r"no such track; there are 1 Flute, 2 Viola, 3 Kit$"):
            extraction.extract(tracks, track=unknown)


def test_a_part_without_words_is_taken_if_a_user_asks_for_it():
    tracks = song(sung(SCALE), track([(40, i, i + 1) for i in range(8)]))
    assert extract_melody(tracks, "x").pitch.min() == 60
    assert extract_melody(tracks, "x", "2").pitch.min() == 40
