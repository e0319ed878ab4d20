"""Hashes, to find out whether parameters and files are still as they were written."""

import hashlib
import json
import pathlib
from typing import Any

import jax
import numpy as np

from musicvae_jax.system.errors import UserError

# Beside a checkpoint to share, in the format of `sha256sum`.
HASHES = "SHA256SUMS"


def tree_sha256(tree: Any) -> str:
    """A hash of the names, shapes, types and values of host arrays."""
    digest = hashlib.sha256()
    for name, leaf in jax.tree_util.tree_leaves_with_path(tree):
        digest.update(f"{jax.tree_util.keystr(name)}{leaf.shape}{leaf.dtype}".encode())
        digest.update(np.ascontiguousarray(leaf).tobytes())
    return digest.hexdigest()


def json_sha256(value: Any) -> str:
    """A hash of plain values."""
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()


def _files(directory: pathlib.Path) -> dict[str, pathlib.Path]:
    paths = [path for path in directory.rglob("*") if not path.is_dir() or path.is_symlink()]
    return {path.relative_to(directory).as_posix(): path for path in sorted(paths)}


def _file_sha256(path: pathlib.Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def write_hashes(directory: pathlib.Path) -> None:
    """Writes the hash of every file of a checkpoint to share, as `sha256sum` does."""
    files = {name: path for name, path in _files(directory).items() if name != HASHES}
    lines = [f"{_file_sha256(path)}  {name}\n" for name, path in files.items()]
    (directory / HASHES).write_text("".join(lines))


def check_hashes(directory: pathlib.Path) -> None:
    """Compares the files of a checkpoint with the list of `write_hashes`.

    Raises:
      UserError: the list is missing, or a file is missing, altered or not listed.
    """
    files = _files(directory)
    if files.pop(HASHES, None) is None:
        raise UserError(f"{directory}: no {HASHES}, so the model cannot be verified")
    lines = (directory / HASHES).read_text().splitlines()
    expected = {name: digest for digest, _, name in (line.partition("  ") for line in lines)}
    wrong = {name for name in expected.keys() & files.keys() if files[name].is_symlink()}
    wrong |= expected.keys() ^ files.keys()
    wrong |= {
        name
        for name in expected.keys() & files.keys() - wrong
        if _file_sha256(files[name]) != expected[name]
    }
    if wrong:
        raise UserError(
            f"{directory / min(wrong)}: not the file that was shipped ({len(wrong)} of "
            f"{len(expected)} differ from {HASHES}); install the package anew"
        )
