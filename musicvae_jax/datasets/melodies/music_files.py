"""Files of music of one's own, or of a published collection."""

import dataclasses
import functools
import glob
import hashlib
import os
import pathlib
import re
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from musicvae_jax.datasets.melodies.songs import (
    Elsewhere,
    Refusal,
    SourceSong,
    normal_title,
    source_song,
)
from musicvae_jax.midi import arpeggio
from musicvae_jax.midi import drums as midi_drums
from musicvae_jax.midi import extraction as midi_extraction
from musicvae_jax.midi.read import TIMEOUT_SEC, FileError
from musicvae_jax.midi.reading import AS_FOUND, Reading
from musicvae_jax.midi.song import Song
from musicvae_jax.music.drums import Drums
from musicvae_jax.music.grid import SIXTEENTHS
from musicvae_jax.music.melody import STEPS_PER_BAR, Melody
from musicvae_jax.music.tokens import CODECS, RollCodec, StoredCodec
from musicvae_jax.music.windows import WindowRules
from musicvae_jax.notation import read
from musicvae_jax.system.errors import UserError
from musicvae_jax.system.workers import WorkerFailure, map_in_processes

# The collections of the Lakh MIDI Dataset, by the names of their folders.
LAKH_LAYOUTS = ("lmd_full", "lmd_matched", "lmd_aligned", "clean_midi")


# What programs write where nobody gave a title.
_NO_TITLES = frozenset(["", "title", "untitled", "untitledscore", "score", "music", "newscore"])


@dataclasses.dataclass(frozen=True)
class ReadingRules:
    """How files become songs.

    Attributes:
      windows: which windows are kept.
      layout: one of `LAKH_LAYOUTS`, or empty for any folder.
      extraction: 'highest' as MusicVAE; 'arpeggio' as the seed; 'monophonic' as the
        seed, but chords are refused; 'drums'.
      programs, name_contains: the tracks that the seed's chain takes.
      reading: what is known of their bars.
      steps_per_bar: of the grids on which they are read.
    """

    windows: WindowRules
    layout: str = ""
    extraction: str = "highest"
    programs: tuple[int, ...] = (0,)
    name_contains: str = "piano"
    # Not in `repr`: the name of a published collection's data set is made of that, and stays.
    reading: Reading = dataclasses.field(default=AS_FOUND, repr=False)
    steps_per_bar: int = dataclasses.field(default=16, repr=False)

    @property
    def codec(self) -> StoredCodec:
        """Of the windows."""
        return CODECS[EXTRACTIONS[self.extraction].codec].stored


@dataclasses.dataclass(frozen=True)
class MusicFile:
    """A file and its place in the collection.

    Attributes:
      index: its number, in sorted order.
      path: where it is.
      id: its path below the collection's folder, as text.
    """

    index: int
    path: pathlib.Path
    id: str


def find_music_files(path: str) -> list[MusicFile]:
    """Music files below a folder, or those that a glob matches, in order.

    Links to folders are not followed, so that none can lead in a circle.

    Raises:
      UserError: there are none.
    """
    pattern = os.path.expanduser(path)
    if os.path.isdir(pattern):
        found = (os.path.join(root, f) for root, _, files in os.walk(pattern) for f in files)
    else:
        found = glob.iglob(pattern, recursive=True)
    wanted = (f for f in found if f.lower().endswith(read.NOTE_SUFFIXES) and os.path.isfile(f))
    paths = sorted(wanted, key=os.fsencode)
    if not paths:
        suffixes = f"{', '.join(read.NOTE_SUFFIXES[:-1])} or {read.NOTE_SUFFIXES[-1]}"
        raise UserError(
            f"config.dataset.path={path!r}: no {suffixes} files there; "
            "a folder or a glob of music files is needed",
            "config.dataset.path",
        )
    root = os.path.commonpath([os.path.dirname(file) for file in paths])
    return [
        # A file's name may be any bytes; an id is text.
        MusicFile(index, pathlib.Path(file), _as_text(os.path.relpath(file, root)))
        for index, file in enumerate(paths)
    ]


def _as_text(name: str) -> str:
    return os.fsencode(name).decode(errors="backslashreplace")


def fingerprint(files: Iterable[MusicFile], rules: ReadingRules) -> str:
    """A hash of names, sizes, times of change and rules, to name a data set by."""
    how = EXTRACTIONS[rules.extraction].bars
    digest = hashlib.sha256(repr((how, rules)).encode())
    for file in files:
        status = file.path.stat()
        digest.update(repr((file.id, status.st_size, int(status.st_mtime))).encode())
    return digest.hexdigest()[:12]


def song_name(file: MusicFile, layout: str, title: str) -> str:
    """What song a file is a version of.

    The aligned and matched Lakh files lie in a folder for each song; clean_midi has
    a folder for each artist, and numbers the versions: `Title.1.mid`.

    Args:
      file: the file.
      layout: as in `ReadingRules`.
      title: that stands in the file, or empty.
    """
    parent = _as_text(file.path.parent.name)
    if layout in ("lmd_matched", "lmd_aligned"):
        return parent
    if normal_title(title) in _NO_TITLES:
        title = re.sub(r"[ ._]*(\(\d+\)|\.\d+)$", "", _as_text(file.path.stem))
    name = normal_title(title) or title or file.id
    return f"{normal_title(parent)}/{name}" if layout == "clean_midi" else name


