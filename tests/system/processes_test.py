"""Runs of several processes: how they find each other, and that they compute as one."""

import json
import os
import pathlib
import signal
import socket
import subprocess
import time

import numpy as np
import pytest

from musicvae_jax.datasets.melodies import folk as folk_tunes
from musicvae_jax.system import processes as system_processes
from musicvae_jax.system.errors import UserError
from musicvae_jax.system.processes import Cluster, find_cluster
from musicvae_jax.training import loop, manifest
from tests import command_line, helpers

ROOT = pathlib.Path(__file__).parents[2]
SLURM = {"SLURM_JOB_ID": "7", "SLURM_NTASKS": "4", "SLURM_PROCID": "2", "SLURM_LOCALID": "0"}


@pytest.mark.parametrize(
    ("environ", "flags", "expected"),
    [
        ({}, {}, None),
        ({}, {"num_processes": 1}, None),
        (
            {},
            {"coordinator": "a:1", "num_processes": 2, "process_id": 1},
            Cluster("plain", "a:1", 2, 1),
        ),
        (
            {"JAX_COORDINATOR_ADDRESS": "a:1", "JAX_NUM_PROCESSES": "3", "JAX_PROCESS_ID": "0"},
            {},
            Cluster("plain", "a:1", 3, 0),
        ),
        (
            {
                "JAX_COORDINATOR_ADDRESS": "job-0.svc:55",
                "JAX_NUM_PROCESSES": "3",
                "JOB_COMPLETION_INDEX": "2",
            },
            {},
            Cluster("plain", "job-0.svc:55", 3, 2),
        ),
        # A flag wins over its variable.
        (
            {"JAX_COORDINATOR_ADDRESS": "a:1", "JAX_NUM_PROCESSES": "3", "JAX_PROCESS_ID": "0"},
            {"process_id": 2},
            Cluster("plain", "a:1", 3, 2),
        ),
        ({"OMPI_COMM_WORLD_SIZE": "2", "OMPI_MCA_orte_hnp_uri": "x"}, {}, Cluster("ompi")),
        (
            {"OMPI_COMM_WORLD_SIZE": "2", "OMPI_COMM_WORLD_RANK": "1"},
            {"coordinator": "a:1"},
            Cluster("plain", "a:1", 2, 1),
        ),
        ({"OMPI_COMM_WORLD_SIZE": "1"}, {}, None),
        ({**SLURM, "SLURM_STEP_NODELIST": "n[1-4]"}, {}, Cluster("slurm")),
        (SLURM, {}, None),  # the batch script itself, not a step
        ({**SLURM, "SLURM_STEP_NODELIST": "n1", "SLURM_NTASKS": "1"}, {}, None),
        ({}, {"is_tpu": True}, Cluster("tpu")),
        # An index alone says nothing: indexed Jobs may be independent of each other.
        ({"JOB_COMPLETION_INDEX": "2"}, {}, None),
    ],
)
def test_processes_are_found(environ, flags, expected):
    assert find_cluster(environ, **flags) == expected


@pytest.mark.parametrize(
    ("environ", "flags", "message"),
    [
        ({}, {"coordinator": "a:1"}, "num_processes and process_id missing"),
        ({}, {"num_processes": 2, "process_id": 0}, "coordinator missing"),
        (
            {},
            {"coordinator": "a", "num_processes": 2, "process_id": 0},
            "coordinator=a: HOST:PORT",
        ),
        (
            {},
            {"coordinator": "a:1", "num_processes": 2, "process_id": 2},
            "process_id=2: must be at least 0 and below num_processes=2",
        ),
        (
            {"JAX_COORDINATOR_ADDRESS": "a:1", "JAX_NUM_PROCESSES": "two"},
            {},
            "JAX_NUM_PROCESSES='two': a whole number",
        ),
        ({"OMPI_COMM_WORLD_SIZE": "2"}, {}, "coordinator=HOST:PORT is needed"),
    ],
)
def test_incomplete_or_wrong_clusters_are_one_line(environ, flags, message):
    with pytest.raises(UserError, match=message):
        find_cluster(environ, **flags)


