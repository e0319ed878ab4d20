import dataclasses

import matplotlib.image
import numpy as np
import pytest
from matplotlib.figure import Figure

from musicvae_jax.midi.whole import arrangement
from musicvae_jax.midi.whole.medley import medley
from musicvae_jax.music import assembly, colors
from musicvae_jax.music.examples import example_melodies
from musicvae_jax.music.melody import Melody
from musicvae_jax.plots.picture import save_png
from musicvae_jax.plots.plot import plot
from musicvae_jax.transitions.maker import Bridge
from musicvae_jax.transitions.scores import BarScores, BridgeScores
from tests import helpers

ODE, REEL = example_melodies().values()
T = np.linspace(0, 1, 16)
BY_BAR = {"likeness_1": 1 - T, "likeness_2": T, "nll": 0.5 + T}
BRIDGE = Bridge(
    melody=ODE,
    strategy="latent",
    number=0,
    scores=BridgeScores(**{field.name: 0.5 for field in dataclasses.fields(BridgeScores)}),
    by_bar=BarScores(**{f.name: BY_BAR.get(f.name, T) for f in dataclasses.fields(BarScores)}),
    t_latent=T,
)


def titles(figure):
    return [axes.get_title(loc="left") for axes in figure.axes]


@pytest.mark.parametrize(
    ("music", "expected"),
    [
        (ODE, [""]),
        (BRIDGE, [""]),
        ([ODE, REEL], ["1", "2"]),
        ((ODE, BRIDGE, REEL), ["1", "2", "3"]),
        ({"ode": ODE, "reel": REEL}, ["ode", "reel"]),
    ],
)
def test_melodies_are_drawn_below_each_other(music, expected):
    figure = plot(music)
    assert isinstance(figure, Figure)
    assert titles(figure) == expected


def test_a_piece_is_drawn_with_the_values_of_its_bridges(tmp_path):
    made = assembly.splice(ODE, ODE, REEL)
    assert len(plot(made).axes) == 1
    figure = plot(made, bridges=[BRIDGE], title="both")
    assert [axes.get_ylabel() for axes in figure.axes] == ["pitch", "t", "similarity", "NLL"]
    assert [text.get_text() for text in figure.texts] == ["both"]
    save_png(tmp_path / "a.png", figure)
    shown = {helpers.rgb(color) for color in (colors.BLUE, colors.VERMILION)}
    assert shown <= helpers.colors_in(tmp_path / "a.png")


def test_a_figure_shows_itself_in_a_notebook_as_in_its_file(tmp_path):
    figure = plot(ODE, title="ode")
    save_png(tmp_path / "a.png", figure)
    (tmp_path / "b.png").write_bytes(figure._repr_png_())
    first, second = (matplotlib.image.imread(tmp_path / name) for name in ("a.png", "b.png"))
    np.testing.assert_array_equal(first, second)


@pytest.mark.parametrize(
    ("music", "bridges", "error", "words"),
    [
        ("song.mid", (), TypeError, "not str"),
        (7, (), TypeError, "not int"),
        ([ODE, None], (), TypeError, "not NoneType"),
        ([], (), ValueError, "no melody"),
        (ODE, [BRIDGE], ValueError, "no piece"),
        (assembly.splice(ODE, ODE, REEL), [BRIDGE] * 2, ValueError, "1 bridges, got 2"),
    ],
)
def test_what_cannot_be_drawn_is_told(music, bridges, error, words):
    with pytest.raises(error, match=words):
        plot(music, bridges=bridges)


def test_the_notes_beside_the_line_are_drawn_with_it(tmp_path):
    low = Melody.from_notes([(40, 0, 64)], 256)
    track = arrangement.from_melody(low).arrangement.tracks[1]
    source = arrangement.from_melody(ODE)
    tracks = (*source.arrangement.tracks, tuple(event.on(1) for event in track[1:]))
    whole = dataclasses.replace(source.arrangement, tracks=tracks)
    made = medley([dataclasses.replace(source, arrangement=whole)] * 2, [BRIDGE])
    lines, beside = (plot(music, bridges=[BRIDGE]) for music in (made.piece, made))
    lowest = [figure.axes[0].get_ylim()[0] for figure in (lines, beside)]
    assert lowest[0] > 40 > lowest[1]
