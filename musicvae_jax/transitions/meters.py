"""Bridges that change the meter: each part made by a model of its bars.

Of a bridge from melody 1 to melody 2, bar i lies between bar i of one and bar i of the other,
whatever their meters. Its first part is in the meter of melody 1, and made from melody 1 and
from melody 2 in that meter (`music.rebar`); its last part likewise in that of melody 2. Both
follow the same curve, so that one goes on where the other ends.
"""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

import jax
import numpy as np

from musicvae_jax.music.grid import Grid
from musicvae_jax.music.melody import Melody
from musicvae_jax.music.rebar import rebar
from musicvae_jax.system.errors import UserError
from musicvae_jax.transitions.maker import Bridge, BridgeMaker, Plan


class MeterBridgeMaker:
    """Makes bridges as `BridgeMaker` does, between melodies in any meters that models know."""

    def __init__(self, makers: Mapping[int, BridgeMaker]):
        """Args: the makers by the steps of a bar of their models."""
        self._makers = dict(makers)

    def _maker(self, grid: Grid) -> BridgeMaker:
        maker = self._makers.get(grid.steps_per_bar)
        if maker is None:
            raise UserError(
                f"a melody is in {grid.name}, {grid.steps_per_bar} steps a bar, and no model of "
                "such bars is given"
            )
        return maker

    def __call__(
        self,
        pairs: Sequence[tuple[Melody, Melody]],
        strategy: str,
        plan: Plan,
        *,
        pair_numbers: Sequence[int] | None = None,
        **told: Any,
    ) -> list[list[Bridge]]:
        """See `BridgeMaker`; pairs of the same two meters are made all at once.

        Raises:
          UserError: as of `BridgeMaker`, or there is no model of a melody's bars.
        """
        numbers = list(range(len(pairs))) if pair_numbers is None else list(pair_numbers)
        alike: dict[tuple[Grid, Grid], list[int]] = {}
        for index, (first, second) in enumerate(pairs):
            alike.setdefault((first.grid, second.grid), []).append(index)
        made: list[list[Bridge]] = [[] for _ in pairs]
        for (first_grid, second_grid), indices in alike.items():
            some = [pairs[index] for index in indices]
            told["pair_numbers"] = [numbers[index] for index in indices]
            if first_grid == second_grid:
                found = self._maker(first_grid)(some, strategy, plan, **told)
            else:
                found = self._changing(some, strategy, plan, told)
            for index, candidates in zip(indices, found, strict=True):
                made[index] = candidates
        return made

    def _changing(
        self,
        pairs: Sequence[tuple[Melody, Melody]],
        strategy: str,
        plan: Plan,
        told: Mapping[str, Any],
    ) -> list[list[Bridge]]:
        """Bridges between melodies of which all first ones, and all second ones, are alike."""
        grids = (pairs[0][0].grid, pairs[0][1].grid)
        bars = plan.bars_before_change
        parts = []
        for grid, count in zip(grids, (bars, plan.bars - bars), strict=True):
            if not count:
                continue
            own = [(rebar(a, grid, plan.keeps), rebar(b, grid, plan.keeps)) for a, b in pairs]
            parts.append(self._maker(grid)(own, strategy, plan, **told))
        if len(parts) == 1:
            return parts[0]
        return [_joined(one, two, bars) for one, two in zip(*parts, strict=True)]


def _joined(first: Sequence[Bridge], second: Sequence[Bridge], bars: int) -> list[Bridge]:
    """The first bars of some candidates with the others of those of the same number.

    A candidate whose other part is the same as that of a better one takes that one's.
    """
    by_number = [{each.number: each for each in part} for part in (first, second)]
    numbers = sorted(set(by_number[0]) | set(by_number[1]))
    joined = [
        _join(by_number[0].get(n, first[0]), by_number[1].get(n, second[0]), bars, n)
        for n in numbers
    ]
    return sorted(joined, key=lambda bridge: (-bridge.score, bridge.number))


def _join(first: Bridge, second: Bridge, bars: int, number: int) -> Bridge:
    """The scores of the whole are the means of both, by their bars."""
    total = first.melody.num_bars
    share = bars / total
    return dataclasses.replace(
        first,
        melody=first.melody.window(0, bars),
        rest=second.melody.window(bars, total - bars),
        number=number,
        scores=jax.tree.map(
            lambda one, two: share * one + (1 - share) * two, first.scores, second.scores
        ),
        by_bar=jax.tree.map(
            lambda one, two: np.concatenate([one[:bars], two[bars:]]), first.by_bar, second.by_bar
        ),
    )
