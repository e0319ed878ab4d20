"""A corpus on its way into a data set: split by song, without duplicates, counted.

The tokens go to a file as they come, and only a few numbers of each window stay in
memory, so that the size of a collection hardly matters.
"""

import collections
import dataclasses
import functools
import hashlib
import os
import tempfile
from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np

from musicvae_jax.datasets.melodies.songs import Refusal, SourceSong
from musicvae_jax.music.melody import STEPS_PER_BAR
from musicvae_jax.music.tokens import content_hashes

# Held-out windows are claimed first, so that a duplicate is dropped from training.
SPLIT_SHARES = {"test": 0.1, "validation": 0.1, "train": 0.8}
MAX_EXAMPLES_PER_REASON = 3


def split_of(identity: str) -> str:
    """The split of a song: a function of its identity alone."""
    position = int(hashlib.sha256(identity.encode()).hexdigest()[:8], 16) / 2**32
    for split, share in SPLIT_SHARES.items():
        if position < share:
            return split
        position -= share
    return "train"


def song_identities(names_of: dict[str, tuple[str, ...]]) -> dict[str, str]:
    """Maps song ids to identities; songs that share a title, through others too, share one.

    Args:
      names_of: the normalised titles of each song, by its id.
    """
    leader: dict[str, str] = {}

    def find(name: str) -> str:
        while leader.setdefault(name, name) != name:
            name = leader[name]
        return name

    for names in names_of.values():
        roots = {find(name) for name in names}
        for root in roots:
            leader[root] = min(roots)
    return {id: find(names[0]) for id, names in names_of.items()}


class _RefusalCounts:
    """How many were refused for each reason, and a few of them by name."""

    def __init__(self):
        self._counts: collections.Counter[str] = collections.Counter()
        self._examples: dict[str, list[str]] = collections.defaultdict(list)

    def add(self, refusal: Refusal) -> None:
        self._counts[refusal.reason] += 1
        if len(self._examples[refusal.reason]) < MAX_EXAMPLES_PER_REASON:
            self._examples[refusal.reason].append(refusal.id)

    def as_dict(self) -> dict[str, dict[str, Any]]:
        return {
            reason: {"count": count, "examples": self._examples[reason]}
            for reason, count in self._counts.most_common()
        }


def example(song: SourceSong, start_bar: int, tokens: np.ndarray) -> tuple[str, dict[str, Any]]:
    """Key and features of a window with tokens: [steps] uint8."""
    features = {
        "tokens": np.array(tokens),
        "id": song.id,
        "source": song.source,
        "start_bar": start_bar,
        "key_shift": song.key_shift,
        "tempo_bpm": song.tempo_bpm,
    }
    return f"{song.id}@{start_bar}", features


class Corpus:
    """Songs and windows as they are read."""

    def __init__(self, folder: str | os.PathLike, bars: int):
        """Args: where the tokens are kept meanwhile, without a name; bars of a window."""
        self._steps = bars * STEPS_PER_BAR
        os.makedirs(folder, exist_ok=True)
        self._file = tempfile.TemporaryFile(dir=folder)  # noqa: SIM115 - needed until the end
        self._songs: list[SourceSong] = []
        self._song: list[np.ndarray] = []
        self._start_bar: list[np.ndarray] = []
        self._key: list[np.ndarray] = []
        self._melodies_read = 0
        self._refusals = _RefusalCounts()
        self._window_refusals: collections.Counter[str] = collections.Counter()

    def add_all(self, results: Iterable[SourceSong | Refusal]) -> None:
        """Reads everything, once."""
        for result in results:
            self._melodies_read += 1
            if isinstance(result, Refusal):
                self._refusals.add(result)
            else:
                self._add(result)

    def _add(self, song: SourceSong) -> None:
        windows = song.windows
        self._window_refusals.update(windows.refusals)
        self._song.append(np.full(len(windows.tokens), len(self._songs), np.int32))
        self._start_bar.append(windows.start_bars)
        self._key.append(content_hashes(windows.tokens))
        self._songs.append(dataclasses.replace(song, windows=None))
        self._file.write(windows.tokens.tobytes())

    @functools.cached_property
    def _identities(self) -> dict[str, str]:
        """By song id; to be asked for when everything has been read."""
        return song_identities({song.id: song.names for song in self._songs})

    def _columns(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        if not self._song:
            return np.zeros(0, np.int32), np.zeros(0, np.int32), np.zeros(0, np.uint64)
        return tuple(np.concatenate(c) for c in (self._song, self._start_bar, self._key))

    def split_windows(self) -> dict[str, np.ndarray]:
        """Numbers of the windows of each split, in order, without duplicates."""
        song, _, key = self._columns()
        split_names = list(SPLIT_SHARES)
        splits = [split_of(self._identities[song.id]) for song in self._songs]
        song_split = np.array([split_names.index(name) for name in splits], np.int8)
        split = song_split[song] if song.size else np.zeros(0, np.int8)
        order = np.argsort(split, kind="stable")
        _, first = np.unique(key[order], return_index=True)
        kept = np.sort(order[first])
        self._window_refusals["duplicate of another window"] = int(key.size - kept.size)
        return {name: kept[split[kept] == number] for number, name in enumerate(split_names)}

    def report(self, chosen: dict[str, np.ndarray]) -> dict[str, Any]:
        """What was read, kept and dropped, and why; and what each split holds."""
        song, _, _ = self._columns()
        splits = {}
        for split, windows in chosen.items():
            ids = [self._songs[number].id for number in np.unique(song[windows])]
            splits[split] = {
                "songs": len({self._identities[id] for id in ids}),
                "melodies": len(ids),
                "windows": len(windows),
            }
        return {
            "melodies_read": self._melodies_read,
            "melodies_kept": len(self._songs),
            "melodies_dropped": self._refusals.as_dict(),
            "windows_dropped": {r: n for r, n in self._window_refusals.most_common() if n},
            "splits": splits,
        }

    def examples(self, windows: np.ndarray) -> Iterator[tuple[str, dict[str, Any]]]:
        """Keys and features of some windows, read back one at a time."""
        song, start_bar, key = self._columns()
        self._file.flush()
        tokens = np.memmap(self._file, np.uint8, "r", shape=(key.size, self._steps))
        for window in windows:
            yield example(self._songs[song[window]], int(start_bar[window]), tokens[window])
