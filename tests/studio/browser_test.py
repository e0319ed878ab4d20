"""The studio in headless Chromium, as people use it, against the command line."""

import base64
import contextlib
import json
import os
import pathlib
import re
import subprocess
import sys
import time

import pytest

from musicvae_jax.checkpoints import store
from musicvae_jax.inference import bar_prior
from musicvae_jax.models import bar_flow, vae
from musicvae_jax.music.examples import example_melodies
from musicvae_jax.notation import read
from musicvae_jax.transitions import strategies
from tests import chromium, command_line, helpers
from tests.chromium import AXE, playwright, until, until_done
from tests.inference.writing_test import SHARES, random_prior
from tests.songs import write_song

pytestmark = chromium.is_needed
ROOT = pathlib.Path(__file__).parents[2]
BARS = 2


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    return tmp_path_factory.mktemp("studio")


@pytest.fixture(scope="module")
def checkpoint(home):
    """A model that was not trained, but knows what it wants, and composes."""
    config = helpers.small_config(bars=BARS, **SHARES)
    params = helpers.random_params(config, scale=3)
    with store.open_manager(home / "model") as manager:
        store.save(manager, 1, params, None, config, {"nll_per_token": 1.0})
        store.wait(manager, 1)
    layout = bar_flow.layout(vae.create_model(config.model))
    bar_prior.save(home / "model", random_prior(layout))
    return home / "model"


@pytest.fixture(scope="module")
def songs(home):
    return sorted(helpers.write_midi_folder(home / "songs", songs=2, bars=4).glob("*.mid"))


def command(*args):
    return [sys.executable, "-m", "musicvae_jax.main", *map(str, args)]


@contextlib.contextmanager
def serving(home, checkpoint):
    """Where a studio is, started as a user does."""
    with (home / "studio.log").open("w") as log:
        studio = subprocess.Popen(
            command("--mode=studio", "--port=0", f"--checkpoint={checkpoint}"),
            cwd=home,
            env=os.environ | {"PYTHONPATH": str(ROOT)},
            stderr=log,
        )
        try:
            deadline = time.monotonic() + 300
            while not (found := re.search(r"http://\S+/", (home / "studio.log").read_text())):
                assert studio.poll() is None and time.monotonic() < deadline
                time.sleep(0.1)
            yield found.group()
        finally:
            studio.terminate()
            studio.wait(30)
    assert "Traceback" not in (home / "studio.log").read_text()


@pytest.fixture(scope="module")
def url(home, checkpoint):
    with serving(home, checkpoint) as url:
        yield url


@pytest.fixture(scope="module")
def browser():
    with chromium.launched() as browser:
        yield browser


@contextlib.contextmanager
def user(browser, url, examples=True, **settings):
    """A page that is ready, of somebody of their own; nothing may fail or leave this machine.

    Unless it is to be empty, the examples are taken.
    """
    context = browser.new_context(accept_downloads=True, **settings)
    page = context.new_page()
    asked, failed = [], []
    page.on("request", lambda request: asked.append(request.url))
    page.on("pageerror", lambda error: failed.append(str(error)))
    # That a request was refused is shown to the user, and logged by the browser as well.
    page.on("console", lambda m: m.type == "error" and failed.append(m.text))
    page.goto(url)
    page.wait_for_selector("body[data-ready=true]", timeout=300_000)
    if examples:
        page.click("#examples")
        page.wait_for_selector('.melody[data-side="1"] .play:enabled')
    yield page
    assert not [text for text in failed if "status of 4" not in text]
    assert [address for address in asked if not address.startswith((url, "blob:", "data:"))] == []
    context.close()


def make(page, tab="interpolate"):
    page.click(f"#tab-{tab}")
    page.evaluate("doing.textContent = ''")
    page.click(f"#panel-{tab} button[type=submit]")
    until_done(page)


def details(page, tab="interpolate"):
    page.click(f"#panel-{tab} .more summary")


def upload(page, side, path):
    page.set_input_files(f'.melody[data-side="{side}"] input[type=file]', path)
    playwright.expect(page.locator(".melody .name").nth(side)).to_have_text(path.name)


def download(page, suffix, folder):
    # By the keyboard: what a picture or a sound moves on the page takes a click elsewhere.
    page.focus(f"#get-{suffix}")
    with page.expect_download(timeout=120_000) as waiting:
        page.keyboard.press("Enter")
    path = folder / waiting.value.suggested_filename
    waiting.value.save_as(path)
    return path


