"""Transitions from one melody to another: pure functions on batches of pairs.

Of each bar a curve says how far it has come from melody 1 (t = 0) to melody 2 (t = 1):
`t_latent` moves the latent, `t_control` mixes the notes that the decoder is fed. A
strategy is a small function of a `Bridge`, which holds all of that for a batch, and a
`Decoding`, the model that it may use; adding one takes a function and its line in
`STRATEGIES`.

The ends are exact. A bar for which every curve that the strategy uses is 0 comes out as
that bar of melody 1, and where all are 1, of melody 2: the decoder is forced through
them, so that what lies between is decoded in their context. With `ends="model"` the
model decodes them as well; where the curve is 0 from the first bar to the last, that is
its reconstruction of melody 1.
"""

import dataclasses
from collections.abc import Callable

import flax
import jax
import jax.numpy as jnp

from musicvae_jax.models import noise
from musicvae_jax.models.vae import MusicVAE, previous_tokens
from musicvae_jax.music.melody import STEPS_PER_BAR
from musicvae_jax.transitions import constraints, encoding, mixing
from musicvae_jax.transitions import notes as notes_lib
from musicvae_jax.transitions.notes import Notes

_CONTROL, _DECODE = 0, 1  # purposes of random numbers


@dataclasses.dataclass(frozen=True)
class Settings:
    """How a transition is made, the same for a whole batch.

    Attributes:
      path: a name in `mixing.PATHS`, how latents move.
      granularity: a name in `mixing.GRANULARITIES`, what is mixed as a whole.
      ends: `exact` or `model`, see above.
      scale: see `constraints.allowed_pitches`.
      pitch_range: the lowest and the highest MIDI note.
      rhythm: 1 or 2 keeps the rhythm of that melody throughout, and 0 is free. Under 1,
        melody 2 is played in melody 1's rhythm, and the other way round.
    """

    path: str = "linear"
    granularity: str = "bar"
    ends: str = "exact"
    scale: str = "none"
    pitch_range: tuple[int, int] = (0, 127)
    rhythm: int = 0

    @property
    def restricts_pitches(self) -> bool:
        return self.scale != "none" or self.pitch_range != (0, 127)


@flax.struct.dataclass
class Bridge:
    """All that a strategy may draw on, of a batch of pairs.

    Attributes:
      notes_1, notes_2: the melodies, of `bars` bars.
      path_1, path_2: [batch, bars, z], their latents (the posterior means).
      path: [batch, bars, z], which moves from one to the other by `t_latent`.
      control: the mix of the melodies by `t_control`.
      t_latent, t_control: [bars].
    """

    notes_1: Notes
    notes_2: Notes
    path_1: jax.Array
    path_2: jax.Array
    path: jax.Array
    control: Notes
    t_latent: jax.Array
    t_control: jax.Array


@dataclasses.dataclass(frozen=True)
class Decoding:
    """The model as a strategy uses it.

    Attributes:
      model, params: the model.
      codec: the name of its codec.
      keys: [batch] keys of the decoder's noise.
      temperature: 0 takes the likeliest tokens.
      given, is_given: [batch, steps], the bars at the ends.
      bias: [batch, steps, vocab], of the constraints, or None.
      allowed: [batch, bars, 128], of the constraints, or None.
    """

    model: MusicVAE
    params: dict
    codec: str
    keys: jax.Array
    temperature: jax.Array
    given: jax.Array
    is_given: jax.Array
    bias: jax.Array | None
    allowed: jax.Array | None

    def _apply(self, method: str, *args) -> jax.Array:
        return self.model.apply({"params": self.params}, *args, method=method)

    def conduct(self, path: jax.Array) -> jax.Array:
        """Bar embeddings of a path: [bars, batch, embedding]."""
        return self._apply("bar_embeddings", path)

    def freely(self, embeddings: jax.Array) -> jax.Array:
        """Decodes with the model's own notes fed back: tokens [batch, steps]."""
        tokens, _ = self._apply(
            *("sample_bars", embeddings, self.keys, self.temperature),
            *(self.given, self.is_given, self.bias),
        )
        return tokens

    def following(self, embeddings: jax.Array, control: Notes) -> jax.Array:
        """Decodes with the notes of `control` fed instead: tokens [batch, steps]."""
        inputs = previous_tokens(notes_lib.to_tokens(control, self.codec), self.model.vocab)
        logits = self._apply("teacher_forced_bars", embeddings, inputs)
        logits = logits if self.bias is None else logits + self.bias
        steps, vocab = logits.shape[1:]
        preference = noise.scaled_gumbel(self.keys, steps, vocab, self.temperature)
        tokens = jnp.argmax(logits + preference.swapaxes(0, 1), axis=-1).astype(jnp.int32)
        return jnp.where(self.is_given, self.given, tokens)

    def as_it_is(self, notes: Notes) -> jax.Array:
        """Decodes nothing: the tokens [batch, steps] of notes, with the constraints applied."""
        notes = notes if self.allowed is None else constraints.snap(notes, self.allowed)
        tokens = notes_lib.to_tokens(notes, self.codec)
        return jnp.where(self.is_given, self.given, tokens)


