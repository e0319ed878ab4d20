"""Headless Chromium for the tests of pages, which are skipped where it is missing."""

import contextlib
import functools
import http.server
import os
import pathlib
import shutil
import threading
import time
from collections.abc import Iterator

import pytest

playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
PATH = shutil.which("chromium") or shutil.which("chromium-browser")
is_needed = pytest.mark.skipif(PATH is None, reason="Chromium is not installed")

# axe.min.js of npm's axe-core.
_MODULES = pathlib.Path(__file__).parents[1] / "node_modules"
AXE = pathlib.Path(os.environ.get("AXE_CORE", _MODULES / "axe-core/axe.min.js"))
_SWITCHES = (
    *("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
    *("--autoplay-policy=no-user-gesture-required", "--mute-audio"),
)


@contextlib.contextmanager
def launched(*switches: str) -> Iterator:
    """A browser, with further switches."""
    with playwright.sync_playwright() as tools:
        browser = tools.chromium.launch(executable_path=PATH, args=[*_SWITCHES, *switches])
        yield browser
        browser.close()


class _Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_):
        pass


@contextlib.contextmanager
def served(folder: pathlib.Path) -> Iterator[str]:
    """The address of a server that gives files, as `python -m http.server` does."""
    handler = functools.partial(_Quiet, directory=str(folder))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}/"
        server.shutdown()
        thread.join()


def until(page, holds: str, timeout_sec: float = 60) -> None:
    """Waits until an expression holds; playwright's own way would need the page to allow eval."""
    deadline = time.monotonic() + timeout_sec
    while not page.evaluate(holds):
        assert time.monotonic() < deadline, holds
        page.wait_for_timeout(20)


def until_done(page) -> None:
    """Waits until a page has made what it was asked for, without a problem."""
    until(page, "/^Done/.test(doing.textContent) || problem.textContent", timeout_sec=180)
    assert page.inner_text("#problem") == ""
