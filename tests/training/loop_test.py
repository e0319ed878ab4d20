"""How a run ends and goes on, in this process."""

import json
import os
import signal
import threading

import jax
import numpy as np
import pytest

from musicvae_jax.checkpoints import load, store
from musicvae_jax.datasets.input_pipeline import TrainBatches
from musicvae_jax.models import vae
from musicvae_jax.system import devices, locks
from musicvae_jax.system.errors import PreemptedError, UserError
from musicvae_jax.training import loop, manifest, telemetry, validation
from musicvae_jax.training import step as training_step
from tests import command_line, helpers

pytestmark = pytest.mark.usefixtures("compiled_once")


@pytest.fixture(scope="module")
def config(tmp_path_factory):
    """Six steps over a small folder of MIDI files."""
    config = helpers.small_config()
    folder = tmp_path_factory.mktemp("songs")
    config.dataset.path = str(helpers.write_midi_folder(folder, songs=20))
    config.dataset.data_dir = str(tmp_path_factory.mktemp("data"))
    config.train.update({"num_steps": 6, "eval_every": 3, "log_every": 1})
    return config


@pytest.fixture(scope="module")
def straight(config, compiled_once, tmp_path_factory):
    """The workdir of a run that nothing disturbed, and that compiled everything itself."""
    compiled_once.clear()
    workdir = tmp_path_factory.mktemp("straight")
    loop.train(config, workdir)
    return workdir


def final_state(workdir, config):
    """Parameters and optimizer of step 6, as a list of arrays."""
    optimizer = training_step.create_optimizer(config.train)
    params = helpers.random_params(config)  # of these only the shapes matter
    state = training_step.create_train_state(None, optimizer, 0, params)
    with store.open_manager(workdir, read_only=True) as manager:
        assert manager.latest_step() == 6
        tree = store.restore_for_training(manager, 6, state.params, state.optimizer)
    return [np.asarray(leaf) for leaf in jax.tree.leaves(tree)]


def rows(workdir, name):
    """{step: value} of a metric."""
    lines = [json.loads(line) for line in (workdir / "metrics.jsonl").read_text().splitlines()]
    return {line["step"]: line[name] for line in lines if name in line}


def do_at_step(monkeypatch, step, action):
    """Calls `action` when the batch of a step is asked for."""
    call = TrainBatches.__call__

    def wrapped(self, number):
        if number == step:
            action()
        return call(self, number)

    monkeypatch.setattr(TrainBatches, "__call__", wrapped)


def still(config, source):
    """The configuration of a run that begins from another and stays there."""
    still = config.copy_and_resolve_references()
    still.train.update({"init_from": str(source), "learning_rate": 0.0, "num_steps": 1})
    still.train.learning_rate_decay = 1.0
    return still


def test_a_run_begins_from_given_parameters_with_a_new_optimizer(config, straight, tmp_path):
    loop.train(still(config, straight), tmp_path)
    given = load.load(straight, vae.abstract_params)
    found = load.load(tmp_path, vae.abstract_params)
    assert found.step == 1
    assert found.sha256() == given.sha256()


def test_a_run_that_has_begun_goes_on_from_itself(config, straight, tmp_path):
    first = config.copy_and_resolve_references()
    first.train.num_steps = 3
    loop.train(first, tmp_path)
    own = load.load(tmp_path, vae.abstract_params)
    then = still(config, straight)
    then.train.num_steps = 4
    loop.train(then, tmp_path)
    assert load.load(tmp_path, vae.abstract_params).sha256() == own.sha256()


def test_parameters_to_begin_from_must_be_there_and_of_the_model(config, straight, tmp_path):
    with pytest.raises(UserError, match=r"^config.train.init_from=.*no checkpoint there"):
        loop.train(still(config, tmp_path / "none"), tmp_path)
    other = still(config, straight)
    other.model.z = 6
    with pytest.raises(UserError, match=r"of another model: model.z is 4 there and 6 here"):
        loop.train(other, tmp_path)


@pytest.mark.parametrize(("lstm", "device"), [("pallas", "TPU"), ("triton", "GPU")])
def test_kernels_for_accelerators_are_refused_elsewhere(lstm, device, config, tmp_path):
    config = config.copy_and_resolve_references()
    config.model.lstm = lstm
    with pytest.raises(UserError, match=f"^config.model.lstm={lstm}: needs a {device}, .*none"):
        loop.train(config, tmp_path)


@pytest.mark.parametrize("step", [1, 2])  # 3 steps are done at an evaluation
def test_sigterm_saves_at_once_and_the_run_goes_on_bit_identically(
    config, straight, tmp_path, monkeypatch, step
):
    with monkeypatch.context() as patch:
        do_at_step(patch, step, lambda: os.kill(os.getpid(), signal.SIGTERM))
        with pytest.raises(PreemptedError, match=f"the state of step {step + 1} is saved"):
            loop.train(config, tmp_path)
    with store.open_manager(tmp_path, read_only=True) as manager:
        assert manager.latest_step() == step + 1
    loop.train(config, tmp_path)
    for one, two in zip(final_state(tmp_path, config), final_state(straight, config), strict=True):
        np.testing.assert_array_equal(one, two)
    assert rows(tmp_path, "train/loss") == rows(straight, "train/loss")


