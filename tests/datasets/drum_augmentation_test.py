"""Each way to change drums, against what its description says of every hit."""

import numpy as np
import pytest

from musicvae_jax.datasets import augmentation
from musicvae_jax.datasets.drum_augmentation import DRUM_AUGMENTATIONS
from musicvae_jax.datasets.input_pipeline import Split, TrainBatches
from musicvae_jax.music.drum_codec import token_hits
from tests import helpers

BATCH, STEPS = 300, 64


@pytest.fixture(scope="module")
def made():
    """Windows, others, random numbers, and what each augmentation makes of them."""
    rng = np.random.default_rng(0)
    tokens, others = rng.integers(0, 512, (2, BATCH, STEPS)).astype(np.uint16)
    uniform = rng.random((BATCH, STEPS))
    results = {name: way(tokens, others, uniform, 16) for name, way in DRUM_AUGMENTATIONS.items()}
    return tokens, others, uniform, results


@pytest.mark.parametrize("name", DRUM_AUGMENTATIONS)
def test_windows_stay_windows_of_tokens_and_most_change(made, name):
    tokens, _, _, results = made
    assert results[name].dtype == np.uint16
    assert results[name].shape == tokens.shape
    assert results[name].max() < 512
    assert (results[name] != tokens).any(axis=1).mean() > 0.6


def test_follow_and_rotate_change_at_bar_lines(made):
    tokens, others, _, results = made
    for row, own, other in zip(results["follow"], tokens, others, strict=True):
        assert any(
            np.array_equal(row, np.concatenate([own[:step], other[step:]])) for step in (16, 32, 48)
        )
    for row, own in zip(results["rotate"], tokens, strict=True):
        assert any(np.array_equal(row, np.roll(own, -step)) for step in (0, 16, 32, 48))


def test_exchange_takes_limbs_whole(made):
    tokens, others, _, results = made
    hits, own, other = (token_hits(array) for array in (results["exchange"], tokens, others))
    for limb in ([0], [1], [2, 3, 7, 8], [4, 5, 6]):
        is_own = (hits == own)[..., limb].all(axis=(1, 2))
        is_other = (hits == other)[..., limb].all(axis=(1, 2))
        assert (is_own ^ is_other).all()
        assert 0.35 < is_own.mean() < 0.65


def test_swap_cymbals_is_its_own_reverse(made):
    tokens, others, uniform, results = made
    hits = token_hits(results["swap_cymbals"])
    np.testing.assert_array_equal(hits[..., [8, 2]], token_hits(tokens)[..., [2, 8]])
    again = DRUM_AUGMENTATIONS["swap_cymbals"](results["swap_cymbals"], others, uniform)
    np.testing.assert_array_equal(again, tokens)


def test_thin_and_mute_only_take_away(made):
    tokens, _, _, results = made
    own = token_hits(tokens)
    thinned, muted = token_hits(results["thin"]), token_hits(results["mute"])
    assert (thinned <= own).all()
    assert (muted <= own).all()
    assert 0.07 < (thinned != own).any(axis=2).mean() < 0.13
    assert ((own & ~muted).any(axis=1).sum(axis=1) == 1).all()
    alone = np.full((50, STEPS), 4, np.uint16)
    uniform = np.random.default_rng(1).random(alone.shape)
    np.testing.assert_array_equal(DRUM_AUGMENTATIONS["mute"](alone, alone, uniform), alone)


def test_loop_repeats_bars_of_the_window(made):
    tokens, _, _, results = made
    for row, own in zip(results["loop"], tokens, strict=True):
        length = next(n for n in (1, 2, 4) if np.array_equal(row, np.tile(row[: n * 16], 4 // n)))
        bars = own.reshape(4, 16)
        assert any(
            np.array_equal(row[: length * 16], bars[first : first + length].ravel())
            for first in range(5 - length)
        )


def test_batches_of_drums_are_augmented_and_never_transposed():
    config = helpers.small_config(codec="drums", bars=4)
    tokens = np.random.default_rng(0).integers(0, 512, (40, STEPS)).astype(np.uint16)
    plain = TrainBatches(Split(tokens), config)(3)
    assert {row.tobytes() for row in plain} <= {row.tobytes() for row in tokens.astype(np.int32)}
    config.dataset.augment = tuple((name, 1.0) for name in DRUM_AUGMENTATIONS)
    config.dataset.augment_share = 1.0
    changed = TrainBatches(Split(tokens), config)(3)
    assert changed.dtype == np.int32
    assert (changed != plain).any(axis=1).mean() > 0.9


def test_names_belong_to_one_instrument():
    names = [name for ways in augmentation.OF_CODEC.values() for name in ways]
    assert len(names) == len(set(names))
