"""Tunes of music21 that are not in 4/4, 2/2 or 2/4: how many are read, on which grids.

Also how often `music.meters.likely_grid`, which knows the notes alone, finds the meter of their
first 16 bars.

Run: python benchmarks/meters.py [--quick]
"""

import argparse
import collections
import json

from musicvae_jax.datasets.melodies import folk
from musicvae_jax.datasets.melodies.abc_notation import header_field, split_tunes
from musicvae_jax.music.grid import METERS, SIXTEENTHS
from musicvae_jax.music.meters import likely_grid
from musicvae_jax.music.windows import WindowRules, melody_windows

STEPS_PER_BAR = 12


def tunes(quick: bool) -> list[tuple[str, str]]:
    """The meter and the text of each tune in another meter."""
    found = []
    for name in folk.COLLECTIONS:
        for path in folk.corpus_files(name):
            for text in split_tunes(path.read_text(encoding="utf-8", errors="replace")):
                meter = (header_field(text, "M") or [""])[0]
                grids = METERS.get(folk.METERS_BY_NAME.get(meter, (0, 0)), ())
                if SIXTEENTHS not in grids:
                    found.append((meter, text))
    return found[::40] if quick else found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="every fortieth tune")
    others = tunes(parser.parse_args().quick)
    reasons, read, windows = (collections.Counter() for _ in range(3))
    guesses = collections.Counter()
    for _, text in others:
        try:
            melody = folk.read_tune(text, "tune", STEPS_PER_BAR).melody
        except folk.TuneRejectedError as error:
            reasons[str(error)] += 1
            continue
        read[melody.grid.name] += 1
        windows[melody.grid.name] += len(melody_windows(melody, WindowRules()).tokens)
        if melody.num_bars >= WindowRules().bars:
            guess = likely_grid(melody.window(0, WindowRules().bars))
            guesses[melody.grid.meter, guess.meter] += 1
    print(f"{len(others)} tunes: {dict(collections.Counter(m for m, _ in others).most_common())}")
    for grid, count in read.most_common():
        print(f"  {count} read in {grid}: {windows[grid]} windows of {WindowRules().bars} bars")
    for reason, count in reasons.most_common():
        print(f"  {count} not read: {reason}")
    for (meter, guess), count in guesses.most_common():
        print(f"  the meter of {count} in {meter} is heard as {guess}")
    right = sum(count for (meter, guess), count in guesses.items() if meter == guess)
    figures = {
        "tunes": len(others),
        "read": sum(read.values()),
        "windows": sum(windows.values()),
        "meter_heard": round(right / max(sum(guesses.values()), 1), 4),
    }
    print(json.dumps(figures))


if __name__ == "__main__":
    main()
