"""Batches as a pure function of the seed and the step.

The order of an epoch is a permutation drawn from (seed, epoch), so the position
in the data is the step itself: there is no iterator to save, and a run resumed on
any number of hosts continues with the same global batches.
"""

import dataclasses
import functools
import hashlib
import pathlib
from collections.abc import Iterator, Sequence
from typing import Any

import ml_collections
import numpy as np

from musicvae_jax.datasets import augmentation
from musicvae_jax.datasets.melodies import melodies_dataset_builder as melodies
from musicvae_jax.datasets.melodies.midi_files import LAKH_LAYOUTS
from musicvae_jax.music.tokens import CODECS, transpose_tokens
from musicvae_jax.system.errors import UserError

CHUNK_WINDOWS = 4096
# Keeps the random numbers of a step's augmentation apart from those of an epoch's order.
AUGMENTATION_STREAM = 1


@dataclasses.dataclass(frozen=True)
class Split:
    """One split of a data set.

    Attributes:
      tokens: [windows, steps] uint8, of `MelodyCodec`, in a fixed order.
    """

    tokens: np.ndarray

    def __len__(self) -> int:
        return len(self.tokens)

    def sha256(self) -> str:
        """A hash of the windows and their order."""
        return hashlib.sha256(repr(self.tokens.shape).encode() + self.tokens.tobytes()).hexdigest()


def dataset_config(config: ml_collections.ConfigDict) -> melodies.MelodiesConfig:
    """The builder's configuration for a run's configuration.

    Raises:
      UserError: there are no MIDI files, or `lakh` is not a Lakh collection.
    """
    dataset, bars = config.dataset, config.model.bars
    if dataset.name == "folk":
        return melodies.folk_config(bars, tuple(dataset.collections))
    layout = ""
    if dataset.name == "lakh":
        layout = pathlib.Path(dataset.path).name
        if layout not in LAKH_LAYOUTS:
            raise UserError(
                f"config.dataset.path={dataset.path!r}: not a Lakh collection; a folder called "
                f"{', '.join(LAKH_LAYOUTS)} is needed",
                "config.dataset.path",
            )
    return melodies.midi_config(
        bars,
        dataset.path,
        layout=layout,
        extraction=dataset.extraction,
        programs=tuple(dataset.programs),
        name_contains=dataset.name_contains,
    )


def build_dataset(
    config: ml_collections.ConfigDict, beam_options: Sequence[str] = ()
) -> melodies.Builder:
    """Builds the data set of a run, or finds it built.

    Args:
      config: the run's.
      beam_options: if not empty, it is built on Apache Beam with these.

    Raises:
      UserError: the data set cannot be built as asked.
    """
    builder_config = dataset_config(config)
    if not beam_options:
        return melodies.build(builder_config, config.dataset.data_dir)
    try:
        from musicvae_jax.datasets.melodies import beam_builder
    except ModuleNotFoundError as error:
        raise UserError(
            "beam_pipeline_options needs Apache Beam: pip install 'musicvae-jax[beam]'",
            "beam_pipeline_options",
        ) from error
    return beam_builder.build(builder_config, config.dataset.data_dir, list(beam_options))


def _read_examples(builder: melodies.Builder, name: str) -> Iterator[list[dict[str, Any]]]:
    """The examples of a split, a few thousand at a time."""
    if name not in builder.info.splits or not builder.info.splits[name].num_examples:
        return  # a small data set may leave a split empty
    source = builder.as_data_source(split=name)
    for first in range(0, len(source), CHUNK_WINDOWS):
        yield source.__getitems__(range(first, min(first + CHUNK_WINDOWS, len(source))))


def read_chunks(builder: melodies.Builder, name: str) -> Iterator[np.ndarray]:
    """The tokens of a split, a few thousand windows [windows, steps] uint8 at a time."""
    for examples in _read_examples(builder, name):
        yield np.stack([example["tokens"] for example in examples])


def load_split(builder: melodies.Builder, name: str) -> Split:
    """Reads a split into memory, possibly empty; a million 16-bar windows are 256 MB."""
    steps = builder.info.features["tokens"].shape[0]
    size = builder.info.splits[name].num_examples if name in builder.info.splits else 0
    tokens = np.zeros((size, steps), np.uint8)
    first = 0
    for chunk in read_chunks(builder, name):
        tokens[first : first + len(chunk)] = chunk
        first += len(chunk)
    return Split(tokens)