@pytest.mark.slow  # that of whole songs is as well, below
def test_each_kind_of_transition_is_that_of_the_command_line(
    browser, url, home, checkpoint, songs, tmp_path
):
    with user(browser, url) as page:
        for side, song in enumerate(songs):
            upload(page, side, song)
        details(page)
        page.click("#compare-all")
        page.fill("#interpolate-seed", "3")
        page.fill("#interpolate-bars", str(BARS))  # for which the studio has compiled already
        make(page)
        page.click("#result-details summary")
        told = page.inner_text("#command").split()
        assert told[:2] == ["musicvae", "--mode=interpolate"]
        output = tmp_path / "cli"
        done = command_line.run(*told[1:], f"--output={output}", folder=songs[0].parent)
        assert done.returncode == 0, done.stderr
        report = json.loads((output / "interpolate.json").read_text())
        shown = page.locator("#alternatives li")
        assert shown.count() == len(report["ranking"]) == 8
        for number, entry in enumerate(report["ranking"]):
            shown.nth(number).locator(".show").click()
            path = download(page, "mid", tmp_path)
            assert path.name == entry["output"]
            assert path.read_bytes() == (output / entry["output"]).read_bytes()
        assert (
            download(page, "json", tmp_path).read_text()
            == (output / "interpolate.json").read_text()
        )
        assert download(page, "wav", tmp_path).read_bytes()[:4] == b"RIFF"
        assert download(page, "png", tmp_path).read_bytes()[:4] == b"\x89PNG"


def test_from_the_empty_page_to_a_bridge(browser, url, songs, tmp_path):
    """As the page itself says; the files are dropped on it."""
    with user(browser, url, examples=False) as page:
        assert page.locator("#begin li").count() == 3
        page.click("#panel-interpolate button[type=submit]")
        playwright.expect(page.locator("#problem")).to_have_text("Choose melody A first.")
        drop(page, *songs)
        page.wait_for_selector('.melody[data-side="1"] .play:enabled')
        names = page.locator(".melody:visible .name").all_inner_texts()
        assert names == [song.name for song in songs]
        assert not page.is_visible("#begin")
        make(page)
        assert page.inner_text("#result-title") == "Compose a bridge"
        assert page.locator("#scores meter").count() == 3
        assert "In key" in page.inner_text("#scores")
        assert not page.is_visible("#command") and not page.is_visible("#alternatives-part")
        assert download(page, "mid", tmp_path).name == "transition_composed.mid"
        drop(page, songs[0], right=True)
        playwright.expect(page.locator(".melody .name").nth(1)).to_have_text(songs[0].name)
        play_in(page, [60, 62, 64, 65, 67, 69, 71, 72] * 2)
        name = page.locator(".melody .name").first
        playwright.expect(name).to_have_text(re.compile(r"keyboard_\d+\.mid"))
        playwright.expect(page.locator(".melody .facts").first).to_contain_text("16 notes")


def play_in(page, pitches):
    """Plays two notes a second on a MIDI keyboard that the browser seems to have."""
    page.evaluate("""() => {
      globalThis.keys = new EventTarget();
      const access = { inputs: new Map([["1", keys]]) };
      navigator.requestMIDIAccess = async () => access;
    }""")
    button = page.locator('.melody[data-side="0"] .keys')
    button.click()
    playwright.expect(button).to_have_text("Stop 0:00")
    page.evaluate(
        """(pitches) => pitches.forEach((pitch, index) => {
          for (const [status, ms] of [[0x93, 0], [0x83, 450]]) {
            const data = new Uint8Array([status, pitch, 80]);
            const told = Object.assign(new Event("midimessage"), { data });
            Object.defineProperty(told, "timeStamp", { value: 5000 + 500 * index + ms });
            keys.dispatchEvent(told);
          }
        })""",
        pitches,
    )
    button.click()


def drop(page, *paths, right=False):
    """Drops files somewhere on the left or on the right half of the page."""
    files = [[path.name, list(path.read_bytes())] for path in paths]
    page.evaluate(
        """([files, x]) => {
          const data = new DataTransfer();
          for (const [name, bytes] of files) {
            data.items.add(new File([new Uint8Array(bytes)], name));
          }
          const told = { dataTransfer: data, clientX: x * innerWidth, bubbles: true };
          document.body.dispatchEvent(new DragEvent("drop", told));
        }""",
        [files, 0.9 if right else 0.1],
    )


