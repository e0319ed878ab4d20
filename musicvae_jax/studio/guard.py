"""What requests must be, and what responses allow a browser to do."""

import ipaddress
from typing import Any

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Receive, Scope, Send

_HEADERS = {
    # Everything comes from here, and nothing else can be loaded or sent to.
    "content-security-policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; "
        "media-src blob:; connect-src 'self'; base-uri 'none'; form-action 'none'; "
        "frame-ancestors 'none'"
    ),
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cross-origin-resource-policy": "same-origin",
    "cache-control": "no-store",
}


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach an address."""
    if host.lower() == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


# Requests that are answered at a time; the server's own limit would be silent.
MAX_OPEN = 256


class Guard:
    """Keeps other web sites, open in the same browser, from using the studio.

    On this machine alone it answers only to names of this machine: another site's name
    may be made to lead here (DNS rebinding). A request that the browser says comes from
    another site is refused. So is one of more requests at a time than `MAX_OPEN`.
    """

    def __init__(self, app: ASGIApp, is_local: bool):
        self._app = app
        self._is_local = is_local
        self._open = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)

        async def send_guarded(message: Any) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message).update(_HEADERS)
            await send(message)

        refusal = self._refusal(scope, headers)
        if refusal:
            await JSONResponse({"error": refusal}, 403)(scope, receive, send_guarded)
            return
        if self._open >= MAX_OPEN:
            # To close a connection on which a file still comes would lose the answer.
            while (await receive()).get("more_body"):
                pass
            busy = f"{MAX_OPEN} requests are being answered; please try again later"
            await JSONResponse({"error": busy}, 503)(scope, receive, send_guarded)
            return
        self._open += 1
        try:
            await self._app(scope, receive, send_guarded)
        finally:
            self._open -= 1

    def _refusal(self, scope: Scope, headers: Headers) -> str:
        host = headers.get("host", "").strip()
        name = host[1:].partition("]")[0] if host.startswith("[") else host.partition(":")[0]
        if self._is_local and not is_loopback(name):
            return f"the studio answers to localhost alone, not to {name or 'no name'}"
        if scope["method"] != "GET" and _is_foreign(headers, host):
            return "requests from other sites are refused"
        return ""


def _is_foreign(headers: Headers, host: str) -> bool:
    """Whether a browser says that a request comes from another site, in either of two ways."""
    site, origin = headers.get("sec-fetch-site", "none"), headers.get("origin")
    if site not in ("none", "same-origin"):
        return True
    return origin is not None and origin.partition("://")[2] != host
