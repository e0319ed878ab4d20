import numpy as np
import pytest

from musicvae_jax.music.colors import VERMILION
from musicvae_jax.music.drum_piece import drum_chain
from musicvae_jax.music.drums import Drums
from musicvae_jax.music.examples import example_melodies
from musicvae_jax.plots import drum_grid
from musicvae_jax.plots.picture import save_png
from musicvae_jax.plots.plot import plot
from tests.helpers import colors_in, rgb

BEAT = Drums([0, 1, 2], [0, 4, 31], [127, 60, 90], [0.0, 0.25, 0.0], 32)


def test_every_hit_is_where_it_was_played():
    [axes] = drum_grid.drums_figure({"a": BEAT}).axes
    [marks] = axes.collections
    np.testing.assert_allclose(marks.get_offsets(), [[0, 0], [4.25 / 16, 1], [31 / 16, 2]])
    sizes = marks.get_sizes()
    assert sizes[0] > sizes[2] > sizes[1]
    with pytest.raises(ValueError, match="no drums"):
        drum_grid.drums_figure({})
    assert len(plot({"a": BEAT, "b": BEAT}).axes) == 2
    with pytest.raises(TypeError, match="in one picture"):
        plot([BEAT, example_melodies()["reel"]])


def test_a_bridge_has_its_colour_and_its_lines(tmp_path):
    piece = drum_chain([BEAT, BEAT], [BEAT], ["rock", "bossa"])
    lines = {"like drums 1": np.array([1.0, 0.2]), "like drums 2": np.array([0.1, 0.9])}
    figure = drum_grid.drum_piece_figure(piece, [lines], "both")
    assert [len(axes.lines) for axes in figure.axes] == [0, 2]
    np.testing.assert_allclose(figure.axes[1].lines[0].get_xdata(), [2.5, 3.5])
    save_png(tmp_path / "a.png", figure)
    assert rgb(VERMILION) in colors_in(tmp_path / "a.png")


def test_a_long_piece_is_drawn_around_its_bridges():
    long = BEAT.then(*[BEAT] * 39)
    piece = drum_chain([long, long, BEAT], [BEAT, BEAT])
    line = {"like drums 1": np.array([1.0, 0.2])}
    axes = drum_grid.drum_piece_figure(piece, [line, line]).axes
    assert [each.get_xlim() for each in axes] == [(72, 90)] * 2 + [(154, 166)] * 2
    assert [text.get_text() for text in axes[0].texts] == ["drums 1", "bridge 1", "drums 2"]
