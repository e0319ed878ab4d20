"""What a request to the studio says, checked."""

import base64
import binascii
import dataclasses
import json
import re
from collections.abc import Callable, Mapping
from typing import Any

from starlette.exceptions import HTTPException
from starlette.requests import Request

from musicvae_jax.commands import files
from musicvae_jax.midi.read import MAX_BYTES
from musicvae_jax.midi.reading import AS_FOUND, Reading, make_reading
from musicvae_jax.music.drums import Drums
from musicvae_jax.music.grid import GRIDS, SIXTEENTHS, given_name
from musicvae_jax.music.melody import MAX_PITCH, MIN_PITCH, Melody
from musicvae_jax.music.tempo import microseconds_per_quarter
from musicvae_jax.studio.jobs import Client
from musicvae_jax.system.errors import UserError

MAX_REQUEST_BYTES = 2 << 20  # melodies and options as JSON
MAX_FILE_BYTES = MAX_BYTES  # of a song that is played whole
MAX_INPUTS = 8  # of a chain
# Four of the largest files in base64, besides.
MAX_MAKE_BYTES = MAX_REQUEST_BYTES + 4 * 4 * (MAX_FILE_BYTES // 3 + 1)
MAX_NAME = 120
MAX_BARS = 1000


def clean(name: str) -> str:
    """The name of a file on one line and not too long, for messages and markers."""
    name = " ".join(re.sub(r"[\x00-\x1f\x7f\u2028\u2029]", " ", name).split())
    return name[-MAX_NAME:] or "upload.mid"


def client(request: Request) -> Client:
    """Who asks: an address, and the page there by a name that it has given itself."""
    address = request.client.host if request.client else ""
    return address, request.headers.get("x-page", "")[:32]


async def body(request: Request, limit: int, problem: str) -> bytes:
    """The body of a request of at most `limit` bytes.

    Raises:
      HTTPException: it is larger; says `problem`.
    """
    parts, size = [], 0
    async for part in request.stream():
        size += len(part)
        if size > limit:
            raise HTTPException(413, problem)
        parts.append(part)
    return b"".join(parts)


async def json_object(request: Request, limit: int = MAX_REQUEST_BYTES) -> dict[str, Any]:
    """The body of a request of at most `limit` bytes as a JSON object.

    Raises:
      HTTPException: it is too large.
      UserError: it is something else.
    """
    content = await body(request, limit, f"the request is larger than {limit >> 20} MiB")
    try:
        asked = json.loads(content)
    except (ValueError, RecursionError) as error:
        raise UserError("the request is not JSON") from error
    if not isinstance(asked, dict):
        raise UserError("the request is not a JSON object")
    return asked


def inputs(asked: dict[str, Any], read: Callable[[str, Any], Any]) -> dict[str, Any]:
    """The melodies or drums of a request by their names, at most `MAX_INPUTS`.

    Args:
      asked: the request.
      read: gives one of them, by its name and what the page tells of it.

    Raises:
      UserError: they are something else.
    """
    given = asked.get("inputs", [])
    if not isinstance(given, list) or not all(isinstance(entry, dict) for entry in given):
        raise UserError("inputs: a list of what was read is needed")
    if len(given) > MAX_INPUTS:
        raise UserError(f"inputs: {MAX_INPUTS} at most, got {len(given)}")
    named = [(clean(str(entry.get("name", ""))), entry.get("melody")) for entry in given]
    return files.titled([(name, read(name, told)) for name, told in named])


@dataclasses.dataclass(frozen=True)
class Upload:
    """The file that a melody of a request was read from.

    Attributes:
      name: of the file.
      content: None if the page does not send it.
      reading: how it was read.
    """

    name: str
    content: bytes | None = None
    reading: Reading = AS_FOUND


def uploads(asked: dict[str, Any]) -> list[Upload]:
    """The files of the melodies of a request, in their order; after `inputs`.

    Raises:
      UserError: a file or what is told of its reading is something else.
    """
    result = []
    for entry in asked.get("inputs", []):
        name, file = clean(str(entry.get("name", ""))), entry.get("file")
        try:
            content = None if file is None else base64.b64decode(file, validate=True)
        except (TypeError, ValueError, binascii.Error) as error:
            raise UserError(f"{name}: the file is not base64") from error
        if content is not None and len(content) > MAX_FILE_BYTES:
            raise UserError(f"{name}: larger than {MAX_FILE_BYTES >> 20} MiB")
        told = entry.get("reading") or {}
        if not isinstance(told, dict):
            raise UserError(f"{name}: what is known of a file is an object")
        result.append(Upload(name, content, read_reading(told)))
    return result


def read_reading(told: Mapping[str, Any]) -> Reading:
    """What is told of the reading of a file: `track`, `bar_one` and `grid` as text, or none.

    Raises:
      UserError: a value is not valid.
    """
    names = ("track", "bar_one", "grid")
    track, bar_one, grid = (str(told.get(name, "")).strip() for name in names)
    try:
        number = float(bar_one) if bar_one else None
    except ValueError as error:
        raise UserError(f"bar_one={bar_one[:40]}: a number is needed", "bar_one") from error
    return make_reading(number, track=track[:MAX_NAME] or None, grid=grid[:MAX_NAME] or None)


def share(percent: str) -> float:
    """A share that is told in percent.

    Raises:
      UserError: it is not a whole number from 0 to 100.
    """
    if not (percent.isdecimal() and len(percent) < 4 and int(percent) <= 100):
        raise UserError(f"accompaniment={percent[:40]}: a whole number from 0 to 100 is needed")
    return int(percent) / 100


def edits(asked: dict[str, Any]) -> dict[str, Melody]:
    """The lines that were edited by hand, by the stems of their files; each in one meter.

    Raises:
      UserError: they are something else.
    """
    given = asked.get("edits", {})
    if not isinstance(given, dict):
        raise UserError("edits: lines by name are needed")
    result = {}
    for stem, told in given.items():
        try:
            line = _line(told)
            _check_pitches(line)
        except (AttributeError, KeyError, TypeError, ValueError, OverflowError) as error:
            raise UserError(f"{clean(stem)}: not an edited line ({error})") from error
        result[stem] = line
    return result


def _line(told: dict[str, Any]) -> Melody:
    """A line as the page edits it, in the steps that take time."""
    grid = GRIDS[told.get("grid", given_name(SIXTEENTHS))]
    notes = [(int(p), grid.step_of(int(s)), grid.step_of(int(e))) for p, s, e in told["notes"]]
    return Melody.from_notes(notes, grid.step_of(int(told["num_steps"])), grid=grid)


def _check_pitches(melody: Melody) -> None:
    """Raises: ValueError: a note is outside of the piano."""
    if melody.pitch.size and not (
        melody.pitch.min() >= MIN_PITCH and melody.pitch.max() <= MAX_PITCH
    ):
        raise ValueError("pitches outside of the piano")


def read_melody(name: str, given: Any) -> Melody:
    """The melody that the page gives back.

    Raises:
      UserError: it is not one that `views.view_melody` could have given.
    """
    try:
        melody = Melody.from_notes(
            given["notes"],
            int(given["num_steps"]),
            tempo_bpm=float(given["tempo_bpm"]),
            program=int(given["program"]),
            grid=GRIDS[given.get("grid", given_name(SIXTEENTHS))],
        )
        microseconds_per_quarter(melody.tempo_bpm)
        if not 0 <= melody.program <= 127 or not melody.pitch.size:
            raise ValueError("no notes, or no such program")
        _check_pitches(melody)
    except (AttributeError, KeyError, TypeError, ValueError, OverflowError) as error:
        raise UserError(f"{name}: not a melody ({error})") from error
    check_length(name, melody)
    return melody


def check_length(name: str, music: Melody | Drums) -> None:
    """Raises: UserError: a melody or drums have more bars than the studio takes."""
    if music.num_bars > MAX_BARS:
        raise UserError(
            f"{name}: {music.num_bars} bars; the studio takes {MAX_BARS}, the command line all"
        )