def test_a_process_alone_agrees_with_itself(tmp_path):
    assert system_processes.is_primary()
    assert system_processes.all_agree(True)
    assert not system_processes.all_agree(False)
    assert system_processes.agreed(True)
    system_processes.check_same("nothing", b"")
    system_processes.check_shared(tmp_path)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("message", "is_lost"),
    [
        ("UNKNOWN: Gloo all-reduce failed: Connection closed by peer [127.0.0.1]:33509", True),
        ("UNAVAILABLE: Task 1 heartbeat timeout.", True),
        ("DEADLINE_EXCEEDED: Barrier timed out. Id: Shutdown::0", True),
        ("NCCL operation ncclAllReduce failed: unhandled system error", True),
        ("operands could not be broadcast together with shapes (3,) (4,)", False),
    ],
)
def test_lost_peers_are_told_from_other_errors(monkeypatch, message, is_lost):
    assert not system_processes.is_peer_lost(ValueError(message))  # alone, there is no peer to lose
    monkeypatch.setattr(system_processes.jax, "process_count", lambda: 2)
    assert system_processes.is_peer_lost(ValueError(message)) == is_lost


_JOIN = """
import os
from musicvae_jax.system import processes
cluster = processes.find_cluster(os.environ)
processes.start(cluster, 20, False)
everyone = processes.combine(__import__("numpy").eye(2)[int(processes.name()[0])])
processes.check_same("the weather", b"fine")
print(cluster.kind, processes.name(), processes.agreed(processes.is_primary()), everyone)
try:
    processes.check_same("the weather", processes.name().encode())
except Exception as error:
    print(error)
processes.stop()
"""


def free_port():
    with socket.socket() as listener:
        listener.bind(("", 0))
        return listener.getsockname()[1]


@pytest.mark.parametrize("kind", ["slurm", "ompi", "kubernetes"])
def test_two_processes_join_by_the_environment_alone(kind, tmp_path):
    """With the variables that a cluster would set, on this machine."""
    port = str(free_port())
    processes = []
    for number in range(2):
        variables = {
            "slurm": {
                "SLURM_JOB_ID": "7",
                "SLURM_STEP_NODELIST": "localhost",
                "SLURM_NTASKS": "2",
                "SLURM_PROCID": str(number),
                "SLURM_LOCALID": str(number),
                "JAX_COORDINATOR_PORT": port,
            },
            "ompi": {
                "OMPI_MCA_orte_hnp_uri": "1531576320.0;tcp://127.0.0.1:34911",
                "OMPI_COMM_WORLD_SIZE": "2",
                "OMPI_COMM_WORLD_RANK": str(number),
                "OMPI_COMM_WORLD_LOCAL_RANK": str(number),
                "JAX_COORDINATOR_PORT": port,
            },
            "kubernetes": {
                "JAX_COORDINATOR_ADDRESS": f"localhost:{port}",
                "JAX_NUM_PROCESSES": "2",
                "JOB_COMPLETION_INDEX": str(number),
            },
        }[kind]
        output = tmp_path / f"{number}.txt"
        processes.append(command_line.start_script(_JOIN, output, environ=variables))
    for number, process in enumerate(processes):
        process.join(100)
        assert process.exitcode == 0
        written = (tmp_path / f"{number}.txt").read_text().splitlines()
        lines = [line for line in written if not line.startswith("[Gloo]")]
        expected = "plain" if kind == "kubernetes" else kind
        assert lines == [
            f"{expected} {number}/2 True [1. 1.]",
            "the weather of process 1 is not that of process 0",
        ]


pytestmark = pytest.mark.usefixtures("compiled_once")


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    """Songs, data and compiled programs of the runs below."""
    home = tmp_path_factory.mktemp("home")
    helpers.write_midi_folder(home / "songs", songs=20)
    return home


