import dataclasses
import io

import mido
import numpy as np
import pytest
from hypothesis import given, settings

from musicvae_jax.midi import drums as midi_drums
from musicvae_jax.midi import encode
from musicvae_jax.midi.read import song_from_bytes
from musicvae_jax.music.drums import Drums
from musicvae_jax.notation.read import read_drums
from musicvae_jax.system.errors import UserError
from tests import helpers
from tests.helpers import drums


def _read(data: bytes) -> Drums:
    return midi_drums.extract_drums(song_from_bytes(data, "a.mid"), "a.mid")


@settings(max_examples=60)
@given(drums(min_hits=4, on_ticks=True))
def test_what_is_written_is_read_again(made):
    again = _read(encode.drums_bytes(made))
    assert again.hits() == made.hits()
    np.testing.assert_array_equal(again.velocity, made.velocity)
    np.testing.assert_allclose(again.offset, made.offset, atol=1e-6)
    assert again.tempo_bpm == pytest.approx(made.tempo_bpm, abs=0.01)
    assert (again.num_bars, again.program) == (made.num_bars, made.program)
    # And a file that was read is written and read equal, bit by bit.
    assert _read(encode.drums_bytes(again)) == again


def test_hits_are_on_channel_10_and_none_is_cut_off():
    made = Drums([0, 0, 1], [0, 1, 1], [100, 90, 80], [0.4, -0.4, 0.0], 16)
    track = mido.MidiFile(file=io.BytesIO(encode.drums_bytes(made))).tracks[0]
    notes = [message for message in track if message.type in ("note_on", "note_off")]
    assert {message.channel for message in notes} == {9}
    kick = [message.type for message in notes if message.note == 36]
    assert kick == ["note_on", "note_off"] * 2


def test_bars_before_the_first_hit_are_dropped():
    late = Drums.from_hits([(0, 32), (1, 36), (0, 40), (1, 44)], 48)
    song = song_from_bytes(encode.drums_bytes(late), "a.mid")
    made, origin, _ = midi_drums.drums_of(song)
    assert made == late.window(2, 1)
    assert origin == 8.0


def test_a_drummer_who_is_late_is_not_corrected(tmp_path):
    """As a file of another program, whose bars would otherwise be looked for in its notes."""
    rng = np.random.default_rng(0)
    beat = [(2, s) for s in range(0, 128, 2)] + [(1, s) for s in range(0, 128, 16)]
    beat += [(0, s) for s in range(6, 128, 16)]
    made = Drums.from_hits(beat, 128)
    late = dataclasses.replace(made, offset=rng.integers(12, 20, len(beat)) / 120)
    (tmp_path / "late.mid").write_bytes(helpers.of_another_program(encode.drums_bytes(late)))
    assert read_drums(tmp_path / "late.mid") == late
    moved = read_drums(tmp_path / "late.mid", bar_one=1.0)
    assert moved.hits()[0][1] == late.hits()[0][1] + 12


def test_a_song_without_drums_says_so():
    few = Drums.from_hits([(0, 0), (1, 4)], 16)
    with pytest.raises(UserError, match=r"a\.mid: no usable drums: .* 2 hits"):
        _read(encode.drums_bytes(few))
    melody = io.BytesIO()
    file = mido.MidiFile(type=0)
    file.tracks.append(mido.MidiTrack([mido.Message("note_on", note=60, velocity=9, time=0)]))
    file.save(file=melody)
    with pytest.raises(UserError, match="no drum track"):
        _read(melody.getvalue())