def test_sigterm_at_the_last_step_changes_nothing(config, tmp_path, monkeypatch):
    do_at_step(monkeypatch, 5, lambda: os.kill(os.getpid(), signal.SIGTERM))
    assert loop.train(config, tmp_path)["nll_per_token"] > 0
    assert sorted(rows(tmp_path, "validation/loss")) == [3, 6]


def test_after_the_loop_sigterm_means_again_what_it_meant_before(config, straight):
    assert signal.getsignal(signal.SIGTERM) == signal.SIG_DFL


def test_a_run_goes_on_with_the_same_batches_on_other_devices(
    config, straight, tmp_path, monkeypatch
):
    short = config.copy_and_resolve_references()
    short.train.num_steps = 3
    loop.train(short, tmp_path)  # on eight devices
    for module in (devices, loop, validation):
        monkeypatch.setattr(module, "all_devices", lambda: jax.devices()[:2])
    monkeypatch.setattr(jax, "local_device_count", lambda: 2)
    loop.train(config, tmp_path)
    found, expected = rows(tmp_path, "train/loss"), rows(straight, "train/loss")
    assert found.keys() == expected.keys()
    np.testing.assert_allclose(list(found.values()), list(expected.values()), rtol=1e-4)
    assert manifest.read(tmp_path / "manifest.json")[-1]["step"] == 3


_STALL = """
import time, jax
from musicvae_jax.training import loop
jax.process_count = lambda: 2
with loop._stall_watch(1.0) as progress:
    for _ in range(4):
        progress()
        time.sleep(0.5)
    print("alive", flush=True)
    time.sleep(60)
"""


def test_a_process_that_does_not_go_on_is_ended_with_its_stacks():
    run = command_line.run_script(_STALL)
    assert run.stdout == "alive\n"  # what goes on is left alone
    assert run.returncode == 1
    assert "Timeout (0:00:01)!" in run.stderr
    assert "most recent call first" in run.stderr


def test_two_runs_in_one_workdir(config, tmp_path, monkeypatch):
    monkeypatch.setattr(loop, "WORKDIR_WAIT_SEC", 0.0)
    with (
        locks.exclusive(tmp_path / ".lock", "test"),
        pytest.raises(UserError, match="another run is training there"),
    ):
        loop.train(config, tmp_path)


def test_a_lock_waits_until_its_holder_ends(tmp_path):
    held, release, events = threading.Event(), threading.Event(), []

    def hold():
        with locks.exclusive(tmp_path / "lock", "nobody"):
            held.set()
            release.wait(10)
            events.append("first ends")

    thread = threading.Thread(target=hold)
    thread.start()
    held.wait(10)
    threading.Timer(0.3, release.set).start()
    with locks.exclusive(tmp_path / "lock", "the first") as is_alone:
        events.append("second begins")
    thread.join()
    assert is_alone
    assert events == ["first ends", "second begins"]
    with pytest.raises(TimeoutError, match="the first still holds"):  # noqa: SIM117
        with locks.exclusive(tmp_path / "lock", "nobody"):
            with locks.exclusive(tmp_path / "lock", "the first", timeout_sec=0):
                pass


def test_the_manifest_tells_what_ran_and_what_changed(config, tmp_path, monkeypatch, caplog):
    do_at_step(monkeypatch, 1, lambda: os.kill(os.getpid(), signal.SIGTERM))
    with pytest.raises(PreemptedError):
        loop.train(config, tmp_path)
    other = config.copy_and_resolve_references()
    other.train.learning_rate = 0.5
    loop.train(other, tmp_path)
    first, second = manifest.read(tmp_path / "manifest.json")
    assert (first["step"], second["step"]) == (0, 2)
    assert first["versions"]["jax"] == jax.__version__
    assert first["machine"]["devices"] == 8
    assert len(first["data"]["train_sha256"]) == 64
    assert first["data"] == second["data"]
    assert first["config"]["train"]["learning_rate"] == 1e-3
    assert "config.train.learning_rate was 0.001 and is 0.5" in caplog.text
    assert caplog.text.count("not as in the previous start") == 1
    (tmp_path / "manifest.json").write_text("{")
    assert manifest.read(tmp_path / "manifest.json") == []


def test_a_run_measures_itself(straight):
    compiled = rows(straight, "train/compile_sec")
    assert compiled[1] > 0
    assert compiled[2] == 0
    assert all(0 <= share < 1 for share in rows(straight, "train/input_wait_share").values())
    assert all(rate > 0 for rate in rows(straight, "train/examples_per_sec").values())
    assert all(mib > 50 for mib in rows(straight, "train/host_memory_mib").values())


def test_device_memory_is_that_of_the_fullest(monkeypatch):
    class Device:
        def __init__(self, used):
            self.used = used

        def memory_stats(self):
            return {"bytes_in_use": self.used << 20, "peak_bytes_in_use": self.used << 21}

    monkeypatch.setattr(jax, "local_devices", lambda: [Device(3), Device(7), Device(5)])
    metrics = telemetry.memory()
    assert (metrics["device_mib_in_use"], metrics["device_peak_mib_in_use"]) == (7, 14)


def test_a_profile_of_some_steps(config, tmp_path):
    loop.train(config, tmp_path, loop.RunOptions(profile_steps=(2, 4)))
    [trace] = (tmp_path / "profile").rglob("*.xplane.pb")
    assert trace.stat().st_size > 1000