def _stretches(song: Song, steps_per_bar: int) -> list[midi_extraction.Extraction]:
    """The melodies of the stretches of a song that are read on grids of so many steps a bar.

    What can be in sixteenths is; for other grids, those stretches are read that fit them best.
    """
    stretches = midi_extraction.stretches(song)
    if steps_per_bar == SIXTEENTHS.steps_per_bar:
        stretches = [s.on(steps_per_bar) for s in stretches if SIXTEENTHS in s.grids]
    found = [midi_extraction.extract(song, s) for s in stretches]
    return [e for e in found if e.melody is None or e.melody.grid.steps_per_bar == steps_per_bar]


def _why_none(song: Song, found: list[midi_extraction.Extraction]) -> str:
    longest = max(found, key=lambda e: e.span.end - e.span.start if e.span else 0.0, default=None)
    if longest is not None:
        return longest.refusal
    other = midi_extraction.extract(song)
    return other.refusal or f"the meter is {other.melody.grid.meter}"


def _top_lines(song: Song, rules: ReadingRules) -> tuple[list[Melody], int, str]:
    """One melody for each stretch in a meter of the rules' grids."""
    found = _stretches(song, rules.steps_per_bar)
    melodies = [e.melody for e in found if e.melody is not None]
    return melodies, 0, "" if melodies else _why_none(song, found)


def _drums(song: Song, rules: ReadingRules) -> tuple[list[Drums], int, str]:
    """The drums of each stretch in a duple meter."""
    duple = [s for s in midi_extraction.stretches(song) if SIXTEENTHS in s.grids]
    found = [midi_drums.drums_of(song, (s.start, s.end))[0] for s in duple]
    drums = [part for part in found if part is not None]
    return drums, 0, "" if drums else midi_drums.drums_of(song)[2]


def _one_voice(song: Song, rules: ReadingRules) -> tuple[list[Melody], int, str]:
    """The chain of the 2021 notebook."""
    on, shift, refusal = arpeggio.one_voice_roll(
        song,
        rules.programs,
        rules.name_contains,
        arpeggiates=rules.extraction == "arpeggio",
    )
    if refusal:
        return [], shift, refusal
    tokens = arpeggio.to_tokens(arpeggio.pad(on, STEPS_PER_BAR))
    tempo_bpm = song.tempos[0][1]
    melody = RollCodec().decode(tokens, tempo_bpm=tempo_bpm, program=rules.programs[0])
    return [melody], shift, ""


@dataclasses.dataclass(frozen=True)
class Extraction:
    """One way to make music of a file.

    Attributes:
      take: what is taken of a song: melodies or drums, its transposition, and why there are none.
      codec: in which it is stored.
      songs: reads the songs of a file's content, as `read.songs_from_bytes`.
      bars: how their bars are read, in words, from which the name of a data set is made.
    """

    take: Callable[[Song, ReadingRules], tuple[list[Any], int, str]]
    codec: str = "melody"
    songs: Callable[[bytes, str, Reading], list[Song]] = read.songs_from_bytes
    bars: str = "bars as found"


EXTRACTIONS = {
    "highest": Extraction(_top_lines),
    "arpeggio": Extraction(_one_voice),
    "monophonic": Extraction(_one_voice),
    "drums": Extraction(_drums, "drums", read.songs_with_drums, "bars of drums alone as declared"),
}


def read_music_file(file: MusicFile, rules: ReadingRules) -> list[SourceSong | Refusal | Elsewhere]:
    """The songs of one file; raises nothing, whatever the file holds."""
    extraction = EXTRACTIONS[rules.extraction]
    try:
        songs = extraction.songs(read.content(file.path), str(file.path), rules.reading)
    except FileError as error:
        return [Refusal(file.id, error.kind)]
    if len(songs) == 1:
        name = song_name(file, rules.layout, songs[0].title)
        return _source_songs(songs[0], file.id, name, rules)
    results: list[SourceSong | Refusal | Elsewhere] = []
    for number, song in enumerate(songs, start=1):
        id = f"{file.id}:{number}"
        results += _source_songs(song, id, normal_title(song.title) or id, rules)
    return results


def _source_songs(
    song: Song, id: str, name: str, rules: ReadingRules
) -> list[SourceSong | Refusal | Elsewhere]:
    """The song or why there is none; and whether the data set of sixteenths holds it too."""
    also: list[SourceSong | Refusal | Elsewhere] = []
    if rules.steps_per_bar != SIXTEENTHS.steps_per_bar:
        usual = dataclasses.replace(rules, steps_per_bar=SIXTEENTHS.steps_per_bar)
        melodies, _, _ = _top_lines(song, usual)
        if any(melody.num_bars >= rules.windows.bars for melody in melodies):
            also = [Elsewhere(id, (name,))]
    melodies, key_shift, refusal = EXTRACTIONS[rules.extraction].take(song, rules)
    if not melodies:
        # Counted by kind: without what stands in brackets or after, of this file alone.
        return [Refusal(id, re.split(r"[(:;]", refusal)[0].strip()), *also]
    return [
        source_song(id, (name,), melodies, rules.windows, key_shift),
        *also,
    ]


def read_music_files(
    files: list[MusicFile], rules: ReadingRules
) -> Iterator[SourceSong | Refusal | Elsewhere]:
    """Reads music files, on all cores, in order."""
    function = functools.partial(read_music_file, rules=rules)
    results = map_in_processes(
        function, files, "reading music files", len(files), timeout_sec=TIMEOUT_SEC
    )
    for file, songs in zip(files, results, strict=True):
        if isinstance(songs, WorkerFailure):
            yield Refusal(file.id, songs.reason)
        else:
            yield from songs