def test_a_chain_is_put_together_by_hand(browser, url, songs, tmp_path):
    """Three songs are dropped, put into another order in three ways, and one is removed again."""
    third = write_song(tmp_path / "ode.mid", example_melodies()["ode_to_joy"].window(0, 4))
    names = [path.name for path in (*songs, third)]

    def shown():
        return page.locator(".melody:visible .name").all_inner_texts()

    with user(browser, url, examples=False) as page:
        drop(page, *songs, third)
        page.wait_for_selector('.melody[data-side="2"] .play:enabled')
        page.wait_for_selector('.melody[data-side="0"] .play:enabled')
        assert shown() == names
        page.drag_and_drop("#melody-C", '.melody[data-side="0"] .facts')
        assert shown() == [names[2], *names[:2]]
        page.focus('.melody[data-side="0"] .later')
        page.keyboard.press("Enter")
        page.keyboard.press("Enter")
        assert shown() == names
        assert page.evaluate("document.activeElement.className") == "earlier"
        page.keyboard.press("Enter")
        names = [names[0], names[2], names[1]]
        assert shown() == names
        page.click("#add-melody")
        page.click("#panel-interpolate button[type=submit]")
        playwright.expect(page.locator("#problem")).to_have_text("Choose melody D first.")
        page.click('.melody[data-side="3"] .remove')
        page.check('#ways input[value="dual_conductor"]')
        page.fill("#interpolate-bars", "1")
        page.locator(".bridge-bars").nth(1).fill(str(BARS))
        make(page)
        labels = page.locator("#labels b").all_inner_texts()
        assert labels == ["Melody A", "Bridge 1", "Melody B", "Bridge 2", "Melody C"]
        told = page.text_content("#command").split()
        assert f"--bridge_bars=1,{BARS}" in told and f"--input={','.join(names)}" in told
        with page.expect_download() as waiting:
            page.click("#save")
        waiting.value.save_as(tmp_path / "session.json")
        page.locator(".melody .remove").first.click()
        assert shown() == names[1:]
        page.set_input_files("#open", tmp_path / "session.json")
        until(page, "document.querySelectorAll('.melody.known:not([hidden])').length === 3")
        assert shown() == names
        assert page.locator(".bridge-bars").nth(1).input_value() == str(BARS)


def test_songs_are_played_whole_with_the_chosen_track_and_bars(browser, url, checkpoint, tmp_path):
    ode, reel = (melody.window(0, 4) for melody in example_melodies().values())
    first = write_song(tmp_path / "ode.mid", ode)
    second = write_song(tmp_path / "reel.mid", reel, channels=(3, 4, 5), programs=(40, 33, 24))
    with user(browser, url, examples=False) as page:
        drop(page, first, second)
        page.wait_for_selector('.melody[data-side="1"] .play:enabled')
        card = page.locator(".melody").first
        playwright.expect(card.locator("> .facts")).to_contain_text("of 4 tracks")
        card.locator(".song summary").click()
        shown = card.locator(".track")
        assert shown.locator("b").all_inner_texts() == ["Melody", "Bass", "Piano", "Drums"]
        assert [shown.nth(n).is_disabled() for n in range(4)] == [False, False, False, True]
        playwright.expect(shown.nth(0)).to_contain_text("the melody · Flute · 15 notes")
        shown.nth(1).click()
        playwright.expect(shown.nth(1)).to_have_attribute("aria-pressed", "true")
        card.locator(".as-found").click()
        playwright.expect(shown.nth(0)).to_have_attribute("aria-pressed", "true")
        shown.nth(2).click()
        playwright.expect(shown.nth(2)).to_have_attribute("aria-pressed", "true")
        ruler = card.locator(".ruler .roll")
        box = ruler.bounding_box()
        ruler.click(position={"x": 2.2 / 28 * box["width"], "y": 5})  # of 7 bars
        playwright.expect(card.locator(".bar-one")).to_have_value("2")
        page.select_option("#interpolate-accompaniment", "hold")
        page.check('#ways input[value="dual_conductor"]')
        page.fill("#interpolate-bars", str(BARS))
        make(page)
        playwright.expect(page.locator("#roll .other")).to_have_count(1)
        told = page.text_content("#command").split()
        assert {"--track=3,", "--bar_one=2,", "--accompaniment=hold"} <= set(told)
        output = tmp_path / "cli"
        done = command_line.run(*told[1:], f"--output={output}", folder=tmp_path)
        assert done.returncode == 0, done.stderr
        path = download(page, "mid", tmp_path)
        assert path.read_bytes() == (output / path.name).read_bytes()
        page.click("#play")
        until(page, "audio.currentTime > 0.3")
        page.click("#play")
        page.locator("#loudness").fill("0")
        playwright.expect(page.locator("#get-wav")).to_have_attribute(
            "href", re.compile(r"wav\?accompaniment=0$")
        )
        playwright.expect(page.locator("#playing")).to_have_text("Blend steadily")
        page.click("#rewrite")  # the line alone
        playwright.expect(page.locator("#marked")).to_contain_text("will be new")
        with page.expect_download() as waiting:
            page.click("#save")
        waiting.value.save_as(tmp_path / "session.json")
    text = (tmp_path / "session.json").read_text()
    assert text.count(base64.b64encode(first.read_bytes()).decode()) == 1
    with user(browser, url, examples=False) as page:
        page.set_input_files("#open", tmp_path / "session.json")
        page.wait_for_selector('.melody[data-side="1"] .play:enabled')
        assert page.locator(".melody .bar-one").first.input_value() == "2"
        make(page)
        assert download(page, "mid", tmp_path).read_bytes() == (output / path.name).read_bytes()


