"""What a picture of a piece says about each bar of its bridges."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from musicvae_jax.music.piece import Piece, Section

if TYPE_CHECKING:  # it imports JAX, which a picture does not need
    from musicvae_jax.transitions.maker import Bridge


@dataclasses.dataclass(frozen=True)
class BarValues:
    """The values of each bar of a section; what is None is not drawn.

    Attributes:
      t_latent: [bars] float, 0 to 1, how far the latent has gone from melody 1 to melody 2.
      t_control: [bars] float, 0 to 1, how far the notes given to the decoder have gone.
      similarity_1, similarity_2: [bars] float, 0 to 1, to the melody before and after.
      nll: [bars] float, nats a token.
    """

    t_latent: np.ndarray | None = None
    t_control: np.ndarray | None = None
    similarity_1: np.ndarray | None = None
    similarity_2: np.ndarray | None = None
    nll: np.ndarray | None = None

    @property
    def course(self) -> BarValues:
        """How far the bars have gone, without what was measured of their notes."""
        return BarValues(self.t_latent, self.t_control)

    def t(self, section: Section) -> np.ndarray:
        """How far each bar of the section has gone, for its colour: [bars] float64."""
        for values in (self.t_latent, self.t_control):
            if values is not None:
                return np.asarray(values, np.float64)
        before, bars = section.bars_before, section.melody.num_bars
        whole = np.linspace(0.0, 1.0, before + bars + section.bars_after)
        return whole[before : before + bars]


def values_of_bridges(piece: Piece, bridges: Sequence[Bridge]) -> list[BarValues | None]:
    """The values of the bars of each section of a piece; None for its melodies.

    Args:
      piece: the piece.
      bridges: one for each bridge in the piece, in the same order.

    Raises:
      ValueError: the piece has another number of bridges.
    """
    expected = sum(s.is_bridge and not s.bars_before for s in piece.sections)
    if len(bridges) != expected:
        raise ValueError(f"the piece has {expected} bridges, got {len(bridges)}")
    values: list[BarValues | None] = []
    number = -1
    for section in piece.sections:
        if not section.is_bridge:
            values.append(None)
            continue
        first = section.bars_before
        number += not first
        values.append(_of_bridge(bridges[number], slice(first, first + section.melody.num_bars)))
    return values


def _of_bridge(bridge: Bridge, bars: slice) -> BarValues:
    """The values of some of its bars."""
    return BarValues(
        t_latent=None if bridge.t_latent is None else bridge.t_latent[bars],
        t_control=None if bridge.t_control is None else bridge.t_control[bars],
        similarity_1=np.asarray(bridge.by_bar.likeness_1)[bars],
        similarity_2=np.asarray(bridge.by_bar.likeness_2)[bars],
        nll=np.asarray(bridge.by_bar.nll)[bars],
    )