def arguments(home, workdir, **train):
    """The command line of `helpers.small_config`."""
    fields = {"num_steps": 6, "eval_every": 3, "log_every": 1} | train
    return [
        "--config=configs/tiny.py",
        "--config.model.bars=2",
        "--config.model.z=4",
        "--config.model.decoder=flat",
        "--config.model.encoder_features=16",
        "--config.model.conductor_features=16",
        "--config.model.decoder_features=16",
        f"--config.dataset.path={home / 'songs'}",
        f"--config.dataset.data_dir={home / 'data'}",
        f"--workdir={workdir}",
        "--heartbeat_timeout_sec=10",
        *(f"--config.train.{name}={value}" for name, value in fields.items()),
    ]


def start(home, processes, args, logs):
    """Starts a run of several processes by the script in launch/."""
    environ = os.environ | {
        "NUM_PROCESSES": str(processes),
        "LOG_DIR": str(logs),
        "GRACE_SEC": "5",
    }
    return subprocess.Popen(
        [ROOT / "launch" / "local_multiprocess.sh", *args], cwd=ROOT, env=environ
    )


def rows(workdir):
    return [json.loads(line) for line in (workdir / "metrics.jsonl").read_text().splitlines()]


def config_of(home):
    """What `arguments` says, for this process."""
    from musicvae_jax.configs import tiny

    config = tiny.get_config()
    config.model.update(
        bars=2, z=4, decoder="flat", encoder_features=16, conductor_features=16, decoder_features=16
    )
    config.dataset.update(name="midi", path=str(home / "songs"), data_dir=str(home / "data"))
    config.train.update(num_steps=6, eval_every=3, log_every=1)
    return config


def check_same_metrics(workdir, other):
    """Losses, accuracies and validation figures to 1e-4."""
    ones, others = rows(workdir), rows(other)
    assert [row["step"] for row in ones] == [row["step"] for row in others]
    compared = 0
    for one, two in zip(ones, others, strict=True):
        for name in one.keys() & two.keys():
            if any(part in name for part in ("loss", "nll", "accuracy", "kl", "active")):
                np.testing.assert_allclose(one[name], two[name], rtol=1e-4, err_msg=name)
                compared += 1
    assert compared >= 6 * len(ones) / 2


@pytest.mark.parametrize("parallel", ["pmap", pytest.param("mesh", marks=pytest.mark.slow)])
def test_two_processes_train_and_validate_as_one_which_goes_on_alone(parallel, home, tmp_path):
    """Three steps by two processes, and three more by this one, against six by one."""
    args = arguments(home, tmp_path / "two", num_steps=3, parallel=parallel)
    run = start(home, 2, args, tmp_path / "logs")
    loop.train(config_of(home), tmp_path / "one")  # meanwhile: all build the data, one does
    assert run.wait(120) == 0, (tmp_path / "logs" / "process_1.log").read_text()
    assert len(rows(tmp_path / "two")) == 4  # three steps, and an evaluation
    loop.train(config_of(home), tmp_path / "two")
    check_same_metrics(tmp_path / "two", tmp_path / "one")
    second = (tmp_path / "logs" / "process_1.log").read_text()
    assert "step" not in second  # one writer
    starts = manifest.read(tmp_path / "two" / "manifest.json")
    machines = [(s["machine"]["processes"], s["machine"]["devices"]) for s in starts]
    assert machines == [(2, 2), (1, 8)]


def wait_for(condition, timeout_sec=120):
    deadline = time.monotonic() + timeout_sec
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.2)


def pid_of(process_id, workdir):
    """The process of a run, by its arguments."""
    for folder in pathlib.Path("/proc").iterdir():
        if folder.name.isdecimal():
            try:
                words = (folder / "cmdline").read_bytes().split(b"\0")
            except OSError:
                continue
            if f"--workdir={workdir}".encode() in words and (
                f"--process_id={process_id}".encode() in words
            ):
                return int(folder.name)
    raise AssertionError("no such process")


