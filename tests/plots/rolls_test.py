import matplotlib.image
import numpy as np

from musicvae_jax.music.examples import example_melodies
from musicvae_jax.music.melody import Melody
from musicvae_jax.plots import rolls


def colors_in(path):
    """The colours of a picture as a set of (red, green, blue) in 0..255."""
    pixels = (matplotlib.image.imread(path)[..., :3] * 255).round().astype(int)
    return {tuple(color) for color in np.unique(pixels.reshape(-1, 3), axis=0)}


def rgb(name):
    return tuple(int(name[i : i + 2], 16) for i in (1, 3, 5))


def test_melodies_of_different_lengths_share_their_axes(tmp_path):
    ode = example_melodies()["ode_to_joy"]
    path = tmp_path / "m.png"
    rolls.melodies_png(path, {"whole": ode, "half": ode.window(0, 8)})
    assert {rgb(rolls.BLUE), rgb(rolls.GREEN)} <= colors_in(path)
    half_axes = matplotlib.image.imread(path)
    assert half_axes.shape[1] > 1000


def test_a_melody_without_notes_is_drawn(tmp_path):
    rolls.melodies_png(tmp_path / "m.png", {"silence": Melody.from_notes([], 32)})
    assert (tmp_path / "m.png").stat().st_size > 0
    assert [p.name for p in tmp_path.iterdir()] == ["m.png"]
