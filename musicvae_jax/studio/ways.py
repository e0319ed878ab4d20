"""How a bridge can go, and how good it is, in words for people who make music."""

import dataclasses
import math

from musicvae_jax.transitions import strategies
from musicvae_jax.transitions.drum_scores import DrumBridgeScores
from musicvae_jax.transitions.scores import BridgeScores


@dataclasses.dataclass(frozen=True)
class Way:
    """A strategy in words.

    Attributes:
      strategy: its name.
      title: what the page calls it.
      sentence: what it does.
      is_usual: whether it is shown at once, or only among more ways.
    """

    strategy: str
    title: str
    sentence: str
    is_usual: bool = False


# The first one that a model can go is recommended.
_WAYS = (
    Way(
        "composed",
        "Compose a bridge",
        "Writes new bars that lead from the end of A to the beginning of B.",
        is_usual=True,
    ),
    Way(
        "dual_conductor",
        "Blend steadily",
        "Turns A into B bar by bar, at an even pace.",
        is_usual=True,
    ),
    Way(
        "latent",
        "Morph",
        "Plays what lies between A and B in the model's imagination.",
        is_usual=True,
    ),
    Way(
        "cut",
        "Cut and paste",
        "A for the first half, then B. Nothing new is written.",
        is_usual=True,
    ),
    Way(
        "dual_combined",
        "Blend rhythms",
        "Blends steadily, and leans on the notes of both. It can stutter.",
    ),
    Way(
        "combined",
        "Morph with both in mind",
        "Morphs, and leans on the notes of both. It can stutter.",
    ),
    Way(
        "teacher_forcing",
        "Stay with A, then turn",
        "Keeps the shape of A while notes of B come in. It turns late.",
    ),
    Way(
        "crossfade",
        "Take turns",
        "Whole bars of A and of B in turn, and more and more of B. Nothing new is written.",
    ),
)
TITLES = {way.strategy: way.title for way in _WAYS}


def possible(has_composer: bool) -> tuple[Way, ...]:
    """The ways that a model can go, the recommended one first."""
    able = strategies.possible(tuple(TITLES), has_composer)
    return tuple(way for way in _WAYS if way.strategy in able)


def judge(scores: BridgeScores) -> dict[str, float]:
    """What is said of a bridge of melodies, from 0 to 1: the parts of its score.

    `smooth` is the geometric mean of how little it turns back and how little it jumps.
    """
    return {
        "smooth": _smooth(scores),
        "in_key": round(float(scores.key_stability), 4),
        "tuneful": _likely(scores),
    }


def judge_drums(scores: DrumBridgeScores) -> dict[str, float]:
    """The same of a bridge of drums."""
    return {
        "smooth": _smooth(scores),
        "as_busy": round(float(scores.density_stability), 4),
        "drummed": _likely(scores),
    }


def _smooth(scores: BridgeScores | DrumBridgeScores) -> float:
    steady = float(scores.monotonicity) * (1 - float(scores.largest_jump))
    return round(math.sqrt(max(steady, 0.0)), 4)


def _likely(scores: BridgeScores | DrumBridgeScores) -> float:
    return round(math.exp(-max(float(scores.nll_excess), 0.0)), 4)
