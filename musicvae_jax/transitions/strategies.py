"""Transitions from one melody to another: pure functions on batches of pairs.

For each bar a curve says how far it has come from melody 1 (t = 0) to melody 2 (t = 1):
`t_latent` moves the latent, `t_control` mixes the notes that the decoder is fed. A
strategy is a small function of a `Decoding`, the model that it may use, and
`TransitionInputs`, which hold all of that for a batch (both in `transitions.decoding`);
adding one takes a function and its line in `STRATEGIES`.

The ends are exact. A bar for which every curve that the strategy uses is 0 comes out as
that bar of melody 1, and where all are 1, of melody 2: the decoder is forced through
them, so that what lies between is decoded in their context. With `ends="model"` the
model decodes them as well; where the curve is 0 from the first bar to the last, that is
its reconstruction of melody 1.
"""

import dataclasses
from collections.abc import Callable, Sequence

import jax
import jax.numpy as jnp

from musicvae_jax.models import noise
from musicvae_jax.models.trained import TrainedModel
from musicvae_jax.music.tokens import Codec
from musicvae_jax.system.errors import UserError
from musicvae_jax.transitions import constraints, encoding, mixing
from musicvae_jax.transitions import notes as notes_lib
from musicvae_jax.transitions.decoding import Decoding, TransitionInputs
from musicvae_jax.transitions.settings import Settings

_CONTROL, _DECODE = 0, 1  # purposes of random numbers


def latent(decoding: Decoding, inputs: TransitionInputs) -> jax.Array:
    """Decodes freely along a path that moves from melody 1's latent to melody 2's."""
    return decoding.freely(decoding.conduct(inputs.path))


def teacher_forcing(decoding: Decoding, inputs: TransitionInputs) -> jax.Array:
    """Keeps melody 1's latent, and feeds the decoder a mix of both melodies' notes."""
    return decoding.following(decoding.conduct(inputs.path_1), inputs.control)


def combined(decoding: Decoding, inputs: TransitionInputs) -> jax.Array:
    """Both: the latent moves, and the decoder is fed a mix of both melodies' notes."""
    return decoding.following(decoding.conduct(inputs.path), inputs.control)


def _two_conductors(decoding: Decoding, inputs: TransitionInputs) -> jax.Array:
    weight = inputs.t_latent[:, None, None]
    first, second = decoding.conduct(inputs.path_1), decoding.conduct(inputs.path_2)
    return (1 - weight) * first + weight * second


def dual_conductor(decoding: Decoding, inputs: TransitionInputs) -> jax.Array:
    """Two conductors run, one for each melody, and their bar embeddings are mixed."""
    return decoding.freely(_two_conductors(decoding, inputs))


def dual_combined(decoding: Decoding, inputs: TransitionInputs) -> jax.Array:
    """Two conductors, and the decoder is fed a mix of both melodies' notes."""
    return decoding.following(_two_conductors(decoding, inputs), inputs.control)


def composed(decoding: Decoding, inputs: TransitionInputs) -> jax.Array:
    """Decodes what a composer has written between the melodies (see `composing`)."""
    assert inputs.composed is not None
    return decoding.freely(decoding.conduct(inputs.composed))


def crossfade(decoding: Decoding, inputs: TransitionInputs) -> jax.Array:
    """A baseline without the model: the mix of both melodies' notes itself."""
    return decoding.as_it_is(inputs.control)


def cut(decoding: Decoding, inputs: TransitionInputs) -> jax.Array:
    """A baseline without the model: melody 1 up to half way, and then melody 2."""
    takes_second = jnp.repeat(inputs.t_control >= 0.5, inputs.notes_1.steps_per_bar)
    shape = inputs.notes_1.pitch.shape
    chosen = notes_lib.choose(jnp.broadcast_to(takes_second, shape), inputs.notes_1, inputs.notes_2)
    return decoding.as_it_is(chosen)


@dataclasses.dataclass(frozen=True)
class Strategy:
    """A way to make a transition.

    Attributes:
      decode: gives tokens [batch, steps] int32 from a `Decoding` and `TransitionInputs`.
      curves: which curves it follows.
      needs_composer: whether a composer must write its path before.
    """

    decode: Callable[[Decoding, TransitionInputs], jax.Array]
    curves: tuple[str, ...]
    needs_composer: bool = False


STRATEGIES = {
    "latent": Strategy(latent, ("t_latent",)),
    "teacher_forcing": Strategy(teacher_forcing, ("t_control",)),
    "combined": Strategy(combined, ("t_latent", "t_control")),
    "dual_conductor": Strategy(dual_conductor, ("t_latent",)),
    "dual_combined": Strategy(dual_combined, ("t_latent", "t_control")),
    "composed": Strategy(composed, ("t_latent",), needs_composer=True),
    "crossfade": Strategy(crossfade, ("t_control",)),
    "cut": Strategy(cut, ("t_control",)),
}


def check(names: Sequence[str]) -> tuple[str, ...]:
    """The names of strategies, each once; `all` alone stands for every one.

    Raises:
      UserError: there is no name, or one is unknown.
    """
    valid = ", ".join((*STRATEGIES, "all"))
    if list(names) == ["all"]:
        return tuple(STRATEGIES)
    if not names:
        raise UserError(f"strategy: at least one is needed; valid are {valid}", "strategy")
    for name in names:
        if name not in STRATEGIES:
            raise UserError(f"strategy={name}: unknown; valid are {valid}", "strategy")
    return tuple(dict.fromkeys(names))


