"""The page without a server, in headless Chromium, against the package.

With the shipped model and ONNX Runtime Web, which is taken from where ONNXRUNTIME_WEB says, or
fetched.
"""

import os
import wave

import pytest

pytest.importorskip("onnx", reason="onnx is not installed")

import musicvae_jax as mv
from musicvae_jax.midi import encode
from musicvae_jax.static_page import export, runtime
from musicvae_jax.system.errors import UserError
from tests import chromium
from tests.chromium import AXE, playwright, until, until_done
from tests.songs import write_song

pytestmark = [pytest.mark.slow, chromium.is_needed]
BARS = 8


@pytest.fixture(scope="module")
def model():
    return mv.load_model()


@pytest.fixture(scope="module")
def folder(tmp_path_factory, model):
    """What the mode writes."""
    try:
        library = runtime.read(os.environ.get("ONNXRUNTIME_WEB"))
    except UserError as error:
        pytest.skip(str(error))
    folder = tmp_path_factory.mktemp("page")
    content = export.contents(model, library)
    assert sum(map(len, content.values())) < 60e6
    assert sum(len(data) for name, data in content.items() if name.startswith("model/")) < 15e6
    assert b"ONNX Runtime Web" in content["NOTICE.txt"] and b"CC BY 4.0" in content["NOTICE.txt"]
    export.write(folder, content)
    return folder


@pytest.fixture(scope="module")
def url(folder):
    with chromium.served(folder) as url:
        yield url


@pytest.fixture(scope="module")
def browser():
    with chromium.launched() as browser:
        yield browser


@pytest.fixture(scope="module")
def opened(browser, url):
    """A page that is ready; nothing may fail, or be asked of another place."""
    context = browser.new_context(accept_downloads=True)
    page = context.new_page()
    asked, failed = [], []
    page.on("request", lambda request: asked.append(request.url))
    page.on("pageerror", lambda error: failed.append(str(error)))
    page.on("console", lambda m: m.type == "error" and failed.append(m.text))
    page.goto(url)
    assert page.locator("#begin li").count() == 3
    page.click("#examples")
    page.wait_for_selector("#make:enabled", timeout=300_000)
    page.click(".more summary")
    yield page
    assert failed == []
    assert [address for address in asked if not address.startswith((url, "blob:"))] == []
    context.close()


@pytest.fixture
def page(opened):
    """The page with the examples, and with the numbers that it begins with."""
    for side, name in enumerate(mv.example_melodies()):
        opened.select_option(f'.melody[data-side="{side}"] .example', name)
    opened.evaluate("document.querySelector('form').reset()")
    return opened


def make(page, way):
    page.check(f"input[value={way}]")
    page.evaluate("doing.textContent = ''")
    page.click("#make")
    until_done(page)


def downloaded(page, tmp_path):
    with page.expect_download() as waiting:
        page.click("#get-mid")
    path = tmp_path / waiting.value.suggested_filename
    waiting.value.save_as(path)
    return path


def written(model, first, second, **options):
    """The piece that the package writes of two named melodies, and its bytes."""
    melodies = [melody for _, melody in (first, second)]
    [bridge] = mv.interpolate(model, *melodies, bars=BARS, **options)
    titles = [name for name, _ in (first, second)]
    piece = mv.splice(melodies[0], bridge, melodies[1], titles=titles)
    return encode.piece_bytes(piece, "transition")


@pytest.mark.parametrize(
    ("way", "seed", "temperature"),
    [("composed", 3, 0), ("dual_conductor", 0, 0), ("latent", 5, 1), ("cut", 0, 0)],
)
def test_each_way_is_that_of_the_package(page, model, tmp_path, way, seed, temperature):
    page.fill("#seed", str(seed))
    page.fill("#temperature", str(temperature))
    make(page, way)
    expected = written(
        model,
        *mv.example_melodies().items(),
        strategy=way,
        seed=seed,
        temperature=float(temperature),
    )
    assert downloaded(page, tmp_path).read_bytes() == expected


