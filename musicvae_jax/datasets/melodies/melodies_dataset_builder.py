"""The TFDS builder `melodies`, written as array_record, without TensorFlow."""

import collections
import dataclasses
import hashlib
import os
from collections.abc import Iterable, Iterator
from typing import Any, ClassVar

import numpy as np
import tensorflow_datasets as tfds

from musicvae_jax.datasets.melodies import folk, sources
from musicvae_jax.datasets.melodies.sources import Refusal, SourceSong
from musicvae_jax.errors import UserError
from musicvae_jax.melody import STEPS_PER_BAR
from musicvae_jax.preprocessing import WindowRules, melody_windows
from musicvae_jax.progress import on_terminal
from musicvae_jax.tokens import FIRST_ONSET

# Held-out windows are claimed first, so that a duplicate is dropped from training.
SPLIT_SHARES = {"test": 0.1, "validation": 0.1, "train": 0.8}
MAX_EXAMPLES_PER_REASON = 3


@dataclasses.dataclass
class MelodiesConfig(tfds.core.BuilderConfig):
    """What goes into the data set; the name is also where it is cached.

    Attributes:
      bars: bars per example.
      collections: names of music21 collections, or empty.
      path: a folder or glob of MIDI files, or empty.
    """

    bars: int = 16
    collections: tuple[str, ...] = ()
    path: str = ""


def folk_config(bars: int, collections_: tuple[str, ...] = folk.COLLECTIONS) -> MelodiesConfig:
    """Traditional tunes of music21's corpus; needs no files of one's own."""
    digest = hashlib.sha256(",".join(sorted(collections_)).encode()).hexdigest()[:8]
    is_default = sorted(collections_) == sorted(folk.COLLECTIONS)
    name = f"folk_{bars}bar" if is_default else f"folk_{digest}_{bars}bar"
    return MelodiesConfig(name=name, bars=bars, collections=tuple(sorted(collections_)))


def midi_config(bars: int, path: str) -> MelodiesConfig:
    """A collection of MIDI files.

    The name holds a hash of the files, so that another folder, or the same folder
    changed, is another data set and not a stale cache.

    Raises:
      UserError: there are no MIDI files at `path`.
    """
    digest = sources.fingerprint(sources.find_midi_files(path))
    return MelodiesConfig(name=f"midi_{digest}_{bars}bar", bars=bars, path=path)


def split_of(identity: str) -> str:
    """The split of a song: a function of its identity alone."""
    position = int(hashlib.sha256(identity.encode()).hexdigest()[:8], 16) / 2**32
    for split, share in SPLIT_SHARES.items():
        if position < share:
            return split
        position -= share
    return "train"


def song_identities(songs: Iterable[SourceSong]) -> dict[str, str]:
    """Maps song ids to identities; songs that share a title, through others too, share one."""
    leader: dict[str, str] = {}

    def find(name: str) -> str:
        while leader.setdefault(name, name) != name:
            name = leader[name]
        return name

    songs = list(songs)
    for song in songs:
        roots = {find(name) for name in song.names}
        for root in roots:
            leader[root] = min(roots)
    return {song.id: find(song.names[0]) for song in songs}


def content_key(tokens: np.ndarray) -> bytes:
    """The same for two windows that differ by a transposition.

    Args:
      tokens: [steps] uint8, of `MelodyCodec`.
    """
    onset = tokens >= FIRST_ONSET
    intervals = tokens.astype(np.int16) - int(tokens[onset.argmax()]) + 128
    return np.where(onset, intervals, tokens).astype(np.int16).tobytes()


