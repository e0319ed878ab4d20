"""Where to leave the first song and where to enter the second, by the bridges between."""

import dataclasses
import itertools
from collections.abc import Sequence
from typing import Any

from musicvae_jax.music import phrases
from musicvae_jax.music.drums import Drums
from musicvae_jax.music.melody import Melody
from musicvae_jax.music.modulation import plan_keys
from musicvae_jax.music.phrases import Place
from musicvae_jax.music.windows import Music
from musicvae_jax.system.errors import UserError
from musicvae_jax.transitions.maker import BridgeMaker, Plan
from musicvae_jax.transitions.meters import MeterBridgeMaker

AUTO = "auto"
MAX_PLACES = 4  # of each melody; a bridge is made for each pair of them
_FEWEST_BARS = 4  # of each melody that are played


@dataclasses.dataclass(frozen=True)
class Proposal:
    """A pair of places, and how good the bridge between them is.

    Attributes:
      leave: of the first melody.
      enter: of the second.
      score: of the bridge, from 0 to 1, see `scores.BridgeScores`.
    """

    leave: Place
    enter: Place
    score: float

    def report(self) -> dict[str, Any]:
        """The bars as people count them, for JSON."""
        return {
            "from": self.leave.bar,
            "to": self.enter.bar + 1,
            "score": round(self.score, 4),
            "from_because_of": list(self.leave.reasons),
            "to_because_of": list(self.enter.reasons),
        }


def propose(
    maker: BridgeMaker | MeterBridgeMaker,
    pair: tuple[Music, Music],
    plan: Plan,
    *,
    leave: int | str | None,
    enter: int | str | None,
    strategy: str,
    key_path: str | None = "keep",
    seed: int = 0,
) -> list[Proposal]:
    """The pairs of places to choose from, the best score of their bridges first.

    The places are at most `MAX_PLACES` of each melody, see `phrases.leaving` and
    `phrases.entering`. For each pair one bridge is made, with the likeliest notes.

    Args:
      maker: of the bridges.
      pair: melodies, or drums.
      plan: of a bridge that is spliced in.
      leave: after how many bars the first melody is left; `auto` to choose, None for its end.
      enter: at which bar, counted from 1, the second is entered; `auto` to choose, None for
        its beginning.
      strategy: by which bridges are made.
      key_path: one of `modulation.KEY_PATHS`; None for music without keys.
      seed: of all randomness.

    Raises:
      UserError: a melody does not have that bar.
    """
    first, second = pair
    leaves = _places(first, leave, "from", is_left=True)
    enters = _places(second, enter, "to", is_left=False)
    both = list(itertools.product(leaves, enters))
    if len(both) == 1:
        [(one, other)] = both
        return [Proposal(one, other, 0.0)]
    ends: list[Any] = [between(pair, one.bar, other.bar) for one, other in both]
    if key_path is not None:
        ends = [plan_keys(end, key_path).pairs[0] for end in ends]
    made = maker(ends, strategy, plan, seed=seed, pair_numbers=[0] * len(ends))
    proposals = [
        Proposal(one, other, best.score)
        for (one, other), (best, *_) in zip(both, made, strict=True)
    ]
    return sorted(proposals, key=lambda proposal: -proposal.score)


def between(pair: Sequence[Music], leave: int, enter: int) -> tuple[Music, Music]:
    """What is played of two songs: of the first up to a bar line, of the second from one on."""
    first, second = pair
    return first.window(0, leave), second.window(enter, second.num_bars - enter)


def _places(
    music: Melody | Drums, told: int | str | None, name: str, *, is_left: bool
) -> list[Place]:
    if told == AUTO:
        find = phrases.leaving if is_left else phrases.entering
        return find(music, MAX_PLACES, _FEWEST_BARS)
    if told is None:
        told = music.num_bars if is_left else 1
    assert isinstance(told, int)
    if not 1 <= told <= music.num_bars:
        raise UserError(f"{name}={told}: there are bars 1 to {music.num_bars}", name)
    return [phrases.places(music)[told if is_left else told - 1]]
