"""`--drums=bridge`: the drums of whole songs have a bridge of their own, beside the melody's."""

import dataclasses
import itertools
import pathlib
from collections.abc import Mapping

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
    if told.pairs is not None:
        raise UserError("--drums=bridge: cannot be used with --pairs")
    if told.melody_only or not (told.splice or len(options.inputs) > 2):
        raise UserError("--drums=bridge: needs --splice, and cannot be used with --melody_only")


@dataclasses.dataclass(frozen=True)
class Drummer:
    """Makes the bridges of the drums of whole songs, on the bars and the curve of the melodies'.

    Attributes:
      model: of drums.
      patterns: by title the drums of each song, on the bars of its melody.
      plan: of the bridges.
      options: how they are drawn and played.
    """

    model: MelodyModel
    patterns: Mapping[str, Drums]
    plan: Plan
    options: Options

    def __call__(self, strategy: str) -> list[list[Bridge]]:
        """For each bridge its candidates as they are played, the best first."""
        told, patterns = self.options, list(self.patterns.values())
        candidates = bridges_of(
            maker_of(self.model),
            drum_transitions.pairs_of(patterns, loop=told.transition.loop),
            strategy,
            dataclasses.replace(self.plan, settings=self.plan.settings.without_pitches()),
            told.transition.bridge_bars,
            num=told.num_or(1),
            seed=told.seed,
            temperature=told.transition_temperature,
        )
        return [[self._played(bridge) for bridge in ranked] for ranked in candidates]

    def _played(self, bridge: Bridge) -> Bridge:
        played = DRUMS.finish(self.model, bridge.melody, self.options)
        return dataclasses.replace(bridge, melody=played)

    def figure(self, bridges: tuple[Bridge, ...], title: str) -> Figure:
        """The drums of all songs on the bars of their melodies, with some of the bridges."""
        titles = [pathlib.Path(title).name for title in self.patterns]
        made = [bridge.melody for bridge in bridges]
        piece = drum_chain(list(self.patterns.values()), made, titles)
        return drum_transitions.figure(piece, bridges, title)


def drummer(
    sources: Mapping[str, Source],
    plan: Plan,
    options: Options,
    model: MelodyModel | None = None,
) -> Drummer:
    """The drummer of some songs.

    Args:
      sources: by title the songs.
      plan: of the bridges.
      options: how they are drawn and played.
      model: of drums; by default the shipped one is loaded.

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
    told = options.transition
    titles = [*patterns, *([next(iter(patterns))] if told.loop else [])]
    for number, (before, after) in enumerate(itertools.pairwise(titles)):
        bars = told.bridge_bars[number] if told.bridge_bars else plan.bars
        ends = bridge_ends(patterns[before], patterns[after], bars, True)
        for title, end, where in zip((before, after), ends, ("last", "first"), strict=True):
            if len(end.hits()) < MIN_HITS:
                raise UserError(
                    f"--drums=bridge: {title} has no drums in the {where} {bars} bars of its "
                    "melody, beside the bridge; both songs need some"
                )
    if model is None:
        alone = dataclasses.replace(options, checkpoint=load.DRUMS, workdir=pathlib.Path())
        model = load_model(None, alone)
    return Drummer(model, patterns, plan, options)
