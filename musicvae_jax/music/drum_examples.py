"""Two patterns of drums that come with the package, so that every mode runs without files."""

import numpy as np

from musicvae_jax.music.drum_kit import CLOSED_HAT, CRASH, KICK, LOW_TOM, OPEN_HAT, RIDE, SNARE
from musicvae_jax.music.drums import STEPS_PER_BAR, Drums

_BARS = 16
# Of one piece in two bars, a line each: 'x' is a hit, 'X' an accent, 'o' a ghost note.
_ROCK = {
    CLOSED_HAT: "X.x.X.x.X.x.X.x. X.x.X.x.X.x.X...",
    OPEN_HAT: "................ ..............x.",
    SNARE: "....X.......X... ....X..o....X...",
    KICK: "X.......x.x..... X.....x.x.......",
}
_ROCK_FILL = {
    CLOSED_HAT: "X.x.X.x.X.x.X.x. X.x.X.x.........",
    SNARE: "....X.......X... ....X...XxxX....",
    LOW_TOM: "................ ............XxXx",
    KICK: "X.......x.x..... X.....x.x.......",
}
_BOSSA = {
    RIDE: "x.x.x.x.x.x.x.x. x.x.x.x.x.x.x.x.",
    SNARE: "o..o..o...o..o.. o..o..o...o..o..",
    KICK: "X..x....X..x.... X..x....X..x....",
    CLOSED_HAT: "....x.......x... ....x.......x...",
}
_VELOCITIES = {"x": 80, "X": 110, "o": 45}


def _drums(parts: list[dict[int, str]], crash: bool, tempo_bpm: float) -> Drums:
    """Patterns of two bars each, one after the other."""
    hits = []
    for number, part in enumerate(parts):
        for piece, line in part.items():
            for step, symbol in enumerate(line.replace(" ", "")):
                if symbol in _VELOCITIES:
                    at = number * 2 * STEPS_PER_BAR + step
                    hits.append((piece, at, _VELOCITIES[symbol]))
    if crash:
        hits += [(CRASH, bar * STEPS_PER_BAR, 110) for bar in range(0, _BARS, 8)]
    piece, step, velocity = np.array(hits).T
    return Drums(piece, step, velocity, np.zeros(len(hits)), _BARS * STEPS_PER_BAR, tempo_bpm)


def example_drums() -> dict[str, Drums]:
    """Two patterns of 16 bars: rock with a fill every eight bars, and bossa nova.

    >>> from musicvae_jax.music.drum_examples import example_drums
    >>> [drums.num_bars for drums in example_drums().values()]
    [16, 16]
    """
    return {
        "rock": _drums([*[_ROCK] * 3, _ROCK_FILL] * 2, True, 110.0),
        "bossa": _drums([_BOSSA] * 8, False, 132.0),
    }
