import dataclasses
import struct

import mido
import numpy as np
import pytest

from musicvae_jax.midi.reading import Reading
from musicvae_jax.midi.song import seconds_at
from musicvae_jax.midi.whole import arrangement, events, medley, song_events
from musicvae_jax.midi.whole.arrangement import Arrangement
from musicvae_jax.music.examples import example_melodies
from musicvae_jax.notation import read
from tests import songs

ODE, _ = example_melodies().values()


def notes_of(song):
    return sorted(
        (pitch, round(start, 2))
        for track in song.tracks
        for pitch, start in zip(track.pitch.tolist(), track.start.tolist(), strict=True)
    )


@pytest.mark.parametrize("is_smpte", [False, True])
@pytest.mark.parametrize("reading", [Reading(), Reading(tempo_bpm=150.0)])
def test_events_lie_where_the_reader_has_the_notes(tmp_path, is_smpte, reading):
    path = songs.write_song(tmp_path / "a.mid", ODE.window(0, 4))
    if is_smpte:  # 25 frames a second with 40 ticks each
        data = bytearray(path.read_bytes())
        data[12:14] = struct.pack(">bB", -25, 40)
        path.write_bytes(data)
    source = read.read_whole(path, reading)
    whole = source.arrangement
    found = [(note.pitch, note.start / whole.ticks_per_quarter) for note in whole.notes]
    expected = notes_of(read.read_song(path, reading))
    assert [pitch for pitch, _ in sorted(found)] == [pitch for pitch, _ in expected]
    places = [np.sort([place for _, place in rows]) for rows in (found, expected)]
    np.testing.assert_allclose(*places, atol=0.02)
    tempos = [event.message[2:] for event in whole.of_song(events.TEMPO)]
    assert (len(tempos) == 1) == (reading.tempo_bpm is not None)
    first = source.step(min(n.start for n in whole.notes if n.channel == 0))
    assert first == source.melody.start[0]
    seconds = [song_events.seconds_at(whole, note.start) for note in whole.notes]
    own = read.read_song(path, Reading(as_declared=True))
    starts = [seconds_at(track.start, own.tempos) for track in own.tracks]
    np.testing.assert_allclose(np.sort(seconds), np.sort(np.concatenate(starts)), atol=0.01)


def test_a_performance_without_a_grid_is_played_as_it_was(tmp_path):
    """Its beats wander, and the file says 120 throughout: the reader tracks them."""
    path = songs.write_song(tmp_path / "a.mid", ODE, before=0, after=0)
    file = mido.MidiFile(path)
    for track in file.tracks:
        ticks = np.cumsum([message.time for message in track])
        wandering = np.rint(ticks * 0.83 + 900 * np.sin(ticks / 9000.0)).astype(int)
        for message, time in zip(track, np.diff(wandering, prepend=0).tolist(), strict=True):
            message.time = max(time, 0)
        kept = [message for message in track if message.type != "set_tempo"]
        track[:] = kept
    file.save(path)
    declared = read.read_song(path, Reading(as_declared=True))
    song = read.read_song(path)
    pairs = zip(declared.tracks, song.tracks, strict=True)
    assert (
        max(np.abs(one.start - other.start).max() for one, other in pairs) > 0.5
    )  # so the beats were tracked
    source = read.read_whole(path)
    steps = [source.step(n.start) for n in source.arrangement.notes if n.channel == 0]
    assert np.isin(source.melody.start, steps).mean() > 0.95
    seconds = [
        song_events.seconds_at(source.arrangement, n.start) for n in source.arrangement.notes
    ]
    starts = [seconds_at(track.start, declared.tempos) for track in declared.tracks]
    starts = np.sort(np.concatenate(starts))
    lateness = np.sort(seconds) - starts
    np.testing.assert_allclose(lateness - np.median(lateness), 0, atol=0.02)


@pytest.mark.parametrize(
    ("resolutions", "expected"),
    [((480, 384), 1920), ((480, 480), 480), ((96, 1), 96), ((1024, 220), 1024), ((25, 25), 100)],
)
def test_the_grid_of_two_files(resolutions, expected):
    files = [Arrangement(resolution, ()) for resolution in resolutions]
    assert medley.shared_resolution(files) == expected


def test_a_song_of_many_instruments_shares_channels_by_program():
    [track] = read.song_from_bytes(arrangement_bytes(), "a.mid").tracks
    tracks = tuple(dataclasses.replace(track, program=number % 10) for number in range(20))
    song = read.Song(tracks, ((0.0, 4, 4),), ((0.0, 90.0),))
    whole = arrangement.from_song(song)
    assert len(whole.channels) == 10 and 9 not in whole.channels
    assert len(whole.tracks) == 21


def arrangement_bytes():
    return events.file_bytes(arrangement.from_melody(ODE).arrangement.tracks, 960, 0)


def test_what_cannot_be_is_left_out():
    sound = events.meta(0, events.KEY_SIGNATURE, b"\xf9\x01")
    odd = [
        events.meta(0, events.KEY_SIGNATURE, b"\x00\x02"),
        events.meta(0, events.KEY_SIGNATURE, b"\x08\x00"),
        events.meta(0, events.TEMPO, b"\x00\x00\x00"),
        events.meta(0, events.METER, b"\x04\x02"),
    ]
    data = events.file_bytes([[*odd, sound]], 96, 0)
    assert arrangement.from_midi(data, *2 * [read.Song((), (), ())]).tracks == ((sound,),)


def test_a_melody_on_the_drum_channel_can_be_spliced():
    drums = tuple(
        event.on(9) if event.channel is not None else event
        for event in arrangement.from_melody(ODE).arrangement.tracks[1]
    )
    source = arrangement.Source(ODE, 0.0, Arrangement(960, (drums,)))
    result = medley.medley([source, source], [ODE.window(0, 2)])
    assert {note.channel for note in result.arrangement.notes} == {9}
