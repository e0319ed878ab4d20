"""Curves of a transition: how far each bar has come from melody 1 (0) to melody 2 (1)."""

from collections.abc import Sequence

import numpy as np

from musicvae_jax.system.errors import UserError

# The share of the way for which `hold` stays with a melody, at each end.
HOLD_SHARE = 0.25
# How often its own width the middle of `sigmoid` fits into the whole.
SIGMOID_STEEPNESS = 10.0


def linear(position: np.ndarray) -> np.ndarray:
    return position


def smoothstep(position: np.ndarray) -> np.ndarray:
    """Leaves and arrives slowly: the cubic 3x^2 - 2x^3."""
    return position**2 * (3 - 2 * position)


def hold(position: np.ndarray) -> np.ndarray:
    """Stays with each melody for a quarter of the way, and goes evenly between."""
    return np.clip((position - HOLD_SHARE) / (1 - 2 * HOLD_SHARE), 0, 1)


def sigmoid(position: np.ndarray) -> np.ndarray:
    """The logistic function, stretched so that it reaches 0 and 1."""
    logistic = 1 / (1 + np.exp(-SIGMOID_STEEPNESS * (position - 0.5)))
    end = 1 / (1 + np.exp(SIGMOID_STEEPNESS * 0.5))
    # At the ends the quotient is within rounding of 0 and 1; it must be exact there.
    inner = np.clip((logistic - end) / (1 - 2 * end), 0, 1)
    return np.where(position <= 0, 0.0, np.where(position >= 1, 1.0, inner))


CURVES = {"linear": linear, "smoothstep": smoothstep, "hold": hold, "sigmoid": sigmoid}


def check(argument: str, curve: str | Sequence[float]) -> None:
    """Checks the curve that an argument gives.

    Raises:
      UserError: it is neither a name in `CURVES` nor numbers from 0 to 1.
    """
    if isinstance(curve, str):
        is_valid, text = curve in CURVES, curve
    else:
        is_valid = len(curve) > 0 and all(0 <= number <= 1 for number in curve)
        text = ",".join(f"{number:g}" for number in curve)
    if not is_valid:
        raise UserError(
            f"{argument}={text}: not a curve; valid are {', '.join(CURVES)}, or numbers from 0 to "
            "1, such as 0,0.2,0.5,1",
            argument,
        )


def positions(bars: int, between: bool) -> np.ndarray:
    """How far along each bar lies, [bars] float64.

    Args:
      bars: how many.
      between: the bars lie between the melodies (a bridge that is spliced in), so none
        is at an end; otherwise the first is at 0 and the last at 1. One bar alone is
        half way.
    """
    if between or bars == 1:
        return np.arange(1, bars + 1) / (bars + 1)
    return np.arange(bars) / (bars - 1)


def sample(curve: str | Sequence[float], bars: int, between: bool = False) -> np.ndarray:
    """The t of each bar.

    Args:
      curve: a name in `CURVES`, or numbers in 0..1: one for each bar, or otherwise
        joined by straight lines from the first bar to the last.
      bars: how many.
      between: see `positions`; numbers are taken as they are.

    Returns:
      [bars] float32, in 0..1.
    """
    if isinstance(curve, str):
        return CURVES[curve](positions(bars, between)).astype(np.float32)
    numbers = np.asarray(curve, np.float64)
    if len(numbers) != bars:
        place = np.linspace(0, len(numbers) - 1, bars) if bars > 1 else (len(numbers) - 1) / 2
        numbers = np.interp(np.atleast_1d(place), np.arange(len(numbers)), numbers)
    return numbers.astype(np.float32)
