"""The model behind the page: compiled once, then asked by one request at a time."""

import collections
import dataclasses
import logging
import time
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from musicvae_jax import __version__
from musicvae_jax.commands import (
    band,
    compose,
    edits,
    files,
    interpolate,
    melodies,
    places,
    transitions,
)
from musicvae_jax.commands.options import Options
from musicvae_jax.inference.melody_model import MelodyModel
from musicvae_jax.midi.whole.arrangement import Source
from musicvae_jax.music.melody import Melody
from musicvae_jax.music.rebar import rebar
from musicvae_jax.plots.picture import save_png
from musicvae_jax.studio import fields, ways
from musicvae_jax.studio.compositions import of_composition
from musicvae_jax.studio.jobs import Tell
from musicvae_jax.studio.kinds import kind_of
from musicvae_jax.studio.landmarks import Landmarks
from musicvae_jax.studio.results import Result
from musicvae_jax.system.errors import UserError
from musicvae_jax.transitions import composing
from musicvae_jax.transitions.maker import Plan, maker_of
from musicvae_jax.transitions.meters import MeterBridgeMaker
from musicvae_jax.transitions.places import AUTO

logger = logging.getLogger(__name__)
# Modes other than `interpolate`, and how many inputs they take.
_OTHERS = {"generate": 0, "reconstruct": 2, "complete": 1, "vary": 1}


