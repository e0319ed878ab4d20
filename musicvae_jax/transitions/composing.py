"""Bridges that a composer writes: bars between melodies, given the bars around them.

The composer knows the last bars of melody 1 and the first of melody 2, which will be played
before and after the bridge, and those bars of the bridge that are a melody's own (t of 0 or
1). It draws the other bars, as far as `adherence` leaves them open: its flow begins with the
codes of a draft, the bridge of another strategy, mixed with noise (Meng et al. 2022, arXiv
2108.01073).
"""

from collections.abc import Sequence

import jax
import numpy as np

from musicvae_jax.inference.melody_model import MelodyModel
from musicvae_jax.music.melody import Melody
from musicvae_jax.music.windows import play_round

DRAFT = "dual_conductor"  # the strategy that makes drafts


def can_compose(model: MelodyModel) -> bool:
    """Whether a model has a composer that knows bars."""
    return model.writer is not None and model.writer.knows_bars


def latents(
    model: MelodyModel,
    pairs: Sequence[tuple[Melody, Melody]],
    drafts: Sequence[Melody],
    *,
    t: np.ndarray,
    keys: jax.Array,
    is_spliced: bool,
    adherence: float,
) -> np.ndarray:
    """Draws the latents of bridges.

    Args:
      model: for which `can_compose` holds.
      pairs: the melodies before and after each bridge.
      drafts: of each bridge, in which bars at t = 0 or 1 are the melodies' own.
      t: [bars], how far each bar has come.
      keys: [pairs * num] keys, those of one pair in a row.
      is_spliced: whether the melodies are played before and after the bridge.
      adherence: 0 composes freely, 1 gives the draft.

    Returns:
      [pairs * num, windows, ...] float32; the last window may go on after the bridge.
    """
    writer, composer = model.writer, model.composer
    assert writer is not None and composer is not None
    num = len(keys) // len(pairs)
    codes = writer.codes(drafts)
    known = np.tile((t == 0) | (t == 1), (len(pairs), 1))
    before = 0
    if is_spliced:
        before = composer.layout.bars // 2
        around, heard = _around(model, pairs, before)
        codes = np.concatenate([around[0], codes, around[1]], axis=1)
        known = np.concatenate([heard[0], known, heard[1]], axis=1)
    codes, known = np.repeat(codes, num, axis=0), np.repeat(known, num, axis=0)
    place = composer.anywhere(len(codes), codes.shape[1])
    written = composer.write(codes, known, keys, place, _first_level(adherence))
    return writer.windows(written[:, before : before + len(t)])


def _first_level(adherence: float) -> float:
    """The level at which the flow begins.

    A draft can hardly be recognised at levels below 0.7; so they have the lower third of the
    scale, and those above it the rest.
    """
    return 1 - (1 - adherence) ** 3


def _around(
    model: MelodyModel, pairs: Sequence[tuple[Melody, Melody]], bars: int
) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """Codes [pairs, bars, size] of the bars before bridges and after them, and which there are.

    A melody that is shorter goes round, and what is heard of it again does not count.
    """
    window = model.bars
    first = [play_round(a, -window % a.num_bars, window) for a, _ in pairs]
    second = [play_round(b, 0, window) for _, b in pairs]
    assert model.writer is not None
    before, after = (model.writer.codes(side) for side in (first, second))
    from_bridge = np.arange(bars)
    heard_after = np.stack([from_bridge < b.num_bars for _, b in pairs])
    heard_before = np.stack([from_bridge[::-1] < a.num_bars for a, _ in pairs])
    return [before[:, window - bars :], after[:, :bars]], [heard_before, heard_after]