def test_ways_are_compared_and_another_one_differs(browser, url):
    with user(browser, url) as page:
        page.check('#ways input[value="dual_conductor"]')
        details(page)
        page.check('#compare input[value="cut"]')
        assert page.is_disabled('#compare input[value="dual_conductor"]')
        make(page)
        assert page.locator("#alternatives li").count() == 2
        assert "--strategy=dual_conductor,cut" in page.text_content("#command")
        page.click("#compare-all")
        assert page.locator("#compare input:checked").count() == len(strategies.STRATEGIES)
        for way in strategies.STRATEGIES:
            if way != "dual_conductor":
                page.uncheck(f'#compare input[value="{way}"]')
        page.evaluate("doing.textContent = ''")
        page.click("#panel-interpolate .another")
        until_done(page)
        assert "--temperature=0.5 --seed=1" in page.text_content("#command")
        assert page.locator("#history li").count() == 2


SHOWN = "import('/static/result.js').then((result) => result.item().notes)"
CARD = "import('/static/melodies.js').then((melodies) => melodies.at(0).melody.notes)"


def drag(page, roll, note, steps, semitones, at=0.3):
    """Drags a note of a roll, at a place of its width."""
    box = page.locator(f"{roll} rect").nth(note).bounding_box()
    row = page.locator(f"{roll} rect:not(.selected)").first.bounding_box()["height"] / 0.9
    place = page.locator(roll)
    bars = place.evaluate("place => Number(place.style.getPropertyValue('--bars'))")
    step = place.bounding_box()["width"] / (16 * bars)
    x, y = box["x"] + at * box["width"], box["y"] + box["height"] / 2
    page.mouse.move(x, y)
    page.mouse.down()
    page.mouse.move(x + steps * step / 2, y - semitones * row / 2)
    page.mouse.move(x + steps * step, y - semitones * row)
    page.mouse.up()