class Engine:
    """Makes results; not for several threads at once.

    Attributes:
      kind: of the music that the model knows.
      model: the model; melodies in other bars than it knows are for another one, which is loaded
        when the first of them comes.
      options: of the studio.
      ways: that a bridge can go with this model, the recommended one first.
      modes: that the model is good for, in the order of the page.
      steps: how many parts the warm-up has.
      warmed: how many of them are done.
    """

    def __init__(self, model: MelodyModel, options: Options):
        self.model = model
        self.kind = kind_of(model)
        self.options = options
        self.warmed = 0
        can_compose = composing.can_compose(model)
        self.ways = ways.possible(can_compose)
        self.modes = tuple(mode for mode in fields.USUAL if mode != "vary" or can_compose)
        self._others = {mode: num for mode, num in _OTHERS.items() if mode in self.modes}
        self._usual_ways = [way for way in self.ways if way.is_usual]
        self.steps = len(self._usual_ways) + len(self._others) + 1
        self._models = {model.grid.steps_per_bar: model}
        self._drum_model: MelodyModel | None = None  # loaded when it is needed
        self._landmarks: Landmarks | None = None
        self._compiled: set[tuple] = set()

    def describe(self) -> dict[str, Any]:
        """The model in words and numbers, for JSON."""
        checkpoint = self.model.checkpoint
        return {
            "version": __version__,
            "checkpoint": str(checkpoint.path),
            "step": checkpoint.step,
            "bars": self.model.bars,
        }

    def models(self, inputs: Sequence[Melody], tell: Tell) -> dict[int, MelodyModel]:
        """By the steps of a bar the models that some melodies need, that of the first one first.

        Raises:
          UserError: there is no model of the bars of a melody.
        """
        needed = dict.fromkeys(melody.grid.steps_per_bar for melody in inputs)
        for steps in needed:
            if steps not in self._models:
                tell({"doing": "loading a model for such bars", "done": 0, "total": 1})
                self._models[steps] = files.shipped_for(steps)
        return {steps: self._models[steps] for steps in needed}

    def base_for(self, inputs: Sequence[Melody]) -> Options:
        """The options of the studio, without its model if the inputs are for another one."""
        steps = {melody.grid.steps_per_bar for melody in inputs}
        if not steps or self.model.grid.steps_per_bar in steps:
            return self.options
        return dataclasses.replace(self.options, checkpoint="", workdir=fields.DEFAULT_WORKDIR)

    @property
    def _examples(self) -> dict[str, Any]:
        return dict(self.kind.instrument.examples(self.model.grid.steps_per_bar))

    def warm_up(self, tell: Tell) -> None:
        """Compiles the functions that the page's defaults need, so that no request waits."""
        begin = time.perf_counter()
        for way in self._usual_ways:
            texts = {"strategy": way.strategy, "splice": "true"}
            self.make("interpolate", texts, self._examples, tell)
            self.warmed += 1
        for mode, count in self._others.items():
            texts = {"keep_bars": "1"} if mode == "vary" else {}
            try:
                self.make(mode, texts, dict(list(self._examples.items())[:count]), tell)
            except UserError as error:  # a model of one bar, or of more than the examples have
                logger.info("%s is not to be had: %s", mode, error)
            self.warmed += 1
        self.map_point(0.5, 0.5, {}, tell)
        self.warmed += 1
        logger.info("the studio is warm after %.1f s", time.perf_counter() - begin)

    def make(
        self,
        mode: str,
        texts: Mapping[str, str],
        inputs: Mapping[str, Melody],
        tell: Tell,
        sources: Mapping[str, Source] | None = None,
        lines: Mapping[str, Melody] | None = None,
    ) -> Result:
        """Runs a mode on inputs.

        Args:
          mode: `interpolate`, `generate`, `reconstruct`, `complete` or `vary`.
          texts: flags, see `fields.read`.
          inputs: titled melodies.
          tell: called with each report of progress.
          sources: by the same titles the songs whole, if a transition is to play them.
          lines: by the stems of results, their lines as they were edited by hand.

        Raises:
          UserError: an option or an input cannot be used.
        """
        options = fields.read(mode, texts, list(inputs), self.options, self.kind.without)
        if lines and not self.kind.is_line:
            raise UserError("edits: those of melodies alone are taken")
        if mode == "interpolate":
            return self._interpolate(inputs, options, tell, sources, lines)
        told = melodies.keywords(mode, options)
        models = self.models(list(inputs.values()), tell) or {0: self.model}
        if len(models) > 1:
            raise UserError(
                "melodies A and B are in bars of different models: choose two of a kind"
            )
        [model] = models.values()
        lengths = tuple(melody.num_bars for melody in inputs.values())
        program = (model.grid, mode, lengths, options.bars, options.num)
        tell({"doing": mode, "done": 0, "total": 1, "compiles": program not in self._compiled})
        if mode == "generate":
            made = compose.generate(model, **told)
        elif not inputs:
            raise UserError(f"choose a {self.kind.noun} first")
        elif mode == "reconstruct":
            made = compose.reconstruct(model, inputs, **told)
        else:
            title, melody = next(iter(inputs.items()))
            if mode == "vary":
                made = compose.vary(model, title, melody, options.kept_bars, **told)
            else:
                made = compose.complete(model, title, melody, **told)
        self._compiled.add(program)
        made = edits.composition(made, lines or {})
        report = melodies.report(mode, made, model, options)
        return Result(of_composition(made, self.kind, model, options), report)

    def _interpolate(
        self,
        inputs: Mapping[str, Melody],
        options: Options,
        tell: Tell,
        sources: Mapping[str, Source] | None,
        lines: Mapping[str, Melody] | None,
    ) -> Result:
        if len(inputs) < 2:
            noun, nouns = self.kind.noun, self.kind.nouns
            raise UserError(f"a transition needs two {nouns}: choose {noun} A and {noun} B")
        interpolate.check(options)
        models = self.models(list(inputs.values()), tell)
        model, *_ = models.values()
        for one in models.values():
            options = interpolate.with_possible_strategies(one, options)
        plan = interpolate.make_plan(model, len(inputs), options)
        maker = MeterBridgeMaker({steps: maker_of(one) for steps, one in models.items()})
        inputs, sources, chosen = self._chosen(inputs, sources, maker, plan, options, tell)
        beats = self._drums(sources, plan, options, tell)
        around: dict[str, Any] = {}
        if self.kind.is_line:
            around = {"sources": sources, "drums": beats, "lines": lines}
        grids = tuple(melody.grid for melody in inputs.values())
        strategies = options.transition.strategies
        made: list[Any] = []
        for number, strategy in enumerate(strategies):
            lengths = options.transition.bridge_bars or (plan.bars,)
            program = (grids, strategy, plan.settings, frozenset(lengths), options.num_or(1))
            tell(
                {
                    "doing": ways.TITLES[strategy],
                    "done": number,
                    "total": len(strategies),
                    "compiles": program not in self._compiled,
                }
            )
            alone = fields.with_strategy(options, strategy)
            made += self.kind.transitions(inputs, model, maker, plan, alone, **around)
            self._compiled.add(program)
        outcome = chosen | transitions.report_transitions(list(inputs), made)
        if beats is not None:
            outcome["drum_checkpoint"] = files.checkpoint_facts(beats.drummer.model)
        if len(models) > 1:
            outcome["checkpoints"] = {n: files.checkpoint_facts(one) for n, one in models.items()}
        report = interpolate.report(model, plan, options, outcome)
        ranked = sorted(made, key=lambda transition: -transition.score)
        return Result([self.kind.view_transition(transition) for transition in ranked], report)

    def _chosen(
        self,
        inputs: Mapping[str, Any],
        sources: Mapping[str, Source] | None,
        maker: MeterBridgeMaker,
        plan: Plan,
        options: Options,
        tell: Tell,
    ) -> tuple[dict[str, Any], dict[str, Source], dict[str, Any]]:
        """What is played of the inputs; see `places.choose`."""
        told = options.transition
        if AUTO in (told.leave, told.enter):
            tell({"doing": "Where to leave A and enter B", "done": 0, "total": 1})
        key_path = told.key_path if self.kind.is_line else None
        return places.choose(inputs, sources or {}, maker, plan, options, key_path=key_path)

    def _drums(
        self, sources: Mapping[str, Source], plan: Plan, options: Options, tell: Tell
    ) -> band.ChainDrums | None:
        """What bridges the drums of two songs, which are played whole, if that is asked for."""
        if not options.transition.has_drum_bridge:
            return None
        tell({"doing": "The drums", "done": 0, "total": 1, "compiles": self._drum_model is None})
        beats = band.chain_drums(sources, plan, options, self._drum_model)
        self._drum_model = beats.drummer.model
        return beats

    @property
    def landmarks(self) -> Landmarks:
        if self._landmarks is None:
            self._landmarks = Landmarks(self.model, self._examples)
        return self._landmarks

    def map_points(self, inputs: Mapping[str, Melody], tell: Tell) -> list[dict[str, Any]]:
        """The points of the map, by name; an example that is also an input is shown once."""
        _, places = self.landmarks.with_inputs(self._on_map(inputs))
        names = [*self.landmarks.melodies, *inputs]
        kinds = ["landmark"] * len(self.landmarks.melodies) + ["input"] * len(inputs)
        return [
            {"name": name, "kind": kind, "x": round(float(x), 4), "y": round(float(y), 4)}
            for name, kind, (x, y) in zip(names, kinds, places, strict=True)
            if kind == "input" or name not in inputs
        ]

    def _on_map(self, inputs: Mapping[str, Melody]) -> list[Melody]:
        """The inputs, in the bars of the map's model."""
        grid = self.model.grid
        return [
            melody if melody.grid.steps_per_bar == grid.steps_per_bar else rebar(melody, grid)
            for melody in inputs.values()
        ]

    def map_point(self, x: float, y: float, inputs: Mapping[str, Melody], tell: Tell) -> Result:
        """The melody at a place of the map."""
        music, weights = self.landmarks.at(x, y, self._on_map(inputs))
        if not music.notes():
            raise UserError("the model is silent there; try another place")
        shares: collections.Counter[str] = collections.Counter()
        for name, weight in zip([*self.landmarks.melodies, *inputs], weights, strict=True):
            shares[name] += float(weight)
        mix = {name: round(share, 3) for name, share in shares.most_common(3)}
        music = self.kind.instrument.finish(self.model, music, self.options)
        piece = self.kind.single(music, "between")
        view = self.kind.view_piece(piece, np.full(piece.num_bars, 0.5))
        item = self.kind.item(
            "between",
            piece,
            lambda path: save_png(path, self.kind.instrument.figure({"between": music})),
            view | {"title": "In between", "name": "between.mid", "facts": mix},
        )
        place = {"x": x, "y": y, "weights": mix}
        report = files.report(
            "map",
            self.model,
            seed=self.options.seed,
            temperature=0.0,
            inputs=self.options.inputs,
            results=place,
        )
        return Result([item], report)
