"""Batches as a pure function of the seed and the step.

The order of an epoch is a permutation drawn from (seed, epoch), so the position
in the data is the step itself: there is no iterator to save, and a run resumed on
any number of hosts continues with the same global batches.
"""

import dataclasses
import functools
import hashlib
import itertools
from collections.abc import Iterator, Sequence
from typing import Any

import ml_collections
import numpy as np

from musicvae_jax.datasets import augmentation
from musicvae_jax.datasets.melodies import melodies_dataset_builder as melodies
from musicvae_jax.datasets.melodies.music_files import ReadingRules
from musicvae_jax.datasets.melodies.sources import find_source
from musicvae_jax.music.tokens import CODECS
from musicvae_jax.music.windows import WindowRules
from musicvae_jax.system.errors import UserError

CHUNK_WINDOWS = 4096
# Keeps the random numbers of a step's augmentation apart from those of an epoch's order.
AUGMENTATION_STREAM = 1
# The same for the choice of an epoch's windows.
WEIGHTS_STREAM = 2


@dataclasses.dataclass(frozen=True)
class Split:
    """One split of a data set.

    Attributes:
      tokens: [windows, steps] uint8 or uint16, of the codec in which data sets store them, in
        a fixed order.
      source: [windows] uint8, the number of each one's source; by default 0.
      sources: the names of the sources.
    """

    tokens: np.ndarray
    source: np.ndarray | None = None
    sources: tuple[str, ...] = ("",)

    def __post_init__(self):
        if self.source is None:
            object.__setattr__(self, "source", np.zeros(len(self.tokens), np.uint8))

    def __len__(self) -> int:
        return len(self.tokens)

    def __getitem__(self, windows: np.ndarray) -> "Split":
        """Those of some windows: [chosen] numbers, or [windows] bool."""
        return Split(self.tokens[windows], self.source[windows], self.sources)

    def by_source(self) -> dict[str, "Split"]:
        """The windows of each source that has any, in order."""
        parts = {name: self[self.source == n] for n, name in enumerate(self.sources)}
        return {name: part for name, part in parts.items() if len(part)}

    def sha256(self) -> str:
        """A hash of the windows and their order."""
        digest = hashlib.sha256(repr(self.tokens.shape).encode())
        digest.update(np.ascontiguousarray(self.tokens))  # in place: it may fill much memory
        return digest.hexdigest()


def dataset_config(config: ml_collections.ConfigDict) -> melodies.MelodiesConfig:
    """The builder's configuration for a run's configuration.

    Raises:
      UserError: there is no music in one of its sources.
    """
    dataset, bars = config.dataset, config.model.bars
    rules = ReadingRules(
        WindowRules(bars=bars),
        extraction=dataset.extraction,
        programs=tuple(dataset.programs),
        name_contains=dataset.name_contains,
        steps_per_bar=config.model.steps_per_bar,
    )
    return melodies.melodies_config(
        bars,
        [
            find_source(name, rules, dataset.folder, tuple(dataset.collections))
            for name, _ in weighted_sources(config)
        ],
    )


def weighted_sources(config: ml_collections.ConfigDict) -> tuple[tuple[str, float], ...]:
    """The names of a run's sources, with their weights."""
    if config.dataset.path:
        return ((config.dataset.path, 1.0),)
    return tuple((name, float(weight)) for name, weight in config.dataset.sources)


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


def dataset_of(config: ml_collections.ConfigDict, folder: str = "") -> melodies.Builder:
    """The data set that a trained model learned from.

    Args:
      config: of its checkpoint, which stays as it is.
      folder: of the published collections, if they are elsewhere here.

    Raises:
      UserError: the data set cannot be built.
    """
    config = config.copy_and_resolve_references()
    config.dataset.folder = folder or config.dataset.folder
    return build_dataset(config)


def _read_examples(builder: melodies.Builder, name: str) -> Iterator[list[dict[str, Any]]]:
    """The examples of a split, a few thousand at a time."""
    if name not in builder.info.splits or not builder.info.splits[name].num_examples:
        return  # a small data set may leave a split empty
    source = builder.as_data_source(split=name)
    for first in range(0, len(source), CHUNK_WINDOWS):
        yield source.__getitems__(range(first, min(first + CHUNK_WINDOWS, len(source))))


def read_chunks(builder: melodies.Builder, name: str) -> Iterator[np.ndarray]:
    """The tokens of a split, a few thousand windows [windows, steps] at a time."""
    for examples in _read_examples(builder, name):
        yield np.stack([example["tokens"] for example in examples])


def load_split(builder: melodies.Builder, name: str) -> Split:
    """Reads a split into memory, possibly empty; a million 16-bar windows are 256 MB."""
    steps = builder.info.features["tokens"].shape[0]
    size = builder.info.splits[name].num_examples if name in builder.info.splits else 0
    sources = tuple(source.name for source in builder.builder_config.sources)
    number_of = {source.encode(): number for number, source in enumerate(sources)}
    dtype = builder.info.features["tokens"].np_dtype
    tokens, source = np.zeros((size, steps), dtype), np.zeros(size, np.uint8)
    examples = itertools.chain.from_iterable(_read_examples(builder, name))
    for window, example in enumerate(examples):
        tokens[window], source[window] = example["tokens"], number_of[example["source"]]
    return Split(tokens, source, sources)