# A thousand changes of a line at random, after each of which it must be a line: in order, one note
# at a time, on the piano, and outside of the regions as it was. Gives what is wrong.
ANY_EDITS = """async () => {
  const lines = await import("/static/notes.js");
  const regions = [[16, 64], [96, 128]];
  const isOwn = ([, start]) => lines.regionOf(regions, start) !== undefined;
  let seed = 1;
  const random = (below) => (seed = (seed * 48271) % 2147483647) % below;
  let notes = [[60, 0, 8], [62, 8, 16], [64, 16, 20], [65, 90, 96], [67, 100, 104], [69, 128, 140]];
  const others = JSON.stringify(notes.filter((note) => !isOwn(note)));
  for (let round = 0; round < 1000; round += 1) {
    const own = notes.flatMap((note, index) => (isOwn(note) ? [index] : []));
    const index = own[random(own.length)];
    const by = random(41) - 20;
    const made = [
      () => lines.moved(notes, index, by, random(61) - 30, regions),
      () => lines.stretched(notes, index, by, regions),
      () => lines.addedAfter(notes, index, regions),
      () => lines.added(notes, 40 + random(90), 16 + random(48), 1 + random(20), regions),
      () => own.length > 1 && { notes: lines.without(notes, index), index: null },
    ][random(5)]();
    if (!made) continue;
    ({ notes } = made);
    const isLine = notes.every(([pitch, start, end], place) => {
      const region = lines.regionOf(regions, start);
      const fits = (!region || end <= region[1]) && end <= (notes[place + 1]?.[1] ?? 140);
      return fits && pitch >= 21 && pitch <= 108 && start < end;
    });
    const isSame = JSON.stringify(notes.filter((note) => !isOwn(note))) === others;
    if (!isLine || !isSame || (made.index !== null && !notes[made.index])) return notes;
  }
  return notes.length;
}"""


def test_notes_are_edited_by_mouse_and_by_keyboard(browser, url, tmp_path):
    with user(browser, url, viewport={"width": 1440, "height": 1200}) as page:
        assert isinstance(page.evaluate(ANY_EDITS), int)
        # A melody, as if it had been misheard.
        page.click('.melody[data-side="0"] .edit')
        card = '.melody[data-side="0"] .small .roll'
        ode = page.evaluate(CARD)
        page.keyboard.press("ArrowRight")
        page.keyboard.press("Shift+ArrowUp")
        page.keyboard.press("Escape")
        assert page.evaluate("document.activeElement.className") == "edit"
        name = page.locator(".melody .name").first
        playwright.expect(name).to_have_text("ode_to_joy_edited.mid")
        corrected = [ode[0], [ode[1][0] + 12, *ode[1][1:]], *ode[2:]]
        with page.expect_download() as waiting:
            page.click('.melody[data-side="0"] .get')
        waiting.value.save_as(tmp_path / waiting.value.suggested_filename)
        file = read.read(tmp_path / "ode_to_joy_edited.mid")
        assert [list(note) for note in file.notes()] == corrected == page.evaluate(CARD)
        page.click('.melody[data-side="0"] .edit')
        page.keyboard.press("Control+z")
        playwright.expect(name).to_have_text("ode_to_joy")
        page.keyboard.press("Control+y")
        playwright.expect(name).to_have_text("ode_to_joy_edited.mid")
        drag(page, card, 3, 0, 2)
        corrected[3][0] += 2
        # The bridge, of what was corrected just now.
        make(page)
        assert page.evaluate(CARD) == corrected
        page.click('.melody[data-side="0"] .edit')
        made = page.evaluate(SHOWN)
        assert made[: len(corrected)] == corrected
        notes = [note for note in made if 256 <= note[1] < 256 + 16 * BARS]
        first = made.index(notes[0])
        page.locator("#edit").click()
        page.locator("#roll").scroll_into_view_if_needed()
        drag(page, "#roll", first, 0, 3)
        edited = page.evaluate(SHOWN)
        assert edited[first] == [notes[0][0] + 3, *notes[0][1:]]
        assert [*edited[:first], *edited[first + 1 :]] == [*made[:first], *made[first + 1 :]]
        for key in ("Delete", "Control+z", "Control+Shift+z", "Control+z"):
            page.keyboard.press(key)
        assert page.evaluate(SHOWN) == edited
        drag(page, "#roll", first - 1, 0, 3)  # of melody A, which stays
        drag(page, "#roll", first, 1, 0)
        moved = page.evaluate(SHOWN)
        assert moved[first][:2] == [edited[first][0], edited[first][1] + 1]
        page.keyboard.press("+")
        page.keyboard.press("Enter")
        ended = page.evaluate(SHOWN)
        assert ended[first + 1][0] == ended[first][0] and ended != moved
        with page.expect_download() as waiting:  # at once, before it is made
            page.click("#get-musicxml")
        assert waiting.value.suggested_filename == "transition_composed.musicxml"
        file = download(page, "mid", tmp_path)
        song = read.song_from_bytes(file.read_bytes(), file.name)
        assert {start for _, start, _ in ended} == {
            round(4 * start) for track in song.tracks for start in track.start.tolist()
        }
        assert b"edited by hand" in file.read_bytes()
        playwright.expect(page.locator("#result-facts")).to_contain_text("edited by hand")
        assert not page.is_visible("#scores")
        page.click("#rewrite")
        words = f"Bars 17 to {16 + BARS} will be new."
        playwright.expect(page.locator("#marked")).to_have_text(words)
        again = "import('/static/marks.js').then((m) => m.asked().input.melody.notes)"
        assert page.evaluate(again) == ended
        with page.expect_download() as waiting:
            page.click("#save")
        waiting.value.save_as(tmp_path / "session.json")
        page.set_input_files("#open", tmp_path / "session.json")
        until(page, "/edited/.test(document.querySelector('#result-facts').textContent)")
        assert page.evaluate(SHOWN) == ended
        assert download(page, "mid", tmp_path).read_bytes() == file.read_bytes()


