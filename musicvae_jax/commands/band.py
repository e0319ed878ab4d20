"""`--drums=bridge`: the drums of whole songs have a bridge of their own, beside the melody's."""

import dataclasses
import itertools
import pathlib
from collections.abc import Mapping, Sequence
from typing import Any

from musicvae_jax.checkpoints import load
from musicvae_jax.commands import drum_transitions
from musicvae_jax.commands.files import load_model
from musicvae_jax.commands.instruments import DRUMS
from musicvae_jax.commands.options import Options
from musicvae_jax.commands.transitions import bridges_of
from musicvae_jax.inference.melody_model import MelodyModel
from musicvae_jax.midi.drums import MIN_HITS
from musicvae_jax.midi.whole.arrangement import Source
from musicvae_jax.midi.whole.drum_part import drums_of_source
from musicvae_jax.music.drum_piece import drum_chain
from musicvae_jax.music.drums import Drums
from musicvae_jax.music.grid import SIXTEENTHS
from musicvae_jax.music.windows import bridge_ends
from musicvae_jax.plots.picture import Figure
from musicvae_jax.system.errors import UserError
from musicvae_jax.transitions.maker import Bridge, Plan, maker_of


def check(options: Options) -> None:
    """Raises: UserError: a bridge of drums is asked for where drums are not played."""
    told = options.transition
    if not told.has_drum_bridge:
        return
    if told.melody_only or not (told.splice or len(options.inputs) > 2):
        raise UserError("--drums=bridge: needs --splice, and cannot be used with --melody_only")


def load_drums(options: Options) -> MelodyModel:
    """The shipped model of drums."""
    alone = dataclasses.replace(options, checkpoint=load.DRUMS, workdir=pathlib.Path())
    return load_model(None, alone)


@dataclasses.dataclass(frozen=True)
class Drummer:
    """Makes bridges of the drums of whole songs, on the bars and the curve of the melodies'.

    Attributes:
      model: of drums.
      plan: of the bridges.
      options: how they are drawn and played.
    """

    model: MelodyModel
    plan: Plan
    options: Options

    def bridges(
        self, pairs: Sequence[tuple[Drums, Drums]], strategy: str, **more: Any
    ) -> list[list[Bridge]]:
        """For each bridge its candidates as they are played, the best first.

        Args:
          pairs: the drums of the songs before and after each.
          strategy, more: as of `BridgeMaker`.
        """
        settings = self.plan.settings.without_pitches()
        plan = dataclasses.replace(self.plan, settings=settings)
        maker = maker_of(self.model)
        candidates = bridges_of(maker, pairs, strategy, plan, self.options, **more)
        return [[self._played(bridge) for bridge in ranked] for ranked in candidates]

    def _played(self, bridge: Bridge) -> Bridge:
        played = DRUMS.finish(self.model, bridge.melody, self.options)
        return dataclasses.replace(bridge, melody=played)


@dataclasses.dataclass(frozen=True)
class ChainDrums:
    """The drums of a chain of songs, and their bridges.

    Attributes:
      drummer: makes the bridges.
      patterns: by title the drums of each song, on the bars of its melody.
    """

    drummer: Drummer
    patterns: Mapping[str, Drums]

    def __call__(self, strategy: str) -> list[list[Bridge]]:
        """For each bridge its candidates, the best first."""
        patterns, told = list(self.patterns.values()), self.drummer.options.transition
        return self.drummer.bridges(drum_transitions.pairs_of(patterns, loop=told.loop), strategy)

    def figure(self, bridges: tuple[Bridge, ...], title: str) -> Figure:
        """The drums of all songs on the bars of their melodies, with some of the bridges."""
        titles = [pathlib.Path(title).name for title in self.patterns]
        made = [bridge.melody for bridge in bridges]
        piece = drum_chain(list(self.patterns.values()), made, titles)
        return drum_transitions.figure(piece, bridges, title)


def chain_drums(
    sources: Mapping[str, Source],
    plan: Plan,
    options: Options,
    model: MelodyModel | None = None,
) -> ChainDrums:
    """The drums of some songs, and what bridges them.

    Args:
      sources: by title the songs.
      plan: of the bridges.
      options: how they are drawn and played.
      model: of drums; by default the shipped one is loaded.

    Raises:
      UserError: as of `patterns_of`.
    """
    told = options.transition
    count = len(sources) - 1 + told.loop
    lengths = told.bridge_bars or (plan.bars,) * count
    patterns = patterns_of(sources, lengths)
    return ChainDrums(Drummer(model or load_drums(options), plan, options), patterns)


def patterns_of(sources: Mapping[str, Source], lengths: Sequence[int]) -> dict[str, Drums]:
    """The drums of songs that follow each other, on the bars of their melodies.

    Args:
      sources: by title the songs.
      lengths: the bars of each bridge between them; the last may lead back to the first song.

    Raises:
      UserError: a song is not in 4/4 in sixteenths, or has no drums beside a bridge.
    """
    for title, source in sources.items():
        if source.melody.grid != SIXTEENTHS:
            raise UserError(
                f"--drums=bridge: {title} is in {source.melody.grid.name}; drums are bridged in "
                f"{SIXTEENTHS.name}"
            )
    patterns = {title: drums_of_source(source) for title, source in sources.items()}
    titles = [*patterns, next(iter(patterns))]
    for bars, pair in zip(lengths, itertools.pairwise(titles), strict=False):
        ends = bridge_ends(*(patterns[title] for title in pair), bars, True)
        for title, end, where in zip(pair, ends, ("last", "first"), strict=True):
            if len(end.hits()) < MIN_HITS:
                raise UserError(
                    f"--drums=bridge: {title} has no drums in the {where} {bars} bars of its "
                    "melody, beside the bridge; both songs need some"
                )
    return patterns


@dataclasses.dataclass(frozen=True)
class PairDrums:
    """The drums of pairs of songs, and their bridges.

    Attributes:
      drummer: makes the bridges.
    """

    drummer: Drummer

    def patterns(self, sources: Sequence[Source]) -> tuple[Drums, Drums]:
        """The drums of both songs of a pair.

        Raises:
          UserError: as of `patterns_of`.
        """
        titles = ("the first song", "the second song")
        named = dict(zip(titles, sources, strict=True))
        first, second = patterns_of(named, [self.drummer.plan.bars]).values()
        return first, second

    def bridges(
        self, pairs: Sequence[tuple[Drums, Drums]], strategy: str, numbers: Sequence[int]
    ) -> list[Bridge]:
        """The best bridge of the drums of each pair.

        Its random numbers depend on the pair's number in the table.
        """
        made = self.drummer.bridges(pairs, strategy, pair_numbers=numbers)
        return [best for best, *_ in made]
