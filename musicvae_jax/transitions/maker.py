"""Bridges between melodies: every strategy, many pairs and candidates at once, ranked."""

import dataclasses
import functools
from collections.abc import Callable, Sequence
from typing import Any

import jax
import numpy as np

from musicvae_jax.inference.batching import Batched
from musicvae_jax.inference.melody_model import MelodyModel
from musicvae_jax.models import noise
from musicvae_jax.music.assembly import MAX_BRIDGE_BARS
from musicvae_jax.music.melody import Melody
from musicvae_jax.music.rebar import KEEPS
from musicvae_jax.music.tokens import CODECS, Codec, StoredCodec, has_onsets
from musicvae_jax.music.windows import bridge_ends
from musicvae_jax.system.errors import UserError
from musicvae_jax.transitions import (
    composing,
    curves,
    drum_scores,
    encoding,
    scores,
    strategies,
)
from musicvae_jax.transitions.drum_scores import DrumBarScores, DrumBridgeScores
from musicvae_jax.transitions.notes import Notes
from musicvae_jax.transitions.scores import BarScores, BridgeScores
from musicvae_jax.transitions.settings import Settings

ADHERENCE = 0.5
# With the bridge, in the middle of it, or after it.
METER_AT = ("first", "middle", "last")
# What measures transitions, by the codec in which such music is stored.
_MEASURES: dict[StoredCodec, Callable[..., tuple[Any, Any]]] = {
    CODECS["melody"].stored: scores.measure,
    CODECS["drums"].stored: drum_scores.measure,
}


