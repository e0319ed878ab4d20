"""The model behind the page: compiled once, then asked by one request at a time."""

import collections
import logging
import time
from collections.abc import Mapping
from typing import Any

import numpy as np

from musicvae_jax import __version__
from musicvae_jax.commands import compose, edits, files, interpolate, melodies, transitions
from musicvae_jax.commands.options import Options
from musicvae_jax.inference.melody_model import MelodyModel
from musicvae_jax.midi.whole.arrangement import Source
from musicvae_jax.music.assembly import single
from musicvae_jax.music.examples import example_melodies
from musicvae_jax.music.melody import Melody
from musicvae_jax.plots import rolls
from musicvae_jax.plots.picture import save_png
from musicvae_jax.studio import fields, views, ways
from musicvae_jax.studio.jobs import Tell
from musicvae_jax.studio.landmarks import Landmarks
from musicvae_jax.studio.results import Item, Result
from musicvae_jax.system.errors import UserError
from musicvae_jax.transitions import composing
from musicvae_jax.transitions.maker import maker_of

logger = logging.getLogger(__name__)
# Modes other than `interpolate`, and how many inputs they take.
_OTHERS = {"generate": 0, "reconstruct": 2, "complete": 1, "vary": 1}


class Engine:
    """Makes results; not for several threads at once.

    Attributes:
      model: the model.
      options: of the studio.
      ways: that a bridge can go with this model, the recommended one first.
      modes: that the model is good for, in the order of the page.
      steps: how many parts the warm-up has.
      warmed: how many of them are done.
    """

    def __init__(self, model: MelodyModel, options: Options):
        self.model = model
        self.options = options
        self.warmed = 0
        can_compose = composing.can_compose(model)
        self.ways = ways.possible(can_compose)
        self.modes = tuple(mode for mode in fields.USUAL if mode != "vary" or can_compose)
        self._others = {mode: num for mode, num in _OTHERS.items() if mode in self.modes}
        self.steps = len(self.ways) + len(self._others) + 1
        self._maker = maker_of(model)
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

    def warm_up(self, tell: Tell) -> None:
        """Compiles the functions that the page's defaults need, so that no request waits."""
        begin = time.perf_counter()
        examples = example_melodies()
        for way in self.ways:
            texts = {"strategy": way.strategy, "splice": "true", "melody_only": "true"}
            self.make("interpolate", texts, examples, tell)
            self.warmed += 1
        for mode, count in self._others.items():
            texts = {"keep_bars": "1"} if mode == "vary" else {}
            try:
                self.make(mode, texts, dict(list(examples.items())[:count]), tell)
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
        options = fields.read(mode, texts, list(inputs), self.options)
        if mode == "interpolate":
            return self._interpolate(inputs, options, tell, sources, lines)
        told = melodies.keywords(mode, options)
        lengths = tuple(melody.num_bars for melody in inputs.values())
        program = (mode, lengths, options.bars, options.num)
        tell({"doing": mode, "done": 0, "total": 1, "compiles": program not in self._compiled})
        if mode == "generate":
            made = compose.generate(self.model, **told)
        elif not inputs:
            raise UserError("choose a melody first")
        elif mode == "reconstruct":
            made = compose.reconstruct(self.model, inputs, **told)
        else:
            title, melody = next(iter(inputs.items()))
            if mode == "vary":
                made = compose.vary(self.model, title, melody, options.kept_bars, **told)
            else:
                made = compose.complete(self.model, title, melody, **told)
        self._compiled.add(program)
        made = edits.composition(made, lines or {})
        report = melodies.report(mode, made, self.model, options)
        return Result(views.of_composition(made, options.kept_bars), report)

    def _interpolate(
        self,
        inputs: Mapping[str, Melody],
        options: Options,
        tell: Tell,
        sources: Mapping[str, Source] | None,
        lines: Mapping[str, Melody] | None,
    ) -> Result:
        if len(inputs) != 2:
            raise UserError("a transition needs two melodies: choose melody A and melody B")
        interpolate.check(options)
        plan = interpolate.make_plan(self.model, len(inputs), options)
        options = interpolate.with_possible_strategies(self.model, options)
        strategies = options.transition.strategies
        made: list[transitions.Transition] = []
        for number, strategy in enumerate(strategies):
            program = (strategy, plan.settings, plan.bars, options.num_or(1))
            tell(
                {
                    "doing": ways.TITLES[strategy],
                    "done": number,
                    "total": len(strategies),
                    "compiles": program not in self._compiled,
                }
            )
            alone = fields.with_strategy(options, strategy)
            made += transitions.make_transitions(
                inputs,
                self.model,
                self._maker,
                plan,
                **alone.bridging(),
                loop=alone.transition.loop,
                keep_all=alone.transition.keep_all,
                sources=sources,
                lines=lines,
            )
            self._compiled.add(program)
        outcome = transitions.report_transitions(list(inputs), made)
        report = interpolate.report(self.model, plan, options, outcome)
        ranked = sorted(made, key=lambda transition: -transition.score)
        return Result([views.of_transition(transition) for transition in ranked], report)

    @property
    def landmarks(self) -> Landmarks:
        if self._landmarks is None:
            self._landmarks = Landmarks(self.model)
        return self._landmarks

    def map_points(self, inputs: Mapping[str, Melody], tell: Tell) -> list[dict[str, Any]]:
        """The points of the map, by name; an example that is also an input is shown once."""
        _, places = self.landmarks.with_inputs(list(inputs.values()))
        names = [*self.landmarks.melodies, *inputs]
        kinds = ["landmark"] * len(self.landmarks.melodies) + ["input"] * len(inputs)
        return [
            {"name": name, "kind": kind, "x": round(float(x), 4), "y": round(float(y), 4)}
            for name, kind, (x, y) in zip(names, kinds, places, strict=True)
            if kind == "input" or name not in inputs
        ]

    def map_point(self, x: float, y: float, inputs: Mapping[str, Melody], tell: Tell) -> Result:
        """The melody at a place of the map."""
        melody, weights = self.landmarks.at(x, y, list(inputs.values()))
        if not melody.pitch.size:
            raise UserError("the model is silent there; try another place")
        shares: collections.Counter[str] = collections.Counter()
        for name, weight in zip([*self.landmarks.melodies, *inputs], weights, strict=True):
            shares[name] += float(weight)
        mix = {name: round(share, 3) for name, share in shares.most_common(3)}
        piece = single(melody, origin="between")
        view = views.view_piece(piece, np.full(piece.num_bars, 0.5))
        item = Item(
            "between",
            piece,
            lambda path: save_png(path, rolls.melodies_figure({"between": melody})),
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
