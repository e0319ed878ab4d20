"""A trained model's compiled functions: arrays in, arrays out."""

import functools
from collections.abc import Sequence
from typing import Any

import jax
import ml_collections
import numpy as np

from musicvae_jax.inference.batching import Batched
from musicvae_jax.inference.results import Posterior
from musicvae_jax.models import noise
from musicvae_jax.models.trained import TrainedModel
from musicvae_jax.models.vae import create_model, previous_tokens
from musicvae_jax.music.grid import usual_grid
from musicvae_jax.music.melody import Melody
from musicvae_jax.music.meters import likely_grid
from musicvae_jax.music.tokens import CODECS
from musicvae_jax.system.devices import replicate


class Network:
    """Encodes tokens and decodes latents, on all devices of all processes.

    A function is compiled when it is first called.

    Attributes:
      model, params: the model and its parameters.
      codec: of its tokens.
      bars: bars of a window.
      grid: the usual one of so many steps a bar.
    """

    def __init__(self, config: ml_collections.ConfigDict, params: Any):
        """Compiles nothing yet.

        Args:
          config: `config.model`.
          params: the parameters.
        """
        self.model = create_model(config)
        self.params = params
        self.codec = CODECS[config.codec]
        self.bars = self.model.bars
        self.grid = usual_grid(self.model.steps_per_bar)
        self._encode = Batched(self._posterior)
        self._sample = Batched(self.decoded)
        self._score = Batched(self._accuracy)

    def trained(self, params: Any) -> TrainedModel:
        """The model with parameters, as a compiled function takes it."""
        return TrainedModel(params, self.model, self.codec)

    def tokens(self, melodies: Sequence[Melody]) -> np.ndarray:
        """[batch, steps] int32 of melodies of equal length.

        Raises:
          ValueError: one is music of another kind than the model's, or its bars have another
            number of steps.
        """
        per_bar = self.model.steps_per_bar
        for melody in melodies:
            if not isinstance(melody, self.codec.music):
                raise ValueError(
                    f"the model knows {self.codec.music.__name__}, not {type(melody).__name__}"
                )
            if melody.grid.steps_per_bar != per_bar:
                raise ValueError(
                    f"a melody in {melody.grid.name} has {melody.grid.steps_per_bar} steps a bar; "
                    f"the model knows bars of {per_bar}"
                )
        return np.stack([self.codec.encode(melody) for melody in melodies])

    def melody(self, tokens: np.ndarray, like: Melody | None = None) -> Melody:
        """The melody of tokens [steps], with the tempo, program and grid of another.

        Without another, it is in the meter in which its notes are syncopated least.
        """
        if like is None:
            made = self.codec.decode(tokens, grid=self.grid)
            return made.read_in(likely_grid(made))
        told = {"tempo_bpm": like.tempo_bpm, "program": like.program, "grid": like.grid}
        return self.codec.decode(tokens, **told).read_in(like.grid)

    @functools.cached_property
    def replicated(self) -> Any:
        """The parameters on all local devices, as `Batched` takes them."""
        return replicate(self.params, jax.local_devices())

    def encode(self, tokens: np.ndarray) -> Posterior:
        """The posteriors of tokens [batch, steps] int32."""
        return Posterior(*self._encode(self.replicated, tokens))

    def decode(
        self,
        z: np.ndarray,
        key: jax.Array,
        temperature: float,
        given: np.ndarray | None = None,
        is_given: np.ndarray | None = None,
    ) -> tuple[np.ndarray, np.ndarray]:
        """Decodes latents, each token fed back.

        Args:
          z: [batch, ...] float32; [batch, windows, ...] for melodies that are longer.
          key: of all noise.
          temperature: 0 takes the likeliest tokens.
          given: [batch, steps] int32, tokens that are forced, of at most as many bars as the
            windows have; None for none.
          is_given: [batch, steps] bool, where they are; None only without `given`.

        Returns:
          tokens [batch, steps] int32, and the natural logarithms of their probabilities.
        """
        if z.ndim == 1 + len(self.model.latent_shape):
            z = z[:, None]
        if given is None:
            given = np.zeros((len(z), z.shape[1] * self.bars * self.model.steps_per_bar), np.int32)
            is_given = np.zeros(given.shape, bool)
        keys = np.asarray(jax.random.key_data(noise.example_keys(key, 0, len(z))))
        rows = (z, keys, given, is_given)
        return self._sample(self.replicated, rows, np.float32(temperature))

    def teacher_forced_accuracy(self, z: np.ndarray, tokens: np.ndarray) -> np.ndarray:
        """[batch]: share of tokens [batch, steps] predicted from z and the true ones before."""
        return self._score(self.replicated, (z, tokens))

    def _posterior(self, params: Any, tokens: jax.Array, shared: Any) -> Any:
        return self.trained(params).apply("encode", tokens)

    def decoded(self, params: Any, rows: Any, temperature: jax.Array) -> Any:
        """What `decode` computes, as `Batched` takes it; keys as their data [batch, 2] uint32."""
        z, keys, given, is_given = rows
        trained, keys = self.trained(params), jax.random.wrap_key_data(keys)
        batch, bars = z.shape[0], given.shape[1] // self.model.steps_per_bar
        windows = trained.apply("path", z.reshape(-1, *self.model.latent_shape))
        path = windows.reshape(batch, -1, self.model.z)[:, :bars]
        embeddings = trained.apply("bar_embeddings", path)
        return trained.apply("sample_bars", embeddings, keys, temperature, given, is_given)

    def _accuracy(self, params: Any, rows: Any, shared: Any) -> jax.Array:
        z, tokens = rows
        trained = self.trained(params)
        inputs = previous_tokens(tokens, self.model.vocab)
        logits = trained.apply("teacher_forced", trained.apply("path", z), inputs)
        return (logits.argmax(axis=-1) == tokens).mean(axis=-1)