def test_a_jig_is_edited_in_its_meter(browser, url, tmp_path):
    with user(browser, url, examples=False) as page:
        card = '.melody[data-side="0"]'
        page.select_option(f"{card} .example", "jig")
        page.wait_for_selector(f"{card} .play:enabled")
        assert page.inner_text(f"{card} .facts").startswith("16 bars in 6/8")
        corrected = page.evaluate(CARD)
        page.click(f"{card} .edit")
        page.keyboard.press("Shift+ArrowUp")
        assert page.inner_text(f"{card} .note-tools [role=status]").endswith("2 sixteenths long")
        page.keyboard.press("Escape")
        name = page.locator(".melody .name").first
        playwright.expect(name).to_have_text("jig_edited.mid")
        corrected[0][0] += 12
        with page.expect_download() as waiting:
            page.click(f"{card} .get")
        waiting.value.save_as(tmp_path / waiting.value.suggested_filename)
        file = read.read(tmp_path / "jig_edited.mid")
        assert file.grid.meter == "6/8"
        assert [list(note) for note in file.notes()] == corrected == page.evaluate(CARD)


def test_bars_are_marked_and_composed_anew(browser, url):
    with user(browser, url) as page:
        page.click("#tab-vary")
        page.click("#panel-vary button[type=submit]")
        playwright.expect(page.locator("#problem")).to_contain_text("Mark the bars")
        bars = page.locator("#marks .bars button")
        bars.nth(1).hover()
        page.mouse.down()
        bars.nth(3).hover()
        page.mouse.up()
        bars.nth(5).focus()
        page.keyboard.press("ArrowRight")
        page.keyboard.press("Space")
        assert page.inner_text("#marked") == "Bars 2 to 4, 7 will be new."
        make(page, "vary")
        told = page.text_content("#command")
        assert "--mode=vary" in told and "--keep_bars=1,5-6,8-16" in told
        assert page.locator("#labels b").all_inner_texts() == [*("Kept", "New") * 2, "Kept"]
        make(page)
        page.click("#rewrite")
        words = f"Bars 17 to {16 + BARS} will be new."
        playwright.expect(page.locator("#marked")).to_have_text(words)
        make(page, "vary")
        assert len(page.text_content("#command").splitlines()) == 2


def test_results_are_looped_kept_and_compared(browser, url, tmp_path):
    with user(browser, url) as page:
        details(page)
        page.check('#compare input[value="cut"]')
        make(page)
        until(page, "audio.readyState >= 1")
        page.fill("#loop-from", "2")
        page.fill("#loop-to", "2")
        page.check("#loop")
        page.click("#play")
        until(page, "audio.currentTime >= 2")  # the second bar is that of 2 to 4 seconds
        page.evaluate("audio.currentTime = 3.7")
        until(page, "audio.currentTime < 3")
        title = page.inner_text("#result-title")
        page.click("#star")
        page.click("#hold")
        page.locator("#alternatives .show").nth(1).click()
        for shown in (title, "Cut and paste" if title != "Cut and paste" else "Compose a bridge"):
            page.click("#switch")
            assert page.inner_text("#result-title") == shown
            until(page, "!audio.paused && audio.currentTime > 1.9")
        page.click("#switch")
        until(page, "audio.readyState >= 1")
        page.click("#play")
        box = page.locator("#roll").bounding_box()
        page.click("#roll", position={"x": 3 * box["width"] / 4, "y": 50})
        until(page, "audio.currentTime > 30")
        with page.expect_download() as waiting:
            page.click("#get-zip")
        assert waiting.value.suggested_filename == "interpolate.zip"
        make(page, "generate")
        assert page.locator("#history li").count() == 2
        page.check("#only-kept")
        assert page.locator("#history li").all_inner_texts() == [
            f"★ 1. {title} · ode to joy → reel"
        ]
        with page.expect_download() as waiting:
            page.click("#save")
        waiting.value.save_as(tmp_path / "session.json")
    with user(browser, url, examples=False) as page:
        page.set_input_files("#open", tmp_path / "session.json")
        page.wait_for_selector('.melody[data-side="1"] .play:enabled')
        assert page.locator("#history li").count() == 2
        page.locator("#history button").nth(1).click()
        until(page, "audio.readyState >= 1")
        assert page.inner_text("#result-title") == title
        assert download(page, "mid", tmp_path).read_bytes()[:4] == b"MThd"
        (tmp_path / "session.json").write_text("{}")
        page.set_input_files("#open", tmp_path / "session.json")
        playwright.expect(page.locator("#problem")).to_contain_text("not a session file")


