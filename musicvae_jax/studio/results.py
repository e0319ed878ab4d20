"""Results of the studio, kept in memory, and as files to download."""

import collections
import dataclasses
import functools
import io
import json
import pathlib
import secrets
import tempfile
import threading
import zipfile
from collections.abc import Callable, Sequence
from typing import Any, ClassVar

from musicvae_jax.midi import audio, encode, musicxml, write
from musicvae_jax.midi.whole import loudness
from musicvae_jax.music.assembly import in_one_voice
from musicvae_jax.music.drum_piece import DrumPiece
from musicvae_jax.music.piece import Piece


@dataclasses.dataclass(frozen=True)
class Item:
    """One piece of a result.

    Attributes:
      suffixes: of its files.
      stem: of its files.
      piece: what is played and downloaded.
      draw: writes its picture to a path.
      view: what the page shows, for JSON.
      provenance: for the MIDI file.
      whole: the MIDI file of whole songs, of which `piece` is the line; None if the piece is
        all that is played.
      first_quarter: where the piece's first bar begins in that file, in quarter notes.
      size: of what is kept in memory besides the piece, in bytes.
    """

    suffixes: ClassVar[tuple[str, ...]] = ("mid", "musicxml", "png", "wav")

    stem: str
    piece: Piece | DrumPiece
    draw: Callable[[pathlib.Path], None]
    view: dict[str, Any]
    provenance: str = ""
    whole: bytes | None = None
    first_quarter: float = 0.0
    size: int = 0

    def midi(self) -> bytes:
        if self.whole is not None:
            return self.whole
        return write.midi_bytes(self.piece, self.stem, self.provenance)

    def line(self) -> bytes:
        """The MIDI file of the melodies and of the bridges alone, in one track."""
        return encode.piece_bytes(in_one_voice(self.piece), self.stem, self.provenance)

    def musicxml(self) -> bytes:
        """The same line as notation."""
        return musicxml.to_musicxml(self.piece, self.stem)

    def png(self) -> bytes:
        return _written(self.draw, ".png")

    def wav(self, soundfont: str | None, accompaniment: float = 1.0) -> bytes:
        """The sound; `accompaniment` is the share of its loudness that it has, 0 to 1."""
        content = self.midi()
        if self.whole is not None and accompaniment < 1:
            content = loudness.with_softer_accompaniment(
                content, self.piece, self.first_quarter, accompaniment
            )

        def render(path: pathlib.Path) -> object:
            return audio.render_bytes(path, content, soundfont, loops=self.piece.loops)

        return _written(render, ".wav")

    def files(
        self, soundfont: str | None, accompaniment: float = 1.0
    ) -> dict[str, Callable[[], bytes]]:
        """What makes each of its files, by suffix; the arguments are those of `wav`."""
        makers: dict[str, Callable[[], bytes]] = {
            "mid": self.midi,
            "musicxml": self.musicxml,
            "png": self.png,
            "wav": functools.partial(self.wav, soundfont, accompaniment),
        }
        return {suffix: makers[suffix] for suffix in self.suffixes}


class DrumItem(Item):
    """One piece of a result of drums, of which there is no notation."""

    suffixes = ("mid", "png", "wav")

    def line(self) -> bytes:
        return self.midi()


@dataclasses.dataclass(frozen=True)
class Result:
    """The result of one request.

    Attributes:
      items: the best first, where they are ranked.
      report: as the command line writes it.
    """

    items: Sequence[Item]
    report: dict[str, Any]

    @property
    def size(self) -> int:
        return sum(item.size for item in self.items)

    def json(self) -> bytes:
        return (json.dumps(self.report, indent=2, allow_nan=False) + "\n").encode()

    def zip(self, soundfont: str | None) -> bytes:
        """All files of each item, and the report, under their usual names."""
        content = io.BytesIO()
        with zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
            archive.writestr(f"{self.report['mode']}.json", self.json())
            for item in self.items:
                for suffix, make in item.files(soundfont).items():
                    archive.writestr(f"{item.stem}.{suffix}", make())
        return content.getvalue()


class Store:
    """The latest results, in memory, under names that cannot be guessed."""

    def __init__(self, limit: int = 128, most_bytes: int = 256 << 20):
        """Args: how many are kept, and how large they may be together."""
        self._limit = limit
        self._most_bytes = most_bytes
        self._size = 0
        self._results: collections.OrderedDict[str, Result] = collections.OrderedDict()
        self._lock = threading.Lock()

    def put(self, result: Result) -> str:
        name = secrets.token_urlsafe(12)
        with self._lock:
            self._results[name] = result
            self._size += result.size
            while len(self._results) > 1 and (
                len(self._results) > self._limit or self._size > self._most_bytes
            ):
                self._size -= self._results.popitem(last=False)[1].size
        return name

    def get(self, name: str) -> Result | None:
        with self._lock:
            return self._results.get(name)


def _written(write: Callable[[pathlib.Path], object], suffix: str) -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(folder) / f"file{suffix}"
        write(path)
        return path.read_bytes()
