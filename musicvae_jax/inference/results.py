"""What a model gives back."""

import dataclasses

import numpy as np

from musicvae_jax.music.melody import Melody


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
