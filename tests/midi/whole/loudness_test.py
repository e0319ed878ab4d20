"""How loud the accompaniment of whole songs is."""

import io

import mido
import pytest

from musicvae_jax.midi.whole import loudness
from musicvae_jax.midi.whole.events import DRUM_CHANNEL
from musicvae_jax.midi.whole.medley import medley
from musicvae_jax.music.examples import example_melodies
from musicvae_jax.notation import read
from tests.songs import write_song


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    folder = tmp_path_factory.mktemp("songs")
    ode, reel = (melody.window(0, 2) for melody in example_melodies().values())
    sources = [
        read.read_whole(write_song(folder / "a.mid", ode)),
        read.read_whole(write_song(folder / "b.mid", reel, channels=(3, 4, 5))),
    ]
    return medley(sources, [ode.window(0, 1)])


def struck(content):
    """The notes of a MIDI file, with their velocities: `{(channel, pitch, tick): velocity}`."""
    found = {}
    for track in mido.MidiFile(file=io.BytesIO(content)).tracks:
        tick = 0
        for message in track:
            tick += message.time
            if message.type == "note_on" and message.velocity:
                found[message.channel, message.note, tick] = message.velocity
    return found


def changed(whole, share):
    first = whole.origin / whole.arrangement.ticks_per_quarter
    return loudness.with_softer_accompaniment(whole.midi_bytes(), whole.piece, first, share)


def test_the_line_stays_and_all_else_is_softer(whole):
    before, half, alone = (struck(changed(whole, share)) for share in (1, 0.5, 0))
    assert before == struck(whole.midi_bytes())
    assert set(alone) <= set(half) <= set(before)
    assert all(half[note] in (v, round(v / 2)) for note, v in before.items() if note in half)
    assert {note: before[note] for note in alone} == alone
    assert not any(channel == DRUM_CHANNEL for channel, _, _ in alone)
    ticks = whole.arrangement.ticks_per_quarter // 4
    heard = {(pitch, round((tick - whole.origin) / ticks)) for _, pitch, tick in alone}
    assert heard == {(pitch, start) for pitch, start, _ in whole.piece.notes()}


def test_it_lasts_as_long(whole):
    lengths = {
        mido.MidiFile(file=io.BytesIO(content)).length
        for content in (whole.midi_bytes(), changed(whole, 0.5), changed(whole, 0))
    }
    assert len(lengths) == 1
