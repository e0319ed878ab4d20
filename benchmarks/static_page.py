"""How long the page without a server takes, and how often its bridges are those of the package.

Run: python benchmarks/static_page.py [--quick] [--runtime=onnxruntime-web-1.30.0.tgz]
Needs: pip install -e '.[page,browser]', and Chromium

Times are of a browser that has seen nothing of the page before, with both example melodies. The
bridges that are compared lead from one traditional tune of music21's corpus to another, at
temperature 0; of the page's scripts everything runs but the form.
"""

import argparse
import functools
import http.server
import itertools
import json
import pathlib
import shutil
import statistics
import tempfile
import threading
import time
from collections.abc import Sequence
from typing import Any

from playwright.sync_api import Browser, Page, sync_playwright

import musicvae_jax as mv
from musicvae_jax.datasets.melodies import folk
from musicvae_jax.datasets.melodies.abc_notation import split_tunes
from musicvae_jax.inference.melody_model import MelodyModel
from musicvae_jax.music.melody import Melody
from musicvae_jax.static_page import export, runtime
from musicvae_jax.transitions.maker import Plan, maker_of

BARS = 8
WAYS = ("composed", "dual_conductor", "latent", "cut")
CLICK = """async () => {
  const begin = performance.now();
  doing.textContent = "";
  document.getElementById("make").click();
  while (!/^Done/.test(doing.textContent)) {
    if (problem.textContent) throw new Error(problem.textContent);
    await new Promise((resolve) => setTimeout(resolve, 2));
  }
  return (performance.now() - begin) / 1000;
}"""
MAKE = """async ([pairs, options]) => {
  const [{ bridge }, { load }] = [await import("./bridges.js"), await import("./model.js")];
  globalThis.loaded ||= await load(() => {});
  const made = [];
  for (const [first, second] of pairs) {
    made.push((await bridge(globalThis.loaded, first, second, options)).notes);
  }
  return made;
}"""


class Quiet(http.server.SimpleHTTPRequestHandler):
    """As `python -m http.server`, but it tells nothing."""

    def log_message(self, *_: object) -> None:
        pass


def opened(browser: Browser, url: str, asked: list[str] | None = None) -> tuple[Page, float]:
    """The page in a browser that does not know it, and the seconds until it is ready."""
    page = browser.new_context().new_page()
    if asked is not None:
        page.on("request", lambda request: asked.append(request.url))
    begin = time.perf_counter()
    page.goto(url)
    page.click("#examples")
    page.wait_for_selector("#make:enabled", timeout=300_000)
    return page, time.perf_counter() - begin


def waits(browser: Browser, url: str, rounds: int) -> dict[str, Any]:
    """Medians of seconds, and the requests of one visit."""
    ready, asked = [], []
    drawn: dict[str, list[float]] = {"first composed": [], **{way: [] for way in WAYS}}
    for _ in range(rounds):
        asked.clear()
        page, seconds = opened(browser, url, asked)
        ready.append(seconds)
        drawn["first composed"].append(page.evaluate(CLICK))
        for way in WAYS:
            page.check(f"input[value={way}]")
            drawn[way].append(page.evaluate(CLICK))
        page.context.close()
    elsewhere = [name for name in asked if not name.startswith((url, "blob:"))]
    figures = {f"{way}_sec": statistics.median(times) for way, times in drawn.items()}
    return {
        "ready_sec": statistics.median(ready),
        **figures,
        "requests": sum(name.startswith(url) for name in asked),
        "requests_elsewhere": len(elsewhere),
    }


def tunes(count: int) -> list[Melody]:
    """Some traditional tunes in 4/4, evenly from all of the collections."""
    texts = [
        text
        for name in folk.COLLECTIONS
        for path in folk.corpus_files(name)
        for text in split_tunes(path.read_text(encoding="utf-8", errors="replace"))
    ]
    found: list[Melody] = []
    for text in texts[:: max(1, len(texts) // (4 * count))]:
        try:
            melody = folk.read_tune(text, "tune").melody
        except folk.TuneRejectedError:
            continue
        if melody.num_bars >= BARS and 21 <= melody.pitch.min() <= melody.pitch.max() <= 108:
            found.append(melody)
    return found[:: max(1, len(found) // count)][:count]


def agreement(page: Page, model: MelodyModel, pairs: Sequence[tuple[Melody, Melody]]) -> dict:
    """By way: the share of bridges that are the same note for note, and of notes that are."""

    def told(melody: Melody) -> dict[str, Any]:
        fields = ("num_steps", "tempo_bpm", "program")
        return {"notes": melody.notes()} | {name: getattr(melody, name) for name in fields}

    maker, figures = maker_of(model), {}
    sent = [[told(melody) for melody in pair] for pair in pairs]
    for way in WAYS:
        options = {"strategy": way, "bars": BARS, "seed": 0, "temperature": 0, "adherence": 0.5}
        page_made = page.evaluate(MAKE, [sent, options])
        plan = Plan(BARS, is_spliced=True)
        package_made = maker(pairs, way, plan, seed=0, pair_numbers=[0] * len(pairs))
        same = notes = common = 0
        for page_notes, [bridge] in zip(page_made, package_made, strict=True):
            one, two = set(map(tuple, page_notes)), set(bridge.melody.notes())
            same += one == two
            common, notes = common + len(one & two), notes + len(two)
        figures[f"{way}_bridges"], figures[f"{way}_notes"] = same / len(pairs), common / notes
    return figures


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--runtime", help="see musicvae --mode=export_page --help")
    args = parser.parse_args()
    rounds, count = (2, 10) if args.quick else (5, 100)
    model = mv.load_model()
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as tools:
        content = export.contents(model, runtime.read(args.runtime))
        export.write(pathlib.Path(folder), content)
        sizes = {"all_mb": sum(map(len, content.values())) / 1e6}
        of_model = [data for name, data in content.items() if name.startswith("model/")]
        sizes["model_mb"] = sum(map(len, of_model)) / 1e6
        handler = functools.partial(Quiet, directory=folder)
        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        url = f"http://127.0.0.1:{server.server_port}/"
        chromium = shutil.which("chromium") or shutil.which("chromium-browser")
        switches = ["--headless", "--no-sandbox", "--disable-gpu"]
        browser = tools.chromium.launch(executable_path=chromium, args=switches)
        figures = sizes | waits(browser, url, rounds)
        page, _ = opened(browser, url)
        melodies = tunes(count + 1)
        pairs = list(itertools.pairwise(melodies))
        figures |= agreement(page, model, pairs)
        browser.close()
        server.shutdown()
    for name, value in figures.items():
        print(f"{name:24s} {value:8.3f}")
    print(json.dumps({"pairs": len(pairs)} | {n: round(v, 4) for n, v in figures.items()}))


if __name__ == "__main__":
    main()
