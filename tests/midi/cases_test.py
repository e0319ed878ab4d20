"""Small files as programs and people write them, each with the melody that it means."""

import io

import mido
import numpy as np
import pytest

from musicvae_jax.midi import read
from musicvae_jax.midi.extraction import extract
from musicvae_jax.midi.reading import AS_FOUND, Reading

QUARTER = 480
# The first bar of the tune, and how far each later bar is above the one before on the scale.
MOTIF = (0, 2, 4, 2, 5, 4, 2, 1)
SCALE = (60, 62, 64, 65, 67, 69, 71, 72)


def tune(bars=16, length=216):
    """Eighths, a bar of them on each degree: [notes, 3] of pitch, start and end in ticks."""
    pitch = [SCALE[(degree + bar) % 8] for bar in range(bars) for degree in MOTIF]
    start = QUARTER // 2 * np.arange(8 * bars)
    return np.column_stack([pitch, start, start + length])


def file(*tracks, meters=((0, 4, 4),), tempos=((0, 100),), division=QUARTER):
    """A MIDI file of `(name, program changes, channel, notes)`."""
    midi = mido.MidiFile(ticks_per_beat=QUARTER)
    meta, head = mido.MetaMessage, []
    for tick, numerator, denominator in meters:
        head.append((tick, meta("time_signature", numerator=numerator, denominator=denominator)))
    head += [(tick, meta("set_tempo", tempo=mido.bpm2tempo(bpm))) for tick, bpm in tempos]
    contents = [head]
    for name, programs, channel, notes in tracks:
        events = [(0, meta("track_name", name=name))]
        for tick, program in programs:
            change = mido.Message("program_change", program=program, channel=channel)
            events.append((tick, change))
        for pitch, start, end in np.asarray(notes).tolist():
            events.append((start, mido.Message("note_on", note=pitch, channel=channel)))
            events.append((end, mido.Message("note_off", note=pitch, channel=channel)))
        contents.append(events)
    for events in contents:
        track, now = midi.add_track(), 0
        events.sort(key=lambda event: (event[0], event[1].type == "note_on"))
        for tick, message in events:
            track.append(message.copy(time=tick - now))
            now = tick
    content = io.BytesIO()
    midi.save(file=content)
    data = content.getvalue()
    return data[:12] + division.to_bytes(2, "big") + data[14:]


def melody(notes, **kwargs):
    return file(("MELODY", (), 0, notes), **kwargs)


def moved(notes, ticks):
    return notes + np.array([0, ticks, ticks])


UPBEAT = np.array([[67, 0, 432]])
WITH_UPBEAT = np.concatenate([UPBEAT, moved(tune(), QUARTER)])
HELD = np.column_stack([tune()[::2, 0], tune()[::2, 1], tune()[::2, 1] + QUARTER + 100])
SHORT = np.column_stack([np.resize(SCALE, 512), 60 * np.arange(512), 60 * np.arange(512) + 55])
JITTER = np.where(np.arange(128) % 2, -2, 2)[:, None] * [0, 1, 1]


def extracted(data, reading=AS_FOUND):
    song = read.song_from_bytes(data, "x")
    return song, extract(song)


