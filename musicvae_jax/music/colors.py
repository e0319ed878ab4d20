"""The colours of melodies, and of the way from one melody to another."""

from collections.abc import Sequence

import numpy as np

# Colour-blind people can tell them apart: Okabe & Ito 2008, "Color Universal Design".
BLUE, VERMILION, GREEN, GREY = "#0072B2", "#D55E00", "#009E73", "#BBBBBB"
PURPLE, ORANGE, SKY = "#CC79A7", "#E69F00", "#56B4E9"
# Neighbours always differ, also where the colours begin again.
MELODY_COLORS = (BLUE, VERMILION, GREEN, PURPLE, ORANGE, SKY)
_GAMMA = 2.2


def melody_color(number: int) -> str:
    """The colour of a melody of a piece, counted from 0, such as `#0072B2`."""
    return MELODY_COLORS[number % len(MELODY_COLORS)]


def mix(ends: Sequence[str], t: np.ndarray) -> np.ndarray:
    """Colours between two, mixed as lights are.

    Args:
      ends: two colours such as `#0072B2`.
      t: [n] float; 0 is the first colour, 1 the second.

    Returns:
      [n, 3] float64, red, green and blue from 0 to 1.
    """
    first, second = (_rgb(color) ** _GAMMA for color in ends)
    return ((1 - t[:, None]) * first + t[:, None] * second) ** (1 / _GAMMA)


def as_hex(rgb: np.ndarray) -> list[str]:
    """Colours [n, 3] from 0 to 1 as text such as `#0072B2`."""
    return ["#{:02X}{:02X}{:02X}".format(*row) for row in np.rint(255 * rgb).astype(int).tolist()]


def _rgb(color: str) -> np.ndarray:
    return np.array([int(color[i : i + 2], 16) / 255 for i in (1, 3, 5)])