def test_from_two_files_to_sound(page, model, tmp_path):
    paths = [
        write_song(tmp_path / f"{name}.mid", melody, programs=(program, 32, 0))
        for (name, melody), program in zip(mv.example_melodies().items(), (73, 40), strict=True)
    ]
    for side, path in enumerate(paths):
        page.set_input_files(f'.melody[data-side="{side}"] input[type=file]', path)
    make(page, "dual_conductor")
    named = [(path.name, mv.read(path)) for path in paths]
    expected = written(model, *named, strategy="dual_conductor")
    assert downloaded(page, tmp_path).read_bytes() == expected
    page.click("#play")
    until(page, "audio.currentTime > 0.2")
    assert page.inner_text("#play") == "Pause"
    page.click('.melody[data-side="0"] .song summary')
    page.click('.melody[data-side="0"] .track >> nth=1')
    playwright.expect(page.locator('.track[aria-pressed="true"] b').first).to_have_text("Bass")


def test_new_melodies_are_those_of_the_package(page, model, tmp_path):
    page.evaluate("void (crypto.getRandomValues = (numbers) => numbers.fill(11))")
    for side in (0, 1):
        page.click(f'.melody[data-side="{side}"] .surprise')
    names = page.locator(".melody .name")
    playwright.expect(names.nth(0)).to_have_text("new melody 11", timeout=180_000)
    playwright.expect(names.nth(1)).to_have_text("new melody 11", timeout=180_000)
    make(page, "cut")
    [melody] = model.generate(1, seed=11)
    expected = written(model, *[("new melody 11", melody)] * 2, strategy="cut")
    assert downloaded(page, tmp_path).read_bytes() == expected


def test_a_continuation_is_that_of_the_package(page, model, tmp_path):
    page.click('.melody[data-side="1"] .continue')
    name = page.locator(".melody .name").nth(1)
    playwright.expect(name).to_have_text("reel, continued", timeout=180_000)
    make(page, "cut")
    ode, reel = mv.example_melodies().items()
    [made] = model.complete(reel[1], num=1, seed=0)
    expected = written(model, ode, ("reel, continued", made.melody), strategy="cut")
    assert downloaded(page, tmp_path).read_bytes() == expected


def test_the_sound_can_be_downloaded(page, tmp_path):
    make(page, "cut")
    with page.expect_download() as waiting:
        page.click("#get-wav")
    assert waiting.value.suggested_filename == "transition.wav"
    waiting.value.save_as(tmp_path / "transition.wav")
    with wave.open(str(tmp_path / "transition.wav")) as sound:
        assert sound.getnframes() > 30 * sound.getframerate()
        assert any(sound.readframes(sound.getframerate()))


def test_wrong_files_and_numbers_are_explained(page, tmp_path):
    bad = tmp_path / "bad.mid"
    bad.write_bytes(b"no music")
    page.set_input_files('.melody[data-side="0"] input[type=file]', bad)
    problem = page.locator('.melody[data-side="0"] .problem')
    playwright.expect(problem).to_have_text("bad.mid: it is not a MIDI file")
    page.fill("#bars", "0")
    page.click("#make")
    told = "Length in bars: a number from 1 to 64 is needed"
    playwright.expect(page.locator("#problem")).to_have_text(told)


@pytest.mark.skipif(not AXE.exists(), reason="axe-core is not installed")
@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [360, 1440])
def test_axe_finds_nothing(page, width, scheme):
    page.emulate_media(color_scheme=scheme)
    page.set_viewport_size({"width": width, "height": 900})
    make(page, "cut")
    page.evaluate(AXE.read_text())
    found = page.evaluate("axe.run().then((result) => result.violations)")
    assert [(one["id"], one["nodes"][0]["html"]) for one in found] == []
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
