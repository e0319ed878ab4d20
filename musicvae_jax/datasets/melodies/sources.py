"""Where melodies come from: files in, songs with an identity out, in parallel."""

import collections
import dataclasses
import functools
import glob
import hashlib
import os
import pathlib
import re
from collections.abc import Iterable, Iterator

from musicvae_jax import bulk_midi
from musicvae_jax.datasets.melodies import abc_notation, folk
from musicvae_jax.datasets.workers import WorkerFailure, map_in_processes
from musicvae_jax.errors import UserError
from musicvae_jax.melody import Melody
from musicvae_jax.preprocessing import extract
from musicvae_jax.windows import WindowRules, Windows, melody_windows

MIDI_SUFFIXES = (".mid", ".midi")
# Six minutes of twelve tracks are about 0.1 MB; what is larger is not a song.
MAX_MIDI_BYTES = 10 << 20
# Words that say how a tune is danced or which copy of it this is, not which tune it is.
_GENERIC_WORDS = frozenset(
    [
        "a",
        "an",
        "the",
        "reel",
        "reels",
        "hornpipe",
        "jig",
        "strathspey",
        "clog",
        "fling",
        "highland",
        "march",
        "air",
        "no",
        "2nd",
        "setting",
    ]
)


@dataclasses.dataclass(frozen=True)
class SourceSong:
    """The windows of a song, and what tells it from others.

    Attributes:
      id: unique within the data set.
      names: normalised titles; songs that share one are one song in several versions.
      source: the collection or folder.
      tempo_bpm: quarter notes per minute.
      num_bars: of the whole melody.
      windows: those kept, and why others were not.
    """

    id: str
    names: tuple[str, ...]
    source: str
    tempo_bpm: float
    num_bars: int
    windows: Windows


@dataclasses.dataclass(frozen=True)
class Refusal:
    """A song that gave no melody, and why."""

    id: str
    reason: str


def normal_title(title: str) -> str:
    """Brings spellings of one title together: `Reel, The Acrobat's` -> `acrobats`."""
    words = re.sub(r"[^\w\s]", "", title.lower()).split()
    return "".join(word for word in words if word not in _GENERIC_WORDS) or "".join(words)


def _song(
    id: str, names: tuple[str, ...], source: str, melody: Melody, rules: WindowRules
) -> SourceSong:
    windows = melody_windows(melody, rules)
    return SourceSong(id, names, source, melody.tempo_bpm, melody.num_bars, windows)


def _read_abc_file(path: pathlib.Path, rules: WindowRules) -> list[SourceSong | Refusal]:
    collection = path.parent.name
    results: list[SourceSong | Refusal] = []
    seen: collections.Counter[str] = collections.Counter()
    for text in abc_notation.split_tunes(path.read_text(encoding="utf-8", errors="replace")):
        number = (abc_notation.header_field(text, "X") or ["?"])[0]
        seen[number] += 1
        copy = f".{seen[number]}" if seen[number] > 1 else ""
        id = f"{collection}/{path.stem}:{number}{copy}"
        try:
            tune = folk.read_tune(text, id)
        except folk.TuneRejectedError as error:
            results.append(Refusal(id, str(error)))
            continue
        names = tuple(sorted({normal_title(title) for title in tune.titles} - {""})) or (id,)
        results.append(_song(id, names, collection, tune.melody, rules))
    return results


def read_folk(collections_: Iterable[str], rules: WindowRules) -> Iterator[SourceSong | Refusal]:
    """Reads collections of music21's corpus, on all cores."""
    files = [path for name in collections_ for path in folk.corpus_files(name)]
    function = functools.partial(_read_abc_file, rules=rules)
    read = map_in_processes(function, files, "reading ABC files", total=len(files))
    for path, results in zip(files, read, strict=True):
        if isinstance(results, WorkerFailure):
            yield Refusal(f"{path.parent.name}/{path.stem}", results.reason)
        else:
            yield from results


def find_midi_files(path: str) -> list[pathlib.Path]:
    """MIDI files below a folder, or those that a glob matches, sorted.

    Raises:
      UserError: there are none.
    """
    pattern = os.path.expanduser(path)
    if os.path.isdir(pattern):
        candidates = pathlib.Path(pattern).rglob("*")
    else:
        candidates = map(pathlib.Path, glob.glob(pattern, recursive=True))
    files = sorted(f for f in candidates if f.suffix.lower() in MIDI_SUFFIXES and f.is_file())
    if not files:
        raise UserError(
            f"--config.dataset.path={path!r}: no {' or '.join(MIDI_SUFFIXES)} files there; "
            "a folder or a glob of MIDI files is needed"
        )
    return files


def fingerprint(files: Iterable[pathlib.Path]) -> str:
    """A hash of names, sizes and times of change, to name a data set by."""
    digest = hashlib.sha256()
    for path in files:
        status = path.stat()
        entry = (os.fsencode(path.name), status.st_size, int(status.st_mtime))
        digest.update(repr(entry).encode())
    return digest.hexdigest()[:12]


def _read_midi_file(item: tuple[pathlib.Path, str], rules: WindowRules) -> SourceSong | Refusal:
    path, id = item
    if path.stat().st_size > MAX_MIDI_BYTES:
        return Refusal(id, f"larger than {MAX_MIDI_BYTES >> 20} MiB")
    try:
        extraction = extract(bulk_midi.read_song(path))
    except UserError:
        return Refusal(id, "not a readable MIDI file")
    if extraction.melody is None:
        # Counted by kind: without what stands in brackets or after, of this file alone.
        return Refusal(id, re.split(r"[(:;]", extraction.refusal)[0].strip())
    # `song (2).mid`, `song.1.mid`, as copies and Lakh's versions are called.
    name = normal_title(re.sub(r"[ ._]*(\(\d+\)|\.\d+)$", "", path.stem))
    return _song(id, (name or id,), path.parent.name, extraction.melody, rules)


def read_midi(files: list[pathlib.Path], rules: WindowRules) -> Iterator[SourceSong | Refusal]:
    """Reads MIDI files, on all cores; ids are paths relative to their common folder."""
    root = os.path.commonpath([file.parent for file in files])
    # A file's name may be any bytes; an id is text.
    ids = [os.fsencode(os.path.relpath(f, root)).decode(errors="backslashreplace") for f in files]
    items = list(zip(files, ids, strict=True))
    function = functools.partial(_read_midi_file, rules=rules)
    read = map_in_processes(function, items, "reading MIDI files", total=len(items))
    for id, result in zip(ids, read, strict=True):
        yield Refusal(id, result.reason) if isinstance(result, WorkerFailure) else result
