import dataclasses

import matplotlib.image
import numpy as np
import pytest

from musicvae_jax.music import piece
from musicvae_jax.music.examples import example_melodies
from musicvae_jax.music.melody import Melody
from musicvae_jax.plots.piece import MELODY_COLORS, Curves, piece_png
from tests import helpers

ODE, REEL = example_melodies().values()


def bridge_curves(bars):
    t = np.linspace(0, 1, bars)
    return Curves(t, t**2, 1 - t, t, 0.5 + t)


def size(path):
    return matplotlib.image.imread(path).shape[:2]


def test_a_splice_shows_both_melodies_and_their_mixture(tmp_path):
    made = piece.splice(ODE, ODE, REEL, titles=["ode", "reel"])
    piece_png(tmp_path / "a.png", made, [None, bridge_curves(16), Curves(nll=np.ones(16))], "both")
    piece_png(tmp_path / "plain.png", made)
    found = helpers.colors_in(tmp_path / "plain.png")
    blue, vermilion = (np.array(helpers.rgb(color)) for color in MELODY_COLORS[:2])
    assert {tuple(blue), tuple(vermilion)} <= found
    # Half way, as lights mix.
    middle = ((blue / 255) ** 2.2 / 2 + (vermilion / 255) ** 2.2 / 2) ** (1 / 2.2) * 255
    assert min(np.abs(np.array(color) - middle).max() for color in found) < 12
    # Rows for t, similarity and NLL are there only if they are known.
    assert size(tmp_path / "a.png")[0] > 1.5 * size(tmp_path / "plain.png")[0]


def test_a_bridge_alone_goes_from_the_first_colour_to_the_second(tmp_path):
    made = piece.single(ODE, "bridge", is_bridge=True)
    t = np.r_[np.zeros(8), np.ones(8)]
    piece_png(tmp_path / "a.png", made, [Curves(t_control=t)])
    assert {helpers.rgb(color) for color in MELODY_COLORS[:2]} <= helpers.colors_in(
        tmp_path / "a.png"
    )


def test_a_loop_of_many_melodies_has_a_colour_for_each(tmp_path):
    melodies = [ODE.window(n, 2) for n in range(6)]
    bridges = [REEL.window(n, 1) for n in range(6)]
    made = piece.chain(melodies, bridges)
    curves = [bridge_curves(1) if s.is_bridge else None for s in made.sections]
    piece_png(tmp_path / "a.png", made, curves)
    assert {helpers.rgb(color) for color in MELODY_COLORS} <= helpers.colors_in(tmp_path / "a.png")


def test_longer_pieces_are_wider_up_to_what_a_viewer_can_open(tmp_path):
    widths = []
    for count in (2, 4, 12):
        bridges = [REEL] * (count - 1)
        piece_png(tmp_path / "a.png", piece.chain([ODE] * count, bridges))
        widths.append(size(tmp_path / "a.png")[1])
    assert widths == sorted(set(widths))
    assert widths[-1] < 6200


def test_a_repeated_note_is_two_and_a_long_one_is_one(tmp_path):
    def columns(notes):
        piece_png(tmp_path / "a.png", piece.single(Melody.from_notes(notes, 64)))
        pixels = (matplotlib.image.imread(tmp_path / "a.png")[..., :3] * 255).round()
        row = (pixels == helpers.rgb(MELODY_COLORS[0])).all(axis=-1)[150:].any(axis=0)
        return int((np.diff(np.r_[False, row].astype(int)) == 1).sum())

    assert columns([(60, 0, 16), (60, 16, 32)]) == 2
    assert columns([(60, 0, 32)]) == 1


def test_nothing_known_and_nothing_played(tmp_path):
    silent = Melody.from_notes([], 32)
    made = piece.splice(silent, silent, dataclasses.replace(silent, tempo_bpm=60.0))
    nothing = Curves(nll=np.full(2, np.nan), similarity_1=np.full(2, np.nan))
    piece_png(tmp_path / "a.png", made, [None, nothing, None])
    assert [p.name for p in tmp_path.iterdir()] == ["a.png"]


def test_curves_are_needed_for_all_sections_or_none(tmp_path):
    with pytest.raises(ValueError):
        piece_png(tmp_path / "a.png", piece.splice(ODE, ODE, REEL), [bridge_curves(16)])
    assert not list(tmp_path.iterdir())
