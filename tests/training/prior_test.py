"""The training of a bar prior."""

import json
import pathlib
import shutil

import jax
import numpy as np
import pytest

from musicvae_jax.checkpoints.load import Checkpoint
from musicvae_jax.inference import bar_prior, composer
from musicvae_jax.inference.melody_model import MelodyModel
from musicvae_jax.models import noise
from musicvae_jax.models.bar_flow import PHASES, Layout, layout
from musicvae_jax.system.devices import host_copy, replicate
from musicvae_jax.system.errors import UserError
from musicvae_jax.training import prior_data, prior_loop, prior_step
from tests import helpers

PRIOR = {
    "features": 16,
    "layers": 1,
    "heads": 2,
    "batch_size": 16,
    "num_steps": 6,
    "transpositions": 2,
    "steps_per_call": 3,
    "log_every": 3,
    "eval_every": 3,
}


@pytest.fixture(scope="module", autouse=True)
def compiled_once():
    """All runs of this file are of one program; a run compiles for seconds."""
    made = {}

    def shared(flow, optimizer, config, seed, count, devices=None):
        key = (flow, json.dumps(config), seed, count, tuple(devices or ()))
        if key not in made:
            made[key] = pmap_steps(flow, optimizer, config, seed, count, devices)
        return made[key]

    pmap_steps = prior_step.pmap_steps
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(prior_step, "pmap_steps", shared)
        yield


@pytest.fixture(scope="module")
def config(tmp_path_factory):
    config = helpers.small_config(bars=2, z=4, latent="per_bar")
    folder = tmp_path_factory.mktemp("songs")
    config.dataset.path = str(helpers.write_midi_folder(folder, songs=20))
    config.dataset.data_dir = str(tmp_path_factory.mktemp("data"))
    config.prior.update(PRIOR)
    return config


def model_in(folder, config):
    """A model that was not trained, as if it had been loaded from a folder."""
    return MelodyModel(Checkpoint(folder, 0, config, helpers.random_params(config)))


@pytest.fixture(scope="module")
def straight(config, tmp_path_factory):
    """The folder of a run that nothing disturbed, beside which its prior stands."""
    folder = tmp_path_factory.mktemp("straight")
    results = prior_loop.train(model_in(folder, config), config, folder / "run")
    assert np.isfinite(results["loss"])
    return folder


def test_levels_are_of_bars_to_learn_and_of_bars_that_are_known():
    keys = jax.random.split(jax.random.key(0), 4000)
    level = np.asarray(jax.jit(jax.vmap(lambda key: prior_step.draw_levels(key, 16)))(keys))
    assert ((level >= 0) & (level <= 1)).all()
    is_known = level == 1
    # From all bars at one level to melodies of which a single bar is missing.
    assert 0.6 < (~is_known).mean() < 0.8
    assert (is_known.sum(axis=1) == 15).any()
    assert (~is_known).all(axis=1).mean() > 0.3
    ends = is_known[:, 0] & is_known[:, -1] & ~is_known.all(axis=1)
    assert ends.mean() > 0.05
    # Bars to be written are at one level, or each at its own: where equal bars share their
    # noise, one that shows it undisturbed would give away the code of another.
    spread = np.where(is_known, np.nan, level)
    several = (~is_known).sum(axis=1) > 1
    alike = np.nanmax(spread[several], axis=1) == np.nanmin(spread[several], axis=1)
    assert 0.8 < alike.mean() < 0.9


def test_batches_are_drawn_by_weight():
    codes = np.arange(6, dtype=np.float16).reshape(3, 2, 1, 1)
    cumulative = np.cumsum([0.25, 0.0, 0.75]).astype(np.float32)
    start_bar, form = np.array([0, 5, PHASES + 7]), np.zeros((3, 1), int)
    data = prior_step.TrainCodes(codes, np.arange(3), start_bar, form, cumulative)
    keys = jax.random.split(jax.random.key(0), 4000)
    drawn, phase, source, _ = jax.jit(prior_step.draw_batch, static_argnums=2)(data, keys, 3)
    window = np.asarray(drawn).ravel() // 2
    np.testing.assert_allclose(np.bincount(window.astype(int)) / 4000, [0.25, 0, 0.75], atol=0.03)
    np.testing.assert_allclose((np.asarray(drawn) % 2).mean(), 0.5, atol=0.03)
    assert set(np.asarray(phase)[window == 2].ravel()) == {7, PHASES}
    assert set(np.asarray(source)[window == 2]) == {2, 3}