def latent(decoding: Decoding, bridge: Bridge) -> jax.Array:
    """Decodes freely along a path that moves from melody 1's latent to melody 2's."""
    return decoding.freely(decoding.conduct(bridge.path))


def teacher_forcing(decoding: Decoding, bridge: Bridge) -> jax.Array:
    """Keeps melody 1's latent, and feeds the decoder a mix of both melodies' notes."""
    return decoding.following(decoding.conduct(bridge.path_1), bridge.control)


def combined(decoding: Decoding, bridge: Bridge) -> jax.Array:
    """Both: the latent moves, and the decoder is fed a mix of both melodies' notes."""
    return decoding.following(decoding.conduct(bridge.path), bridge.control)


def _two_conductors(decoding: Decoding, bridge: Bridge) -> jax.Array:
    weight = bridge.t_latent[:, None, None]
    first, second = decoding.conduct(bridge.path_1), decoding.conduct(bridge.path_2)
    return (1 - weight) * first + weight * second


def dual_conductor(decoding: Decoding, bridge: Bridge) -> jax.Array:
    """Two conductors run, one for each melody, and their bar embeddings are mixed."""
    return decoding.freely(_two_conductors(decoding, bridge))


def dual_combined(decoding: Decoding, bridge: Bridge) -> jax.Array:
    """Two conductors, and the decoder is fed a mix of both melodies' notes."""
    return decoding.following(_two_conductors(decoding, bridge), bridge.control)


def crossfade(decoding: Decoding, bridge: Bridge) -> jax.Array:
    """A baseline without the model: the mix of both melodies' notes itself."""
    return decoding.as_it_is(bridge.control)


def cut(decoding: Decoding, bridge: Bridge) -> jax.Array:
    """A baseline without the model: melody 1 up to half way, and then melody 2."""
    takes_second = jnp.repeat(bridge.t_control >= 0.5, STEPS_PER_BAR)
    shape = bridge.notes_1.pitch.shape
    chosen = notes_lib.choose(jnp.broadcast_to(takes_second, shape), bridge.notes_1, bridge.notes_2)
    return decoding.as_it_is(chosen)


@dataclasses.dataclass(frozen=True)
class Strategy:
    """A way to make a transition.

    Attributes:
      decode: gives tokens [batch, steps] int32 of a `Decoding` and a `Bridge`.
      curves: which curves it follows.
    """

    decode: Callable[[Decoding, Bridge], jax.Array]
    curves: tuple[str, ...]


STRATEGIES = {
    "latent": Strategy(latent, ("t_latent",)),
    "teacher_forcing": Strategy(teacher_forcing, ("t_control",)),
    "combined": Strategy(combined, ("t_latent", "t_control")),
    "dual_conductor": Strategy(dual_conductor, ("t_latent",)),
    "dual_combined": Strategy(dual_combined, ("t_latent", "t_control")),
    "crossfade": Strategy(crossfade, ("t_control",)),
    "cut": Strategy(cut, ("t_control",)),
}


