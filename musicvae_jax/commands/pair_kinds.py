"""What the pairs of a table may be, melodies or drums: how they are read, bridged and written."""

import dataclasses
import functools
from collections.abc import Callable
from typing import Any, cast

from musicvae_jax.commands.band import PairDrums
from musicvae_jax.midi.whole.arrangement import Source
from musicvae_jax.midi.whole.medley import Medley, medley
from musicvae_jax.music.assembly import single, splice
from musicvae_jax.music.drum_piece import DrumPiece, drum_chain
from musicvae_jax.music.drums import Drums
from musicvae_jax.music.modulation import plan_keys
from musicvae_jax.music.piece import Piece
from musicvae_jax.transitions.maker import Bridge, Plan


@dataclasses.dataclass(frozen=True)
class Pair:
    """A pair that was read.

    Attributes:
      number: its place in the table, from 0.
      name: of its files.
      music: the two melodies, or the drums of both files.
      sources: the files whole, if they are to be played.
      drums: those of both files, if they have a bridge of their own.
    """

    number: int
    name: str
    music: tuple[Any, Any]
    sources: tuple[Source, ...]
    drums: tuple[Drums, Drums] | None = None


@dataclasses.dataclass(frozen=True)
class Kind:
    """What is done with pairs of a kind.

    Attributes:
      reader: how files are read, a name in `pair_files.READERS`.
      ends: the music between which the bridge of a pair is made.
      piece: what is written of a pair, its bridge, and that of its drums.
      drums: bridges the drums of whole songs, if they have bridges of their own.
    """

    reader: str
    ends: Callable[[Pair], tuple[Any, Any]]
    piece: Callable[[Pair, Bridge, Bridge | None], Piece | Medley | DrumPiece | Drums]
    drums: PairDrums | None = None

    def with_drums(self, pair: Pair) -> Pair:
        """The same with its drums, if they have a bridge of their own.

        Raises:
          UserError: as of `band.patterns_of`.
        """
        if self.drums is None:
            return pair
        return dataclasses.replace(pair, drums=self.drums.patterns(pair.sources))


def melodies(
    plan: Plan,
    *,
    key_path: str = "keep",
    programs: str = "crossfade",
    accompaniment: str | None = "fade",
    drums: PairDrums | None = None,
) -> Kind:
    """Pairs of melodies, or of whole songs.

    Args:
      plan: of the bridges.
      key_path, programs: as for `assembly.chain`.
      accompaniment: of the bridges between whole songs, see `medley.medley`; None for pieces of
        the melodies alone.
      drums: bridges the drums of whole songs; by default they are part of the accompaniment.
    """

    def ends(pair: Pair) -> tuple[Any, Any]:
        return plan_keys(pair.music, key_path if plan.is_spliced else "keep").pairs[0]

    def piece(pair: Pair, bridge: Bridge, beat: Bridge | None) -> Piece | Medley:
        if not plan.is_spliced:
            return single(bridge.parts, origin="bridge", is_bridge=True)
        told = {"key_path": key_path, "programs": programs, "keeps": plan.keeps}
        if pair.sources:
            told["accompaniment"] = accompaniment or ""
            beats = None if beat is None else [cast("Drums", beat.melody)]
            return medley(pair.sources, [bridge], drums=beats, **told)
        first, second = pair.music
        return splice(first, bridge, second, **told)

    is_whole = plan.is_spliced and accompaniment is not None
    return Kind("whole" if is_whole else "melody", ends, piece, drums)


def drums(plan: Plan, finish: Callable[[Any], Drums]) -> Kind:
    """Pairs of patterns of drums.

    Args:
      plan: of the bridges.
      finish: plays what a model made.
    """
    return Kind("drums", lambda pair: pair.music, functools.partial(_drum_piece, plan, finish))


def _drum_piece(
    plan: Plan, finish: Callable[[Any], Drums], pair: Pair, bridge: Bridge, _: Bridge | None
) -> DrumPiece | Drums:
    made = finish(bridge.melody)
    return drum_chain(list(pair.music), [made]) if plan.is_spliced else made
