"""A trained model in use: melodies in, melodies out."""

import copy
import dataclasses
import functools
import math
from collections.abc import Mapping, Sequence
from typing import Any, Self

import jax
import numpy as np

from musicvae_jax.checkpoints.load import Checkpoint
from musicvae_jax.inference import attribute_vectors, latent_prior
from musicvae_jax.inference.batching import Batched
from musicvae_jax.models import noise
from musicvae_jax.models.trained import TrainedModel
from musicvae_jax.models.vae import create_model, previous_tokens
from musicvae_jax.music.melody import STEPS_PER_BAR, Melody, join
from musicvae_jax.music.tokens import CODECS
from musicvae_jax.music.windows import first_window, play_round
from musicvae_jax.system.devices import replicate
from musicvae_jax.system.errors import UserError

# Added to the number of bars that have been continued, for the key of a later round; out of
# the way of the numbers of examples, which are folded into the same key.
_LATER_ROUNDS = 1 << 31


@dataclasses.dataclass(frozen=True)
class Posterior:
    """The encoder's result for melodies: normal distributions of their latents.

    >>> import musicvae_jax as mv
    >>> model = mv.load_model()
    >>> posterior = model.encode(list(mv.example_melodies().values()))
    >>> posterior.mu.shape, posterior.sigma.shape
    ((2, 512), (2, 512))

    Attributes:
      mu: [melodies, z] float32, the means; [melodies, bars, z] for a model with one latent
        for each bar.
      sigma: the standard deviations, of the same shape.
    """

    mu: np.ndarray
    sigma: np.ndarray


@dataclasses.dataclass(frozen=True)
class Reconstruction:
    """A melody that was encoded and decoded again; see `MelodyModel.reconstruct`.

    >>> import musicvae_jax as mv
    >>> model = mv.load_model()
    >>> [made] = model.reconstruct([mv.example_melodies()["reel"]])
    >>> made.melody.num_bars
    16

    Attributes:
      melody: what came back, with the tempo and program of the original.
      sampled_accuracy: share of the original's tokens that came back.
      teacher_forced_accuracy: the same, if each token is predicted from the true ones
        before it.
    """

    melody: Melody
    sampled_accuracy: float
    teacher_forced_accuracy: float


@dataclasses.dataclass(frozen=True)
class Continuation:
    """A melody that was continued; see `MelodyModel.complete`.

    >>> import musicvae_jax as mv
    >>> model = mv.load_model()
    >>> [made] = model.complete(mv.example_melodies()["reel"], bars=4)
    >>> made.melody.num_bars
    20

    Attributes:
      melody: the given melody, unchanged, and the bars that were added.
      log_prob_per_token: mean natural logarithm of the probability of an added token; the
        nearer to 0, the likelier.
    """

    melody: Melody
    log_prob_per_token: float


