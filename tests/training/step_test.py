import functools
import json
import math
import pathlib

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from musicvae_jax.checkpoints import store
from musicvae_jax.configs import tiny
from musicvae_jax.datasets import input_pipeline
from musicvae_jax.datasets.input_pipeline import Split
from musicvae_jax.datasets.melodies import melodies_dataset_builder as melodies
from musicvae_jax.evaluation import baselines
from musicvae_jax.models.vae import create_model
from musicvae_jax.system import devices as system_devices
from musicvae_jax.system.errors import TrainingDivergedError, UserError
from musicvae_jax.training import loop, validation
from musicvae_jax.training import step as training_step
from tests import helpers

pytestmark = pytest.mark.usefixtures("compiled_once")


@pytest.fixture(scope="module")
def config(tmp_path_factory):
    """A small configuration over a small folder of MIDI files."""
    folder = tmp_path_factory.mktemp("songs")
    config = helpers.small_config()
    config.dataset.path = str(helpers.write_midi_folder(folder, songs=20))
    config.dataset.data_dir = str(tmp_path_factory.mktemp("data"))
    return config


def copy(config, **train_fields):
    config = config.copy_and_resolve_references()
    config.train.update(train_fields)
    return config


def host(tree):
    return [np.asarray(leaf) for leaf in jax.tree.leaves(tree)]


def run_on(devices, config, optimizer, tokens, steps):
    """Losses, and the parameters after `steps` on that many devices."""
    model = create_model(config.model)
    chosen = jax.devices()[:devices]
    params = helpers.random_params(config)
    state = training_step.create_train_state(model, optimizer, config.seed, params)
    layout = system_devices.layout(config.train.parallel, chosen)
    state = layout.replicate(state)
    step = training_step.parallel_train_step(model, optimizer, config, chosen)
    losses = []
    for number in range(steps):
        state, metrics = step(state, layout.shard(tokens[number]))
        losses.append(float(metrics["loss"][0]))
    return losses, host(system_devices.host_copy(state.params))


@functools.cache
def one_step(devices, parts=1, parallel="pmap"):
    """The loss of a step under plain SGD, and the parameters after it."""
    config = copy(helpers.small_config(dropout=0.3), accumulate=parts, parallel=parallel)
    [loss], params = run_on(devices, config, optax.sgd(1.0), helpers.random_tokens(16, 32)[None], 1)
    return loss, params


@pytest.mark.parametrize(
    "extras",
    [
        pytest.param(
            {}, marks=pytest.mark.slow
        ),  # with noise, which is the examples', there is more
        {"dropout": 0.3, "decoder_word_dropout": 0.3},
    ],
)
def test_eight_devices_and_one_give_the_same_losses(extras):
    config = helpers.small_config(**extras)
    optimizer = training_step.create_optimizer(config.train)
    tokens = np.stack([helpers.random_tokens(16, 32, seed=n) for n in range(20)])
    one, _ = run_on(1, config, optimizer, tokens, 20)
    eight, _ = run_on(8, config, optimizer, tokens, 20)
    np.testing.assert_allclose(eight, one, rtol=1e-4)
    assert len(set(one)) == 20


def test_eight_devices_and_one_give_the_same_gradient():
    """Under plain SGD, where a gradient eight times too large would show."""
    start = host(helpers.random_params(helpers.small_config()))
    _, one = one_step(1)
    _, eight = one_step(8)
    for before, a, b in zip(start, one, eight, strict=True):
        np.testing.assert_allclose(b - before, a - before, rtol=1e-3, atol=1e-4)
    assert max(np.abs(a - before).max() for before, a in zip(start, one, strict=True)) > 0.1


