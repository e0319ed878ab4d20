import matplotlib.image

from musicvae_jax.music import colors
from musicvae_jax.music.examples import example_melodies
from musicvae_jax.music.melody import Melody
from musicvae_jax.plots import rolls
from musicvae_jax.plots.picture import save_png
from tests import helpers


def test_melodies_of_different_lengths_share_their_axes(tmp_path):
    ode = example_melodies()["ode_to_joy"]
    path = tmp_path / "m.png"
    save_png(path, rolls.melodies_figure({"whole": ode, "half": ode.window(0, 8)}))
    assert {helpers.rgb(colors.BLUE), helpers.rgb(colors.GREEN)} <= helpers.colors_in(path)
    half_axes = matplotlib.image.imread(path)
    assert half_axes.shape[1] > 1000


def test_a_melody_without_notes_is_drawn(tmp_path):
    save_png(tmp_path / "m.png", rolls.melodies_figure({"silence": Melody.from_notes([], 32)}))
    assert (tmp_path / "m.png").stat().st_size > 0
    assert [p.name for p in tmp_path.iterdir()] == ["m.png"]
