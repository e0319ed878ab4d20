"""The TFDS builder `melodies`, written as array_record, without TensorFlow."""

import dataclasses
import hashlib
import os
import pathlib
import shutil
from collections.abc import Callable, Iterator, Sequence
from typing import Any, ClassVar, TypeVar

import numpy as np
import tensorflow_datasets as tfds

from musicvae_jax.datasets.melodies.corpus import Corpus
from musicvae_jax.datasets.melodies.music_files import ReadingRules
from musicvae_jax.datasets.melodies.sources import COLLECTIONS, FOLK, Source, find_source
from musicvae_jax.music.tokens import StoredCodec
from musicvae_jax.music.windows import WindowRules
from musicvae_jax.system import locks
from musicvae_jax.system.errors import UserError
from musicvae_jax.system.progress import on_terminal

AnyBuilder = TypeVar("AnyBuilder", bound=tfds.core.DatasetBuilder)


@dataclasses.dataclass
class MelodiesConfig(tfds.core.BuilderConfig):
    """What goes into the data set; the name is also where it is cached.

    Attributes:
      bars: bars per example.
      steps_per_bar: of the grids on which they are read.
      sources: what it is read from, in this order; each once.
    """

    bars: int = 16
    steps_per_bar: int = 16
    sources: tuple[Source, ...] = ()

    @property
    def codec(self) -> StoredCodec:
        """Of the tokens."""
        return self.sources[0].rules.codec


def melodies_config(bars: int, sources: Sequence[Source]) -> MelodiesConfig:
    """The data set of some sources.

    Its name holds a hash of the files and rules, so that another folder, or the same folder
    changed, is another data set and not a stale cache.

    Args:
      bars: bars per example.
      sources: at least one, with rules for windows of `bars` bars, all on grids of the same
        number of steps a bar.

    Raises:
      UserError: there is no music in one of them.
    """
    if len(sources) > 1:
        kind = "mixture"
    elif sources[0].name in (FOLK, *COLLECTIONS):
        kind = sources[0].name
    else:
        kind = sources[0].rules.layout or "files"
    if list(sources) == list(folk_config(bars).sources):
        return folk_config(bars)
    digest = hashlib.sha256("".join(s.fingerprint() for s in sources).encode()).hexdigest()[:12]
    steps = sources[0].rules.steps_per_bar
    name = f"{kind}_{digest}_{bars}bar" + (f"_{steps}steps" if steps != 16 else "")
    return MelodiesConfig(name=name, bars=bars, steps_per_bar=steps, sources=tuple(sources))


def folk_config(bars: int) -> MelodiesConfig:
    """Traditional tunes of music21's corpus, all three collections; needs no files."""
    source = find_source(FOLK, ReadingRules(WindowRules(bars=bars)))
    return MelodiesConfig(name=f"folk_{bars}bar", bars=bars, sources=(source,))


class Builder(tfds.core.GeneratorBasedBuilder):
    """Windows of melodies as tokens of the 90-class melody codec, or of drums.

    Splits are by song: versions of a tune under one title never part. Windows are
    unique across the corpus, up to transposition. Building is deterministic.
    """

    VERSION = tfds.core.Version("1.1.0")
    RELEASE_NOTES: ClassVar = {
        "1.0.0": "First release.",
        "1.1.0": "Several sources; windows in which a singer rests are kept.",
    }
    BUILDER_CONFIGS: ClassVar = [folk_config(16), folk_config(2)]

    def _info(self) -> tfds.core.DatasetInfo:
        return self.dataset_info(tfds.core.MetadataDict())

    def dataset_info(self, metadata: tfds.core.MetadataDict) -> tfds.core.DatasetInfo:
        """The features of an example; `metadata` will hold the report."""
        steps = self.builder_config.bars * self.builder_config.steps_per_bar
        return tfds.core.DatasetInfo(
            builder=self,
            description="Melodies as tokens, one window of whole bars an example.",
            features=tfds.features.FeaturesDict(
                {
                    "tokens": tfds.features.Tensor(
                        shape=(steps,), dtype=self.builder_config.codec.dtype
                    ),
                    "id": tfds.features.Text(),
                    "source": tfds.features.Text(),
                    "start_bar": tfds.features.Scalar(dtype=np.int32),
                    "key_shift": tfds.features.Scalar(dtype=np.int32),
                    "tempo_bpm": tfds.features.Scalar(dtype=np.float32),
                }
            ),
            metadata=metadata,
        )

    def _split_generators(
        self, dl_manager: tfds.download.DownloadManager
    ) -> dict[str, Iterator[tuple[str, dict[str, Any]]]]:
        config = self.builder_config
        steps = config.bars * config.steps_per_bar
        corpus = Corpus(os.path.dirname(self.data_dir), steps, config.codec)
        for source in config.sources:
            corpus.add_all(source.name, source.read())
        chosen = corpus.split_windows()
        report = corpus.report(chosen)
        if not any(len(windows) for windows in chosen.values()):
            reasons = ", ".join([*report["melodies_dropped"], *report["windows_dropped"]])
            raise UserError(
                f"no window of {config.bars} bars can be used: {report['melodies_read']} melodies "
                f"were read ({reasons})"
            )
        self.info.metadata["report"] = report
        # TFDS fails on an empty split; a small data set may not reach all of them.
        return {
            split: corpus.examples(windows) for split, windows in chosen.items() if len(windows)
        }

    def _generate_examples(self, examples):
        yield from examples


def prepare_once(
    create: Callable[[], AnyBuilder],
    download_config: tfds.download.DownloadConfig | None = None,
) -> AnyBuilder:
    """Prepares a data set if it is not there yet, in one process at a time.

    Of several that want it, on this machine or where the file system shares its locks,
    one builds and the others wait and find it built. TFDS writes to a folder
    `incomplete.*` and renames it at the end, so a kill leaves nothing half-built.

    Args:
      create: makes the builder; called again when the wait is over.
      download_config: for `download_and_prepare`.
    """
    builder = create()
    if builder.is_prepared():
        return builder
    folder = pathlib.Path(builder.data_dir).parent
    lock = folder.parent / f".{folder.name}.lock"
    with locks.exclusive(lock, f"another process that builds {folder.name}") as is_alone:
        if is_alone:
            for abandoned in folder.glob("incomplete.*"):
                shutil.rmtree(abandoned, ignore_errors=True)
        builder = create()
        builder.download_and_prepare(download_config=download_config)
    return builder


def build(config: MelodiesConfig, data_dir: str) -> Builder:
    """Prepares the data set if it is not there yet; see `prepare_once`.

    Args:
      config: from `melodies_config`.
      data_dir: where TFDS keeps data sets; empty means TFDS's own default.

    Raises:
      UserError: no melody gives a single window.
    """
    if not on_terminal():
        tfds.disable_progress_bar()

    def create() -> Builder:
        return Builder(
            data_dir=os.path.expanduser(data_dir) or None,
            # TFDS wants the configurations it lists by name, and others as objects.
            config=config.name if config.name in Builder.builder_configs else config,
            file_format="array_record",
        )

    return prepare_once(create)
