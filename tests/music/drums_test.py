import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from musicvae_jax.music import drum_kit
from musicvae_jax.music.drum_codec import DrumCodec, token_hits
from musicvae_jax.music.drums import Drums, quantized
from tests.helpers import drums

CODEC = DrumCodec()


def test_codec_golden():
    rock = Drums.from_hits([(0, 0), (2, 0), (2, 2), (1, 4), (2, 4), (7, 15)], 16)
    tokens = CODEC.encode(rock)
    assert tokens.tolist() == [5, 0, 4, 0, 6, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 128]
    assert CODEC.decode(tokens) == rock
    assert CODEC.vocab == 512
    assert token_hits(np.array([5])).tolist() == [[True, False, True] + [False] * 6]


@given(st.lists(st.integers(0, 511), min_size=1, max_size=40))
def test_every_sequence_of_tokens_is_drums(tokens):
    made = CODEC.decode(np.array(tokens), tempo_bpm=90.0, program=25)
    assert CODEC.encode(made).tolist() == tokens
    assert (made.tempo_bpm, made.program) == (90.0, 25)


@pytest.mark.parametrize("bad", [-1, 512])
def test_tokens_outside_of_the_vocabulary_are_refused(bad):
    with pytest.raises(ValueError, match=r"0\.\.511"):
        CODEC.decode(np.array([0, bad]))


@pytest.mark.parametrize(
    ("hits", "wrong"),
    [([(9, 0)], "piece"), ([(0, 16)], "step"), ([(0, -1)], "step"), ([(1, 3), (1, 3)], "twice")],
)
def test_what_is_no_drums_is_refused(hits, wrong):
    with pytest.raises(ValueError, match=wrong):
        Drums.from_hits(hits, 16)


@given(drums(min_bars=2))
def test_windows_joined_are_the_whole(whole):
    first, rest = whole.window(0, 1), whole.window(1, whole.num_bars - 1)
    assert first.then(rest) == whole


@given(drums())
def test_grids_hold_all_that_the_hits_are(made):
    velocity, offset = made.grids()
    step, piece = np.nonzero(velocity)
    again = Drums(
        piece, step, velocity[step, piece], offset[step, piece], made.num_steps, made.tempo_bpm
    )
    assert again == made


def test_quantized_takes_the_hardest_of_a_step():
    made = quantized(
        np.array([0.4, -0.2, 3.6, 4.45, 15.7]),
        np.array([0, 0, 1, 1, 2]),
        np.array([50, 90, 70, 70, 20]),
    )
    assert made.hits() == [(0, 0), (1, 4), (2, 16)]
    assert made.velocity.tolist() == [90, 70, 20]
    np.testing.assert_allclose(made.offset, [-0.2, -0.4, -0.3], atol=1e-6)
    assert made.num_bars == 2


def test_kits():
    written = np.array(drum_kit.PITCHES)
    everything = np.arange(9)
    assert drum_kit.pieces_of(written).tolist() == everything.tolist()
    # The same notes beside those of a Roland kit mean the same.
    with_edges = drum_kit.pieces_of(np.append(written, [22, 26, 58, 48]))
    assert with_edges.tolist() == [*everything, 2, 3, 4, 6]
    # In General MIDI a conga is no piece, and 48 is a middle tom.
    assert drum_kit.pieces_of(np.array([60, 48, 22])[:2]).tolist() == [-1, 5]
    for table in (drum_kit.GENERAL_MIDI, drum_kit.ROLAND):
        pitches = [pitch for notes in table.values() for pitch in notes]
        assert len(pitches) == len(set(pitches))
        assert sorted(table) == list(range(9))


def test_some_bars_are_played_as_others_are():
    played = Drums([0, 1, 0], [0, 4, 16], [20, 30, 40], [0.1, 0.2, -0.3], 32)
    made = Drums.from_hits([(0, 0), (2, 2), (0, 16), (1, 20)], 32)
    both = made.played_as(played, np.array([True, False]))
    assert both.hits() == made.hits()
    assert both.velocity.tolist() == [20, 80, 80, 80]
    np.testing.assert_allclose(both.offset, [0.1, 0, 0, 0])