@dataclasses.dataclass(frozen=True)
class Plan:
    """The kind of bridge that is wanted.

    Attributes:
      bars: its length, 1 to 64.
      is_spliced: whether it will stand between its melodies; see `windows.bridge_ends`
        and `curves.positions`.
      curve, control_curve: see `curves.sample`.
      settings: the other options.
      adherence: how closely `composed` follows its draft, from 0 to 1; see `composing`.
      meter_at: between melodies in two meters, the bar with which that of melody 2 begins, a
        name in `METER_AT`; see `meters`.
      keeps: what keeps its length there, one of `rebar.KEEPS`.

    Raises:
      UserError: the length, the adherence, a curve or a name is not as described.
    """

    bars: int
    is_spliced: bool = False
    curve: str | tuple[float, ...] = "linear"
    control_curve: str | tuple[float, ...] = "linear"
    settings: Settings = dataclasses.field(default_factory=Settings)
    adherence: float = ADHERENCE
    meter_at: str = "middle"
    keeps: str = "beat"

    def __post_init__(self) -> None:
        if not 0 <= self.adherence <= 1:
            raise UserError(f"adherence={self.adherence:g}: must lie in 0..1", "adherence")
        if not 1 <= self.bars <= MAX_BRIDGE_BARS:
            raise UserError(f"bars={self.bars}: 1 to {MAX_BRIDGE_BARS} are possible", "bars")
        for name, value, valid in (
            ("meter_at", self.meter_at, METER_AT),
            ("meter_keeps", self.keeps, KEEPS),
        ):
            if value not in valid:
                raise UserError(f"{name}={value}: unknown; valid are {', '.join(valid)}", name)
        curves.check("curve", self.curve)
        curves.check("control_curve", self.control_curve)

    @property
    def bars_before_change(self) -> int:
        """The bars in the meter of melody 1, if that of melody 2 is another."""
        return {"first": 0, "middle": self.bars // 2, "last": self.bars}[self.meter_at]

    def t(self, name: str) -> np.ndarray:
        """The curve `t_latent` or `t_control`: [bars] float32."""
        curve = self.curve if name == "t_latent" else self.control_curve
        return curves.sample(curve, self.bars, self.is_spliced)

    def followed(self, strategy: str) -> dict[str, np.ndarray]:
        """The curves that a strategy follows, by name: [bars] float32 each."""
        return {name: self.t(name) for name in strategies.STRATEGIES[strategy].curves}


@dataclasses.dataclass(frozen=True)
class Bridge:
    """A transition from one melody to another; see `interpolate`.

    >>> import musicvae_jax as mv
    >>> model = mv.load_model()
    >>> ode, reel = mv.example_melodies().values()
    >>> [bridge] = mv.interpolate(model, ode, reel, bars=8)
    >>> bridge.melody.num_bars
    8

    Attributes:
      melody: with melody 1's tempo and program; of a bridge that changes its meter, the bars
        before.
      strategy: the name of the strategy that made it.
      number: which of the candidates it is; their random numbers depend on it.
      scores: of the whole.
      by_bar: scores of each bar.
      t_latent, t_control: [bars] float32, the curves as far as the strategy follows them,
        or else None.
      rest: of a bridge that changes its meter, the bars after; otherwise None.
    """

    melody: Melody
    strategy: str
    number: int
    scores: BridgeScores | DrumBridgeScores
    by_bar: BarScores | DrumBarScores
    t_latent: np.ndarray | None = None
    t_control: np.ndarray | None = None
    rest: Melody | None = None

    @property
    def parts(self) -> tuple[Melody, ...]:
        """All of it, a melody for each meter."""
        return (self.melody,) if self.rest is None else (self.melody, self.rest)

    @property
    def score(self) -> float:
        """How good it is, from 0 to 1; see `BridgeScores`."""
        return float(self.scores.score)

    @property
    def curve(self) -> np.ndarray:
        """How far each bar has come from melody 1 (0) to melody 2 (1): [bars] float32."""
        curve = self.t_control if self.t_latent is None else self.t_latent
        assert curve is not None  # every strategy follows one
        return curve

    def report(self) -> dict[str, Any]:
        """Everything but the melody and the strategy, for JSON."""
        followed = {"t_latent": self.t_latent, "t_control": self.t_control}
        by_bar = {name: t for name, t in followed.items() if t is not None} | vars(self.by_bar)
        rounded = {
            name: np.round(np.asarray(value, np.float64), 4).tolist()
            for name, value in by_bar.items()
        }
        whole = {name: round(value, 4) for name, value in vars(self.scores).items()}
        return {"candidate": self.number, **whole, **rounded}


class BridgeMaker:
    """Makes bridges with a model, on all devices; compiles once for each kind of bridge."""

    def __init__(self, model: MelodyModel):
        self._model = model
        self._measure = Batched(self._measured)
        self._programs: dict[tuple[str, Settings], Batched] = {}

    def _program(self, strategy: str, settings: Settings) -> Batched:
        """The compiled function that makes bridges by a strategy."""
        program = self._programs.get((strategy, settings))
        if program is None:
            made = functools.partial(self._made, strategy, settings)
            program = self._programs[strategy, settings] = Batched(made)
        return program

    def _made(
        self, strategy: str, settings: Settings, params: Any, rows: Any, shared: Any
    ) -> tuple[jax.Array, Notes, Notes]:
        *pair, keys, written = rows
        t_latent, t_control, temperature = shared
        trained = self._model.trained(params)
        path = None
        if written is not None:
            path = encoding.window_path(trained.model, written)[:, : t_latent.shape[0]]
        tokens, inputs = strategies.transition(
            trained,
            strategy,
            tuple(pair),
            t_latent=t_latent,
            t_control=t_control,
            keys=jax.random.wrap_key_data(keys),
            temperature=temperature,
            settings=settings,
            composed_path=path,
        )
        return tokens, inputs.notes_1, inputs.notes_2

    def _measured(self, params: Any, rows: Any, t: jax.Array) -> tuple[Any, Any]:
        tokens, *pair = rows
        measure = _MEASURES[self._model.codec.stored]
        return measure(self._model.trained(params), tokens, tuple(pair), t)

    def _drafts(
        self, sides: Sequence[np.ndarray], keys: np.ndarray, plan: Plan, num: int
    ) -> list[Melody]:
        """What the composer begins with, one for each pair, decoded at temperature 0."""
        first_of_each = (*(side[::num] for side in sides), keys[::num], None)
        shared = (plan.t("t_latent"), plan.t("t_control"), np.float32(0.0))
        program = self._program(composing.DRAFT, plan.settings)
        tokens, *_ = program(self._model.replicated, first_of_each, shared)
        return [self._model.melody(row) for row in tokens]

    def __call__(
        self,
        pairs: Sequence[tuple[Melody, Melody]],
        strategy: str,
        plan: Plan,
        *,
        num: int = 1,
        seed: int | jax.Array = 0,
        temperature: float = 0.0,
        pair_numbers: Sequence[int] | None = None,
    ) -> list[list[Bridge]]:
        """Makes `num` bridges for each pair, all at once.

        Args:
          pairs: melodies of any length of at least a bar.
          strategy: a name in `strategies.STRATEGIES`.
          plan: what is wanted.
          num: how many candidates for each pair. More of them leave the first as they are.
          seed: an integer or a key. The random numbers of a pair depend on it and on the
            pair's number.
          temperature: of decoding.
          pair_numbers: for each pair; by default they are counted from 0.

        Returns:
          For each pair its different candidates, the best score first.

        Raises:
          UserError: a rhythm is to be kept, and the model's tokens have no onsets or no
            pitches; or pitches are to be limited, and they have none; or the strategy needs a
            composer, and the model has none.
        """
        check_limits(plan.settings, self._model.codec)
        strategies.possible([strategy], composing.can_compose(self._model))
        ends = [bridge_ends(*pair, plan.bars, plan.is_spliced) for pair in pairs]
        sides = [
            np.repeat(self._model.tokens(side), num, axis=0) for side in zip(*ends, strict=True)
        ]
        numbers = np.arange(len(pairs)) if pair_numbers is None else np.asarray(pair_numbers)
        keys = jax.vmap(jax.random.fold_in, in_axes=(None, 0))(noise.as_key(seed), numbers)
        keys = jax.vmap(lambda key: noise.example_keys(key, 0, num))(keys).reshape(-1)
        shared = (plan.t("t_latent"), plan.t("t_control"), np.float32(temperature))
        key_data = np.asarray(jax.random.key_data(keys))
        written = None
        if strategies.STRATEGIES[strategy].needs_composer:
            written = composing.latents(
                self._model,
                pairs,
                self._drafts(sides, key_data, plan, num),
                t=plan.t("t_latent"),
                keys=keys,
                is_spliced=plan.is_spliced,
                adherence=plan.adherence,
            )
        rows = (*sides, key_data, written)
        params, followed = self._model.replicated, plan.followed(strategy)
        tokens, *melodies = self._program(strategy, plan.settings)(params, rows, shared)
        t = np.mean(list(followed.values()), axis=0, dtype=np.float32)
        by_bar, whole = self._measure(params, (tokens, *melodies), t)

        def bridge(row: int) -> Bridge:
            first, _ = pairs[row // num]
            return Bridge(
                melody=self._model.melody(tokens[row], like=first),
                strategy=strategy,
                number=row % num,
                scores=jax.tree.map(lambda values: float(values[row]), whole),
                by_bar=jax.tree.map(lambda values: values[row], by_bar),
                t_latent=followed.get("t_latent"),
                t_control=followed.get("t_control"),
            )

        candidates = [bridge(row) for row in range(len(pairs) * num)]
        return [_ranked(candidates[first : first + num]) for first in range(0, len(tokens), num)]


def check_limits(settings: Settings, codec: Codec) -> None:
    """Raises: UserError: limits that the tokens of a model do not know."""
    if settings.rhythm and not (has_onsets(codec) and codec.has_pitches):
        raise UserError(
            f"rhythm={settings.rhythm}: needs a model whose tokens have onsets and pitches",
            "rhythm",
        )
    if settings.restricts_pitches and not codec.has_pitches:
        raise UserError(
            "scale, pitch_range: the model's music has no pitches to limit", "scale", "pitch_range"
        )


def maker_of(model: MelodyModel) -> BridgeMaker:
    """The maker of a model: one for all who ask, so that nothing is compiled twice."""
    if BridgeMaker not in model.compiled:
        model.compiled[BridgeMaker] = BridgeMaker(model)
    return model.compiled[BridgeMaker]


def _ranked(candidates: Sequence[Bridge]) -> list[Bridge]:
    """The different ones, the best first."""
    different = {tuple(c.melody.notes()): c for c in reversed(candidates)}
    return sorted(different.values(), key=lambda c: (-c.score, c.number))
