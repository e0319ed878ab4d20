"""The web server of the studio. It stores no upload, and runs nothing that it is sent."""

import contextlib
import logging
import socket
from typing import Any

import ml_collections
import uvicorn
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse
from starlette.routing import Route

from musicvae_jax.commands import files
from musicvae_jax.commands.flags import in_flags
from musicvae_jax.commands.options import Options, StudioOptions
from musicvae_jax.inference.melody_model import MelodyModel
from musicvae_jax.music.grid import SIXTEENTHS
from musicvae_jax.studio.engine import Engine
from musicvae_jax.studio.guard import MAX_OPEN, Guard, is_loopback
from musicvae_jax.studio.handlers import Studio
from musicvae_jax.studio.jobs import BusyError
from musicvae_jax.system.errors import UserError

logger = logging.getLogger(__name__)


def studio(config: ml_collections.ConfigDict | None, options: Options) -> None:
    """`--mode=studio`: loads the model, and serves the studio until it is interrupted.

    Raises:
      UserError: the model is not one of 4/4.
    """
    model = files.load_model(config, options)
    if model.grid != SIXTEENTHS:
        raise UserError(
            f"the studio needs a model of bars of 16 steps, which {model.checkpoint.path} is not; "
            "--checkpoint=pretrained is one of melodies, and --checkpoint=drums of drums"
        )
    serve(model, options)


def serve(model: MelodyModel, options: Options) -> None:
    """Serves the studio until it is interrupted.

    Raises:
      UserError: it cannot listen where it is told to.
    """
    told = options.studio
    try:
        family = socket.getaddrinfo(told.host, told.port, type=socket.SOCK_STREAM)[0][0]
        listening = socket.create_server((told.host, told.port), family=family)
    except OSError as error:
        reason = error.strerror or str(error)
        where = f"--host={told.host} --port={told.port}"
        raise UserError(f"{where}: cannot listen there: {reason}") from error
    if not is_loopback(told.host):
        logger.warning("--host=%s: whoever can reach it can use the studio", told.host)
    port = listening.getsockname()[1]
    host = f"[{told.host}]" if ":" in told.host else told.host
    logger.info("the studio is at http://%s:%d/ and warms up; Ctrl-C ends it", host, port)
    config = uvicorn.Config(
        create_app(Engine(model, options), told),
        log_level="warning",
        access_log=False,
        limit_concurrency=4 * MAX_OPEN,  # `Guard` answers those above MAX_OPEN in words
        timeout_graceful_shutdown=2,
    )
    with contextlib.suppress(KeyboardInterrupt), listening:
        uvicorn.Server(config).run(sockets=[listening])


def create_app(engine: Engine, told: StudioOptions) -> Starlette:
    """The studio as an ASGI application."""
    studio = Studio(engine)
    routes = [
        Route("/", studio.page),
        Route("/static/{name}", studio.static),
        Route("/api/status", studio.status),
        Route("/api/example/{name}", studio.example),
        Route("/api/read", studio.read, methods=["POST"]),
        Route("/api/make", studio.make, methods=["POST"]),
        Route("/api/map", studio.map, methods=["POST"]),
        Route("/api/listen", studio.listen, methods=["POST"]),
        Route("/api/melody", studio.melody, methods=["POST"]),
        Route("/api/result/{result}/report.json", studio.report),
        Route("/api/result/{result}/all.zip", studio.everything),
        Route("/api/result/{result}/{item:int}.{suffix}", studio.download),
    ]
    app = Starlette(
        routes=routes,
        exception_handlers={
            UserError: lambda _, error: _error(400, in_flags(error)),
            BusyError: lambda _, error: _error(503, error),
            HTTPException: lambda _, error: _error(error.status_code, error.detail),
        },
        lifespan=studio.lifespan,
    )
    app.add_middleware(Guard, is_local=is_loopback(told.host))
    return app


def _error(code: int, error: object, **more: Any) -> JSONResponse:
    return JSONResponse({"error": str(error), **more}, code)
