import numpy as np

from benchmarks import seams
from musicvae_jax.datasets.input_pipeline import Split
from musicvae_jax.evaluation import classifier
from musicvae_jax.music.melody import join
from musicvae_jax.music.tokens import MelodyCodec
from tests import helpers


def test_pairs_are_of_one_fold_and_use_a_window_once():
    songs = np.repeat([f"tune {n}" for n in range(40)], 5)
    source = np.where(np.arange(200) < 150, 0, 1).astype(np.uint8)
    split = Split(np.zeros((200, 16), np.uint8), source, ("folk", "other"))
    pairs = seams.pairs_in_folds(split, songs, 40)
    folds = classifier.folds_of(songs)
    assert pairs.shape == (40, 2)
    assert (folds[pairs[:, 0]] == folds[pairs[:, 1]]).all()
    assert np.bincount(folds[pairs[:, 0]]).tolist() == [10] * 4
    assert len(np.unique(pairs)) == 80
    assert (source[pairs] == 0).all()


def test_a_seam_is_in_the_middle_of_its_window():
    rng = np.random.default_rng(0)
    a, bridge, b = (helpers.random_melody(rng, bars) for bars in (16, 8, 16))
    whole = join([a, bridge, b])
    tokens = MelodyCodec().encode(whole)
    first, last = seams.around(16, whole), seams.around(24, whole)
    assert first.shape == last.shape == (8 * 16,)
    np.testing.assert_array_equal(first, tokens[12 * 16 : 20 * 16])
    np.testing.assert_array_equal(last, tokens[20 * 16 : 28 * 16])