@pytest.mark.slow
def test_one_batch_is_learned_by_heart():
    """Four melodies of which bars repeat: what is drawn afterwards is one of them."""
    bars, size, count = 4, 3, 150
    rng = np.random.default_rng(0)
    melodies = rng.normal(size=(4, 1, bars, size))
    melodies[:, :, 2:] = melodies[:, :, :2]
    kept = {"learning_rate": 6e-3, "learning_rate_warmup": 50, "clip_norm": 1.0, "average": 0.98}
    config = (
        PRIOR | kept | {"features": 32, "layers": 2, "heads": 4, "dtype": "float32", "dropout": 0.0}
    )
    config |= {"batch_size": 32, "num_steps": 4 * count}
    form = Layout(bars, size, (bars, size))
    flow = bar_prior.create_flow(config, form, 1)
    optimizer = prior_step.create_optimizer(config)
    state = prior_step.create_state(bar_prior.init_params(flow, form, 0), optimizer)
    cumulative = np.arange(1, 5, dtype=np.float32) / 4
    nothing, repeats = np.zeros(4, int), np.tile([0, 1, 0, 1], (4, 1))
    data = prior_step.TrainCodes(melodies, nothing, nothing, repeats, cumulative)
    one = jax.local_devices()[:1]  # eight would wait for each other in each of six hundred steps
    data, state = (replicate(tree, one) for tree in (data, state))
    steps = prior_step.pmap_steps(flow, optimizer, config, 0, count, one)
    for _ in range(4):
        state, _ = jax.block_until_ready(steps(state, data))
    outlines = bar_prior.Outlines(repeats[:1], nothing[:1], nothing[:1])
    average = host_copy(state).average
    prior = bar_prior.BarPrior(config, average, np.zeros(size), np.ones(size), ("",), outlines, {})
    draws = composer.Composer(prior, form)
    keys = noise.example_keys(jax.random.key(1), 0, 64)
    nothing = np.zeros((64, bars, size), np.float32)
    counted = np.tile(np.arange(bars), (64, 1))  # their form is not told
    place = composer.Place(counted, np.zeros(64, int), counted)
    made = draws.write(nothing, np.zeros((64, bars), bool), keys, place)
    distance = np.linalg.norm(made[:, None] - melodies[None, :, 0], axis=(2, 3))
    assert np.median(distance.min(axis=1)) < 0.5  # between two melodies it is about 4
    assert len(set(distance.argmin(axis=1))) == 4
    # The first bars decide all: what comes after them is that melody's.
    known = np.repeat(melodies[:, 0], 16, axis=0).astype(np.float32)
    is_known = np.broadcast_to(np.arange(bars) < 2, (64, bars))
    made = draws.write(known, is_known, keys, place)
    np.testing.assert_array_equal(made[:, :2], known[:, :2])
    assert np.median(np.linalg.norm(made - known, axis=(1, 2))) < 0.5


def test_the_prior_stands_beside_the_checkpoint(straight, config):
    model = model_in(straight, config)
    prior = bar_prior.load(straight, layout(model.model))
    assert prior.facts["step"] in (3, 6)
    assert (prior.outlines.form <= np.arange(2)).all()
    assert set(prior.outlines.source) == {0}
    rows = [json.loads(line) for line in (straight / "run/metrics.jsonl").read_text().splitlines()]
    assert [row["step"] for row in rows] == [3, 3, 6, 6]


def test_a_run_that_is_resumed_is_like_one_that_was_not(straight, config, tmp_path, monkeypatch):
    model = model_in(tmp_path, config)
    saved = []

    def save_and_die(self, *args):
        saved.append(original(self, *args))
        raise KeyboardInterrupt

    original = prior_loop._Run._save
    monkeypatch.setattr(prior_loop._Run, "_save", save_and_die)
    with pytest.raises(KeyboardInterrupt):
        prior_loop.train(model, config, tmp_path / "run")
    monkeypatch.undo()
    # On a machine without the data set, which the first start has left in the folder.
    shutil.move(config.dataset.data_dir, tmp_path / "elsewhere")
    try:
        prior_loop.train(model, config, tmp_path / "run")
    finally:
        shutil.move(tmp_path / "elsewhere", config.dataset.data_dir)
    with np.load(straight / "run/state.npz") as one, np.load(tmp_path / "run/state.npz") as two:
        assert one.files == two.files
        for name in one.files:
            np.testing.assert_array_equal(one[name], two[name])
    assert prior_loop.train(model, config, tmp_path / "run") == {}


def test_what_is_of_another_run_is_refused(straight, config):
    other = config.copy_and_resolve_references()
    other.prior.num_steps = 9
    with pytest.raises(UserError, match=r"state\.npz: of another configuration or model"):
        prior_loop.train(model_in(straight, other), other, straight / "run")
    with pytest.raises(UserError, match="batch_size=12 does not divide by the 8 devices"):
        other.prior.batch_size = 12
        prior_loop.train(model_in(straight, other), other, straight / "run")


def test_a_damaged_prior_or_that_of_another_model_is_refused(straight, tmp_path):
    with pytest.raises(UserError, match="not a prior of 2 codes of 5 numbers"):
        bar_prior.load(straight, Layout(2, 5, (2, 5)))
    assert bar_prior.load(tmp_path, Layout(2, 5, (2, 5))) is None
    (tmp_path / bar_prior.FILE).write_bytes(b"not a zip file")
    with pytest.raises(UserError, match="cannot be read"):
        bar_prior.load(pathlib.Path(tmp_path), Layout(2, 5, (2, 5)))


def test_transpositions_are_different_and_the_first_is_none():
    shifts = prior_data._shifts(50, semitones=2, count=4, seed=0)
    assert shifts.shape == (50, 4)
    assert (shifts[:, 0] == 0).all()
    assert all(len(set(row)) == 4 and np.abs(row).max() <= 2 for row in shifts)
    assert prior_data._shifts(3, semitones=1, count=9, seed=0).shape == (3, 3)
