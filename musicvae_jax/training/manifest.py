"""The code, versions, machine and data of a run, one entry for each start."""

import datetime
import importlib.metadata
import json
import os
import pathlib
import platform
import socket
import subprocess
import sys
from typing import Any

import jax
import ml_collections

from musicvae_jax import __version__
from musicvae_jax.system import files

_LIBRARIES = (
    "jax",
    "jaxlib",
    "flax",
    "optax",
    "orbax-checkpoint",
    "numpy",
    "tensorflow-datasets",
    "music21",
)


def _git(*args: str) -> str | None:
    """The output of a git command in the folder of this code; None if it is no checkout."""
    command = ["git", "-C", str(pathlib.Path(__file__).parent), *args]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=10, check=True)
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.strip()


def _version(library: str) -> str | None:
    try:
        return importlib.metadata.version(library)
    except importlib.metadata.PackageNotFoundError:
        return None


def entry(config: ml_collections.ConfigDict, step: int, data: dict[str, Any]) -> dict[str, Any]:
    """One start of a run.

    Args:
      config: the run's.
      step: where it begins.
      data: what is known of its data set.
    """
    changes = _git("status", "--porcelain", "--untracked-files=no")
    return {
        "time": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        "step": step,
        "command": sys.argv,
        "code": {
            "musicvae_jax": __version__,
            # A container image has no repository; its launcher sets GIT_COMMIT.
            "git_commit": _git("rev-parse", "HEAD") or os.environ.get("GIT_COMMIT") or None,
            "is_modified": None if changes is None else bool(changes),
        },
        "versions": {"python": platform.python_version()}
        | {library: _version(library) for library in _LIBRARIES},
        "machine": {
            "host": socket.gethostname(),
            "platform": platform.platform(),
            "backend": jax.default_backend(),
            "device_kind": jax.devices()[0].device_kind,
            "processes": jax.process_count(),
            "devices": jax.device_count(),
            "devices_of_each_process": jax.local_device_count(),
        },
        "data": data,
        "config": config.to_dict(),
    }


def _flat(values: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    flat = {}
    for name, value in values.items():
        if isinstance(value, dict):
            flat |= _flat(value, f"{prefix}{name}.")
        else:
            flat[prefix + name] = value
    return flat


def changes(
    before: dict[str, Any], config: ml_collections.ConfigDict, data: dict[str, Any]
) -> list[str]:
    """The settings that differ from those of the previous start, in words.

    Args:
      before: an entry of a manifest.
      config, data: as for `entry`.
    """
    # As JSON gives it back: tuples have become lists.
    now = json.loads(json.dumps({"config": config.to_dict(), "data": data}))
    was, now = _flat({key: before[key] for key in now}), _flat(now)
    return [
        f"{name} was {was.get(name)!r} and is {now.get(name)!r}"
        for name in sorted(was.keys() | now.keys())
        if was.get(name) != now.get(name)
    ]


def read(path: pathlib.Path) -> list[dict[str, Any]]:
    """The entries of a manifest, oldest first; none if there is no readable file."""
    try:
        return json.loads(path.read_text())["starts"]
    except (OSError, ValueError, KeyError):
        return []


def append(path: pathlib.Path, new: dict[str, Any]) -> None:
    """Adds a start, atomically."""
    files.write_json(path, {"starts": [*read(path), new]})