def test_what_was_made_can_be_heard_and_the_cursor_moves(browser, url):
    with user(browser, url) as page:
        make(page)
        page.click("#play")
        until(page, "audio.currentTime > 0.3")
        cursor = "document.querySelector('#roll .cursor').style"
        assert page.evaluate(f"{cursor}.visibility") == "visible"
        first = page.evaluate(f"parseFloat({cursor}.left)")
        assert 0 < first < 100
        until(page, f"parseFloat({cursor}.left) > {first}")
        assert page.inner_text("#play") == "Pause"
        page.click("#play")
        assert page.evaluate("audio.paused")
        # A click on each beat: what is to be heard is asked of the clock of tones.
        page.evaluate("""() => {
          globalThis.clicks = [];
          const start = OscillatorNode.prototype.start;
          OscillatorNode.prototype.start = function (at) {
            clicks.push([at - this.context.currentTime + audio.currentTime, this.frequency.value]);
            start.call(this, at);
          };
        }""")
        page.focus("#result-title")
        page.keyboard.press("c")
        assert page.is_checked("#click")
        page.evaluate("audio.currentTime = 6.2")
        page.click("#play")
        until(page, "clicks.length > 2")  # at 120 beats a minute, of which 4 are a bar
        page.uncheck("#click")
        page.click("#play")
        clicks = page.evaluate("clicks")
        for number, (at, hertz) in enumerate(clicks[:3], start=13):
            assert abs(at - number / 2) < 0.1
            assert (hertz > 1500) == (number % 4 == 0)


def test_all_tabs_and_a_result_as_the_next_input(browser, url):
    with user(browser, url) as page:
        for tab, count in (("generate", 4), ("reconstruct", 4), ("complete", 4)):
            make(page, tab)
            assert page.locator("#alternatives li").count() == count
        page.click("#use-b")
        playwright.expect(page.locator(".melody .name").nth(1)).to_contain_text("complete_")
        page.click('.melody[data-side="0"] .surprise')
        playwright.expect(page.locator(".melody .name").nth(0)).to_contain_text("surprise_")
        make(page)
        lines = page.text_content("#command").splitlines()
        assert [re.search(r"--mode=(\w+)", line).group(1) for line in lines] == [
            *("generate", "complete", "interpolate")
        ]


def test_the_map_is_heard_where_it_is_touched(browser, url):
    with user(browser, url) as page:
        page.click("#tab-map")
        page.wait_for_selector("#map .point.side-1")
        assert page.locator("#map .point.landmark").count() > 2
        page.focus("#map .cross")
        page.keyboard.press("ArrowRight")
        page.keyboard.press("Enter")
        until_done(page)
        assert page.inner_text("#result-title") == "In between"
        page.click("#map .point.side-0")
        playwright.expect(page.locator("#result-facts")).to_contain_text("100 % ode to joy")


def test_a_bad_file_is_told_beside_its_melody(browser, url, tmp_path):
    bad, large = tmp_path / "bad.mid", tmp_path / "large.mid"
    bad.write_bytes(b"MThd rubbish")
    large.write_bytes(b"x" * (read.MAX_BYTES + 1))
    with user(browser, url) as page:
        for path, words in ((bad, "not a readable MIDI file"), (large, "larger than 2 MiB")):
            page.set_input_files('.melody[data-side="0"] input[type=file]', path)
            problem = page.locator('.melody[data-side="0"] .problem')
            playwright.expect(problem).to_contain_text(f"{path.name}: ")
            playwright.expect(problem).to_contain_text(words)
        make(page)  # the melody before it is still there


