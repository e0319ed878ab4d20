import numpy as np
import pytest

from musicvae_jax.music.drum_piece import drum_chain
from musicvae_jax.music.drums import Drums

FIRST = Drums.from_hits([(0, 0), (1, 20)], 32, tempo_bpm=100.0)
SECOND = Drums.from_hits([(2, 3)], 10, tempo_bpm=140.0)
BRIDGE = Drums.from_hits([(7, 0)], 64)


def test_sections_follow_each_other_from_bar_lines():
    piece = drum_chain([FIRST, SECOND, FIRST], [BRIDGE, BRIDGE], ["a", "b", "c"])
    assert [section.start_bar for section in piece.sections] == [0, 2, 6, 7, 11]
    assert piece.num_bars == piece.drums.num_bars == 13
    assert piece.drums.hits() == [(0, 0), (1, 20), (7, 32), (2, 99), (7, 112), (0, 176), (1, 196)]
    names = [section.origin for section in piece.sections]
    assert names == ["drums 1", "bridge 1", "drums 2", "bridge 2", "drums 3"]


def test_the_tempo_goes_evenly_from_one_to_the_next():
    piece = drum_chain([FIRST, SECOND], [BRIDGE])
    steps, bpm = np.array(piece.tempos).T
    assert (steps[0], bpm[0], steps[-1], bpm[-1]) == (0, 100, 96, 140)
    ratios = bpm[1:] / bpm[:-1]
    np.testing.assert_allclose(ratios, ratios[0], rtol=1e-6)
    assert 2 * 4 * 0.6 + 4 * 4 * 60 / 140 < piece.duration_sec < 6 * 4 * 0.6 + 4 * 60 / 140


def test_a_loop_ends_with_a_bridge_to_its_beginning():
    piece = drum_chain([FIRST, SECOND], [BRIDGE, BRIDGE])
    assert [section.origin for section in piece.sections][1::2] == ["bridge 1", "bridge 2"]
    before, last = (bpm for _, bpm in piece.tempos[-2:])
    assert FIRST.tempo_bpm < last < before < SECOND.tempo_bpm


def test_numbers_that_do_not_match_are_refused():
    with pytest.raises(ValueError, match="do not match"):
        drum_chain([FIRST], [BRIDGE, BRIDGE])