@pytest.mark.parametrize(
    ("data", "origin", "warning"),
    {
        "plain": (melody(tune()), 0.0, None),
        "nothing declared": (melody(tune(), meters=(), tempos=()), 0.0, None),
        "late by 15 ticks": (melody(moved(tune(), 15)), 0.03125, "notes are 0.031 quarter"),
        "late by a 32nd": (melody(moved(tune(), 60) + JITTER), 0.125, "notes are 0.125 quarter"),
        "early": (melody(moved(tune(), 1910)), 4 - 10 / 480, "notes are -0.021 quarter"),
        "1/4": (melody(tune(), meters=((0, 1, 4),)), 0.0, "a bar begins at quarter note 0"),
        "4/4 and 1/4 at once": (
            melody(tune(), meters=((0, 4, 4), (0, 1, 4))),
            0.0,
            "a bar begins at quarter note 0 by its notes",
        ),
        "4/2": (melody(tune(), meters=((0, 4, 2),)), 0.0, "4/2 is read as 4/4"),
        "changes its instrument": (
            file(("MELODY", ((0, 73), (64 * QUARTER // 2, 40)), 0, tune())),
            0.0,
            "track 'MELODY' changes its instrument",
        ),
        "on the channel of drums": (
            file(("Melody", (), 9, tune())),
            0.0,
            "on the channel of drums and read as a melody",
        ),
        "a key switch": (
            melody(np.concatenate([[[0, 0, 100]], moved(tune(), 4 * QUARTER)])),
            4.0,
            "1 key switches",
        ),
        # 25 frames of 40 ticks: an eighth is 240 ms, whatever the tempo says.
        "seconds": (
            melody(tune(), division=0xE728),
            0.0,
            "a bar begins at quarter note 0 by its notes",
        ),
    }.values(),
)
def test_the_tune_is_found(data, origin, warning):
    song, extraction = extracted(data)
    assert extraction.melody.num_bars == 16
    assert extraction.melody.start.tolist() == list(range(0, 256, 2))
    assert extraction.melody.pitch.tolist() == tune()[:, 0].tolist()
    assert extraction.origin == pytest.approx(origin, abs=1e-3)
    if warning is None:
        assert song.warnings == ()
    else:
        assert warning in song.warnings[-1]


def test_what_was_decided_is_told():
    [counted] = extracted(melody(tune(), meters=((0, 1, 4),)))[0].warnings
    assert counted.startswith("its meter 1/4 only counts beats, read as 4/4; a bar begins at")
    tracked = extracted(melody(tune(), division=0xE728))[0].warnings
    assert "beats were tracked, 125 a minute" in tracked[1]


@pytest.mark.parametrize(
    ("meters", "warning"),
    [
        (((0, 4, 4),), "a bar begins at quarter note 1 by its notes"),
        (((0, 1, 4),), "a bar begins at quarter note 1 by its notes"),
        (((0, 1, 4), (QUARTER, 4, 4)), "an upbeat of 1 quarter notes"),
    ],
)
def test_an_upbeat_stands_in_a_bar_before_bar_1(meters, warning):
    song, extraction = extracted(melody(WITH_UPBEAT, meters=meters))
    assert warning in song.warnings[-1]
    assert extraction.origin == -3.0
    assert extraction.melody.num_bars == 17
    assert extraction.melody.start.tolist() == [12, *range(16, 272, 2)]


def test_what_hangs_over_the_last_bar_line_makes_no_bar():
    _, extraction = extracted(melody(HELD))
    assert extraction.melody.num_bars == 16
    assert extraction.melody.notes()[-1][1:] == (252, 256)
    song, extraction = extracted(melody(SHORT))
    assert (extraction.melody.num_bars, extraction.melody.pitch.size) == (16, 256)
    assert "finer than a melody can be" in song.warnings[-1]


def test_a_last_note_of_an_eighth_in_a_new_bar_stays():
    notes = np.concatenate([tune(), [[60, 128 * 240, 129 * 240]]])
    assert extracted(melody(notes))[1].melody.num_bars == 17


def test_an_accompaniment_of_the_same_name_is_no_line_of_many_instruments():
    low = tune() - [24, 0, 0]
    song, _ = extracted(file(("a", ((0, 0),), 0, tune()), ("a", ((0, 40),), 1, low)))
    assert len(song.tracks) == 2


def test_a_user_who_knows_better_is_believed():
    data = melody(WITH_UPBEAT)
    for reading, origin in (
        (Reading(bar_one=0.0), 0.0),
        (Reading(as_declared=True), 0.0),
        (Reading(bar_one=2.0), -2.0),
    ):
        song = read.song_from_bytes(data, "x", reading)
        assert extract(song).origin == origin
        assert song.warnings == ()
    song = read.song_from_bytes(melody(tune()), "x", Reading(tempo_bpm=50.0))
    assert extract(song).melody.num_bars == 8


@pytest.mark.parametrize("meter", [(5, 4), (7, 8)])
def test_other_meters_are_refused_in_one_line(meter):
    _, extraction = extracted(melody(tune(), meters=((0, *meter),)))
    assert extraction.refusal.startswith(f"the meter is {meter[0]}/{meter[1]}; valid are 4/4")
