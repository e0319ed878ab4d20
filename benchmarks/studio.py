"""How long the studio takes, measured in the browser, and how it bears fifty at once.

Run: python benchmarks/studio.py [--quick] [--checkpoint=pretrained] [--picture=docs/studio.png]
Needs: pip install -e '.[studio,browser]', and Chromium

From the click until what was made is drawn, with both example melodies and a bridge of
the model's bars between them. The sound is made afterwards, and told apart.
"""

import argparse
import concurrent.futures
import contextlib
import json
import pathlib
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator

from playwright.sync_api import Page, sync_playwright

CHOICES = {"composed": ["composed"], "dual_conductor": ["dual_conductor"], "all": None}
CLICK = """async () => {
  const begin = performance.now();
  doing.textContent = "";
  document.querySelector("#panel-interpolate form").requestSubmit();
  while (!/^Done/.test(doing.textContent)) {
    if (problem.textContent) throw new Error(problem.textContent);
    await new Promise((resolve) => setTimeout(resolve, 2));
  }
  await new Promise((resolve) => requestAnimationFrame(() => setTimeout(resolve)));
  return (performance.now() - begin) / 1000;
}"""


@contextlib.contextmanager
def studio(checkpoint: str) -> Iterator[tuple[str, int, dict[str, float]]]:
    """Yields its address, its process id, and how long it took to listen and to be warm."""
    begin = time.perf_counter()
    with tempfile.NamedTemporaryFile("w+", suffix=".log") as log:
        command = [sys.executable, "-m", "musicvae_jax.main", "--mode=studio", "--port=0"]
        process = subprocess.Popen([*command, f"--checkpoint={checkpoint}"], stderr=log)
        try:
            while not (found := re.search(r"http://\S+/", pathlib.Path(log.name).read_text())):
                if process.poll() is not None:
                    sys.exit(pathlib.Path(log.name).read_text())
                time.sleep(0.05)
            url, listens = found.group(), time.perf_counter() - begin
            while not json.load(urllib.request.urlopen(f"{url}api/status"))["ready"]:
                time.sleep(0.1)
            ready = time.perf_counter() - begin
            yield url, process.pid, {"listens_sec": listens, "ready_sec": ready}
        finally:
            process.terminate()
            process.wait(30)


def memory_mib(pid: int) -> int:
    """The most memory that a process has had."""
    status = pathlib.Path(f"/proc/{pid}/status").read_text()
    return int(re.search(r"VmHWM:\s+(\d+)", status).group(1)) // 1024


def click(page: Page, strategies: list[str] | None, rounds: int) -> dict[str, float]:
    """Median and slowest of the seconds until it is drawn, and the median until it sounds."""
    if strategies is None:
        page.click("#compare-all")
    else:
        page.check(f'#ways input[value="{strategies[0]}"]')
    drawn, heard = [], []
    for seed in range(rounds):
        page.fill("#interpolate-seed", str(seed))
        begin = time.perf_counter()
        drawn.append(page.evaluate(CLICK))
        while not page.evaluate("audio.readyState"):
            page.wait_for_timeout(5)
        heard.append(time.perf_counter() - begin)
    return {
        "drawn_sec": statistics.median(drawn),
        "slowest_sec": max(drawn),
        "heard_sec": statistics.median(heard),
    }


def ask_at_once(url: str, number: int) -> dict[str, float]:
    """So many transitions asked for at the same time."""
    read = [json.load(urllib.request.urlopen(f"{url}api/example/{n}")) for n in ("reel",) * 2]
    inputs = [{"name": entry["name"], "melody": entry["melody"]} for entry in read]

    def ask(seed: int) -> bool:
        options = {"strategy": "latent", "splice": "true", "seed": str(seed)}
        asked = {"mode": "interpolate", "options": options, "inputs": inputs}
        request = urllib.request.Request(f"{url}api/make", json.dumps(asked).encode())
        try:
            with urllib.request.urlopen(request, timeout=300) as answer:
                return "result" in json.loads(answer.read().splitlines()[-1])
        except OSError:
            return False

    begin = time.perf_counter()
    with concurrent.futures.ThreadPoolExecutor(number) as pool:
        failed = number - sum(pool.map(ask, range(number)))
    return {"at_once": number, "failed": failed, "at_once_sec": time.perf_counter() - begin}


def take_picture(page: Page, path: str) -> None:
    """Composes a bridge, loops and keeps it, and writes what the page looks like."""
    page.evaluate(CLICK)
    while not page.evaluate("audio.readyState"):
        page.wait_for_timeout(5)
    page.check("#loop")
    page.click("#star")
    # All of it at once, or the player would lie over what is in the middle.
    height = page.evaluate("document.documentElement.scrollHeight")
    page.set_viewport_size({"width": page.viewport_size["width"], "height": height})
    page.wait_for_timeout(500)
    page.screenshot(path=path)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--checkpoint", default="pretrained")
    parser.add_argument("--picture", default="")
    args = parser.parse_args()
    rounds, number = (3, 10) if args.quick else (15, 50)
    with studio(args.checkpoint) as (url, pid, figures), sync_playwright() as tools:
        chromium = shutil.which("chromium") or shutil.which("chromium-browser")
        switches = ["--headless", "--no-sandbox", "--disable-gpu"]
        browser = tools.chromium.launch(executable_path=chromium, args=switches)
        page = browser.new_page(viewport={"width": 1200, "height": 900})
        page.goto(url)
        page.click("#examples")
        page.wait_for_selector('.melody[data-side="1"] .play:enabled')
        if args.picture:
            take_picture(page, args.picture)
            return
        page.click("#panel-interpolate .more summary")
        print(f"{'':16s} {'drawn':>8s} {'slowest':>8s} {'heard':>8s}   seconds, {rounds} rounds")
        for name, strategies in CHOICES.items():
            measured = click(page, strategies, rounds)
            print(f"{name:16s} " + " ".join(f"{value:8.3f}" for value in measured.values()))
            figures |= {f"{name}_{key}": value for key, value in measured.items()}
        browser.close()
        figures |= {"warm_mib": memory_mib(pid), **ask_at_once(url, number)}
        figures["peak_mib"] = memory_mib(pid)
    print(json.dumps({name: round(value, 3) for name, value in figures.items()}))


if __name__ == "__main__":
    main()