def load_songs(builder: melodies.Builder, name: str) -> np.ndarray:
    """The song of each window of a split, in the order of `load_split`: [windows] str."""
    ids = [
        example["id"].decode() for examples in _read_examples(builder, name) for example in examples
    ]
    return np.array(ids, dtype=str)


def convert(tokens: np.ndarray, codec: str) -> np.ndarray:
    """Stored tokens [batch, steps] uint8 in a codec, by its name: [batch, steps] int32."""
    return CODECS[codec].from_melody_tokens(tokens).astype(np.int32)


class TrainBatches:
    """The endless sequence of training batches, as one process sees it.

    An epoch leaves out the few windows that do not fill a batch; which ones, the
    next permutation changes.
    """

    def __init__(
        self,
        split: Split,
        config: ml_collections.ConfigDict,
        process_index: int = 0,
        process_count: int = 1,
    ):
        """Args: as from `jax.process_index()` and `jax.process_count()`.

        Raises:
          UserError: the split does not fill one batch, or a batch does not divide.
        """
        self._batch_size = config.train.batch_size
        if self._batch_size % process_count:
            raise UserError(
                f"config.train.batch_size={self._batch_size} does not divide by the "
                f"{process_count} processes",
                "config.train.batch_size",
            )
        if len(split) < self._batch_size:
            raise UserError(
                f"the training split has {len(split)} windows, fewer than one batch: at least "
                f"{self._batch_size} are needed, or a smaller config.train.batch_size",
                "config.train.batch_size",
            )
        self._tokens = split.tokens
        self._seed = config.seed
        self._codec = config.model.codec
        self._semitones = config.dataset.transpose_semitones
        self._augment = tuple(config.dataset.augment)
        self._augment_share = config.dataset.augment_share
        share = self._batch_size // process_count
        self._local = slice(process_index * share, (process_index + 1) * share)
        self.steps_per_epoch = len(split) // self._batch_size
        # Two epochs meet at most, where a prefetcher is one step ahead.
        self._epoch = functools.lru_cache(maxsize=2)(self._draw_epoch)

    def _draw_epoch(self, epoch: int) -> tuple[np.ndarray, np.ndarray]:
        rng = np.random.default_rng((self._seed, epoch))
        order = rng.permutation(len(self._tokens))
        return order, rng.integers(-self._semitones, self._semitones + 1, len(self._tokens))

    def __call__(self, step: int) -> np.ndarray:
        """Tokens of this process for a step: [local batch, steps] int32."""
        epoch, batch = divmod(step, self.steps_per_epoch)
        order, shifts = self._epoch(epoch)
        first = batch * self._batch_size
        chosen = order[first : first + self._batch_size][self._local]
        tokens = self._transposed(chosen, shifts)
        if self._augment:
            tokens = self._augmented(tokens, shifts, step)
        return convert(tokens, self._codec)

    def _transposed(self, windows: np.ndarray, shifts: np.ndarray) -> np.ndarray:
        return transpose_tokens(self._tokens[windows], shifts[windows])

    def _augmented(self, tokens: np.ndarray, shifts: np.ndarray, step: int) -> np.ndarray:
        """Drawn for the global batch, so that a window does not depend on who makes it."""
        rng = np.random.default_rng((self._seed, step, AUGMENTATION_STREAM))
        others = rng.integers(len(self._tokens), size=self._batch_size)[self._local]
        draws = augmentation.draw(
            rng, self._augment, self._augment_share, self._batch_size, tokens.shape[1]
        )
        return augmentation.augment(tokens, self._transposed(others, shifts), draws.of(self._local))


def spread(total: int, count: int) -> np.ndarray:
    """`count` numbers evenly spread over 0..total-1, always the same; all if there are fewer."""
    return np.linspace(0, total - 1, min(count, total)).astype(np.int64)


def eval_subset(split: Split, count: int) -> Split:
    """Evenly spread windows of a split, always the same; all of them if `count` is 0."""
    return Split(split.tokens[spread(len(split), count)]) if count else split
