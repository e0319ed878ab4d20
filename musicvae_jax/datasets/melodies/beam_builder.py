"""The builder on Apache Beam, for a collection that more than one machine should read.

It gives the same data set, example for example, as the builder on one machine. Only
this module needs the `beam` extra.
"""

import dataclasses
import os
from collections.abc import Iterator
from typing import Any

import apache_beam as beam
import numpy as np
import tensorflow_datasets as tfds
from apache_beam.options.pipeline_options import PipelineOptions

from musicvae_jax.datasets.melodies import melodies_dataset_builder
from musicvae_jax.datasets.melodies.corpus import (
    DUPLICATE,
    MAX_EXAMPLES_PER_REASON,
    SPLIT_SHARES,
    example,
    hours,
    split_of,
)
from musicvae_jax.datasets.melodies.melodies_dataset_builder import MelodiesConfig
from musicvae_jax.datasets.melodies.music_files import (
    MusicFile,
    ReadingRules,
    read_music_file,
)
from musicvae_jax.datasets.melodies.songs import Elsewhere, Refusal, SourceSong
from musicvae_jax.midi.read import TIMEOUT_SEC
from musicvae_jax.music.tokens import StoredCodec, content_hashes
from musicvae_jax.system.errors import UserError
from musicvae_jax.system.workers import SafePool, WorkerFailure

_SPLITS = list(SPLIT_SHARES)
# A song, or why there is none, with its place in the collection.
_Item = tuple[tuple[int, int], SourceSong | Refusal]


class _ReadFiles(beam.DoFn):
    """Files to `(place, song or refusal)`, in a process of its own that a file may bring down.

    The place is the number of the file, and that of the song in it.
    """

    def __init__(self, rules: ReadingRules):
        self._rules = rules

    def setup(self):
        self._pool = SafePool(1, TIMEOUT_SEC)

    def process(self, file: MusicFile) -> Iterator[_Item]:
        [songs] = self._pool.map(_ReadFile(self._rules), [file], total=1)
        if isinstance(songs, WorkerFailure):
            songs = [Refusal(file.id, songs.reason)]
        for number, song in enumerate(songs):
            if not isinstance(song, Elsewhere):  # a song's one name decides its split
                yield (file.index, number), song

    def teardown(self):
        self._pool.close()


@dataclasses.dataclass(frozen=True)
class _ReadFile:
    """`read_music_file` with its rules, to be sent to a process."""

    rules: ReadingRules

    def __call__(self, file: MusicFile) -> list[SourceSong | Refusal | Elsewhere]:
        return read_music_file(file, self.rules)


def _keyed_windows(item: _Item, codec: StoredCodec) -> Iterator[tuple[int, tuple]]:
    """A song's windows by their content, each with its precedence among equal ones."""
    place, song = item
    if isinstance(song, Refusal):
        return
    split = _SPLITS.index(song.split or split_of(song.names[0]))
    hashes = content_hashes(song.windows.tokens, codec)
    plain = dataclasses.replace(song, windows=None)
    for key, start_bar, tokens in zip(
        hashes.tolist(), song.windows.start_bars.tolist(), song.windows.tokens, strict=True
    ):
        yield key, (split, place, start_bar, plain, tokens.tobytes())


def _first(candidates: Any) -> tuple:
    """The window that the builder on one machine would have met first."""
    return min(candidates, key=lambda candidate: candidate[:3])


def _to_example(window: tuple, source: str, codec: StoredCodec) -> tuple[str, dict[str, Any]]:
    _, _, start_bar, song, tokens = window
    return example(song, source, start_bar, np.frombuffer(tokens, codec.dtype))


def _counts(item: _Item) -> Iterator[tuple[tuple[str, str], float]]:
    _, result = item
    yield ("melodies", "read"), 1
    if isinstance(result, Refusal):
        yield ("melody dropped", result.reason), 1
        return
    yield ("melodies", "kept"), 1
    yield ("melodies", "hours"), hours(result)
    for reason, count in result.windows.refusals.items():
        yield ("window dropped", reason), count
    yield ("windows", "cut"), len(result.windows.tokens)


def _split_counts(window: tuple) -> Iterator[tuple[tuple[str, str], float]]:
    yield ("windows of", _SPLITS[window[0]]), 1


