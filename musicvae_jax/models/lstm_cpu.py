"""The loop of an LSTM layer on CPUs: `lstm_cpu.cc`, compiled once for each machine.

What it computes is what scanning `LSTMCell` computes, to rounding. Where there is no
C++ compiler the scan itself runs: slower, and nothing else changes.
"""

import ctypes
import functools
import hashlib
import logging
import os
import pathlib
import platform
import shutil
import subprocess

import jax
import jax.numpy as jnp
import jaxlib
import numpy as np

from musicvae_jax.models.drive import Drive
from musicvae_jax.system import files

logger = logging.getLogger(__name__)

_SOURCE = pathlib.Path(__file__).with_suffix(".cc")
# -march=native: the library is for the machine that it is compiled on.
_FLAGS = ("-O3", "-march=native", "-std=c++17", "-shared", "-fPIC", "-w")
# A tile's vectors hold up to this many units.
_UNITS = 16


def _cache_folder() -> pathlib.Path:
    cache = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")
    return pathlib.Path(cache) / "musicvae_jax" / "native"


def _processor() -> str:
    """A name for the kind of processor, for a cache shared by machines."""
    try:
        lines = pathlib.Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor()
    named = ("model name", "flags", "Features", "CPU part")
    return "\n".join(sorted({line for line in lines if line.startswith(named)}))


def _compile() -> pathlib.Path:
    """The compiled library's path; compiles it unless that was done before."""
    compiler = os.environ.get("CXX") or shutil.which("c++") or shutil.which("g++")
    if compiler is None:
        raise OSError("no C++ compiler (c++, g++ or $CXX)")
    parts = (_SOURCE.read_text(), jaxlib.__version__, compiler, *_FLAGS, _processor())
    digest = hashlib.sha256("\n".join(parts).encode()).hexdigest()[:16]
    library = _cache_folder() / f"lstm_cpu_{digest}.so"
    if not library.exists():
        logger.info("compiling the LSTM for this machine's CPU, once")
        library.parent.mkdir(parents=True, exist_ok=True)
        with files.replacing(library) as temporary:
            command = (compiler, *_FLAGS, f"-I{jax.ffi.include_dir()}")
            subprocess.run(
                (*command, str(_SOURCE), "-o", str(temporary)),
                check=True,
                capture_output=True,
                text=True,
                timeout=300,
            )
    return library


@functools.cache
def is_available() -> bool:
    """Whether the library could be compiled and loaded; says why not, once."""
    try:
        library = ctypes.CDLL(str(_compile()))
    except (OSError, subprocess.SubprocessError) as error:
        reason = (getattr(error, "stderr", None) or str(error)).strip().splitlines()[0]
        logger.warning("the LSTM is not compiled for this CPU and runs slower: %s", reason)
        return False
    for name in ("lstm_forward", "lstm_backward"):
        target = jax.ffi.pycapsule(getattr(library, name))
        jax.ffi.register_ffi_target(f"musicvae_{name}", target, platform="cpu")
    return True


def serves(features: int, dtype: jnp.dtype) -> bool:
    """Whether `lstm` can run such a layer here."""
    suits = features % _UNITS == 0 and jnp.dtype(dtype) == jnp.float32
    return suits and jax.default_backend() == "cpu" and is_available()


def _struct(*shape: int) -> jax.ShapeDtypeStruct:
    return jax.ShapeDtypeStruct(shape, jnp.float32)


def _parts(drive: Drive, width: int) -> tuple[jax.Array, jax.Array, jax.Array]:
    """A drive's three arrays; an absent one is empty."""
    steps = (drive.dense if drive.tokens is None else drive.tokens).shape[0]
    batch = (drive.dense if drive.tokens is None else drive.tokens).shape[1]
    dense = jnp.zeros((0, batch, width)) if drive.dense is None else drive.dense
    if drive.tokens is None:
        return dense, jnp.zeros((0, batch), jnp.int32), jnp.zeros((0, width))
    assert dense.shape[0] in (0, 1, steps), dense.shape
    return dense, drive.tokens, drive.table


def _forward(saves, drive, kernel, bias, cell, hidden, reverse):
    dense, tokens, table = _parts(drive, bias.shape[0])
    steps, batch, features = max(len(dense), len(tokens)), *cell.shape
    saved = steps if saves else 0
    call = jax.ffi.ffi_call(
        "musicvae_lstm_forward",
        (
            _struct(batch, features),
            _struct(steps, batch, features),
            _struct(saved, batch, features),
            _struct(saved, batch, 4 * features),
        ),
        vmap_method="sequential",
    )
    return call(dense, tokens, table, kernel, bias, cell, hidden, reverse=reverse)


@functools.partial(jax.custom_vjp, nondiff_argnums=(5,))
def lstm(
    drive: Drive,
    kernel: jax.Array,
    bias: jax.Array,
    cell: jax.Array,
    hidden: jax.Array,
    reverse: bool,
) -> tuple[jax.Array, jax.Array]:
    """Runs an LSTM over time.

    Args:
      drive: the inputs' part of the gates.
      kernel: [features, 4 * features] float32.
      bias: [4 * features] float32.
      cell, hidden: [batch, features] float32, the state before the first step; with
        `reverse`, after the last.
      reverse: run from the last step to the first.

    Returns:
      The final cell state [batch, features], and the hidden states of all steps:
      [steps, batch, features].
    """
    last_cell, outputs, _, _ = _forward(False, drive, kernel, bias, cell, hidden, reverse)
    return last_cell, outputs


def _lstm_forward(drive, kernel, bias, cell, hidden, reverse):
    last_cell, outputs, cells, gates = _forward(True, drive, kernel, bias, cell, hidden, reverse)
    return (last_cell, outputs), (drive, kernel, cell, hidden, outputs, cells, gates)


def _lstm_backward(reverse, saved, gradients):
    drive, kernel, cell, hidden, outputs, cells, gates = saved
    d_last_cell, d_outputs = gradients
    features, width = kernel.shape
    dense, tokens, table = _parts(drive, width)
    steps, batch, _ = outputs.shape
    is_shared = len(dense) == 1 and steps > 1
    call = jax.ffi.ffi_call(
        "musicvae_lstm_backward",
        (
            _struct(steps, batch, width),
            _struct(int(is_shared), batch, width),
            _struct(*table.shape),
            _struct(width),
            _struct(batch, features),
            _struct(batch, features),
        ),
        vmap_method="sequential",
    )
    d_gates, d_shared, d_table, d_bias, d_cell, d_hidden = call(
        tokens,
        table,
        kernel,
        cell,
        cells,
        gates,
        d_outputs,
        d_last_cell,
        jnp.zeros_like(hidden),  # the last hidden state is one of the outputs
        reverse=reverse,
    )
    ordered = (outputs[1:], hidden[None]) if reverse else (hidden[None], outputs[:-1])
    before = jnp.concatenate(ordered).reshape(-1, features)
    d_kernel = before.T @ d_gates.reshape(-1, width)
    d_drive = Drive(
        dense=None if drive.dense is None else d_shared if is_shared else d_gates,
        tokens=None if drive.tokens is None else np.zeros(tokens.shape, jax.dtypes.float0),
        table=None if drive.tokens is None else d_table,
    )
    return d_drive, d_kernel, d_bias, d_cell, d_hidden


lstm.defvjp(_lstm_forward, _lstm_backward)
