"""Kills at random moments, and what is left: nothing half-done, nothing lost but steps.

Run alone and with -s, it prints its figures: pytest -m slow -s tests/chaos_test.py
CHAOS_KILLS sets how many kills the training gets, CHAOS_SEED the moments.
"""

import contextlib
import dataclasses
import json
import os
import pathlib
import random
import re
import signal
import time
import wave

import jax
import matplotlib.image
import mido
import numpy as np
import pytest

from musicvae_jax.checkpoints import store
from musicvae_jax.configs import tiny
from musicvae_jax.models.vae import create_model
from musicvae_jax.training import manifest, step
from tests import command_line, helpers

pytestmark = pytest.mark.slow

KILLS = int(os.environ.get("CHAOS_KILLS", "70"))
SEED = int(os.environ.get("CHAOS_SEED", "0"))
STEPS, EVAL_EVERY = 2000, 25
SIZES = {"bars": 2, "z": 4} | {f"{n}_features": 8 for n in ("encoder", "conductor", "decoder")}


def arguments(home, workdir, data_dir, *more):
    """A command line of a tiny model that logs every step."""
    model = [f"--config.model.{name}={value}" for name, value in SIZES.items()]
    return [
        "--config=configs/tiny.py",
        *model,
        f"--config.dataset.path={home / 'songs'}",
        f"--config.dataset.data_dir={data_dir}",
        f"--config.train.num_steps={STEPS}",
        f"--config.train.eval_every={EVAL_EVERY}",
        "--config.train.eval_examples=32",
        "--config.train.log_every=1",
        f"--workdir={workdir}",
        *more,
    ]


class Launcher:
    """Starts the command line in processes of its own, each with a file for its output."""

    def __init__(self, home):
        self._home = home
        self._count = 0

    @property
    def log(self):
        """Where the process that was started last writes."""
        return self._home / f"log_{self._count}.txt"

    def logs(self):
        """What all have written."""
        return "".join(path.read_text() for path in self._home.glob("log_*.txt"))

    def start(self, args):
        self._count += 1
        self.log.touch()
        return command_line.start(args, self.log)

    def run(self, args):
        """Runs a command to its end, which must be a good one."""
        process = self.start(args)
        process.join(300)
        assert process.exitcode == 0, self.log.read_text()[-3000:]


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    home = tmp_path_factory.mktemp("chaos")
    helpers.write_midi_folder(home / "songs", songs=20)
    return home


@pytest.fixture(scope="module")
def launcher(home):
    return Launcher(home)


@pytest.fixture(scope="module")
def straight(home, launcher):
    """The workdir of the run that nobody kills."""
    workdir = home / "straight"
    launcher.run(arguments(home, workdir, home / "data"))
    return workdir


def final_state(workdir):
    config = tiny.get_config()
    config.model.update(SIZES)
    optimizer = step.create_optimizer(config.train)
    state = step.create_train_state(create_model(config.model), optimizer, 0)
    with store.open_manager(workdir, read_only=True) as manager:
        tree = store.restore_for_training(manager, STEPS, state.params, state.optimizer)
    return [np.asarray(leaf) for leaf in jax.tree.leaves(tree)]


def steps_of(workdir):
    """The steps of the metrics' lines, of which only the last may be cut off."""
    lines = (workdir / "metrics.jsonl").read_text().splitlines()
    steps = []
    for line in lines:
        try:
            steps.append(json.loads(line)["step"])
        except ValueError:
            assert line is lines[-1], "a damaged line that is not the last"
    return steps


def last_step(log):
    """The last step that a process told of, or -1."""
    with log.open("rb") as file:
        file.seek(0, os.SEEK_END)
        file.seek(max(file.tell() - 4096, 0))
        told = re.findall(rb"step (\d+)  train", file.read())
    return int(told[-1]) if told else -1


def saving(workdir):
    return bool(list((workdir / "checkpoints").glob("*.orbax-checkpoint-tmp*")))


def session_members(session):
    members = []
    for folder in pathlib.Path("/proc").iterdir():
        if folder.name.isdecimal():
            try:
                fields = (folder / "stat").read_text().rpartition(")")[2].split()
            except OSError:
                continue
            if int(fields[3]) == session and fields[0] != "Z":
                members.append(int(folder.name))
    return members


def wait_until_gone(session, timeout_sec=10.0):
    """How long the workers outlive their killed parent."""
    begin = time.monotonic()
    while session_members(session):
        assert time.monotonic() - begin < timeout_sec, "workers outlive their parent"
        time.sleep(0.1)


@dataclasses.dataclass
class Kill:
    signal: str
    phase: str
    done: int
    resumed: int = -1
    seconds: float = 0.0

    @property
    def lost(self) -> int:
        return max(self.done - self.resumed, 0)


def send(pid, sig):
    """Kills a process, which may have ended since it was last looked at."""
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, sig)


