"""What a bar prior learns from: the codes of all training windows, in several transpositions."""

import dataclasses
import json
import logging
import pathlib
from typing import Any

import ml_collections
import numpy as np

from musicvae_jax.inference.bar_prior import Outlines
from musicvae_jax.inference.melody_model import MelodyModel
from musicvae_jax.models import bar_flow
from musicvae_jax.music.tokens import CODECS, StoredCodec
from musicvae_jax.system import files
from musicvae_jax.system.errors import UserError
from musicvae_jax.system.progress import progress

logger = logging.getLogger(__name__)

WINDOWS_FILE = "windows.npz"
_CHUNK = 4096


@dataclasses.dataclass(frozen=True)
class Windows:
    """The windows of a split.

    Attributes:
      tokens: [windows, steps] uint8 or uint16, of `codec`.
      source: [windows] uint8, the number of each one's source.
      start_bar: [windows] int32, where each one begins in its song.
      weight: [windows] float32, how often each one counts.
      sources: the names of the sources.
      bars: of each window.
      codec: of the tokens.
    """

    tokens: np.ndarray
    source: np.ndarray
    start_bar: np.ndarray
    weight: np.ndarray
    sources: tuple[str, ...]
    bars: int
    codec: StoredCodec = CODECS["melody"].stored

    @property
    def form(self) -> np.ndarray:
        """Which bars are alike: for each the number of the first such one, [windows, bars]."""
        bars = self.codec.bars(self.tokens, self.bars)
        form = np.tile(np.arange(self.bars), (len(bars), 1))
        for bar in range(self.bars - 1, -1, -1):
            # The first of all equal bars comes last, and stays.
            form = np.where(self.codec.are_alike(bars, bars[:, bar : bar + 1]), bar, form)
        return form

    def outlines(self, count: int, bars: int) -> Outlines:
        """Those of `count` windows, drawn by weight, in codes of `bars` bars."""
        shares = self.weight.astype(np.float64) / self.weight.sum(dtype=np.float64)
        drawn = np.random.default_rng(0).choice(len(shares), count, p=shares)
        some = Windows(
            self.tokens[drawn],
            self.source[drawn],
            self.start_bar[drawn],
            self.weight[drawn],
            self.sources,
            self.bars,
            self.codec,
        )
        form = some.form if bars == self.bars else np.zeros((count, bars))
        phase = some.start_bar % bar_flow.PHASES
        return Outlines(form.astype(np.uint8), some.source, phase.astype(np.uint8))


@dataclasses.dataclass(frozen=True)
class Codes:
    """The codes of a split's windows.

    Attributes:
      means: [windows, transpositions, bars, size] float16, posterior means.
      sigma: [size] float32, the posterior's standard deviation, on average.
      windows: what they are codes of.
    """

    means: np.ndarray
    sigma: np.ndarray
    windows: Windows


def load_windows(config: ml_collections.ConfigDict, folder: pathlib.Path) -> dict[str, Windows]:
    """The training and validation windows of a configuration, by the names of the splits.

    They are kept in `folder`, so that a machine without the data set can go on with them.

    Raises:
      UserError: the data set cannot be built, or a split is empty.
    """
    path, wanted = folder / WINDOWS_FILE, _identity(config)
    codec = CODECS[config.model.codec].stored
    if path.is_file():
        with files.reading_npz(path) as arrays:
            if str(arrays["identity"]) == wanted:
                return _read(arrays, config.model.bars, codec)
    # TFDS takes seconds to import, and is not needed where the windows are there already.
    from musicvae_jax.datasets import input_pipeline

    builder = input_pipeline.build_dataset(config)
    weight_of = dict(input_pipeline.weighted_sources(config))
    arrays: dict[str, Any] = {}
    for name in ("train", "validation"):
        split = input_pipeline.load_split(builder, name)
        if not len(split):
            raise UserError(f"the {name} split has no windows: the data set has too few songs")
        arrays["sources"] = np.array(split.sources, dtype=str)
        weights = np.array([weight_of.get(source, 1.0) for source in split.sources], np.float32)
        arrays |= {
            f"{name}_tokens": split.tokens,
            f"{name}_source": split.source,
            f"{name}_start_bar": input_pipeline.load_start_bars(builder, name),
            f"{name}_weight": weights[split.source],
        }
    files.write_npz(path, arrays | {"identity": wanted})
    return _read(arrays, config.model.bars, codec)


def _identity(config: ml_collections.ConfigDict) -> str:
    """What decides the windows and their weights, as text."""
    dataset = json.loads(config.dataset.to_json())
    names = ("sources", "path", "collections", "extraction", "programs", "name_contains")
    shape = [config.model.bars, config.model.steps_per_bar]
    return json.dumps([*shape, *(dataset[name] for name in names)])


def _read(arrays: Any, bars: int, codec: StoredCodec) -> dict[str, Windows]:
    fields = ("tokens", "source", "start_bar", "weight")
    sources = tuple(arrays["sources"].tolist())
    return {
        name: Windows(*(arrays[f"{name}_{field}"] for field in fields), sources, bars, codec)
        for name in ("train", "validation")
    }


def encode(model: MelodyModel, windows: Windows, transpositions: int, seed: int) -> Codes:
    """Encodes windows.

    Args:
      model: encodes.
      windows: at least one.
      transpositions: of each window, drawn without repetition from those of the model's
        training; the first is the window as it is. All of them, if there are fewer.
      seed: of the transpositions.
    """
    config, layout = model.checkpoint.config, bar_flow.layout(model.model)
    shifts = _shifts(len(windows.tokens), config.dataset.transpose_semitones, transpositions, seed)
    means = np.zeros((*shifts.shape, layout.bars, layout.size), np.float16)
    sigma = np.zeros(layout.size)
    firsts = range(0, len(shifts), _CHUNK)
    for first in progress(firsts, "encoding windows", len(firsts)):
        some = slice(first, first + _CHUNK)
        for column, shift in enumerate(shifts[some].T):
            tokens = windows.codec.transpose(windows.tokens[some], shift)
            tokens = CODECS[config.model.codec].from_stored(tokens).astype(np.int32)
            posterior = model.encode_tokens(tokens)
            means[some, column] = layout.codes(posterior.mu)
            sigma += layout.codes(posterior.sigma).mean(axis=1).sum(axis=0)
    return Codes(means, (sigma / shifts.size).astype(np.float32), windows)


def _shifts(windows: int, semitones: int, count: int, seed: int) -> np.ndarray:
    """Semitones of each window's transpositions, all different: [windows, transpositions]."""
    others = [shift for shift in range(-semitones, semitones + 1) if shift]
    rng = np.random.default_rng(seed)
    drawn = rng.permuted(np.tile(others, (windows, 1)), axis=1)[:, : count - 1]
    return np.concatenate([np.zeros((windows, 1)), drawn], axis=1).astype(np.int64)


def units(codes: Codes) -> tuple[np.ndarray, np.ndarray]:
    """The mean of codes, and the unit of each of their numbers: [size] float32 each.

    A number counts by how finely the decoder reads it, which the posterior's deviation tells:
    the unit is proportional to it, so that numbers with which nothing is said, whose deviation
    is that of the prior, hardly count. All together have a mean square of 1.
    """
    some = codes.means.reshape(-1, codes.means.shape[-1]).astype(np.float32)
    mean, deviation = some.mean(axis=0), some.std(axis=0)
    unit = codes.sigma
    rms = np.sqrt(np.mean((deviation / unit) ** 2))
    return mean, (unit * max(rms, 1e-6)).astype(np.float32)