class Builder(tfds.core.GeneratorBasedBuilder):
    """Windows of melodies as tokens of the 90-class melody codec.

    Splits are by song: versions of a tune under one title never part. Windows are
    unique across the corpus, up to transposition. Building is deterministic.
    """

    VERSION = tfds.core.Version("1.0.0")
    RELEASE_NOTES: ClassVar = {"1.0.0": "First release."}
    BUILDER_CONFIGS: ClassVar = [folk_config(16), folk_config(2)]

    def _info(self) -> tfds.core.DatasetInfo:
        steps = self.builder_config.bars * STEPS_PER_BAR
        return tfds.core.DatasetInfo(
            builder=self,
            description="Melodies as tokens, one window of whole bars an example.",
            features=tfds.features.FeaturesDict(
                {
                    "tokens": tfds.features.Tensor(shape=(steps,), dtype=np.uint8),
                    "id": tfds.features.Text(),
                    "source": tfds.features.Text(),
                    "start_bar": tfds.features.Scalar(dtype=np.int32),
                    "key_shift": tfds.features.Scalar(dtype=np.int32),
                    "tempo_bpm": tfds.features.Scalar(dtype=np.float32),
                }
            ),
            metadata=tfds.core.MetadataDict(),
        )

    def _split_generators(
        self, dl_manager: tfds.download.DownloadManager
    ) -> dict[str, Iterator[tuple[str, dict[str, Any]]]]:
        config = self.builder_config
        if config.path:
            results = sources.read_midi(sources.find_midi_files(config.path))
        else:
            results = sources.read_folk(config.collections)
        splits, report = _make_splits(list(results), WindowRules(bars=config.bars))
        if not any(splits.values()):
            reasons = ", ".join([*report["melodies_dropped"], *report["windows_dropped"]])
            raise UserError(
                f"no window of {config.bars} bars can be used: {report['melodies_read']} melodies "
                f"were read ({reasons})"
            )
        self.info.metadata["report"] = report
        # TFDS fails on an empty split; a small data set may not reach all of them.
        return {split: iter(examples) for split, examples in splits.items() if examples}

    def _generate_examples(self, examples):
        yield from examples


def _make_splits(
    results: list[SourceSong | Refusal], rules: WindowRules
) -> tuple[dict[str, list[tuple[str, dict[str, Any]]]], dict[str, Any]]:
    """Cuts songs into windows, by split, without duplicates, and counts everything."""
    songs = [result for result in results if isinstance(result, SourceSong)]
    refusals = [result for result in results if isinstance(result, Refusal)]
    identities = song_identities(songs)
    window_refusals: collections.Counter[str] = collections.Counter()
    seen: set[bytes] = set()
    splits: dict[str, list[tuple[str, dict[str, Any]]]] = {}
    counts: dict[str, dict[str, int]] = {}
    for split in SPLIT_SHARES:
        examples: list[tuple[str, dict[str, Any]]] = []
        members = [song for song in songs if split_of(identities[song.id]) == split]
        for song in members:
            windows, reasons = melody_windows(song.melody, rules)
            window_refusals.update(reasons)
            for start_bar, tokens in windows:
                key = content_key(tokens)
                if key in seen:
                    window_refusals["duplicate of another window"] += 1
                    continue
                seen.add(key)
                examples.append((f"{song.id}@{start_bar}", _example(song, start_bar, tokens)))
        splits[split] = examples
        counts[split] = {
            "songs": len({identities[song.id] for song in members}),
            "melodies": len(members),
            "windows": len(examples),
        }
    too_short = [
        Refusal(song.id, f"shorter than {rules.bars} bars")
        for song in songs
        if song.melody.num_bars < rules.bars
    ]
    report = {
        "melodies_read": len(results),
        "melodies_kept": len(songs) - len(too_short),
        "melodies_dropped": _by_reason(refusals + too_short),
        "windows_dropped": dict(window_refusals.most_common()),
        "splits": counts,
    }
    return splits, report


def _by_reason(refusals: list[Refusal]) -> dict[str, dict[str, Any]]:
    ids = collections.defaultdict(list)
    for refusal in refusals:
        ids[refusal.reason].append(refusal.id)
    ordered = sorted(ids.items(), key=lambda item: -len(item[1]))
    return {
        reason: {"count": len(members), "examples": members[:MAX_EXAMPLES_PER_REASON]}
        for reason, members in ordered
    }


def _example(song: SourceSong, start_bar: int, tokens: np.ndarray) -> dict[str, Any]:
    return {
        "tokens": tokens,
        "id": song.id,
        "source": song.source,
        "start_bar": start_bar,
        "key_shift": 0,
        "tempo_bpm": song.melody.tempo_bpm,
    }


def build(config: MelodiesConfig, data_dir: str) -> Builder:
    """Prepares the data set if it is not there yet.

    Args:
      config: from `folk_config` or `midi_config`.
      data_dir: where TFDS keeps data sets; empty means TFDS's own default.

    Raises:
      UserError: no melody gives a single window.
    """
    builder = Builder(
        data_dir=os.path.expanduser(data_dir) or None,
        # TFDS wants the configurations it lists by name, and others as objects.
        config=config.name if config.name in Builder.builder_configs else config,
        file_format="array_record",
    )
    if not on_terminal():
        tfds.disable_progress_bar()
    builder.download_and_prepare()
    return builder
