"""A trained model in use: melodies in, melodies out."""

import copy
import math
from collections.abc import Mapping, Sequence
from typing import Self

import jax
import numpy as np

from musicvae_jax.checkpoints.load import Checkpoint
from musicvae_jax.inference import attribute_vectors, latent_prior
from musicvae_jax.models import noise
from musicvae_jax.models.vae import create_model, previous_tokens
from musicvae_jax.music.melody import STEPS_PER_BAR, Melody, join
from musicvae_jax.music.tokens import CODECS
from musicvae_jax.music.windows import first_window, play_round
from musicvae_jax.system import processes
from musicvae_jax.system.errors import UserError

# Larger requests are decoded in parts of this size, so that memory stays bounded.
MAX_BATCH = 256


class MelodyModel:
    """A checkpoint with its jitted functions.

    Attributes:
      checkpoint: what was loaded.
      model, params: the model and its parameters.
      codec: of its tokens.
      bars: bars of the melodies that the model knows.
      prior: what new melodies' latents are drawn from; None for the standard normal.
      attributes: what to add to latents to change melodies; None if it is not known.

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
        apply = self.model.apply
        self._encode = jax.jit(lambda p, tokens: apply({"params": p}, tokens, method="encode"))
        self._sample = jax.jit(self._sample_path)
        self._score = jax.jit(self._teacher_forced_accuracy)

    def with_prior(self, prior: latent_prior.LatentPrior | None) -> Self:
        """The same model with another prior."""
        other = copy.copy(self)
        other.prior = prior
        return other

    def _sample_path(self, params, z, keys, temperature, given, is_given):
        variables = {"params": params}
        path = self.model.apply(variables, z, method="path")
        return self.model.apply(
            variables, path, keys, temperature, given, is_given, method="sample"
        )

    def _teacher_forced_accuracy(self, params, z, tokens):
        variables = {"params": params}
        path = self.model.apply(variables, z, method="path")
        inputs = previous_tokens(tokens, self.model.vocab)
        logits = self.model.apply(variables, path, inputs, method="teacher_forced")
        return (logits.argmax(axis=-1) == tokens).mean(axis=-1)

    def tokens(self, melodies: Sequence[Melody]) -> np.ndarray:
        """[batch, steps] int32 of melodies of equal length."""
        return np.stack([self.codec.encode(melody) for melody in melodies])

    def melody(self, tokens: np.ndarray, like: Melody | None = None) -> Melody:
        """The melody of tokens [steps], with the tempo and program of another."""
        if like is None:
            return self.codec.decode(tokens)
        return self.codec.decode(tokens, tempo_bpm=like.tempo_bpm, program=like.program)

    def _decode(
        self,
        z: np.ndarray,
        seed: int,
        temperature: float,
        given: np.ndarray | None = None,
        is_given: np.ndarray | None = None,
    ) -> tuple[np.ndarray, np.ndarray]:
        """Decodes z: [batch, ...] in parts; returns tokens and log probabilities.

        Of several processes, which all call it with the same, each decodes some parts.
        """
        steps = self.bars * STEPS_PER_BAR
        if given is None:
            given = np.zeros((len(z), steps), np.int32)
            is_given = np.zeros((len(z), steps), bool)
        tokens = np.zeros((len(z), steps), np.int32)
        log_probs = np.zeros((len(z), steps), np.float32)
        for number, first in enumerate(range(0, len(z), MAX_BATCH)):
            if number % jax.process_count() != jax.process_index():
                continue
            part = slice(first, first + MAX_BATCH)
            keys = noise.example_keys(jax.random.key(seed), first, len(z[part]))
            tokens[part], log_probs[part] = self._sample(
                self.params, z[part], keys, temperature, given[part], is_given[part]
            )
        return processes.combine(tokens), processes.combine(log_probs)

    def draw(self, num: int, seed: int) -> np.ndarray:
        """Latents [num, ...] from the prior."""
        keys = noise.fold_in(noise.example_keys(jax.random.key(seed), 0, num), 1)
        z = np.asarray(noise.normal(keys, self.model.latent_shape))
        return z if self.prior is None else self.prior.transform(z)

    def generate(
        self, num: int, seed: int, temperature: float, shift: np.ndarray | float = 0.0
    ) -> list[Melody]:
        """New melodies, from latents drawn from the prior, and `shift` [...] added."""
        return self.decode(self.draw(num, seed) + shift, seed, temperature)

    def shift(self, amounts: Mapping[str, float]) -> np.ndarray | float:
        """What to add to a latent [...] to change attributes by so much.

        Raises:
          UserError: it is not known.
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

    def decode(self, z: np.ndarray, seed: int, temperature: float) -> list[Melody]:
        """The melodies of latents [batch, ...]."""
        tokens, _ = self._decode(z, seed, temperature)
        return [self.melody(row) for row in tokens]

    def posteriors(self, tokens: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """mu and sigma [batch, ...] of tokens [batch, steps], in parts."""
        parts = [
            self._encode(self.params, tokens[first : first + MAX_BATCH])
            for first in range(0, len(tokens), MAX_BATCH)
        ]
        return tuple(np.concatenate(arrays) for arrays in zip(*parts, strict=True))

    def reconstruct(
        self,
        melodies: Sequence[Melody],
        seed: int,
        temperature: float,
        shift: np.ndarray | float = 0.0,
    ) -> tuple[list[Melody], list[dict[str, float]]]:
        """Encodes melodies of `bars` bars and decodes the posterior means, `shift` [...] added.

        Returns:
          The reconstructions, and for each the share of tokens that came back,
          decoding freely (`sampled_accuracy`) and fed the true notes
          (`teacher_forced_accuracy`).
        """
        tokens = self.tokens(melodies)
        mu = np.asarray(self._encode(self.params, tokens)[0]) + shift
        decoded, _ = self._decode(mu, seed, temperature)
        sampled = (decoded == tokens).mean(axis=1)
        forced = np.asarray(self._score(self.params, mu, tokens))
        scores = [
            {"sampled_accuracy": float(s), "teacher_forced_accuracy": float(f)}
            for s, f in zip(sampled, forced, strict=True)
        ]
        rows = zip(decoded, melodies, strict=True)
        return [self.melody(row, like=melody) for row, melody in rows], scores

    def mean_latents(self, melodies: Sequence[Melody]) -> np.ndarray:
        """[melodies, z]: of `latents`, the mean of bars."""
        mu = self.latents(melodies)
        return mu.reshape(len(melodies), -1, mu.shape[-1]).mean(axis=1)

    def latents(self, melodies: Sequence[Melody]) -> np.ndarray:
        """[melodies, ...]: posterior means of each melody's first window, which may go round."""
        windows = []
        for melody in melodies:
            window = first_window(melody, min(self.bars, melody.num_bars), "")
            windows.append(play_round(window, 0, self.bars))
        return self.posteriors(self.tokens(windows))[0]

    def complete(
        self, melody: Melody, bars: int | None, num: int, seed: int, temperature: float
    ) -> list[tuple[Melody, float]]:
        """Continues a melody, several times.

        The last bars of the melody, at most half of what the model knows, are given; the
        model fills the rest of its bars. The latent is drawn from the posterior of those
        bars repeated to full length, which says: more of the same. For more bars each
        continuation is itself continued, as often as it takes.

        Args:
          melody: of any length.
          bars: how many to add; None for as many as the model fills at once.
          num: how many continuations.
          seed, temperature: of all randomness.

        Returns:
          The melody with its continuations and their mean log probability a token
          (nats), the likeliest first. What was given comes back unchanged.

        Raises:
          UserError: the model knows a single bar, and so no continuation.
        """
        if self.bars < 2:
            raise UserError("complete: the model knows single bars; 2 or more are needed")
        first = min(melody.num_bars, self.bars // 2)
        bars = self.bars - first if bars is None else bars
        parts: list[list[Melody]] = [[melody] for _ in range(num)]
        added, log_probs = 0, []
        while added < bars:
            wholes = [join(part) for part in parts]
            context = min(wholes[0].num_bars, self.bars // 2)
            new = min(self.bars - context, bars - added)
            contexts = [whole.window(whole.num_bars - context, context) for whole in wholes]
            tokens, probs = self._continue(contexts, seed + added, temperature)
            for part, row in zip(parts, tokens, strict=True):
                part.append(self.melody(row).window(context, new))
            steps = slice(context * STEPS_PER_BAR, (context + new) * STEPS_PER_BAR)
            log_probs.append(probs[:, steps])
            added += new
        scores = np.concatenate(log_probs, axis=1).mean(axis=1)
        wholes = [join(part) for part in parts]
        return [(wholes[index], float(scores[index])) for index in np.argsort(-scores)]

    def _continue(
        self, contexts: Sequence[Melody], seed: int, temperature: float
    ) -> tuple[np.ndarray, np.ndarray]:
        """Forces contexts of equal length through the decoder, and decodes on from there."""
        given = self.tokens([play_round(context, 0, self.bars) for context in contexts])
        mu, sigma = self._encode(self.params, given)
        keys = noise.fold_in(noise.example_keys(jax.random.key(seed), 0, len(given)), 1)
        z = np.asarray(mu + sigma * noise.normal(keys, mu.shape[1:]))
        is_given = np.arange(given.shape[1]) < contexts[0].num_steps
        return self._decode(z, seed, temperature, given, np.broadcast_to(is_given, given.shape))