@pytest.mark.slow
@pytest.mark.parametrize("victim", [0, 1])
@pytest.mark.parametrize(
    "sig", [signal.SIGKILL, signal.SIGSTOP, signal.SIGTERM], ids=lambda sig: sig.name
)
def test_when_one_process_ends_all_do_and_a_restart_goes_on(home, tmp_path, victim, sig):
    endless = arguments(home, tmp_path / "run", num_steps=100_000, eval_every=50, log_every=50)
    logs = tmp_path / "logs"
    run = start(home, 2, endless, logs)
    try:
        wait_for(lambda: (tmp_path / "run" / "checkpoints" / "50").exists())
        pid = pid_of(victim, tmp_path / "run")
        os.kill(pid, sig)
        begin = time.monotonic()
        code = run.wait(90)
        seconds = time.monotonic() - begin
    finally:
        run.kill()
    print(f"{sig.name} of process {victim}: the others ended after {seconds:.1f} s")
    other = (logs / f"process_{1 - victim}.log").read_text()
    if sig == signal.SIGTERM:
        assert code == 0
        assert "told to stop: the state of step" in (logs / "process_0.log").read_text()
    else:
        assert code != 0
        assert "another process of this run" in other or "another task died" in other
    steps = [
        int(p.name) for p in (tmp_path / "run" / "checkpoints").iterdir() if p.name.isdecimal()
    ]
    more = arguments(home, tmp_path / "run", num_steps=max(steps) + 10, eval_every=50, log_every=50)
    assert start(home, 2, more, tmp_path / "again").wait(120) == 0
    assert f"continuing from step {max(steps)}" in (tmp_path / "again/process_0.log").read_text()


def numbers(value, name=""):
    """The numbers within JSON, by where they are."""
    if isinstance(value, int | float):
        return {name: value}
    if not isinstance(value, dict | list):
        return {}
    items = value.items() if isinstance(value, dict) else enumerate(value)
    return {k: v for key, part in items for k, v in numbers(part, f"{name}/{key}").items()}


@pytest.mark.slow
def test_processes_evaluate_and_generate_as_one(home, tmp_path):
    """The same figures and the same files; 300 melodies are decoded in two parts."""
    run = tmp_path / "run"
    assert start(home, 1, arguments(home, run), tmp_path / "logs").wait(120) == 0
    for mode, more in (("evaluate", []), ("generate", ["--num=300", "--temperature=1"])):
        outputs = []
        for processes in (1, 2):
            outputs.append(tmp_path / f"{mode}_{processes}")
            args = [f"--mode={mode}", f"--workdir={run}", f"--output={outputs[-1]}", *more]
            logs = tmp_path / f"logs_{mode}_{processes}"
            assert start(home, processes, args, logs).wait(300) == 0
        one, two = ({p.name: p.read_bytes() for p in folder.iterdir()} for folder in outputs)
        assert one.keys() == two.keys()
        if mode == "evaluate":
            one, two = (numbers(json.loads(files["metrics.json"])) for files in (one, two))
            assert one == pytest.approx(two, rel=1e-4)
            assert "sampled_accuracy" not in (logs / "process_1.log").read_text()
        else:
            assert len(one) >= 302
            assert {n: f for n, f in one.items() if n.endswith(".mid")} == {
                n: f for n, f in two.items() if n.endswith(".mid")
            }


@pytest.mark.slow
@pytest.mark.parametrize("folk", [folk_tunes.COLLECTIONS], indirect=True)
@pytest.mark.parametrize("processes", [2, 4])
def test_processes_train_tiny_on_the_folk_data_as_one(home, folk_dir, folk, tmp_path, processes):
    from musicvae_jax.configs import tiny

    config = tiny.get_config()
    config.dataset.data_dir = str(folk_dir)
    config.train.update(num_steps=40, eval_every=20, log_every=5)
    args = [
        "--config=configs/tiny.py",
        f"--config.dataset.data_dir={folk_dir}",
        "--config.train.num_steps=40",
        "--config.train.eval_every=20",
        "--config.train.log_every=5",
        f"--workdir={tmp_path / 'many'}",
    ]
    assert start(home, processes, args, tmp_path / "logs").wait(600) == 0
    loop.train(config, tmp_path / "one")
    check_same_metrics(tmp_path / "many", tmp_path / "one")
    differences = [
        abs(a["train/loss"] / b["train/loss"] - 1)
        for a, b in zip(rows(tmp_path / "many"), rows(tmp_path / "one"), strict=True)
        if "train/loss" in a
    ]
    print(f"{processes} processes: losses differ by at most {max(differences):.1e}")
