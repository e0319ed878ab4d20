import matplotlib.image
import numpy as np

from musicvae_jax.evaluation import accuracy
from musicvae_jax.evaluation import samples as evaluation_samples
from musicvae_jax.evaluation.accuracy import DecodedWindows
from musicvae_jax.evaluation.measure import Measured
from musicvae_jax.music import colors
from musicvae_jax.music.tokens import MelodyCodec
from musicvae_jax.plots import evaluation
from musicvae_jax.plots.picture import save_png
from tests import helpers


def test_the_picture_shows_both_ways_and_all_crowds(tmp_path):
    rng = np.random.default_rng(0)
    train, test, samples = (
        np.stack([MelodyCodec().encode(helpers.random_melody(rng, 2)) for _ in range(n)])
        for n in (30, 12, 8)
    )
    made = DecodedWindows("melody", np.arange(12), test, test[::-1], test)
    measured = Measured(
        headline={},
        details={"reconstruction": accuracy.by_position(made)},
        styles={},
        reconstruction=made,
        samples=evaluation_samples.compare(samples, train, test, np.arange(12) // 2),
    )
    path = tmp_path / "evaluation.png"
    save_png(path, evaluation.evaluation_figure(measured, "title"))
    assert matplotlib.image.imread(path).shape[1] > 1000
    shown = {helpers.rgb(c) for c in (colors.BLUE, colors.VERMILION, colors.PURPLE, colors.ORANGE)}
    assert shown <= helpers.colors_in(path)
    assert [p.name for p in tmp_path.iterdir()] == ["evaluation.png"]


def test_samples_without_notes_are_drawn(tmp_path):
    silence = np.zeros((3, 16), np.uint8)
    made = DecodedWindows("melody", np.arange(3), silence, silence, silence)
    measured = Measured(
        headline={},
        details={"reconstruction": accuracy.by_position(made)},
        styles={},
        reconstruction=made,
        samples=evaluation_samples.compare(silence, silence, silence, np.arange(3)),
    )
    save_png(tmp_path / "evaluation.png", evaluation.evaluation_figure(measured, "title"))
    assert (tmp_path / "evaluation.png").stat().st_size > 0
