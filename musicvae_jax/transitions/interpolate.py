"""Transitions between two melodies, for use from Python."""

from collections.abc import Sequence
from typing import cast

import jax

from musicvae_jax.inference.melody_model import MelodyModel
from musicvae_jax.music.drums import Drums
from musicvae_jax.music.melody import Melody
from musicvae_jax.music.modulation import plan_keys
from musicvae_jax.system.errors import UserError
from musicvae_jax.transitions import composing, strategies
from musicvae_jax.transitions.maker import ADHERENCE, Bridge, Plan, maker_of
from musicvae_jax.transitions.meters import MeterBridgeMaker
from musicvae_jax.transitions.settings import Settings


def interpolate(
    model: MelodyModel,
    a: Melody | Drums,
    b: Melody | Drums,
    *,
    bars: int | None = None,
    strategy: str | Sequence[str] = "dual_conductor",
    curve: str | Sequence[float] = "linear",
    control_curve: str | Sequence[float] | None = None,
    num: int = 1,
    seed: int | jax.Array = 0,
    temperature: float | None = None,
    alone: bool = False,
    key_path: str = "keep",
    path: str = "linear",
    granularity: str = "bar",
    ends: str = "exact",
    scale: str = "none",
    pitch_range: tuple[int, int] = (0, 127),
    rhythm: int = 0,
    adherence: float = ADHERENCE,
    meter_at: str = "middle",
    keeps: str = "beat",
    second_model: MelodyModel | None = None,
) -> list[Bridge]:
    """Makes transitions from one melody to another.

    >>> import musicvae_jax as mv
    >>> model = mv.load_model()
    >>> ode, reel = mv.example_melodies().values()
    >>> best, *others = mv.interpolate(model, ode, reel, bars=8, num=3)
    >>> best.melody.num_bars
    8
    >>> piece = mv.splice(ode, best, reel)

    Args:
      model: from `load_model`.
      a, b: melodies of any length of at least a bar, or drums, of the kind that the model knows.
      bars: the length of a transition, 1 to 64; None for the model's.
      strategy: a name in `STRATEGIES`, or several, or `all`.
      curve: how far each bar has come from `a` (0) to `b` (1): a name in `CURVES`, or
        numbers from 0 to 1, one for each bar or otherwise joined by lines.
      control_curve: the same for the notes that are mixed; None for `curve`.
      num: how many candidates for each strategy, at least 1.
      seed: an integer or a key of `jax.random.key`.
      temperature: of decoding: 0 takes the likeliest tokens, 1 draws from the model's
        distribution. None for 0 with one candidate, and 0.5 with more.
      alone: False for a bridge to be played between the two melodies (`splice`): it leaves
        the end of `a` and prepares the beginning of `b`. True for a transition that is
        played by itself: it begins in `a` and ends in `b`.
      key_path: see `splice`, which needs the same; `transpose` moves `b` to the key of `a`
        first, and so does `glide`, for which `splice` then moves the bridge bar by bar.
      path: `linear` or `spherical`, how latents move.
      granularity: `bar` or `note`, what is mixed as a whole.
      ends: `exact` or `model`: whether bars at 0 and 1 are the melodies' own, or the
        model's reconstructions.
      scale: `none`; `auto`, the scale of the key of `a` up to half way, and then of that of
        `b`; or a tonic and a name in `SCALES`, such as `C_major` or `F#_dorian`.
      pitch_range: the lowest and the highest MIDI note, at least 11 apart.
      rhythm: 1 keeps the rhythm of `a`, 2 that of `b`; 0 is free.
      adherence: how closely `composed` follows the bridge of `dual_conductor`: 0 composes
        freely between the melodies, and 1 gives what the model makes of that bridge.
      meter_at: between melodies in two meters, `first`, `middle` or `last`: whether the meter
        of `b` begins with the bridge, in the middle of it, or after it.
      keeps: `beat` or `bar`, what keeps its length there.
      second_model: if their bars have 16 and 12 steps, the model of the bars that `model` does
        not know.

    Returns:
      The different candidates of all strategies, the best score first.

    Raises:
      UserError: an option is not as described, the model's tokens cannot keep a rhythm, or the
        strategy needs a bar prior, and the model has none.
      ValueError: a melody has no bars, or the key path is unknown.
    """
    bars = model.bars if bars is None else bars
    names = strategies.check((strategy,) if isinstance(strategy, str) else tuple(strategy))
    control_curve = curve if control_curve is None else control_curve
    # A list could not be a key of compiled programs; `Settings` checks the length.
    limits = cast("tuple[int, int]", tuple(pitch_range))
    settings = Settings(path, granularity, ends, scale, limits, rhythm)
    names = strategies.possible(names, composing.can_compose(model))
    plan = Plan(
        bars,
        not alone,
        _hashable(curve),
        _hashable(control_curve),
        settings,
        adherence,
        meter_at,
        keeps,
    )
    if num < 1:
        raise UserError(f"num={num}: at least 1 is needed", "num")
    for melody in (a, b):
        if melody.num_bars < 1:
            raise ValueError("a melody without bars has no transition")
    if temperature is None:
        temperature = 0.5 if num > 1 else 0.0
    models = (model,) if second_model is None else (second_model, model)
    maker = MeterBridgeMaker({one.grid.steps_per_bar: maker_of(one) for one in models})
    pair = cast("tuple[Melody, Melody]", (a, b))
    # Drums have no key; whether a model knows what it is given, it says itself.
    pairs = plan_keys(pair, key_path).pairs if model.codec.has_pitches else (pair,)
    made: list[Bridge] = []
    for name in names:
        [candidates] = maker(pairs, name, plan, num=num, seed=seed, temperature=temperature)
        made += candidates
    return sorted(made, key=lambda bridge: -bridge.score)


def _hashable(curve: str | Sequence[float]) -> str | tuple[float, ...]:
    return curve if isinstance(curve, str) else tuple(curve)
