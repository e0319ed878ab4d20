"""The page's recorder in headless Chromium, whose microphone hears a file."""

import functools
import http.server
import pathlib
import shutil
import threading

import pytest

from musicvae_jax.notation import read
from tests.voice import sounds

playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
pytest.importorskip("soundfile")
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="Chromium is not installed")
PAGE = pathlib.Path("musicvae_jax/studio/page")
SCALE = [60, 64, 67, 72, 67, 64]
RECORD = """async (seconds) => {
  const microphone = await import("/microphone.js");
  const told = [];
  const recorded = microphone.record((second) => told.push(second));
  while (!told.includes(seconds)) await new Promise((resolve) => setTimeout(resolve, 20));
  microphone.stop();
  const file = await recorded;
  const bytes = [...new Uint8Array(await file.arrayBuffer())];
  return { told, name: file.name, bytes, isRecording: microphone.isRecording() };
}"""


class _Silent(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *args):
        pass


@pytest.fixture
def url(tmp_path):
    """The page's scripts alone, without a studio."""
    shutil.copytree(PAGE, tmp_path / "page")
    (tmp_path / "page" / "index.html").write_text("<!doctype html><title>x</title>")
    handler = functools.partial(_Silent, directory=str(tmp_path / "page"))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/"
        server.shutdown()


def test_what_the_microphone_hears_has_its_notes(url, tmp_path):
    notes = [(tone, 0.3 * index, 0.3 * (index + 1)) for index, tone in enumerate(SCALE)]
    path = tmp_path / "sung.wav"
    path.write_bytes(sounds.file(sounds.melody(notes, 48_000)[: 48_000 * 9 // 5], rate_hz=48_000))
    switches = (
        *("--headless", "--no-sandbox", "--disable-gpu", "--use-fake-ui-for-media-stream"),
        *("--use-fake-device-for-media-stream", f"--use-file-for-fake-audio-capture={path}"),
    )
    with playwright.sync_playwright() as tools:
        browser = tools.chromium.launch(executable_path=CHROMIUM, args=list(switches))
        page = browser.new_page()
        page.goto(url)
        made = page.evaluate(RECORD, 2)
        browser.close()
    assert made["told"][:3] == [0, 1, 2] and not made["isRecording"]
    assert made["name"].startswith("recording_") and made["name"].endswith(".wav")
    # The file is played over and over, and recording begins anywhere in it.
    [voice] = read.song_from_bytes(bytes(made["bytes"]), made["name"]).tracks
    heard, around = voice.pitch.tolist()[1:-1], SCALE * 3
    assert len(heard) >= 3
    assert any(around[at : at + len(heard)] == heard for at in range(len(SCALE)))