def make_bridge(
    model: MusicVAE,
    params: dict,
    codec: str,
    tokens_1: jax.Array,
    tokens_2: jax.Array,
    t_latent: jax.Array,
    t_control: jax.Array,
    keys: jax.Array,
    settings: Settings,
) -> Bridge:
    """Encodes pairs and mixes them; the arguments are those of `transition`."""
    notes_1, notes_2 = (notes_lib.from_tokens(tokens, codec) for tokens in (tokens_1, tokens_2))
    if settings.rhythm == 1:
        notes_2 = constraints.in_rhythm(notes_1, notes_2)
    elif settings.rhythm == 2:
        notes_1 = constraints.in_rhythm(notes_2, notes_1)
    path_1, path_2 = (
        encoding.mean_path(model, params, notes, codec) for notes in (notes_1, notes_2)
    )
    takes_second = mixing.GRANULARITIES[settings.granularity](
        notes_1, notes_2, t_control, noise.fold_in(keys, _CONTROL)
    )
    return Bridge(
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
    bridge: Bridge, curves: tuple[str, ...], codec: str, settings: Settings
) -> tuple[jax.Array, jax.Array]:
    """The bars at the ends: tokens [batch, steps], and where they are given [batch, steps]."""
    shape = bridge.notes_1.pitch.shape
    t = jnp.stack([getattr(bridge, curve) for curve in curves])
    end = jnp.where((t == 0).all(axis=0), 1, jnp.where((t == 1).all(axis=0), 2, 0))
    if settings.ends == "model":
        end = jnp.zeros_like(end)
    end = jnp.repeat(end, STEPS_PER_BAR)
    # Where another's bar came before, what is held into this one has to be struck.
    enters = end != jnp.concatenate([end[:1], end[:-1]])
    melody = jax.tree.map(
        lambda one, two: jnp.where(end == 2, two, one), bridge.notes_1, bridge.notes_2
    )
    given = notes_lib.to_tokens(notes_lib.strike(melody, enters), codec, explicit=enters)
    return given, jnp.broadcast_to(end > 0, shape)


def transition(
    model: MusicVAE,
    params: dict,
    codec: str,
    strategy: str,
    tokens_1: jax.Array,
    tokens_2: jax.Array,
    t_latent: jax.Array,
    t_control: jax.Array,
    keys: jax.Array,
    temperature: jax.Array | float,
    settings: Settings,
) -> tuple[jax.Array, Bridge]:
    """Makes transitions by one strategy.

    Args:
      model, params: a trained model; the codec is the name of the one it speaks.
      codec: `melody` or `roll`.
      strategy: a name in `STRATEGIES`.
      tokens_1, tokens_2: [batch, bars * 16] int32, the melodies as the bars of the
        transition see them.
      t_latent, t_control: [bars].
      keys: [batch] keys, one for each pair.
      temperature: of decoding.
      settings: the rest.

    Returns:
      [batch, steps] int32, without note-offs that end nothing; and what it was made of.
    """
    bridge = make_bridge(
        model, params, codec, tokens_1, tokens_2, t_latent, t_control, keys, settings
    )
    chosen = STRATEGIES[strategy]
    given, is_given = _ends(bridge, chosen.curves, codec, settings)
    bias = allowed = None
    if settings.restricts_pitches:
        t = jnp.stack([getattr(bridge, curve) for curve in chosen.curves]).mean(axis=0)
        allowed = constraints.allowed_pitches(
            settings.scale, settings.pitch_range, bridge.notes_1, bridge.notes_2, t
        )
        bias = constraints.pitch_bias(allowed, codec)
    if settings.rhythm:
        rhythm = constraints.rhythm_bias(bridge.notes_1)
        bias = rhythm if bias is None else bias + rhythm
    decoding = Decoding(
        *(model, params, codec, noise.fold_in(keys, _DECODE), temperature),
        *(given, is_given, bias, allowed),
    )
    tokens = chosen.decode(decoding, bridge)
    return notes_lib.to_tokens(notes_lib.from_tokens(tokens, codec), codec), bridge
