"""Jobs of other threads, awaited in the event loop of the server."""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Callable
from typing import Any

from starlette.responses import Response, StreamingResponse

from musicvae_jax.studio.jobs import Client, Jobs, Tell
from musicvae_jax.system.errors import UserError


def _listener() -> tuple[asyncio.Queue, Tell]:
    """A queue of this event loop, and a function that fills it from any thread."""
    loop, events = asyncio.get_running_loop(), asyncio.Queue()

    def tell(event: dict[str, Any]) -> None:
        with contextlib.suppress(RuntimeError):  # the loop has ended, and nobody listens
            loop.call_soon_threadsafe(events.put_nowait, event)

    return events, tell


async def done(jobs: Jobs, work: Callable[[Tell], Any], client: Client, size: int = 0) -> Any:
    """The result of a job; the arguments are those of `Jobs.submit`.

    Raises:
      UserError: it failed.
    """
    events, tell = _listener()
    job = jobs.submit(work, tell, client, size)
    try:
        while True:
            event = await events.get()
            if "error" in event:
                raise UserError(event["error"])
            if "result" in event:
                return event["result"]
    finally:
        jobs.cancel(job)


def stream(jobs: Jobs, work: Callable[[Tell], Any], client: Client) -> Response:
    """The events of a job, one JSON object a line."""
    events, tell = _listener()
    job = jobs.submit(work, tell, client)

    async def lines() -> AsyncIterator[str]:
        try:
            while True:
                event = await events.get()
                yield json.dumps(event) + "\n"
                if "error" in event or "result" in event:
                    return
        finally:
            jobs.cancel(job)

    return StreamingResponse(lines(), media_type="application/x-ndjson")