def test_two_users_at_once(browser, url):
    with user(browser, url) as one, user(browser, url) as two:
        for seed, page in enumerate((one, two)):
            details(page)
            page.fill("#interpolate-seed", str(seed))
            page.fill("#interpolate-temperature", "1")
            page.click("#panel-interpolate button[type=submit]")
        for page in (one, two):
            until_done(page)
        titles = [page.text_content("#command") for page in (one, two)]
        assert "--seed=1" not in titles[0] and "--seed=1" in titles[1]


def test_the_keyboard_is_enough(browser, url):
    with user(browser, url) as page:
        page.focus("#tab-interpolate")
        for _ in range(3):
            page.keyboard.press("ArrowRight")
        assert page.evaluate("document.activeElement.id") == "tab-generate"
        assert page.is_visible("#panel-generate") and not page.is_visible("#panel-interpolate")
        page.keyboard.press("Tab")
        assert page.evaluate("document.activeElement.id") == "generate-bars"
        page.keyboard.press("Enter")
        until_done(page)
        assert page.evaluate("document.activeElement.id") == "result-title"
        page.keyboard.press("Tab")
        assert page.evaluate("getComputedStyle(document.activeElement).outlineStyle") == "solid"
        page.keyboard.press("?")
        playwright.expect(page.locator("#keys")).to_contain_text("play or pause")
        page.keyboard.press("Escape")
        page.focus("#result-title")
        until(page, "audio.readyState >= 1")
        page.keyboard.press("Space")
        until(page, "!audio.paused")
        page.keyboard.press("Space")
        page.keyboard.press("ArrowRight")
        page.keyboard.press("l")
        assert page.evaluate("audio.paused") and page.is_checked("#loop")
        page.keyboard.press("k")
        assert page.inner_text("#star") == "★ Kept"


def barriers(page, scheme, width):
    """What axe finds, of all of the page and then of the panels that were hidden.

    Colours are all that the dark page has of its own.
    """
    page.emulate_media(color_scheme=scheme)
    pictures = os.environ.get("STUDIO_SCREENSHOTS")
    if pictures:
        page.screenshot(path=f"{pictures}/{width}_{scheme}.png", full_page=True)
    if not AXE.is_file():
        pytest.skip(f"no axe-core at {AXE}; $AXE_CORE names another place")
    rules = {} if scheme == "light" else {"runOnly": ["color-contrast"]}
    page.evaluate(AXE.read_text())
    for tab in ("interpolate", "vary", "map"):
        if not page.locator(f"#tab-{tab}").count():
            continue
        page.click(f"#tab-{tab}")
        page.wait_for_selector(f"#panel-{tab}")
        place = "document" if tab == "interpolate" else f"'#panel-{tab}'"
        found = page.evaluate(f"axe.run({place}, {json.dumps(rules)})")["violations"]
        for violation in found:
            nodes = [node["target"] for node in violation["nodes"]]
            yield violation["impact"], violation["id"], nodes[:3]
    page.click("#tab-interpolate")


@pytest.mark.parametrize("width", [360, 1440])
def test_it_fits_does_not_move_and_has_no_barrier(browser, url, width, tmp_path):
    with user(browser, url, viewport={"width": width, "height": 900}) as page:
        shift = page.evaluate(
            "new Promise(done => { let sum = 0; new PerformanceObserver(list => "
            "list.getEntries().forEach(e => sum += e.hadRecentInput ? 0 : e.value))"
            ".observe({type: 'layout-shift', buffered: true}); setTimeout(() => done(sum), 300); })"
        )
        assert shift < 0.02
        upload(page, 0, write_song(tmp_path / "reel.mid", example_melodies()["reel"].window(0, 4)))
        page.locator(".song summary").first.click()
        make(page)
        page.click("#result-details summary")
        page.click("#edit")
        page.click('.melody[data-side="1"] .edit')
        page.click("#add-melody")
        overflow = page.evaluate("document.documentElement.scrollWidth - innerWidth")
        assert overflow <= 0
        assert [*barriers(page, "light", width), *barriers(page, "dark", width)] == []
