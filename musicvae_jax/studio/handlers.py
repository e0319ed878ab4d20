"""The handlers of the studio's requests, and the threads and processes that do their work."""

import contextlib
import functools
import importlib.resources
import logging
import math
from collections.abc import AsyncIterator, Callable
from typing import Any

import jinja2
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from musicvae_jax.commands import files, interpolate
from musicvae_jax.notation import read
from musicvae_jax.studio import events, fields, requests, results
from musicvae_jax.studio.engine import Engine
from musicvae_jax.studio.jobs import Jobs, Tell
from musicvae_jax.studio.reader import Reader
from musicvae_jax.studio.requests import Upload
from musicvae_jax.system.errors import UserError
from musicvae_jax.voice import sound

logger = logging.getLogger(__name__)
_PAGE = importlib.resources.files("musicvae_jax.studio") / "page"
_TYPES = {"css": "text/css", "js": "text/javascript", "svg": "image/svg+xml"}
# `line` is the MIDI file of the melody alone.
_OF_ITEM = {
    **{"mid": "audio/midi", "line": "audio/midi", "wav": "audio/wav", "png": "image/png"},
    "musicxml": "application/vnd.recordare.musicxml+xml",
}
_DOWNLOADS = _OF_ITEM | {"json": "application/json", "zip": "application/zip"}


