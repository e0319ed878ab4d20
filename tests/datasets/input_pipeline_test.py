import time
import tracemalloc

import numpy as np
import pytest

from musicvae_jax.datasets import input_pipeline
from musicvae_jax.datasets.input_pipeline import Split, TrainBatches
from musicvae_jax.system import devices
from musicvae_jax.system.errors import UserError
from tests import helpers


@pytest.fixture
def split():
    """Forty windows, each known by its first token."""
    tokens = np.zeros((40, 32), np.uint8)
    tokens[:, 0] = np.arange(40) + 30
    return Split(tokens)


def test_an_epoch_shows_every_window_once_in_an_order_of_its_own(split):
    config = helpers.small_config()
    config.train.batch_size, config.dataset.transpose_semitones = 8, 0
    batches = TrainBatches(split, config)
    epochs = [np.concatenate([batches(5 * e + s)[:, 0] for s in range(5)]) for e in range(2)]
    for epoch in epochs:
        assert sorted(epoch.tolist()) == list(range(30, 70))
    assert epochs[0].tolist() != epochs[1].tolist()


def mixture(counts, weights):
    """Windows of several sources, each known by its first token, and their batches of one."""
    tokens = np.zeros((sum(counts), 32), np.uint8)
    tokens[:, 0] = np.arange(sum(counts)) + 30
    source = np.repeat(np.arange(len(counts)), counts).astype(np.uint8)
    names = [f"./{name}" for name in "abc"[: len(counts)]]
    config = helpers.small_config()
    config.train.batch_size, config.dataset.transpose_semitones = 1, 0
    config.dataset.sources = tuple(zip(names, weights, strict=True))
    split = Split(tokens, source, tuple(names))
    return split, TrainBatches(split, config)


def test_a_window_occurs_in_an_epoch_as_often_as_its_sources_weight_says():
    split, batches = mixture([6, 8, 4], [1.0, 0.25, 2.5])
    steps = batches.steps_per_epoch
    assert steps == 6 + 2 + 10
    epochs = [[int(batches(steps * e + s)[0, 0]) - 30 for s in range(steps)] for e in range(40)]
    for epoch in epochs:
        times = np.bincount(epoch, minlength=18)
        assert times[:6].tolist() == [1] * 6
        assert sorted(times[6:14].tolist()) == [0] * 6 + [1] * 2
        assert sorted(times[14:].tolist()) == [2, 2, 3, 3]
    seldom = np.bincount(np.concatenate(epochs), minlength=18)[6:14]
    assert seldom.min() > 0  # another quarter in each epoch
    parts = split.by_source()
    assert [len(part) for part in parts.values()] == [6, 8, 4]
    assert parts["./c"].tokens[:, 0].tolist() == list(range(44, 48))


def test_weights_of_one_change_nothing():
    split, batches = mixture([6, 8, 4], [1.0, 1.0, 1.0])
    config = helpers.small_config()
    config.train.batch_size, config.dataset.transpose_semitones = 1, 0
    plain = TrainBatches(Split(split.tokens), config)
    for step in range(40):
        np.testing.assert_array_equal(batches(step), plain(step))


def test_each_source_has_its_share_of_the_windows_that_are_validated_on():
    split, _ = mixture([30, 8, 4], [1.0, 1.0, 1.0])
    subset = input_pipeline.eval_subset(split, 18)
    assert np.bincount(subset.source).tolist() == [6, 6, 4]
    assert input_pipeline.eval_subset(split, 0) is split


def test_batches_depend_on_seed_and_step_only(split):
    config = helpers.small_config()
    straight = [TrainBatches(split, config)(step) for step in range(9)]
    batches = TrainBatches(split, config)
    for step in (8, 2, 5, 0):
        np.testing.assert_array_equal(batches(step), straight[step])
    config.seed = 1
    assert not np.array_equal(TrainBatches(split, config)(0), straight[0])


@pytest.mark.parametrize("process_count", [2, 4])
def test_processes_share_the_global_batch(split, process_count):
    config = helpers.small_config()
    whole = TrainBatches(split, config)(3)
    parts = [TrainBatches(split, config, i, process_count)(3) for i in range(process_count)]
    np.testing.assert_array_equal(np.concatenate(parts), whole)


def test_transpositions_change_with_the_epoch_and_stay_in_range(split):
    config = helpers.small_config()
    config.train.batch_size = 40
    batches = TrainBatches(split, config)
    first, second = (np.sort(batches(epoch)[:, 0]) for epoch in range(2))
    assert not np.array_equal(first, second)
    assert first.min() >= 30 - 3
    assert first.max() <= 69 + 3


def test_the_roll_codec_is_converted_to(split):
    config = helpers.small_config(codec="roll")
    tokens = TrainBatches(split, config)(0)
    assert tokens.max() <= 60
    assert tokens.dtype == np.int32


def test_too_few_windows_for_a_batch(split):
    config = helpers.small_config()
    config.train.batch_size = 41
    with pytest.raises(UserError, match=r"has 40 windows.*at least 41 are needed"):
        TrainBatches(split, config)


def test_batches_that_do_not_divide():
    with pytest.raises(UserError, match="batch of 9 does not divide by the 8 local devices"):
        devices.shard(np.zeros((9, 2)))


def test_eval_subset_is_spread_over_the_split(split):
    subset = input_pipeline.eval_subset(split, 4)
    assert subset.tokens[:, 0].tolist() == [30, 43, 56, 69]
    assert len(input_pipeline.eval_subset(split, 0)) == 40


@pytest.mark.slow
def test_windows_as_many_as_the_lakh_collection_has_are_batched_from_memory():
    """1.4 million windows: the memory and the time a batch; with -s they are printed."""
    rng = np.random.default_rng(0)
    split = Split(rng.integers(0, 90, (1_400_000, 256), np.uint8))
    config = helpers.small_config()
    config.train.batch_size = 512
    config.dataset.transpose_semitones = 5
    tracemalloc.start()
    batches = TrainBatches(split, config)
    batches(batches.steps_per_epoch - 1)
    batches(batches.steps_per_epoch)  # of the second epoch, as long as a prefetcher needs both
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    start = time.perf_counter()
    for step in range(100):
        batches(batches.steps_per_epoch + 1 + step)
    milliseconds = 10 * (time.perf_counter() - start)
    held = split.tokens.nbytes
    print(
        f"{held / 1e6:.0f} MB of windows, {peak / 1e6:.0f} MB more, {milliseconds:.1f} ms a batch"
    )
    assert held == 1_400_000 * 256
    assert peak < held / 2