def test_a_mesh_of_eight_devices_gives_the_bits_of_pmap():
    loss, params = one_step(8)
    mesh_loss, mesh_params = one_step(8, parallel="mesh")
    assert mesh_loss == loss
    for one, other in zip(params, mesh_params, strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("devices", [pytest.param(1, marks=pytest.mark.slow), 2])
def test_a_batch_in_parts_gives_the_same_step(devices):
    loss, whole = one_step(devices)
    in_parts, parts = one_step(devices, parts=4)
    assert in_parts == pytest.approx(loss, rel=1e-5)
    for one, other in zip(whole, parts, strict=True):
        np.testing.assert_allclose(one, other, atol=1e-5)


@pytest.mark.parametrize("parallel", ["pmap", "mesh"])
def test_the_step_is_traced_once(parallel):
    config = copy(helpers.small_config(), parallel=parallel)
    model, optimizer = create_model(config.model), optax.sgd(0.1)
    traces = []

    class Counting:
        def apply(self, *args, **kwargs):
            traces.append(1)
            return model.apply(*args, **kwargs)

    layout = system_devices.layout(parallel, jax.devices())
    step = training_step.parallel_train_step(Counting(), optimizer, config, jax.devices())
    state = training_step.create_train_state(model, optimizer, 0, helpers.random_params(config))
    state = layout.replicate(state)
    for number in range(4):
        state, metrics = step(state, layout.shard(helpers.random_tokens(16, 32, seed=number)))
        jax.block_until_ready(metrics)
    assert len(traces) == 1


@pytest.mark.parametrize("ways", [{4: "pmap", 6: "pmap"}, {2: "pmap", 4: "mesh", 6: "pmap"}])
def test_stop_and_resume_is_bit_identical(ways, config, tmp_path):
    loop.train(copy(config, num_steps=6), tmp_path / "straight")
    for steps, parallel in ways.items():
        loop.train(copy(config, num_steps=steps, parallel=parallel), tmp_path / "resumed")
    states = []
    for name in ("straight", "resumed"):
        with store.open_manager(tmp_path / name, read_only=True) as manager:
            assert manager.latest_step() == 6
            optimizer = training_step.create_optimizer(config.train)
            params = helpers.random_params(config)  # of these only the shapes matter
            state = training_step.create_train_state(None, optimizer, 0, params)
            states.append(store.restore_for_training(manager, 6, state.params, state.optimizer))
    for one, two in zip(host(states[0]), host(states[1]), strict=True):
        np.testing.assert_array_equal(one, two)


def test_metrics_are_logged_and_not_doubled_by_a_resume(config, tmp_path):
    loop.train(copy(config, num_steps=4), tmp_path)
    with (tmp_path / "metrics.jsonl").open("a") as lines:
        lines.write('{"step": 5, "train/loss": 1.0}\n{"step": 6, "tra')  # steps lost by a crash
    loop.train(copy(config, num_steps=6), tmp_path)
    rows = [json.loads(line) for line in (tmp_path / "metrics.jsonl").read_text().splitlines()]
    assert [row["step"] for row in rows] == [2, 2, 4, 4, 6, 6]
    assert all(math.isfinite(value) for row in rows for value in row.values())
    assert {
        "train/loss",
        "train/gradient_norm",
        "train/steps_per_sec",
        "train/examples_per_sec",
    } <= rows[0].keys()
    assert {"validation/sampled_accuracy", "validation/kl_bits"} <= rows[1].keys()
    assert list(tmp_path.glob("events.out.tfevents.*"))


def test_the_latest_two_and_the_best_are_kept(tmp_path):
    config = helpers.small_config()
    params = {"w": np.zeros(3, np.float32)}
    with store.open_manager(tmp_path) as manager:
        for step, nll in ((1, 3.0), (2, 1.0), (3, 2.0), (4, 2.5), (5, 4.0)):
            store.save(manager, step, params, params, config, {"nll_per_token": nll})
        manager.wait_until_finished()
        assert sorted(manager.all_steps()) == [2, 4, 5]
        assert manager.best_step() == 2
    with store.open_manager(tmp_path) as manager:
        store.save(manager, 6, params, params, config, {"nll_per_token": 5.0})
        manager.wait_until_finished()
        assert sorted(manager.all_steps()) == [2, 5, 6]


def test_another_model_in_the_workdir_is_refused_with_its_keys(config, tmp_path):
    loop.train(copy(config, num_steps=2), tmp_path)
    other = copy(config)
    other.model.z = 5
    with pytest.raises(UserError, match=r"another model: model\.z is 4 there and 5 here"):
        loop.train(other, tmp_path)


def test_divergence_stops_with_the_step(config, tmp_path):
    with pytest.raises(TrainingDivergedError, match=r"is (nan|inf) at step \d"):
        loop.train(copy(config, learning_rate=1e30, final_learning_rate=1e30), tmp_path)


def test_training_stops_when_its_minutes_are_over_and_goes_on_later(config, tmp_path):
    loop.train(copy(config, max_minutes=1e-6), tmp_path)
    with store.open_manager(tmp_path, read_only=True) as manager:
        assert manager.latest_step() == 2
    assert loop.train(config, tmp_path)["nll_per_token"] > 0
    assert loop.train(config, tmp_path) == {}


def test_a_data_set_smaller_than_a_batch(config, tmp_path):
    with pytest.raises(UserError, match="fewer than one batch: at least 4096 are needed"):
        loop.train(copy(config, batch_size=4096), tmp_path)


def test_a_batch_that_does_not_divide_into_its_parts(config, tmp_path):
    with pytest.raises(UserError, match=r"8 devices times config.train.accumulate=3 parts"):
        loop.train(copy(config, accumulate=3), tmp_path)


def test_a_file_in_the_place_of_the_workdir(config, tmp_path):
    path = pathlib.Path(tmp_path / "file")
    path.write_text("")
    with pytest.raises(UserError, match="cannot write to the directory"):
        loop.train(config, path)


def test_evaluation_ignores_padding():
    config = helpers.small_config()
    model = create_model(config.model)
    params = system_devices.replicate(helpers.random_params(config))
    evaluator = validation.Evaluator(model, config)
    tokens = helpers.random_tokens(21, 32).astype(np.uint8)
    whole = evaluator(params, Split(tokens))
    parts = [evaluator(params, Split(tokens[s])) for s in (slice(0, 16), slice(16, 21))]
    for name in ("sampled_accuracy", "kl_bits"):  # the others depend on noise
        mean = (16 * parts[0][name] + 5 * parts[1][name]) / 21
        assert whole[name] == pytest.approx(mean, rel=1e-5)


def test_each_source_counts_the_same_in_validation():
    tokens = np.arange(24, dtype=np.uint8)[:, None]
    split = Split(tokens, np.repeat([0, 1], [20, 4]).astype(np.uint8), ("many", "few", "none"))

    def evaluator(params, part):
        return {"loss": float(part.tokens.mean()) * params, "windows": float(len(part))}

    assert validation.evaluate(evaluator, 2.0, split) == {
        **{"loss": (19.0 + 43.0) / 2, "windows": 12.0},
        **{"loss/many": 19.0, "loss/few": 43.0, "windows/many": 20.0, "windows/few": 4.0},
    }
    alone = split[split.source == 1]
    assert validation.evaluate(evaluator, 1.0, alone) == {"loss": 21.5, "windows": 4.0}


def test_ngram_baselines_by_hand():
    tokens = np.array([[0, 1, 0, 1]])
    nll = baselines.ngram_nll_nats(tokens, tokens, vocab=2)
    assert nll["unigram"] == pytest.approx(np.log(2))
    # 0 -> 1 twice of two, 1 -> 0 once of one; one is added to each count.
    expected = -(np.log(1 / 2) + 2 * np.log(3 / 4) + np.log(2 / 3)) / 4
    assert nll["bigram"] == pytest.approx(expected)


@pytest.mark.slow
def test_tiny_overfits_one_batch():
    config = tiny.get_config()
    config.train.free_bits = 10_000.0  # the latent may hold all it wants
    config.train.learning_rate, config.train.learning_rate_decay = 5e-3, 0.9995
    config.train.batch_size = 8
    builder = melodies.build(melodies.folk_config(16), "")
    batch = input_pipeline.load_split(builder, "train").tokens[::1500][:8]
    model, optimizer = create_model(config.model), training_step.create_optimizer(config.train)
    state = system_devices.replicate(training_step.create_train_state(model, optimizer, 0))
    step = training_step.pmap_train_step(model, optimizer, config)
    evaluator = validation.Evaluator(model, config)
    accuracy = 0.0
    for number in range(6000):
        state, metrics = step(state, system_devices.shard(batch.astype(np.int32)))
        jax.block_until_ready(metrics)
        if number % 200 == 199:
            accuracy = evaluator(state.params, Split(batch))["sampled_accuracy"]
            if accuracy > 0.99:
                break
    assert accuracy > 0.99
    assert jnp.isfinite(metrics["loss"]).all()