def _report(
    source: str, counts: list[tuple[tuple[str, str], float]], examples: list, songs: list
) -> dict[str, Any]:
    """What `Corpus.report` says, from the counts of a pipeline."""
    by_kind: dict[str, dict[str, Any]] = {}
    for (kind, name), count in counts:
        by_kind.setdefault(kind, {})[name] = count
    ids = dict(examples)
    dropped = by_kind.get("melody dropped", {})
    windows = by_kind.get("windows of", {})
    windows_dropped = dict(by_kind.get("window dropped", {}))
    duplicates = by_kind.get("windows", {}).get("cut", 0) - sum(windows.values())
    if duplicates:
        windows_dropped[DUPLICATE] = duplicates
    splits = {}
    for number, split in enumerate(_SPLITS):
        members = [names for split_number, names in songs if split_number == number]
        splits[split] = {
            "songs": len(set(members)),
            "melodies": len(members),
            "windows": windows.get(split, 0),
        }
    report = {
        "melodies_read": by_kind.get("melodies", {}).get("read", 0),
        "melodies_kept": by_kind.get("melodies", {}).get("kept", 0),
        "melodies_dropped": {
            reason: {"count": count, "examples": sorted(ids.get(reason, []))}
            for reason, count in sorted(dropped.items(), key=lambda item: -item[1])
        },
        "windows_dropped": dict(sorted(windows_dropped.items(), key=lambda item: -item[1])),
        "hours": round(by_kind.get("melodies", {}).get("hours", 0.0), 2),
        "splits": splits,
    }
    return {**report, "sources": {source: report}}


# TFDS keeps one class for a name; both builders make the data set `melodies`.
with tfds.core.registered.skip_registration():

    class BeamBuilder(melodies_dataset_builder.Builder):
        """`melodies_dataset_builder.Builder` for MIDI collections, on a Beam runner."""

        name = "melodies"
        pkg_dir_path = os.path.dirname(melodies_dataset_builder.__file__)

        def _info(self) -> tfds.core.DatasetInfo:
            return self.dataset_info(tfds.core.BeamMetadataDict())

        def _split_generators(
            self, dl_manager: tfds.download.DownloadManager, pipeline: beam.Pipeline
        ) -> dict[str, beam.PCollection]:
            config = self.builder_config
            files = config.sources[0].files()
            read = (
                pipeline
                | "files" >> beam.Create(files)
                | "spread" >> beam.Reshuffle()
                | "read" >> beam.ParDo(_ReadFiles(config.sources[0].rules))
            )
            windows = (
                read
                | "windows" >> beam.FlatMap(_keyed_windows, config.codec)
                | "by content" >> beam.GroupByKey()
                | "first" >> beam.MapTuple(lambda _, candidates: _first(candidates))
            )
            self.info.metadata["report"] = self._report(pipeline, read, windows)
            return {
                split: windows
                | f"of {split}" >> beam.Filter(lambda window, number=number: window[0] == number)
                | f"{split} examples" >> beam.Map(_to_example, config.sources[0].name, config.codec)
                for number, split in enumerate(_SPLITS)
            }

        def _report(self, pipeline, read, windows) -> beam.PCollection:
            source = self.builder_config.sources[0].name
            counts = (
                (
                    (read | "count" >> beam.FlatMap(_counts)),
                    (windows | "count windows" >> beam.FlatMap(_split_counts)),
                )
                | beam.Flatten()
                | "sum" >> beam.CombinePerKey(sum)
            )
            examples = (
                read
                | "refusals" >> beam.Filter(lambda item: isinstance(item[1], Refusal))
                | "by reason" >> beam.Map(lambda item: (item[1].reason, item[1].id))
                | "some" >> beam.combiners.Top.SmallestPerKey(MAX_EXAMPLES_PER_REASON)
            )
            songs = (
                windows
                | "songs" >> beam.Map(lambda window: (window[0], window[3].id, window[3].names[0]))
                | "each once" >> beam.Distinct()
                | "names" >> beam.Map(lambda song: (song[0], song[2]))
            )
            return (
                pipeline
                | "one" >> beam.Create([None])
                | "report"
                >> beam.Map(
                    lambda _, *parts: _report(source, *parts),
                    beam.pvalue.AsList(counts),
                    beam.pvalue.AsList(examples),
                    beam.pvalue.AsList(songs),
                )
            )


def build(
    config: MelodiesConfig, data_dir: str, options: list[str]
) -> melodies_dataset_builder.Builder:
    """Prepares the data set on a Beam runner if it is not there yet.

    Args:
      config: from `melodies_config`, with one source.
      data_dir: where TFDS keeps data sets; empty means TFDS's own default.
      options: Beam's, such as `--runner=FlinkRunner`.

    Raises:
      UserError: the source is not of files, or not the only one.
    """
    if len(config.sources) > 1 or config.sources[0].music21_collections:
        raise UserError(
            "beam_pipeline_options: for one source of music files, as in config.dataset.path; the "
            "folk tunes take seconds",
            "beam_pipeline_options",
            "config.dataset.sources",
        )
    data_dir = os.path.expanduser(data_dir) or None
    return melodies_dataset_builder.prepare_once(
        lambda: BeamBuilder(data_dir=data_dir, config=config, file_format="array_record"),
        tfds.download.DownloadConfig(beam_options=PipelineOptions(options)),
    )
