"""Files that appear whole or not at all."""

import contextlib
import json
import os
import pathlib
import tempfile
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from musicvae_jax.system.errors import UserError

# What reading a damaged `.npz`, or one of something else, ends with.
_UNREADABLE = (
    *(OSError, ValueError, KeyError, TypeError, EOFError),
    *(zipfile.BadZipFile, zlib.error, NotImplementedError),
)


def make_output_dir(path: str | os.PathLike) -> pathlib.Path:
    """Creates a directory and checks that files can be written to it.

    Raises:
      UserError: it cannot be created, is a file, or is not writable.
    """
    directory = pathlib.Path(path).expanduser()
    try:
        directory.mkdir(parents=True, exist_ok=True)
        # os.access answers yes to root on a read-only mount; a real file does not.
        with tempfile.TemporaryFile(dir=directory):
            pass
    except OSError as error:
        reason = error.strerror or str(error)
        raise UserError(f"cannot write to the directory {str(directory)!r}: {reason}") from error
    return directory


@contextlib.contextmanager
def replacing(path: str | os.PathLike) -> Iterator[pathlib.Path]:
    """Yields a temporary path beside `path`; on success it takes its place.

    The temporary keeps the suffix, because writers choose their format by it. A
    failure inside the block leaves whatever stood at `path` untouched.
    """
    path = pathlib.Path(path)
    descriptor, name = tempfile.mkstemp(
        prefix=f".{path.stem}.", suffix=path.suffix, dir=path.parent
    )
    os.close(descriptor)
    temporary = pathlib.Path(name)
    try:
        yield temporary
        umask = os.umask(0)
        os.umask(umask)
        temporary.chmod(0o666 & ~umask)  # mkstemp makes it private; ours is a plain file
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def write_npz(path: str | os.PathLike, arrays: Mapping[str, np.ndarray | str]) -> None:
    """Writes arrays by name as a compressed `.npz`, atomically."""
    with replacing(path) as temporary:
        np.savez_compressed(temporary, **arrays)  # type: ignore[arg-type]  # of the option beside


@contextlib.contextmanager
def reading_npz(path: str | os.PathLike) -> Iterator[dict[str, np.ndarray]]:
    """The arrays of an `.npz` by name. What is made of them belongs into the block.

    Raises:
      UserError: the file cannot be read, or an array in it is missing or does not fit.
    """
    try:
        with np.load(path, allow_pickle=False) as arrays:
            yield dict(arrays)
    except _UNREADABLE as error:
        raise UserError(f"{path}: cannot be read: {' '.join(str(error).split())}") from error


def write_json(path: str | os.PathLike, value: Any) -> None:
    """Writes `value` as indented JSON, atomically. NaN and infinity are errors."""
    with replacing(path) as temporary:
        temporary.write_text(as_json(value))


def as_json(value: Any) -> str:
    """Indented JSON. NaN and infinity are errors."""
    return json.dumps(value, indent=2, allow_nan=False) + "\n"
