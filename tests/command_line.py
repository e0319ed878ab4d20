"""Runs the command line in processes of its own, without importing the libraries for each.

The processes are forked from a server that has imported the libraries and used none of them. What
is special to a program that a user starts (`python -m musicvae_jax.main`) is tested by `program`.
"""

import functools
import gc
import multiprocessing
import os
import pathlib
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from multiprocessing.context import ForkServerProcess

from musicvae_jax import main

ROOT = pathlib.Path(__file__).parent.parent

_COMMANDS = sorted(path.stem for path in (ROOT / "musicvae_jax" / "commands").glob("[a-z]*.py"))

_context = multiprocessing.get_context("forkserver")
_context.set_forkserver_preload(
    ["pytest", "tests.command_line", *(f"musicvae_jax.commands.{name}" for name in _COMMANDS)]
)


def _child(work: Callable[[], None], stdout: str, stderr: str) -> None:
    os.setsid()  # its workers can be recognized by their session
    for descriptor, path in ((1, stdout), (2, stderr)):
        os.dup2(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND), descriptor)
    os.chdir(ROOT)
    gc.freeze()  # as in conftest.py
    gc.set_threshold(50_000, 20, 100)
    work()


def _command(args: list[str], folder: str = ".") -> None:
    os.chdir(folder)
    sys.argv = ["main", *args]
    main.main()


def _script(code: str, environ: Mapping[str, str]) -> None:
    os.environ.update(environ)
    exec(code, {"__name__": "__main__"})


def _start(
    work: Callable[[], None], stdout: pathlib.Path, stderr: pathlib.Path | None = None
) -> ForkServerProcess:
    process = _context.Process(target=_child, args=(work, str(stdout), str(stderr or stdout)))
    process.start()
    return process


def start(args, stdout: pathlib.Path, stderr: pathlib.Path | None = None) -> ForkServerProcess:
    """Starts a command; its output is appended to the files (both to the first if alone)."""
    return _start(functools.partial(_command, [str(arg) for arg in args]), stdout, stderr)


def start_script(
    code: str, stdout: pathlib.Path, environ: Mapping[str, str] | None = None
) -> ForkServerProcess:
    """Starts Python code, with further variables of the environment, like a command."""
    return _start(functools.partial(_script, code, environ or {}), stdout)


def _run(work: Callable[[], None], args: Sequence) -> subprocess.CompletedProcess:
    with tempfile.TemporaryDirectory() as folder:
        stdout, stderr = (pathlib.Path(folder, name) for name in ("stdout", "stderr"))
        process = _start(work, stdout, stderr)
        process.join(300)
        assert process.exitcode is not None, "it takes more than 300 s"
        return subprocess.CompletedProcess(
            args, process.exitcode, stdout.read_text(), stderr.read_text()
        )


def run(*args, folder: os.PathLike | str = ".") -> subprocess.CompletedProcess:
    """Runs a command to its end, in the folder of the repository or another."""
    work = functools.partial(_command, [str(arg) for arg in args], str(folder))
    return _run(work, args)


def run_script(code: str) -> subprocess.CompletedProcess:
    """Runs Python code to its end."""
    return _run(functools.partial(_script, code, {}), [])


def program(*args) -> subprocess.CompletedProcess:
    """Runs a command as a user does."""
    return subprocess.run(
        [sys.executable, "-m", "musicvae_jax.main", *map(str, args)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=300,
    )
