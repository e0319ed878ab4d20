"""ONNX Runtime Web, which runs models in a browser: fetched once from npm's registry, and kept.

It is as large as the model, and not part of this package. Version and hash are fixed, so that a
page is the same wherever it is made.
"""

import base64
import hashlib
import io
import logging
import os
import pathlib
import tarfile
import urllib.request

from musicvae_jax.system import files
from musicvae_jax.system.errors import UserError

logger = logging.getLogger(__name__)

VERSION = "1.30.0"
NAME = f"onnxruntime-web-{VERSION}.tgz"
_URL = f"https://registry.npmjs.org/onnxruntime-web/-/{NAME}"
# As the registry tells it.
_SHA512 = "q0y+JrrtukXSzsBWEMccVfqX25LRmosXHF+CaRJmg8pZClzcV7svNc4rKY3jL02Vb7QmRMDs1SigqR4CXAfKYQ=="
# What a page needs of it: the interface, and the library with its loader.
_FILES = ("ort.wasm.min.mjs", "ort-wasm-simd-threaded.mjs", "ort-wasm-simd-threaded.wasm")
_TIMEOUT_SEC = 60.0


def read(archive: str | None = None) -> dict[str, bytes]:
    """The files that a page needs, by their names.

    Args:
      archive: the file that `npm pack` makes of this version; None to fetch it, or to take the one
        that was fetched before.

    Raises:
      UserError: it cannot be read or fetched, or is not this version.
    """
    content = _fetched() if archive is None else _given(pathlib.Path(archive).expanduser())
    with tarfile.open(fileobj=io.BytesIO(content)) as package:
        found = {name: package.extractfile(f"package/dist/{name}") for name in _FILES}
        return {name: member.read() for name, member in found.items() if member is not None}


def _is_right(content: bytes) -> bool:
    return base64.b64encode(hashlib.sha512(content).digest()).decode() == _SHA512


def _given(path: pathlib.Path) -> bytes:
    try:
        content = path.read_bytes()
    except OSError as error:
        raise UserError(f"runtime={path}: cannot be read: {error.strerror}", "runtime") from error
    if not _is_right(content):
        raise UserError(
            f"runtime={path}: not {NAME}, which `npm pack onnxruntime-web@{VERSION}` makes",
            "runtime",
        )
    return content


def _fetched() -> bytes:
    cache = pathlib.Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache").expanduser()
    kept = cache / "musicvae_jax" / NAME
    if kept.is_file() and _is_right(content := kept.read_bytes()):
        return content
    logger.info("fetches %s, 33 MB", _URL)
    try:
        with urllib.request.urlopen(_URL, timeout=_TIMEOUT_SEC) as response:
            content = response.read()
    except OSError as error:
        raise UserError(
            f"{_URL}: cannot be fetched: {error}; on a machine without a network give the file "
            f"that `npm pack onnxruntime-web@{VERSION}` makes as runtime=FILE",
            "runtime",
        ) from error
    if not _is_right(content):
        raise UserError(f"{_URL}: what was fetched has another hash than version {VERSION}")
    files.make_output_dir(kept.parent)
    with files.replacing(kept) as temporary:
        temporary.write_bytes(content)
    return content