class Studio:
    """The handlers, and the threads and processes that do their work."""

    def __init__(self, engine: Engine):
        self._engine = engine
        self._kind = engine.kind
        self._store = results.Store()
        self._model_jobs, self._file_jobs = Jobs("model"), Jobs("files")
        self._read_jobs = Jobs("reader")
        self._reader: Reader | None = None

    @contextlib.asynccontextmanager
    async def lifespan(self, app: Starlette) -> AsyncIterator[None]:
        self._reader = Reader(self._kind, self._engine.model.bars)
        self._model_jobs.submit(self._engine.warm_up, _hear_of_failure)
        for name in self._kind.examples:  # which starts the reading process, too
            work = functools.partial(self._reader.example, name)
            self._read_jobs.submit(work, _hear_of_failure)
        try:
            yield
        finally:
            for jobs in (self._model_jobs, self._file_jobs, self._read_jobs):
                jobs.close()
            self._reader.close()

    # Pages.

    async def page(self, request: Request) -> Response:
        engine = self._engine
        usual = fields.usual_numbers(engine.model.bars, engine.model.temperature)
        modes = {}
        for mode in engine.modes:
            parts = zip(("usual", "more"), fields.shown(mode, self._kind.without), strict=True)
            modes[mode] = {
                part: [fields.field(mode, name, usual) for name in names] for part, names in parts
            }
        html = _template().render(
            modes=modes,
            kind=self._kind,
            files=self._kind.item.suffixes,
            ways=engine.ways,
            most_bytes={suffix: read.most_bytes(suffix) for suffix in self._kind.suffixes},
            can_hear=sound.is_installed(),
            most_whole_bytes=requests.MAX_FILE_BYTES,
        )
        return Response(html, media_type="text/html")

    async def static(self, request: Request) -> Response:
        name = request.path_params["name"]
        # No path can be asked for, only one of the names that are there.
        found = {file.name: file for file in _PAGE.iterdir()}.get(name)
        kind = _TYPES.get(name.rpartition(".")[2])
        if found is None or kind is None:
            raise HTTPException(404, "there is no such file")
        return Response(found.read_bytes(), media_type=kind)

    async def status(self, request: Request) -> Response:
        engine = self._engine
        return JSONResponse(
            {
                "ready": engine.warmed >= engine.steps,
                "done": engine.warmed,
                "total": engine.steps,
                "waiting": self._model_jobs.waiting,
                **engine.describe(),
            }
        )

    # Melodies in.

    async def example(self, request: Request) -> Response:
        name = request.path_params["name"]
        if name not in self._kind.examples:
            raise HTTPException(404, f"there is no example {name}")
        work = functools.partial(self._reader.example, name)
        return JSONResponse(await events.done(self._read_jobs, work, requests.client(request)))

    async def read(self, request: Request) -> Response:
        """A music file as the request's body: its melody or drums, and what was made of it.

        The query may say which `track` is the melody, and where bars begin (`bar_one`).
        """
        name = requests.clean(request.query_params.get("name", ""))
        reading = requests.read_reading(request.query_params)
        limit = read.most_bytes(name)
        content = await requests.body(request, limit, f"{name}: larger than {limit >> 20} MiB")
        work = functools.partial(self._reader.music, content, name, reading)
        asks = requests.client(request)
        return JSONResponse(await events.done(self._read_jobs, work, asks, len(content)))

    # Work.

    async def make(self, request: Request) -> Response:
        """`{mode, options, inputs: [...]}`: events, the last one the result.

        An input has `name`, `melody` and, for whole songs, the `file` in base64; `reading` is
        what the user told of it. `edits` are lines that take the place of what is made, by the
        stems of the results: `{notes, num_steps}`.
        """
        asked = await requests.json_object(request, requests.MAX_MAKE_BYTES)
        mode, texts = asked.get("mode"), asked.get("options", {})
        if not isinstance(mode, str) or mode not in fields.USUAL:
            raise UserError(f"mode {mode!r}: there are {', '.join(fields.USUAL)}")
        if not isinstance(texts, dict) or not all(isinstance(v, str) for v in texts.values()):
            raise UserError("options: text by name is needed")
        inputs, lines = self._inputs(asked), requests.edits(asked)
        base, without = self._engine.options, self._kind.without
        options = fields.read(mode, texts, list(inputs), base, without)  # before anybody waits
        uploads, sources = requests.uploads(asked), None
        client = requests.client(request)
        can_be_whole = mode == "interpolate" and self._kind.is_line
        if can_be_whole and interpolate.is_whole(options, len(inputs)):
            if all(map(self._is_there, inputs.values(), uploads)):
                drums = files.drums_of_examples(options)
                work_on_files = functools.partial(self._reader.sources, inputs, uploads, drums)
                size = sum(len(upload.content or b"") for upload in uploads)
                sources = await events.done(self._read_jobs, work_on_files, client, size)
                inputs = {title: source.melody for title, source in sources.items()}
            else:
                texts = texts | {"melody_only": "true"}
        readings = [upload.reading for upload in uploads]
        base = self._engine.base_for(list(inputs.values()))
        command = fields.command(mode, texts, list(inputs), base, readings)

        def work(tell: Tell) -> dict[str, Any]:
            result = self._engine.make(mode, texts, inputs, tell, sources, lines)
            told = {"command": command, "places": result.report.get("places")}
            return self._kept(result) | told

        return events.stream(self._model_jobs, work, client)

    async def map(self, request: Request) -> Response:
        """`{inputs, x, y}`: the melody at a place of the map; without x and y, its points."""
        asked = await requests.json_object(request)
        inputs = self._inputs(asked)
        if asked.get("x") is None:
            work = functools.partial(self._engine.map_points, inputs)
            return events.stream(self._model_jobs, work, requests.client(request))
        try:
            x, y = (float(asked[name]) for name in "xy")
            is_place = math.isfinite(x) and math.isfinite(y)
        except (KeyError, TypeError, ValueError, OverflowError):
            is_place = False
        if not is_place:
            raise UserError("x, y: two numbers from 0 to 1 are needed")
        x, y = (min(max(value, 0.0), 1.0) for value in (x, y))
        return events.stream(
            self._model_jobs,
            lambda tell: self._kept(self._engine.map_point(x, y, inputs, tell)),
            requests.client(request),
        )

    def _kept(self, result: results.Result) -> dict[str, Any]:
        return {"id": self._store.put(result), "items": [item.view for item in result.items]}

    # Files out.

    async def listen(self, request: Request) -> Response:
        """`{inputs}`: the first as WAV."""
        item = self._item(await requests.json_object(request))
        return await self._file(
            request, lambda: item.wav(self._engine.options.soundfont), "wav", self._kind.noun
        )

    async def melody(self, request: Request) -> Response:
        """`{inputs}`: the first as a MIDI file."""
        item = self._item(await requests.json_object(request))
        return await self._file(request, item.midi, "mid", self._kind.noun)

    async def report(self, request: Request) -> Response:
        result = self._found(request)
        mode = result.report["mode"]
        return await self._file(request, result.json, "json", mode)

    async def everything(self, request: Request) -> Response:
        """A zip file of all files of a result."""
        result = self._found(request)
        make = functools.partial(result.zip, self._engine.options.soundfont)
        return await self._file(request, make, "zip", result.report["mode"])

    async def download(self, request: Request) -> Response:
        result, suffix = self._found(request), request.path_params["suffix"]
        number = request.path_params["item"]
        share = requests.share(request.query_params.get("accompaniment", "100"))
        made = dict[str, Callable[[], bytes]]()
        if 0 <= number < len(result.items):
            item = result.items[number]
            made = item.files(self._engine.options.soundfont, share) | {"line": item.line}
        if suffix not in made:
            raise HTTPException(404, "there is no such file")
        return await self._file(request, made[suffix], suffix, item.stem)

    def _found(self, request: Request) -> results.Result:
        result = self._store.get(request.path_params["result"])
        if result is None:
            raise HTTPException(410, "this result is no longer kept; make it again")
        return result

    def _inputs(self, asked: dict[str, Any]) -> dict[str, Any]:
        return requests.inputs(asked, self._kind.read_given)

    def _is_there(self, music: Any, upload: Upload) -> bool:
        """Whether all that the command line would read of an input is there."""
        return upload.content is not None or music == self._kind.examples.get(upload.name)

    def _item(self, asked: dict[str, Any]) -> results.Item:
        """The first melody of a request.

        Raises:
          UserError: there is none.
        """
        inputs = self._inputs(asked)
        if not inputs:
            raise UserError(f"inputs: a {self._kind.noun} is needed")
        title, music = next(iter(inputs.items()))
        piece = self._kind.single(music, self._kind.noun)
        return self._kind.item(title, piece, lambda path: None, {})

    async def _file(
        self, request: Request, make: Callable[[], bytes], suffix: str, stem: str
    ) -> Response:
        client = requests.client(request)
        content = await events.done(self._file_jobs, lambda tell: make(), client)
        return Response(
            content,
            media_type=_DOWNLOADS[suffix],
            headers={"content-disposition": f'attachment; filename="{stem}.{suffix}"'},
        )


@functools.cache
def _template() -> jinja2.Template:
    environment = jinja2.Environment(autoescape=True, undefined=jinja2.StrictUndefined)
    return environment.from_string((_PAGE / "index.html").read_text("utf-8"))


def _hear_of_failure(event: dict[str, Any]) -> None:
    if "error" in event:
        logger.warning("the studio could not get ready: %s", event["error"])
