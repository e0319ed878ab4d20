"""A trained model in use: melodies in, melodies out."""

import copy
import math
from collections.abc import Mapping, Sequence
from typing import Any, Self

import jax
import ml_collections
import numpy as np

from musicvae_jax.checkpoints.load import Checkpoint
from musicvae_jax.inference import attribute_vectors, bar_prior, continuation, latent_prior
from musicvae_jax.inference.composer import Composer
from musicvae_jax.inference.network import Network
from musicvae_jax.inference.results import Continuation, Posterior, Reconstruction
from musicvae_jax.inference.writing import Writer
from musicvae_jax.models import bar_flow, noise
from musicvae_jax.models.lstm import BACKENDS
from musicvae_jax.models.trained import TrainedModel
from musicvae_jax.music.melody import Melody
from musicvae_jax.music.windows import first_window, play_round
from musicvae_jax.system.errors import UserError


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
      grid: the usual one of as many steps a bar as the model knows.
      composer: writes new bars with the bar prior beside the checkpoint; None if there is none.
      prior: without a composer, what new melodies' latents are drawn from; None for the
        standard normal.
      attributes: vectors that change attributes of melodies; None if they are not known.
      compiled: what other modules have compiled for this model.

    Raises:
      UserError: a prior or the attributes beside the checkpoint are not of this model.
    """

    def __init__(self, checkpoint: Checkpoint):
        self.checkpoint = checkpoint
        config = checkpoint.config.model
        if BACKENDS.get(config.lstm) not in (None, jax.default_backend()):
            config = ml_collections.ConfigDict({**config, "lstm": "auto"})
        self._network = network = Network(config, checkpoint.params)
        self.model, self.params = network.model, network.params
        self.codec, self.bars, self.grid = network.codec, network.bars, network.grid
        size = math.prod(self.model.latent_shape)
        self.prior = latent_prior.load(checkpoint.path, size)
        self.attributes = attribute_vectors.load(checkpoint.path, size)
        layout = bar_flow.layout(self.model)
        found = bar_prior.load(checkpoint.path, layout)
        self.composer = None if found is None else Composer(found, layout)
        self.compiled: dict[Any, Any] = {}

    def with_prior(self, prior: latent_prior.LatentPrior | None) -> Self:
        """The same model with another prior."""
        other = copy.copy(self)
        other.prior = prior
        return other

    def with_composer(self, composer: Composer | None) -> Self:
        """The same model with another composer, or with none."""
        other = copy.copy(self)
        other.composer, other.compiled = composer, {}
        return other

    @property
    def writer(self) -> Writer | None:
        """Writes melodies of which some bars are given; None without a composer."""
        return None if self.composer is None else Writer(self._network, self.composer)

    @property
    def temperature(self) -> float:
        """At which new melodies are decoded, if nothing else is asked for.

        What a composer writes has its variety already.
        """
        return 0.7 if self.composer is None else 0.0

    def trained(self, params: Any) -> TrainedModel:
        """The model with parameters, as a compiled function takes it."""
        return self._network.trained(params)

    @property
    def replicated(self) -> Any:
        """The parameters on all local devices, as `Batched` takes them."""
        return self._network.replicated

    def tokens(self, melodies: Sequence[Melody]) -> np.ndarray:
        """[batch, steps] int32 of melodies of equal length.

        Raises:
          ValueError: the bars of one have another number of steps than the model's.
        """
        return self._network.tokens(melodies)

    def melody(self, tokens: np.ndarray, like: Melody | None = None) -> Melody:
        """The melody of tokens [steps], with the tempo, program and grid of another."""
        return self._network.melody(tokens, like)

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
        """The posteriors of melodies, given as tokens of `codec`.

        Args:
          tokens: [melodies, steps] integers, of the model's length.

        Raises:
          ValueError: they are of another shape or type, or there is no such token.
        """
        tokens = np.asarray(tokens)
        steps = self.bars * self.model.steps_per_bar
        if tokens.ndim != 2 or tokens.shape[1] != steps or not len(tokens):
            raise ValueError(
                f"tokens are of shape {tokens.shape}; [melodies, {steps}] is needed, at least one"
            )
        if tokens.dtype.kind not in "iu":
            raise ValueError(f"tokens are of type {tokens.dtype}; integers are needed")
        if tokens.min() < 0 or tokens.max() >= self.codec.vocab:
            raise ValueError(
                f"tokens must lie in 0..{self.codec.vocab - 1}, got {tokens.min()}..{tokens.max()}"
            )
        return self._network.encode(tokens.astype(np.int32))

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
        tokens, _ = self._network.decode(z, noise.as_key(seed), temperature)
        return [self.melody(row) for row in tokens]

    def draw(self, num: int, seed: int | jax.Array = 0) -> np.ndarray:
        """Latents from the prior: [num, ...] float32, as `decode` takes them."""
        if self.writer is not None:
            return self.writer.new_latents(num, noise.as_key(seed), self.bars)[:, 0]
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
        if not self.codec.has_pitches:
            raise UserError("attribute: only those of melodies can be changed", "attribute")
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
        temperature: float | None = None,
        attributes: Mapping[str, float] | None = None,
        bars: int | None = None,
    ) -> list[Melody]:
        """New melodies, decoded from latents that are drawn from the prior.

        >>> dense, *others = model.generate(4, seed=1, attributes={"density": 1.0})

        Args:
          num: how many, at least 1. More of them leave the first ones as they are.
          seed: an integer or a key of `jax.random.key`.
          temperature: see `decode`; None for the model's own.
          attributes: how much of an attribute to add, by name: 1 is the difference between
            the quarter of the training melodies that has most of it and the quarter that
            has least. The names are those of `music.attributes.ATTRIBUTES`.
          bars: of each melody; None for the model's.

        Raises:
          ValueError: `num` or `bars` is less than 1.
          UserError: an attribute is unknown, or how to change it; or the model has no composer,
            and there are to be more bars than it knows.
        """
        bars = self.bars if bars is None else bars
        if num < 1 or bars < 1:
            raise ValueError(f"num={num}, bars={bars}: at least 1 of each is needed")
        temperature = self.temperature if temperature is None else temperature
        key = noise.as_key(seed)
        if self.writer is not None:
            z = self.writer.new_latents(num, key, bars)
        elif bars <= self.bars:
            z = self.draw(num, seed)[:, None]
        else:
            raise UserError(
                f"bars={bars}: without a {bar_prior.FILE} beside the checkpoint, a new melody has "
                f"at most {self.bars} bars; mode=train_prior makes one",
                "bars",
                "mode",
            )
        tokens, _ = self._network.decode(z + self.shift(attributes), key, temperature)
        return [self.melody(row[: bars * self.grid.steps_per_bar]) for row in tokens]

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
        decoded, _ = self._network.decode(mu, noise.as_key(seed), temperature)
        sampled = (decoded == tokens).mean(axis=1)
        forced = self._network.teacher_forced_accuracy(mu, tokens)
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
        temperature: float | None = None,
    ) -> list[Continuation]:
        """Continues a melody.

        The last bars of the melody, at most half of what the model knows, are given, and a
        composer writes the following ones. Without one, the latent is drawn from the posterior
        of those bars repeated to full length, which says: more of the same. For more bars each
        continuation is itself continued, as often as needed.

        >>> best, *others = model.complete(melodies[0], bars=4, num=3)

        Args:
          melody: of any length.
          bars: how many to add; None for as many as the model fills at once.
          num: how many continuations.
          seed: an integer or a key of `jax.random.key`.
          temperature: see `decode`; None for the model's own.

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
        told: dict[str, Any] = {"bars": bars, "num": num, "key": noise.as_key(seed)}
        told["temperature"] = self.temperature if temperature is None else temperature
        if self.writer is not None and self.writer.knows_bars:
            return self.writer.continue_melody(melody, **told)
        return continuation.continue_melody(self._network, melody, **told)

    def vary(
        self,
        melody: Melody,
        kept_bars: Sequence[int],
        *,
        num: int = 1,
        seed: int | jax.Array = 0,
        temperature: float = 0.0,
    ) -> list[Melody]:
        """Writes some bars of a melody anew, in the context of the others.

        >>> reel = mv.example_melodies()["reel"]
        >>> another, *others = model.vary(reel, kept_bars=range(12), num=3)

        Args:
          melody: of any length.
          kept_bars: the numbers of the bars that stay as they are, from 0.
          num: how many versions.
          seed: an integer or a key of `jax.random.key`.
          temperature: see `decode`.

        Raises:
          ValueError: the melody has no bars, a number is not of one of them, or `num` is
            less than 1.
          UserError: the model has no composer that knows bars.
        """
        outside = [bar for bar in kept_bars if not 0 <= bar < melody.num_bars]
        if melody.num_bars < 1 or num < 1 or outside:
            raise ValueError(
                f"a melody of {melody.num_bars} bars, num={num}, bars that are kept: {kept_bars}; "
                "at least one bar and one version are needed, and bars that there are"
            )
        if self.writer is None or not self.writer.knows_bars:
            raise UserError(
                f"vary: needs a {bar_prior.FILE} beside the checkpoint, of a model that knows "
                "single bars; mode=train_prior makes one",
                "mode",
            )
        return self.writer.vary(
            melody, kept_bars, num=num, key=noise.as_key(seed), temperature=temperature
        )
