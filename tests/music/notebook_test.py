"""What music shows in a notebook, as HTML and, where there is a browser, played."""

import dataclasses
import html.parser
import pathlib
import shutil
from xml.etree import ElementTree

import numpy as np
import pytest
from hypothesis import given

from musicvae_jax.music import assembly, colors
from musicvae_jax.music.examples import example_melodies
from musicvae_jax.music.grid import GRIDS
from musicvae_jax.music.melody import Melody
from tests import helpers

ODE, REEL = example_melodies().values()
SVG = "{http://www.w3.org/2000/svg}"


def notes(tree):
    """Of each note: pitch, start, end, and when it sounds in seconds."""
    rects = [rect for rect in tree.iter(f"{SVG}rect") if rect.get("class") == "note"]
    steps = [tuple(int(r.get(f"data-{n}")) for n in ("pitch", "start", "end")) for r in rects]
    return steps, [(float(r.get("data-from")), float(r.get("data-to"))) for r in rects], rects


@given(helpers.melodies(min_pitch=0, max_pitch=127))
def test_the_roll_has_the_notes_of_the_melody(melody):
    steps, seconds, rects = notes(ElementTree.fromstring(melody._repr_html_()))
    assert steps == melody.notes()
    for (pitch, start, end), (begin, stop), rect in zip(steps, seconds, rects, strict=True):
        # A step lasts an eighth of a second at 120 quarter notes a minute.
        assert begin == pytest.approx(start / 8, abs=1e-3)
        assert stop == pytest.approx(end / 8, abs=1e-3)
        # All rolls of up to 18 bars have 3 pixels a step; higher notes stand higher.
        assert float(rect.get("x")) == pytest.approx(3 * start)
        assert 3 * (end - start) - 1 < float(rect.get("width")) < 3 * (end - start)
        top = steps[0][0] - pitch
        assert float(rect.get("y")) == float(rects[0].get("y")) + 6 * top


def test_a_piece_shows_its_sections_in_their_colours_and_its_tempos():
    made = assembly.splice(ODE, ODE, REEL, titles=["ode", "reel"])
    tree = ElementTree.fromstring(made._repr_html_())
    steps, seconds, rects = notes(tree)
    assert steps == made.line.notes()
    assert seconds[-1][1] == pytest.approx(made.seconds_at(steps[-1][2]), abs=1e-3)
    assert rects[0].get("fill") == colors.BLUE
    assert rects[-1].get("fill") == colors.VERMILION
    assert len({rect.get("fill") for rect in rects}) == 16  # the bars of the bridge
    labels = [text.text for text in tree.iter(f"{SVG}text")]
    assert labels == ["melody 1: ode", "bridge", "melody 2: reel"]
    lines = tree.find(f".//{SVG}svg").get("data-bar-seconds").split()
    expected = [made.seconds_at(16 * bar) for bar in range(made.num_bars + 1)]
    np.testing.assert_allclose([float(text) for text in lines], expected, atol=1e-3)


def test_bars_of_different_meters_are_equally_wide():
    """A bar of 9/8 has nine steps that are shown, and three that take no time."""
    waltz, slip = example_melodies(12)["augustin"], GRIDS["9/8"]
    nine = Melody.from_notes([(60, 12 * n, 12 * n + 9) for n in range(4)], 48, grid=slip)
    made = assembly.splice(waltz.window(0, 2), ODE.window(0, 1), nine)
    tree = ElementTree.fromstring(made._repr_html_())
    steps, _, rects = notes(tree)
    assert steps == made.notes()
    lines = tree.find(f".//{SVG}svg").get("data-bar-seconds").split()
    expected = [made.seconds_at(step) for step in (0, 12, 24, 40, 52, 64, 76, 88)]
    np.testing.assert_allclose([float(text) for text in lines], expected, atol=1e-3)
    bar_px = float(tree.find(f".//{SVG}svg").get("width")) / 7
    assert [float(rect.get("x")) for rect in rects[-4:]] == [bar_px * bar for bar in range(3, 7)]
    assert float(rects[-1].get("x")) + float(rects[-1].get("width")) < 7 * bar_px


def test_titles_are_text():
    hostile = "<script>alert('&\"')</script>\x00\udc80"
    made = assembly.splice(ODE, ODE, REEL, titles=[hostile, "long " * 100])
    page = made._repr_html_()
    page.encode()  # no half characters
    found = []
    parser = html.parser.HTMLParser()
    parser.handle_starttag = lambda tag, attributes: found.append(tag)
    parser.feed(page)
    kinds = {"figure", "figcaption", "button", "div", "svg", "line", "text", "rect"}
    assert set(found) == kinds
    first, _, last = (text.text for text in ElementTree.fromstring(page).iter(f"{SVG}text"))
    assert first == "melody 1: " + hostile.replace("\x00", "\ufffd").replace("\udc80", "\ufffd")
    assert last.endswith("\u2026")
    assert len(last) < 100


def test_a_melody_without_notes_or_time_is_shown():
    for steps in (0, 5, 32):
        tree = ElementTree.fromstring(Melody.from_notes([], steps)._repr_html_())
        assert notes(tree)[0] == []


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    """Two melodies of half a second, and a long one, on a page in Chromium."""
    playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    chromium = shutil.which("chromium") or shutil.which("chromium-browser")
    if chromium is None:
        pytest.skip("Chromium is not installed")
    short = dataclasses.replace(ODE.window(0, 1), tempo_bpm=480.0)
    path = pathlib.Path(tmp_path_factory.mktemp("page")) / "page.html"
    shown = [short, ODE, assembly.splice(ODE, ODE, REEL)]
    path.write_text("<!doctype html>" + "".join(music._repr_html_() for music in shown))
    with playwright.sync_playwright() as session:
        switches = ["--no-sandbox", "--disable-gpu", "--mute-audio"]
        browser = session.chromium.launch(executable_path=chromium, args=switches)
        opened = browser.new_page()
        opened.errors = []
        opened.on("pageerror", lambda error: opened.errors.append(str(error)))
        opened.goto(path.as_uri())
        yield opened
        assert opened.errors == []
        browser.close()


def words(page):
    return [button.inner_text().split()[1] for button in page.locator("button").all()]


def test_one_plays_at_a_time_and_stops_when_pressed_again(page):
    buttons, cursors = page.locator("button"), page.locator("line.cursor")
    buttons.nth(1).click()
    assert words(page) == ["play", "stop", "play"]
    page.wait_for_function("() => document.querySelectorAll('.cursor')[1].getAttribute('x1') > 5")
    assert cursors.nth(1).get_attribute("visibility") == "visible"
    buttons.nth(2).click()
    assert words(page) == ["play", "play", "stop"]
    assert cursors.nth(1).get_attribute("visibility") == "hidden"
    buttons.nth(2).click()
    assert words(page) == ["play", "play", "play"]


def test_it_stops_at_its_end(page):
    page.locator("button").nth(0).click()
    assert words(page) == ["stop", "play", "play"]
    page.wait_for_function("() => !document.querySelector('button[data-playing]')", timeout=10_000)
    assert words(page) == ["play", "play", "play"]