def kill_at_random(launcher, args, workdir, rng):
    """Starts a run and kills it; returns None if it ended before."""
    process = launcher.start(args)
    sig = rng.choice([signal.SIGTERM, signal.SIGKILL])
    kind = rng.choice(["any moment", "any moment", "steps", "save"])
    if kind == "any moment":
        process.join(rng.uniform(0.0, 4.0))
    else:
        while process.is_alive() and last_step(launcher.log) < 0:
            time.sleep(0.01)
        while kind == "save" and process.is_alive() and not saving(workdir):
            time.sleep(0.002)
        process.join(rng.uniform(0.0, 0.05 if kind == "save" else 1.5))
    if not process.is_alive():
        process.join()
        assert process.exitcode == 0, launcher.log.read_text()[-3000:]
        return None
    has_begun = last_step(launcher.log) >= 0
    phase = "start" if not has_begun else "save" if saving(workdir) else "steps"
    begin = time.monotonic()
    send(process.pid, sig)
    process.join(60)
    seconds = time.monotonic() - begin
    if sig == signal.SIGTERM:
        # 143: before there was anything to save.
        valid = (0,) if has_begun else (0, 143, -signal.SIGTERM)
    else:
        valid = (-signal.SIGKILL,)
    assert process.exitcode in valid, process.exitcode
    wait_until_gone(process.pid)
    return Kill(sig.name, phase, last_step(launcher.log), seconds=seconds)


def starts(workdir):
    return manifest.read(workdir / "manifest.json")


def report(kills, finished):
    print(f"\n{len(kills)} kills of training, {finished} runs brought to their end")
    for sig in ("SIGTERM", "SIGKILL"):
        of_signal = [kill for kill in kills if kill.signal == sig and kill.resumed >= 0]
        lost = [kill.lost for kill in of_signal]
        phases = {p: sum(k.phase == p for k in of_signal) for p in ("start", "steps", "save")}
        print(
            f"  {sig}: {len(of_signal)} ({phases}), steps lost: mean {np.mean(lost):.1f}, "
            f"most {max(lost)}; ended after at most {max(k.seconds for k in of_signal):.2f} s"
        )


def test_training_survives_kills_at_any_moment(home, launcher, straight):
    rng = random.Random(SEED)
    kills, finished = [], 0
    expected = final_state(straight)
    while len(kills) < KILLS:
        workdir = home / f"killed_{finished}"
        args = arguments(home, workdir, home / "data")
        before = len(starts(workdir))
        while len(kills) < KILLS:
            kill = kill_at_random(launcher, args, workdir, rng)
            entries = starts(workdir)
            # The kills before this start know now where they were gone on from.
            if len(entries) > before:
                for earlier in kills:
                    if earlier.resumed < 0:
                        earlier.resumed = entries[before]["step"]
                before = len(entries)
            if kill is None:
                break
            kills.append(kill)
        launcher.run(args)
        entries = starts(workdir)
        for earlier in kills:
            if earlier.resumed < 0:
                earlier.resumed = entries[before]["step"] if len(entries) > before else STEPS
        finished += 1
        for one, two in zip(final_state(workdir), expected, strict=True):
            np.testing.assert_array_equal(one, two)
        assert steps_of(workdir)[-1] == STEPS
    report(kills, finished)
    log = launcher.logs()
    assert "cannot be used" not in log  # no checkpoint was ever found damaged
    assert "Traceback" not in log
    assert "not as in the previous start" not in log  # one data set, one configuration
    for kill in kills:
        # A checkpoint that was being written when the kill came does not count yet.
        assert kill.lost <= (0 if kill.signal == "SIGTERM" else 2 * EVAL_EVERY), kill


def test_building_data_survives_kills_at_any_moment(home, launcher, straight):
    rng = random.Random(SEED + 1)
    expected = starts(straight)[0]["data"]
    killed = 0
    for attempt in range(max(KILLS // 5, 1)):
        data_dir = home / f"data_{attempt // 4}"
        args = arguments(home, home / f"built_{attempt // 4}", data_dir)
        process = launcher.start(args)
        process.join(rng.uniform(0.1, 2.5))
        killed += process.is_alive()
        send(process.pid, rng.choice([signal.SIGTERM, signal.SIGKILL]))
        process.join(60)
        wait_until_gone(process.pid)
    for number in range((attempt // 4) + 1):
        short = [*arguments(home, home / f"built_{number}", home / f"data_{number}")]
        launcher.run([*short, f"--config.train.num_steps={EVAL_EVERY}"])
        assert starts(home / f"built_{number}")[-1]["data"] == expected
        assert not list((home / f"data_{number}").rglob("incomplete*"))
    print(f"\n{killed} kills while data were built: the same data in the end, nothing left over")


def check_outputs(folder):
    """Every file that can be seen is whole; returns how many there are."""
    files = [p for p in folder.glob("*") if not p.name.startswith(".")] if folder.exists() else []
    for path in files:
        if path.suffix == ".mid":
            mido.MidiFile(path)
        elif path.suffix == ".wav":
            with wave.open(str(path)) as file:
                assert len(file.readframes(file.getnframes())) == 2 * file.getnframes() > 0
        elif path.suffix == ".png":
            assert matplotlib.image.imread(path).ndim == 3
        else:
            assert json.loads(path.read_text())["mode"] == "generate"
    return len(files)


def test_inference_survives_kills_at_any_moment(home, launcher, straight):
    rng = random.Random(SEED + 2)
    killed, seen = 0, []
    for attempt in range(max(KILLS // 4, 1)):
        folder = home / f"generated_{attempt % 3}"
        args = ["--mode=generate", f"--workdir={straight}", "--num=40", "--audio"]
        process = launcher.start([*args, f"--output={folder}"])
        while process.is_alive() and not check_outputs(folder):
            time.sleep(0.02)
        process.join(rng.uniform(0.0, 1.0))
        killed += process.is_alive()
        send(process.pid, rng.choice([signal.SIGTERM, signal.SIGKILL]))
        process.join(60)
        seen.append(check_outputs(folder))
    print(f"\n{killed} kills of inference: {seen} files there each time, all whole")
