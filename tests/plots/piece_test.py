import dataclasses

import matplotlib.image
import numpy as np
import pytest

from musicvae_jax.music import assembly
from musicvae_jax.music.colors import MELODY_COLORS
from musicvae_jax.music.examples import example_melodies
from musicvae_jax.music.melody import Melody
from musicvae_jax.plots.bar_values import BarValues
from musicvae_jax.plots.picture import save_png
from musicvae_jax.plots.piece import piece_figure
from tests import helpers

ODE, REEL = example_melodies().values()


def bridge_values(bars):
    t = np.linspace(0, 1, bars)
    return BarValues(t, t**2, 1 - t, t, 0.5 + t)


def size(path):
    return matplotlib.image.imread(path).shape[:2]


def test_a_splice_shows_both_melodies_and_their_mixture(tmp_path):
    made = assembly.splice(ODE, ODE, REEL, titles=["ode", "reel"])
    save_png(
        tmp_path / "a.png",
        piece_figure(made, [None, bridge_values(16), BarValues(nll=np.ones(16))], "both"),
    )
    save_png(tmp_path / "plain.png", piece_figure(made))
    found = helpers.colors_in(tmp_path / "plain.png")
    blue, vermilion = (np.array(helpers.rgb(color)) for color in MELODY_COLORS[:2])
    assert {tuple(blue), tuple(vermilion)} <= found
    # Half way, as lights mix.
    middle = ((blue / 255) ** 2.2 / 2 + (vermilion / 255) ** 2.2 / 2) ** (1 / 2.2) * 255
    assert min(np.abs(np.array(color) - middle).max() for color in found) < 12
    # Rows for t, similarity and NLL are there only if they are known.
    assert size(tmp_path / "a.png")[0] > 1.5 * size(tmp_path / "plain.png")[0]


def test_a_bridge_alone_goes_from_the_first_colour_to_the_second(tmp_path):
    made = assembly.single(ODE, "bridge", is_bridge=True)
    t = np.r_[np.zeros(8), np.ones(8)]
    save_png(tmp_path / "a.png", piece_figure(made, [BarValues(t_control=t)]))
    assert {helpers.rgb(color) for color in MELODY_COLORS[:2]} <= helpers.colors_in(
        tmp_path / "a.png"
    )


def test_a_loop_of_many_melodies_has_a_colour_for_each(tmp_path):
    melodies = [ODE.window(n, 2) for n in range(6)]
    bridges = [REEL.window(n, 1) for n in range(6)]
    made = assembly.chain(melodies, bridges)
    curves = [bridge_values(1) if s.is_bridge else None for s in made.sections]
    save_png(tmp_path / "a.png", piece_figure(made, curves))
    assert {helpers.rgb(color) for color in MELODY_COLORS} <= helpers.colors_in(tmp_path / "a.png")


def test_longer_pieces_are_wider_up_to_what_a_viewer_can_open(tmp_path):
    widths = []
    for count in (2, 4, 12):
        bridges = [REEL] * (count - 1)
        save_png(tmp_path / "a.png", piece_figure(assembly.chain([ODE] * count, bridges)))
        widths.append(size(tmp_path / "a.png")[1])
    assert widths == sorted(set(widths))
    assert widths[-1] < 6200


def test_a_repeated_note_is_two_and_a_long_one_is_one(tmp_path):
    def columns(notes):
        save_png(tmp_path / "a.png", piece_figure(assembly.single(Melody.from_notes(notes, 64))))
        pixels = (matplotlib.image.imread(tmp_path / "a.png")[..., :3] * 255).round()
        row = (pixels == helpers.rgb(MELODY_COLORS[0])).all(axis=-1)[150:].any(axis=0)
        return int((np.diff(np.r_[False, row].astype(int)) == 1).sum())

    assert columns([(60, 0, 16), (60, 16, 32)]) == 2
    assert columns([(60, 0, 32)]) == 1


def test_nothing_known_and_nothing_played(tmp_path):
    silent = Melody.from_notes([], 32)
    made = assembly.splice(silent, silent, dataclasses.replace(silent, tempo_bpm=60.0))
    nothing = BarValues(nll=np.full(2, np.nan), similarity_1=np.full(2, np.nan))
    save_png(tmp_path / "a.png", piece_figure(made, [None, nothing, None]))
    assert [p.name for p in tmp_path.iterdir()] == ["a.png"]


def test_curves_are_needed_for_all_sections_or_none(tmp_path):
    with pytest.raises(ValueError):
        save_png(
            tmp_path / "a.png", piece_figure(assembly.splice(ODE, ODE, REEL), [bridge_values(16)])
        )
    assert not list(tmp_path.iterdir())
