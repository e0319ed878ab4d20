"""Transitions between two melodies, for use from Python."""

from collections.abc import Collection, Sequence

import jax

from musicvae_jax.inference.melody_model import MelodyModel
from musicvae_jax.music.keys import SCALES, TONICS
from musicvae_jax.music.melody import Melody
from musicvae_jax.music.modulation import plan_keys
from musicvae_jax.music.piece import MAX_BRIDGE_BARS
from musicvae_jax.transitions.curves import CURVES
from musicvae_jax.transitions.maker import Bridge, BridgeMaker, Plan
from musicvae_jax.transitions.mixing import GRANULARITIES, PATHS
from musicvae_jax.transitions.strategies import STRATEGIES, Settings


def interpolate(
    model: MelodyModel,
    a: Melody,
    b: Melody,
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
      a, b: melodies of any length of at least a bar.
      bars: the length of a transition, 1 to 64; None for the model's.
      strategy: a name in `STRATEGIES`, or several.
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

    Returns:
      The different candidates of all strategies, the best score first.

    Raises:
      ValueError: an argument is not as described.
      UserError: the model's tokens cannot keep a rhythm.
    """
    bars = model.bars if bars is None else bars
    names = (strategy,) if isinstance(strategy, str) else tuple(strategy)
    curve = curve if isinstance(curve, str) else tuple(curve)
    if control_curve is None:
        control_curve = curve
    control_curve = control_curve if isinstance(control_curve, str) else tuple(control_curve)
    low, high = pitch_range
    settings = Settings(path, granularity, ends, scale, (low, high), rhythm)
    plan = Plan(bars, not alone, curve, control_curve, settings)
    if not names:
        raise ValueError("at least one strategy is needed")
    for name in names:
        _check_name("strategy", name, STRATEGIES)
    _check(plan, num)
    for melody in (a, b):
        if melody.num_bars < 1:
            raise ValueError("a melody without bars has no transition")
    if temperature is None:
        temperature = 0.5 if num > 1 else 0.0
    maker = model.compiled.get(BridgeMaker)
    if maker is None:
        maker = model.compiled[BridgeMaker] = BridgeMaker(model)
    pairs = plan_keys((a, b), key_path).pairs
    made: list[Bridge] = []
    for name in dict.fromkeys(names):
        [candidates] = maker(pairs, name, plan, num=num, seed=seed, temperature=temperature)
        made += candidates
    return sorted(made, key=lambda bridge: -bridge.score)


def _check_name(what: str, name: str, valid: Collection[str]) -> None:
    if name not in valid:
        raise ValueError(f"{what}={name!r}: unknown; valid are {', '.join(valid)}")


def _check(plan: Plan, num: int) -> None:
    """Raises: ValueError: a number or a name cannot be used."""
    settings = plan.settings
    if not 1 <= plan.bars <= MAX_BRIDGE_BARS:
        raise ValueError(f"bars={plan.bars}: 1 to {MAX_BRIDGE_BARS} are possible")
    if num < 1:
        raise ValueError(f"num={num}: at least 1 is needed")
    for what, curve in (("curve", plan.curve), ("control_curve", plan.control_curve)):
        if isinstance(curve, str):
            _check_name(what, curve, CURVES)
        elif not curve or not all(0 <= number <= 1 for number in curve):
            raise ValueError(f"{what}={curve}: numbers from 0 to 1 are needed")
    _check_name("path", settings.path, PATHS)
    _check_name("granularity", settings.granularity, GRANULARITIES)
    _check_name("ends", settings.ends, ("exact", "model"))
    tonic, _, name = settings.scale.partition("_")
    if settings.scale not in ("none", "auto") and not (tonic in TONICS and name in SCALES):
        raise ValueError(
            f"scale={settings.scale!r}: unknown; valid are none, auto, or a tonic and one of "
            f"{', '.join(SCALES)}, such as C_major"
        )
    low, high = settings.pitch_range
    if not (0 <= low <= high <= 127 and high - low >= 11):
        raise ValueError(
            f"pitch_range={settings.pitch_range}: two MIDI notes from 0 to 127 are needed, the "
            "second at least 11 above the first"
        )
    if settings.rhythm not in (0, 1, 2):
        raise ValueError(f"rhythm={settings.rhythm}: valid are 0, 1 and 2")
