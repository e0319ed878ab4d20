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

from musicvae_jax.datasets.melodies.songs import Elsewhere, Refusal, SourceSong
from musicvae_jax.music.tokens import StoredCodec, content_hashes

# Held-out windows are claimed first, so that a duplicate is dropped from training.
SPLIT_SHARES = {"test": 0.1, "validation": 0.1, "train": 0.8}
MAX_EXAMPLES_PER_REASON = 3
DUPLICATE = "duplicate of another window"
SCATTERED = "versions of its song in the usual meters lie in several splits"


def split_of(identity: str) -> str:
    """The split of a song that its collection puts in none: a function of its identity alone."""
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


class _Counts:
    """What was read of one source, and how much was refused for which reason."""

    def __init__(self):
        self.read = 0
        self.refused: collections.Counter[str] = collections.Counter()
        self.examples: dict[str, list[str]] = collections.defaultdict(list)
        self.windows_refused: collections.Counter[str] = collections.Counter()

    def add(self, refusal: Refusal) -> None:
        self.refused[refusal.reason] += 1
        if len(self.examples[refusal.reason]) < MAX_EXAMPLES_PER_REASON:
            self.examples[refusal.reason].append(refusal.id)

    def report(self) -> dict[str, Any]:
        return {
            "melodies_read": self.read,
            "melodies_kept": self.read - self.refused.total(),
            "melodies_dropped": {
                reason: {"count": count, "examples": self.examples[reason]}
                for reason, count in self.refused.most_common()
            },
            "windows_dropped": {r: n for r, n in self.windows_refused.most_common() if n},
        }


def _sum(counts: Iterable[_Counts]) -> _Counts:
    """The counts of all sources together."""
    total = _Counts()
    for part in counts:
        total.read += part.read
        total.refused += part.refused
        total.windows_refused += part.windows_refused
        for reason, ids in part.examples.items():
            space = MAX_EXAMPLES_PER_REASON - len(total.examples[reason])
            total.examples[reason] += ids[:space]
    return total


def hours(song: SourceSong) -> float:
    """How long the melodies of a song last, at the tempo in which it begins."""
    return song.num_quarters / song.tempo_bpm / 60


def example(
    song: SourceSong, source: str, start_bar: int, tokens: np.ndarray
) -> tuple[str, dict[str, Any]]:
    """Key and features of a window with tokens: [steps]."""
    features = {
        "tokens": np.array(tokens),
        "id": song.id,
        "source": source,
        "start_bar": start_bar,
        "key_shift": song.key_shift,
        "tempo_bpm": song.tempo_bpm,
    }
    return f"{song.id}@{start_bar}", features


