"""The reader, tick by tick, against the events that another library finds in the same files."""

import io

import hypothesis
import hypothesis.strategies as st
import mido
import numpy as np

from musicvae_jax.midi import read
from musicvae_jax.midi.reading import Reading

# A wait before each note, its pitch, its length in ticks; one note of a pitch at a time.
rows = st.lists(
    st.tuples(st.integers(0, 700), st.integers(21, 108), st.integers(1, 2000)),
    min_size=1,
    max_size=40,
)


def file_of(tracks, division):
    file = mido.MidiFile(type=1, ticks_per_beat=division)
    for channel, notes in enumerate(tracks):
        events, now, free = [], 0, {}
        for wait, pitch, length in notes:
            now = max(now + wait, free.get(pitch, 0))
            free[pitch] = now + length
            events.append((now, "note_on", pitch))
            events.append((now + length, "note_off", pitch))
        track, before = file.add_track(f"track {channel}"), 0
        # At one tick notes end before others begin.
        for tick, kind, pitch in sorted(
            events, key=lambda event: (event[0], event[1] == "note_on")
        ):
            track.append(mido.Message(kind, channel=channel, note=pitch, time=tick - before))
            before = tick
    content = io.BytesIO()
    file.save(file=content)
    return content.getvalue()


def events_of(data):
    """For each track, pitch, start and end of its notes in ticks, in order."""
    result = []
    for track in mido.MidiFile(file=io.BytesIO(data)).tracks:
        now, sounding, notes = 0, {}, []
        for message in track:
            now += message.time
            if message.type == "note_on" and message.velocity:
                sounding[message.note] = now
            elif message.type in ("note_on", "note_off"):
                notes.append((sounding.pop(message.note), message.note, now))
        result.append(sorted(notes))
    return result


@hypothesis.given(st.lists(rows, min_size=1, max_size=4), st.sampled_from([24, 96, 480, 960]))
@hypothesis.settings(max_examples=40, deadline=None)
def test_each_note_is_where_its_events_are(tracks, division):
    data = file_of(tracks, division)
    song = read.song_from_bytes(data, "x", Reading(as_declared=True))
    expected = events_of(data)
    assert len(song.tracks) == len(expected)
    for track, notes in zip(song.tracks, expected, strict=True):
        ticks = np.stack([track.start * division, track.pitch, track.end * division], axis=1)
        np.testing.assert_allclose(ticks, notes, atol=1e-6)
