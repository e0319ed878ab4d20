"""The page's recorder in headless Chromium, whose microphone hears a file."""

import pathlib
import shutil

import pytest

from musicvae_jax.notation import read
from tests import chromium
from tests.voice import sounds

pytest.importorskip("soundfile")
pytestmark = chromium.is_needed
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


@pytest.fixture
def url(tmp_path):
    """The page's scripts alone, without a studio."""
    shutil.copytree(PAGE, tmp_path / "page")
    (tmp_path / "page" / "index.html").write_text("<!doctype html><title>x</title>")
    with chromium.served(tmp_path / "page") as url:
        yield url


def test_what_the_microphone_hears_has_its_notes(url, tmp_path):
    notes = [(tone, 0.3 * index, 0.3 * (index + 1)) for index, tone in enumerate(SCALE)]
    path = tmp_path / "sung.wav"
    path.write_bytes(sounds.file(sounds.melody(notes, 48_000)[: 48_000 * 9 // 5], rate_hz=48_000))
    switches = ("--use-fake-ui-for-media-stream", "--use-fake-device-for-media-stream")
    with chromium.launched(*switches, f"--use-file-for-fake-audio-capture={path}") as browser:
        page = browser.new_page()
        page.goto(url)
        made = page.evaluate(RECORD, 2)
    assert made["told"][:3] == [0, 1, 2] and not made["isRecording"]
    assert made["name"].startswith("recording_") and made["name"].endswith(".wav")
    # The file is played over and over, and recording begins anywhere in it.
    [voice] = read.song_from_bytes(bytes(made["bytes"]), made["name"]).tracks
    heard, around = voice.pitch.tolist()[1:-1], SCALE * 3
    assert len(heard) >= 3
    assert any(around[at : at + len(heard)] == heard for at in range(len(SCALE)))