def load_songs(builder: melodies.Builder, name: str) -> np.ndarray:
    """The song of each window of a split, in the order of `load_split`: [windows] str."""
    ids = [
        example["id"].decode() for examples in _read_examples(builder, name) for example in examples
    ]
    return np.array(ids, dtype=str)


def load_start_bars(builder: melodies.Builder, name: str) -> np.ndarray:
    """Where each window of a split begins in its song, in the order of `load_split`: [windows]."""
    starts = [
        example["start_bar"] for examples in _read_examples(builder, name) for example in examples
    ]
    return np.array(starts, np.int32)


def convert(tokens: np.ndarray, codec: str) -> np.ndarray:
    """Stored tokens [batch, steps] in a codec, by its name: [batch, steps] int32."""
    return CODECS[codec].from_stored(tokens).astype(np.int32)


class _Weighted:
    """Which windows belong to an epoch.

    A window of a source with weight w occurs w times on average: as often as the whole
    part of w says, and once more in a share of the epochs that the fraction says.
    """

    def __init__(self, split: Split, weights: Sequence[tuple[str, float]]):
        """Args: windows, and a weight for each of their sources."""
        weight_of = dict(weights)
        self._parts = []
        for number, name in enumerate(split.sources):
            windows = np.flatnonzero(split.source == number)
            times, fraction = divmod(weight_of.get(name, 1.0), 1.0)
            self._parts.append((windows, int(times), round(fraction * len(windows))))

    def __len__(self) -> int:
        """The windows of an epoch."""
        return sum(len(windows) * times + some for windows, times, some in self._parts)

    def draw(self, epoch: int, seed: int) -> np.ndarray:
        """The numbers of the windows of an epoch, by source: [windows] int64."""
        rng = np.random.default_rng((seed, epoch, WEIGHTS_STREAM))
        drawn = []
        for windows, times, some in self._parts:
            drawn += [windows] * times
            drawn.append(rng.choice(windows, some, replace=False))
        return np.concatenate(drawn)


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
        self._tokens = split.tokens
        self._weighted = _Weighted(split, weighted_sources(config))
        if len(self._weighted) < self._batch_size:
            raise UserError(
                f"the training split has {len(self._weighted)} windows, fewer than one batch: at "
                f"least {self._batch_size} are needed, or a smaller config.train.batch_size",
                "config.train.batch_size",
            )
        self._seed = config.seed
        self._codec = config.model.codec
        self._stored = CODECS[self._codec].stored
        self._semitones = config.dataset.transpose_semitones
        self._augment = tuple(config.dataset.augment)
        self._augment_share = config.dataset.augment_share
        self._steps_per_bar = config.model.steps_per_bar
        share = self._batch_size // process_count
        self._local = slice(process_index * share, (process_index + 1) * share)
        self.steps_per_epoch = len(self._weighted) // self._batch_size
        # Two epochs meet at most, where a prefetcher is one step ahead.
        self._epoch = functools.lru_cache(maxsize=2)(self._draw_epoch)

    def _draw_epoch(self, epoch: int) -> tuple[np.ndarray, np.ndarray]:
        """The windows of an epoch in their order, and the semitones for each: [windows]."""
        rng = np.random.default_rng((self._seed, epoch))
        windows = self._weighted.draw(epoch, self._seed)
        order = rng.permutation(len(windows))
        shifts = rng.integers(-self._semitones, self._semitones + 1, len(windows))
        return windows[order], shifts[order]

    def __call__(self, step: int) -> np.ndarray:
        """Tokens of this process for a step: [local batch, steps] int32."""
        epoch, batch = divmod(step, self.steps_per_epoch)
        windows, shifts = self._epoch(epoch)
        first = batch * self._batch_size
        local = np.arange(first, first + self._batch_size)[self._local]
        tokens = self._stored.transpose(self._tokens[windows[local]], shifts[local])
        if self._augment:
            tokens = self._augmented(tokens, windows, shifts, step)
        return convert(tokens, self._codec)

    def _augmented(
        self, tokens: np.ndarray, windows: np.ndarray, shifts: np.ndarray, step: int
    ) -> np.ndarray:
        """Drawn for the global batch, so that a window does not depend on who makes it."""
        rng = np.random.default_rng((self._seed, step, AUGMENTATION_STREAM))
        chosen = rng.integers(len(windows), size=self._batch_size)[self._local]
        others = self._stored.transpose(self._tokens[windows[chosen]], shifts[chosen])
        draws = augmentation.draw(
            rng, self._augment, self._augment_share, self._batch_size, tokens.shape[1]
        )
        return augmentation.augment(tokens, others, draws.of(self._local), self._steps_per_bar)


def spread(total: int, count: int) -> np.ndarray:
    """`count` numbers evenly spread over 0..total-1, always the same; all if there are fewer."""
    return np.linspace(0, total - 1, min(count, total)).astype(np.int64)


def eval_subset(split: Split, count: int) -> Split:
    """At most `count` windows, as many of each source as it has, up to an equal share.

    They are evenly spread over each source and always the same; all windows if `count` is 0.
    """
    if not count:
        return split
    parts = [np.flatnonzero(split.source == n) for n in np.unique(split.source)]
    share = count // max(len(parts), 1)
    return split[np.concatenate([part[spread(len(part), share)] for part in parts])]