def possible(names: Sequence[str], has_composer: bool) -> tuple[str, ...]:
    """Those of several strategies that a model can follow.

    Raises:
      UserError: the model can follow none of them.
    """
    able = tuple(n for n in names if has_composer or not STRATEGIES[n].needs_composer)
    if not able:
        raise UserError(
            f"strategy={','.join(names)}: needs a bar_prior.npz beside the checkpoint, of a model "
            "that knows single bars; mode=train_prior makes one",
            "strategy",
            "mode",
        )
    return able


def make_inputs(
    trained: TrainedModel,
    pair: tuple[jax.Array, jax.Array],
    *,
    t_latent: jax.Array,
    t_control: jax.Array,
    keys: jax.Array,
    settings: Settings,
) -> TransitionInputs:
    """Encodes pairs and mixes them; the arguments are those of `transition`."""
    per_bar = trained.model.steps_per_bar
    notes_1, notes_2 = (notes_lib.from_tokens(tokens, trained.codec, per_bar) for tokens in pair)
    if settings.rhythm == 1:
        notes_2 = constraints.in_rhythm(notes_1, notes_2)
    elif settings.rhythm == 2:
        notes_1 = constraints.in_rhythm(notes_2, notes_1)
    path_1, path_2 = (encoding.mean_path(trained, notes) for notes in (notes_1, notes_2))
    takes_second = mixing.GRANULARITIES[settings.granularity](
        notes_1, notes_2, t_control, noise.fold_in(keys, _CONTROL)
    )
    return TransitionInputs(
        notes_1=notes_1,
        notes_2=notes_2,
        path_1=path_1,
        path_2=path_2,
        path=mixing.PATHS[settings.path](path_1, path_2, t_latent),
        control=notes_lib.choose(takes_second, notes_1, notes_2),
        t_latent=t_latent,
        t_control=t_control,
    )


def _ends(
    inputs: TransitionInputs, curves: tuple[str, ...], codec: Codec, settings: Settings
) -> tuple[jax.Array, jax.Array]:
    """The bars at the ends: tokens [batch, steps], and where they are given [batch, steps]."""
    shape = inputs.notes_1.pitch.shape
    t = jnp.stack([getattr(inputs, curve) for curve in curves])
    end = jnp.where((t == 0).all(axis=0), 1, jnp.where((t == 1).all(axis=0), 2, 0))
    if settings.ends == "model":
        end = jnp.zeros_like(end)
    end = jnp.repeat(end, inputs.notes_1.steps_per_bar)
    # Where a bar of the other melody came before, a note that is held into this one has to
    # be struck.
    enters = end != jnp.concatenate([end[:1], end[:-1]])
    melody = jax.tree.map(
        lambda one, two: jnp.where(end == 2, two, one), inputs.notes_1, inputs.notes_2
    )
    given = notes_lib.to_tokens(notes_lib.strike(melody, enters), codec, explicit=enters)
    return given, jnp.broadcast_to(end > 0, shape)


def _limits(
    inputs: TransitionInputs, curves: tuple[str, ...], codec: Codec, settings: Settings
) -> tuple[jax.Array | None, jax.Array | None]:
    """What the settings allow, or None for everything: `bias` and `allowed` of `Decoding`."""
    bias = allowed = None
    if settings.restricts_pitches:
        t = jnp.stack([getattr(inputs, curve) for curve in curves]).mean(axis=0)
        allowed = constraints.allowed_pitches(
            settings.scale, settings.pitch_range, inputs.notes_1, inputs.notes_2, t
        )
        bias = constraints.pitch_bias(allowed, codec, inputs.notes_1.steps_per_bar)
    if settings.rhythm:
        rhythm = constraints.rhythm_bias(inputs.notes_1, codec)
        bias = rhythm if bias is None else bias + rhythm
    return bias, allowed


def transition(
    trained: TrainedModel,
    strategy: str,
    pair: tuple[jax.Array, jax.Array],
    *,
    t_latent: jax.Array,
    t_control: jax.Array,
    keys: jax.Array,
    temperature: jax.Array | float = 0.0,
    settings: Settings,
    composed_path: jax.Array | None = None,
) -> tuple[jax.Array, TransitionInputs]:
    """Makes transitions by one strategy.

    Args:
      trained: the model.
      strategy: a name in `STRATEGIES`.
      pair: tokens [batch, bars * steps_per_bar] int32 of melodies 1 and 2, of the bars that the
        transition is made from.
      t_latent, t_control: [bars], how far each bar has come.
      keys: [batch] keys, one for each pair.
      temperature: of decoding.
      settings: the other options.
      composed_path: [batch, bars, z], for a strategy that needs a composer.

    Returns:
      tokens: [batch, steps] int32, without note-offs that end nothing; and what they were
      made from.
    """
    inputs = make_inputs(
        trained, pair, t_latent=t_latent, t_control=t_control, keys=keys, settings=settings
    )
    inputs = dataclasses.replace(inputs, composed=composed_path)
    chosen = STRATEGIES[strategy]
    given, is_given = _ends(inputs, chosen.curves, trained.codec, settings)
    bias, allowed = _limits(inputs, chosen.curves, trained.codec, settings)
    decoding = Decoding(
        trained=trained,
        keys=noise.fold_in(keys, _DECODE),
        temperature=temperature,
        given=given,
        is_given=is_given,
        bias=bias,
        allowed=allowed,
    )
    tokens = chosen.decode(decoding, inputs)
    notes = notes_lib.from_tokens(tokens, trained.codec)
    return notes_lib.to_tokens(notes, trained.codec), inputs