class MelodyModel:
    """A trained model, ready to use; see `load_model`.

    >>> import musicvae_jax as mv
    >>> model = mv.load_model()
    >>> melody, = model.generate(1, seed=7)
    >>> melody.num_bars
    16

    Its functions are compiled when they are first called. They run on all devices of all
    processes, and give the same on any number of devices.

    Attributes:
      checkpoint: what was loaded.
      model, params: the model and its parameters.
      codec: of its tokens.
      bars: bars of the melodies that the model knows.
      prior: what new melodies' latents are drawn from; None for the standard normal.
      attributes: vectors that change attributes of melodies; None if they are not known.
      compiled: what other modules have compiled for this model.

    Raises:
      UserError: the prior or the attributes beside the checkpoint are not of this model.
    """

    def __init__(self, checkpoint: Checkpoint):
        self.checkpoint = checkpoint
        self.model = create_model(checkpoint.config.model)
        self.params = checkpoint.params
        self.codec = CODECS[checkpoint.config.model.codec]
        self.bars = self.model.bars
        size = math.prod(self.model.latent_shape)
        self.prior = latent_prior.load(checkpoint.path, size)
        self.attributes = attribute_vectors.load(checkpoint.path, size)
        self._encode = Batched(self._posterior)
        self._sample = Batched(self._decoded)
        self._score = Batched(self._teacher_forced_accuracy)
        self.compiled: dict[Any, Any] = {}

    def with_prior(self, prior: latent_prior.LatentPrior | None) -> Self:
        """The same model with another prior."""
        other = copy.copy(self)
        other.prior = prior
        return other

    def trained(self, params: Any) -> TrainedModel:
        """The model with parameters, as a compiled function takes it."""
        return TrainedModel(params, self.model, self.codec)

    @functools.cached_property
    def replicated(self) -> Any:
        """The parameters on all local devices, as `Batched` takes them."""
        return replicate(self.params, jax.local_devices())

    def _posterior(self, params: Any, tokens: jax.Array, shared: Any) -> Any:
        return self.trained(params).apply("encode", tokens)

    def _decoded(self, params: Any, rows: Any, temperature: jax.Array) -> Any:
        z, keys, given, is_given = rows
        trained, keys = self.trained(params), jax.random.wrap_key_data(keys)
        path = trained.apply("path", z)
        return trained.apply("sample", path, keys, temperature, given, is_given)

    def _teacher_forced_accuracy(self, params: Any, rows: Any, shared: Any) -> jax.Array:
        z, tokens = rows
        trained = self.trained(params)
        inputs = previous_tokens(tokens, self.model.vocab)
        logits = trained.apply("teacher_forced", trained.apply("path", z), inputs)
        return (logits.argmax(axis=-1) == tokens).mean(axis=-1)

    def tokens(self, melodies: Sequence[Melody]) -> np.ndarray:
        """[batch, steps] int32 of melodies of equal length."""
        return np.stack([self.codec.encode(melody) for melody in melodies])

    def melody(self, tokens: np.ndarray, like: Melody | None = None) -> Melody:
        """The melody of tokens [steps], with the tempo and program of another."""
        if like is None:
            return self.codec.decode(tokens)
        return self.codec.decode(tokens, tempo_bpm=like.tempo_bpm, program=like.program)

    def _own_length(self, melodies: Sequence[Melody]) -> np.ndarray:
        """Tokens [melodies, steps] of melodies of the model's length.

        Raises:
          ValueError: there are none, or one is of another length.
        """
        if not len(melodies):
            raise ValueError("at least one melody is needed")
        for number, melody in enumerate(melodies):
            if melody.num_bars != self.bars:
                raise ValueError(
                    f"melody {number} has {melody.num_bars} bars; the model knows melodies of "
                    f"{self.bars}, such as melody.window(0, {self.bars}) of a longer one"
                )
        return self.tokens([melody.window(0, self.bars) for melody in melodies])

    def encode(self, melodies: Sequence[Melody]) -> Posterior:
        """The posteriors of melodies.

        >>> import musicvae_jax as mv
        >>> model = mv.load_model()
        >>> melodies = list(mv.example_melodies().values())
        >>> model.encode(melodies).mu.shape
        (2, 512)

        Args:
          melodies: at least one, each of `bars` bars.

        Raises:
          ValueError: there are none, one is of another length, or has a pitch that the
            model does not know.
        """
        return self.encode_tokens(self._own_length(melodies))

    def encode_tokens(self, tokens: np.ndarray) -> Posterior:
        """The posteriors of melodies, given as tokens [melodies, steps] int32 of `codec`."""
        return Posterior(*self._encode(self.replicated, tokens))

    def decode(
        self, z: np.ndarray, *, seed: int | jax.Array = 0, temperature: float = 0.0
    ) -> list[Melody]:
        """The melodies of latents.

        >>> middle = model.encode(melodies).mu.mean(axis=0, keepdims=True)
        >>> [melody] = model.decode(middle)

        Args:
          z: [melodies, z] float32; [melodies, bars, z] for a model with one latent for each
            bar.
          seed: an integer or a key of `jax.random.key`.
          temperature: 0 takes the likeliest tokens; 1 draws from the model's distribution.

        Raises:
          ValueError: `z` is of another shape.
        """
        z = np.asarray(z, np.float32)
        if not len(z) or z.shape[1:] != self.model.latent_shape:
            valid = ", ".join(("melodies", *map(str, self.model.latent_shape)))
            raise ValueError(f"z is of shape {z.shape}; [{valid}] is needed, at least one melody")
        tokens, _ = self._decode(z, noise.as_key(seed), temperature)
        return [self.melody(row) for row in tokens]

    def _decode(
        self,
        z: np.ndarray,
        key: jax.Array,
        temperature: float,
        given: np.ndarray | None = None,
        is_given: np.ndarray | None = None,
    ) -> tuple[np.ndarray, np.ndarray]:
        """Tokens of z [batch, ...] and their log probabilities: [batch, steps] each."""
        if given is None:
            given = np.zeros((len(z), self.bars * STEPS_PER_BAR), np.int32)
            is_given = np.zeros(given.shape, bool)
        keys = np.asarray(jax.random.key_data(noise.example_keys(key, 0, len(z))))
        rows = (z, keys, given, is_given)
        return self._sample(self.replicated, rows, np.float32(temperature))

    def draw(self, num: int, seed: int | jax.Array = 0) -> np.ndarray:
        """Latents from the prior: [num, ...] float32, as `decode` takes them."""
        keys = noise.fold_in(noise.example_keys(noise.as_key(seed), 0, num), 1)
        z = np.asarray(noise.normal(keys, self.model.latent_shape))
        return z if self.prior is None else self.prior.transform(z)

    def shift(self, amounts: Mapping[str, float] | None) -> np.ndarray | float:
        """The numbers that change attributes by the given amounts when added to a latent [...].

        Raises:
          UserError: an attribute is unknown, or how to change it.
        """
        if not amounts:
            return 0.0
        if self.attributes is None:
            raise UserError(
                f"attribute: there is no {attribute_vectors.FILE} in {self.checkpoint.path}; "
                "mode=export computes it from the training data, and writes a checkpoint with it",
                "attribute",
                "mode",
            )
        return self.attributes.shift(amounts).reshape(self.model.latent_shape)

    def generate(
        self,
        num: int,
        *,
        seed: int | jax.Array = 0,
        temperature: float = 0.7,
        attributes: Mapping[str, float] | None = None,
    ) -> list[Melody]:
        """New melodies, decoded from latents that are drawn from the prior.

        >>> dense, *others = model.generate(4, seed=1, attributes={"density": 1.0})

        Args:
          num: how many, at least 1. More of them leave the first ones as they are.
          seed: an integer or a key of `jax.random.key`.
          temperature: see `decode`.
          attributes: how much of an attribute to add, by name: 1 is the difference between
            the quarter of the training melodies that has most of it and the quarter that
            has least. The names are those of `music.attributes.ATTRIBUTES`.

        Raises:
          ValueError: `num` is less than 1.
          UserError: an attribute is unknown, or how to change it.
        """
        if num < 1:
            raise ValueError(f"num={num}: at least 1 is needed")
        z = self.draw(num, seed) + self.shift(attributes)
        return self.decode(z, seed=seed, temperature=temperature)

    def reconstruct(
        self,
        melodies: Sequence[Melody],
        *,
        seed: int | jax.Array = 0,
        temperature: float = 0.0,
        attributes: Mapping[str, float] | None = None,
    ) -> list[Reconstruction]:
        """Encodes melodies, and decodes the means of their posteriors.

        >>> [ode, reel] = model.reconstruct(melodies)
        >>> ode.sampled_accuracy > 0.9
        True

        Args:
          melodies: at least one, each of `bars` bars.
          seed: an integer or a key of `jax.random.key`.
          temperature: see `decode`.
          attributes: what to add to the means, see `generate`.

        Raises:
          ValueError: see `encode`.
          UserError: an attribute is unknown, or how to change it.
        """
        tokens = self._own_length(melodies)
        mu = self.encode_tokens(tokens).mu + self.shift(attributes)
        decoded, _ = self._decode(mu, noise.as_key(seed), temperature)
        sampled = (decoded == tokens).mean(axis=1)
        forced = self._score(self.replicated, (mu, tokens))
        return [
            Reconstruction(self.melody(row, like=melody), float(free), float(fed))
            for row, melody, free, fed in zip(decoded, melodies, sampled, forced, strict=True)
        ]

    def mean_latents(self, melodies: Sequence[Melody]) -> np.ndarray:
        """[melodies, z]: of `latents`, the mean of bars."""
        mu = self.latents(melodies)
        return mu.reshape(len(melodies), -1, mu.shape[-1]).mean(axis=1)

    def latents(self, melodies: Sequence[Melody]) -> np.ndarray:
        """Posterior means [melodies, ...] of the first windows of melodies of any length.

        A melody that is shorter than the model's is repeated.
        """
        windows = []
        for melody in melodies:
            window = first_window(melody, min(self.bars, melody.num_bars), "")
            windows.append(play_round(window, 0, self.bars))
        return self.encode(windows).mu

    def complete(
        self,
        melody: Melody,
        *,
        bars: int | None = None,
        num: int = 1,
        seed: int | jax.Array = 0,
        temperature: float = 0.7,
    ) -> list[Continuation]:
        """Continues a melody.

        The last bars of the melody, at most half of what the model knows, are given; the
        model fills the remaining bars. The latent is drawn from the posterior of those
        bars repeated to full length, which says: more of the same. For more bars each
        continuation is itself continued, as often as needed.

        >>> best, *others = model.complete(melodies[0], bars=4, num=3)

        Args:
          melody: of any length.
          bars: how many to add; None for as many as the model fills at once.
          num: how many continuations.
          seed: an integer or a key of `jax.random.key`.
          temperature: see `decode`.

        Returns:
          The continuations, the likeliest first.

        Raises:
          ValueError: the melody has no bars, or `bars` or `num` is less than 1.
          UserError: the model knows single bars only, and so no continuation.
        """
        if self.bars < 2:
            raise UserError("complete: the model knows single bars; 2 or more are needed")
        if melody.num_bars < 1 or num < 1 or (bars is not None and bars < 1):
            raise ValueError(
                f"a melody of {melody.num_bars} bars, bars={bars}, num={num}: at least 1 of each "
                "is needed"
            )
        first = min(melody.num_bars, self.bars // 2)
        bars = self.bars - first if bars is None else bars
        parts: list[list[Melody]] = [[melody] for _ in range(num)]
        key = noise.as_key(seed)
        added, log_probs = 0, []
        while added < bars:
            wholes = [join(part) for part in parts]
            context = min(wholes[0].num_bars, self.bars // 2)
            new = min(self.bars - context, bars - added)
            contexts = [whole.window(whole.num_bars - context, context) for whole in wholes]
            of_round = jax.random.fold_in(key, _LATER_ROUNDS + added) if added else key
            tokens, probs = self._continue(contexts, of_round, temperature)
            for part, row in zip(parts, tokens, strict=True):
                part.append(self.melody(row).window(context, new))
            steps = slice(context * STEPS_PER_BAR, (context + new) * STEPS_PER_BAR)
            log_probs.append(probs[:, steps])
            added += new
        scores = np.concatenate(log_probs, axis=1).mean(axis=1)
        return [
            Continuation(join(parts[index]), float(scores[index])) for index in np.argsort(-scores)
        ]

    def _continue(
        self, contexts: Sequence[Melody], key: jax.Array, temperature: float
    ) -> tuple[np.ndarray, np.ndarray]:
        """Forces contexts of equal length through the decoder, and decodes on from there."""
        given = self.tokens([play_round(context, 0, self.bars) for context in contexts])
        posterior = self.encode_tokens(given)
        keys = noise.fold_in(noise.example_keys(key, 0, len(given)), 1)
        epsilon = noise.normal(keys, posterior.mu.shape[1:])
        z = np.asarray(posterior.mu + posterior.sigma * epsilon)
        is_given = np.arange(given.shape[1]) < contexts[0].num_steps
        return self._decode(z, key, temperature, given, np.broadcast_to(is_given, given.shape))