class Corpus:
    """Songs and windows as they are read."""

    def __init__(self, folder: str | os.PathLike, steps: int, codec: StoredCodec):
        """Args: where the tokens are kept meanwhile, without a name; steps of a window; codec."""
        self._codec = codec
        self._steps = steps
        os.makedirs(folder, exist_ok=True)
        self._file = tempfile.TemporaryFile(dir=folder)  # noqa: SIM115 - needed until the end
        self._songs: list[SourceSong] = []
        self._sources: list[str] = []
        self._song: list[np.ndarray] = []
        self._start_bar: list[np.ndarray] = []
        self._key: list[np.ndarray] = []
        self._counts: dict[str, _Counts] = {}
        self._elsewhere: dict[str, tuple[str, ...]] = {}

    def add_all(self, source: str, results: Iterable[SourceSong | Refusal | Elsewhere]) -> None:
        """Reads everything of a source, once; of windows that are equal, the first stays."""
        counts = self._counts.setdefault(source, _Counts())
        for result in results:
            if isinstance(result, Elsewhere):
                self._elsewhere[result.id] = result.names
                continue
            counts.read += 1
            if isinstance(result, Refusal):
                counts.add(result)
            else:
                counts.windows_refused += result.windows.refusals
                self._add(source, result)

    def _add(self, source: str, song: SourceSong) -> None:
        windows = song.windows
        self._song.append(np.full(len(windows.tokens), len(self._songs), np.int32))
        self._start_bar.append(windows.start_bars)
        self._key.append(content_hashes(windows.tokens, self._codec))
        self._songs.append(dataclasses.replace(song, windows=None))
        self._sources.append(source)
        self._file.write(windows.tokens.tobytes())

    @functools.cached_property
    def _identities(self) -> dict[str, str]:
        """By song id; to be asked for when everything has been read."""
        return song_identities({song.id: song.names for song in self._songs})

    def _split_of_each(self) -> list[str]:
        """The split of each song, the same as that of its versions elsewhere.

        Empty if these lie in several.
        """
        elsewhere = song_identities(self._elsewhere)
        known = {
            name: split_of(elsewhere[id]) for id, names in self._elsewhere.items() for name in names
        }
        found: dict[str, set[str]] = collections.defaultdict(set)
        for song in self._songs:
            found[self._identities[song.id]] |= {known[n] for n in song.names if n in known}
        split_of_song = {
            identity: splits.pop() if len(splits) == 1 else "" if splits else split_of(identity)
            for identity, splits in found.items()
        }
        return [song.split or split_of_song[self._identities[song.id]] for song in self._songs]

    def _columns(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        if not self._song:
            return np.zeros(0, np.int32), np.zeros(0, np.int32), np.zeros(0, np.uint64)
        return tuple(np.concatenate(c) for c in (self._song, self._start_bar, self._key))

    def split_windows(self) -> dict[str, np.ndarray]:
        """Numbers of the windows of each split, in order, without duplicates."""
        song, _, key = self._columns()
        split_names = list(SPLIT_SHARES)
        numbers = {name: number for number, name in enumerate(split_names)} | {"": -1}
        song_split = np.array([numbers[name] for name in self._split_of_each()], np.int8)
        split = song_split[song] if song.size else np.zeros(0, np.int8)
        order = np.argsort(split, kind="stable")
        order = order[split[order] >= 0]
        _, first = np.unique(key[order], return_index=True)
        kept = np.sort(order[first])
        is_duplicate = split >= 0
        is_duplicate[kept] = False
        for reason, is_dropped in ((DUPLICATE, is_duplicate), (SCATTERED, split < 0)):
            dropped = np.bincount(song[is_dropped], minlength=len(self._songs))
            for name, counts in self._counts.items():
                of_source = [n for n, s in zip(dropped, self._sources, strict=True) if s == name]
                counts.windows_refused[reason] = int(sum(of_source))
        return {name: kept[split[kept] == number] for number, name in enumerate(split_names)}

    def report(self, chosen: dict[str, np.ndarray]) -> dict[str, Any]:
        """What was read, kept and dropped, and why; and what each split holds.

        For all sources together and, under `sources`, for each. `hours` is how long the
        melodies last that were kept.
        """
        parts = {name: self._part(name, counts, chosen) for name, counts in self._counts.items()}
        return {**self._part(None, _sum(self._counts.values()), chosen), "sources": parts}

    def _part(
        self, source: str | None, counts: _Counts, chosen: dict[str, np.ndarray]
    ) -> dict[str, Any]:
        """The report of one source, or of all if it is None."""
        is_part = np.array([source in (None, own) for own in self._sources], bool)
        song, _, _ = self._columns()
        splits = {}
        for split, windows in chosen.items():
            mine = song[windows][is_part[song[windows]]] if len(windows) else song[:0]
            ids = [self._songs[number].id for number in np.unique(mine)]
            splits[split] = {
                "songs": len({self._identities[id] for id in ids}),
                "melodies": len(ids),
                "windows": len(mine),
            }
        lengths = [hours(s) for s, is_in in zip(self._songs, is_part, strict=True) if is_in]
        return {**counts.report(), "hours": round(sum(lengths), 2), "splits": splits}

    def examples(self, windows: np.ndarray) -> Iterator[tuple[str, dict[str, Any]]]:
        """Keys and features of some windows, read back one at a time."""
        song, start_bar, key = self._columns()
        self._file.flush()
        tokens = np.memmap(self._file, self._codec.dtype, "r", shape=(key.size, self._steps))
        for window in windows:
            of_song = song[window]
            yield example(
                self._songs[of_song], self._sources[of_song], int(start_bar[window]), tokens[window]
            )
