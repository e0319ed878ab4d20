"""A prior fitted to where the encoder puts melodies, to draw new ones from.

The model is trained towards a standard normal prior, and stays away from it by hundreds
of bits: what is drawn from the standard normal lies where no melody was. A normal
distribution fitted afterwards to the latents of the training data (Ghosh et al. 2020,
arXiv 1903.12436, section 4) lies where they are. With a latent for each bar it also
knows how bars go together: that the ninth often repeats the first.
"""

import dataclasses
import pathlib

import numpy as np

from musicvae_jax.system import files
from musicvae_jax.system.errors import UserError

FILE = "latent_prior.npz"
# By how much the covariances between dimensions are shrunk; the best is chosen.
_SHRINKAGES = (0.003, 0.01, 0.03, 0.1, 0.3, 1.0)


@dataclasses.dataclass(frozen=True)
class LatentPrior:
    """A normal distribution over latents, flattened.

    Attributes:
      mean: [d] float32.
      factor: [d, d] float32, the lower Cholesky factor of the covariance.
    """

    mean: np.ndarray
    factor: np.ndarray

    def transform(self, noise: np.ndarray) -> np.ndarray:
        """Standard normal numbers [batch, ...] as draws of the same shape."""
        flat = noise.reshape(len(noise), -1)
        return (self.mean + flat @ self.factor.T).reshape(noise.shape)

    def log_density(self, z: np.ndarray) -> np.ndarray:
        """Nats of latents [batch, ...]: [batch]."""
        centred = z.reshape(len(z), -1).astype(np.float64) - self.mean
        solved = np.linalg.solve(self.factor, centred.T)
        return standard_log_density(solved.T) - np.log(np.diag(self.factor)).sum()


def standard_log_density(z: np.ndarray) -> np.ndarray:
    """The same of the standard normal."""
    flat = z.reshape(len(z), -1)
    return -0.5 * ((flat**2).sum(axis=1) + flat.shape[1] * np.log(2 * np.pi))


def fit(
    mu: np.ndarray, sigma: np.ndarray, held_out: np.ndarray
) -> tuple[LatentPrior, dict[str, float]]:
    """Fits to posteriors of training melodies; how much to shrink, other melodies decide.

    Args:
      mu, sigma: [melodies, ...], the posteriors.
      held_out: [melodies, ...], draws from posteriors of melodies of other songs.

    Returns:
      The prior, and the mean negative log density that it and the standard normal give
      to `held_out`, in nats a melody, with the shrinkage chosen.
    """
    mu, sigma = (x.reshape(len(x), -1).astype(np.float64) for x in (mu, sigma))
    mean = mu.mean(axis=0)
    # The covariance of a mixture: of its components' means, and theirs on average.
    covariance = np.cov(mu, rowvar=False, bias=True) + np.diag((sigma**2).mean(axis=0))
    tried = {}
    for shrinkage in _SHRINKAGES:
        shrunk = (1 - shrinkage) * covariance + shrinkage * np.diag(np.diag(covariance))
        prior = LatentPrior(mean.astype(np.float32), np.linalg.cholesky(shrunk).astype(np.float32))
        tried[float(-prior.log_density(held_out).mean())] = (shrinkage, prior)
    nats = min(tried)
    shrinkage, prior = tried[nats]
    return prior, {
        "prior_nats": nats,
        "standard_normal_nats": float(-standard_log_density(held_out).mean()),
        "shrinkage": shrinkage,
    }


def save(directory: pathlib.Path, prior: LatentPrior) -> None:
    """Writes the prior beside a checkpoint."""
    files.write_npz(directory / FILE, {"mean": prior.mean, "factor": prior.factor})


def load(directory: pathlib.Path, size: int) -> LatentPrior | None:
    """The prior beside a checkpoint, if there is one.

    Args:
      directory: of the run.
      size: numbers of a latent.

    Raises:
      UserError: it cannot be read, or is of another size.
    """
    path = directory / FILE
    if not path.is_file():
        return None
    with files.reading_npz(path) as arrays:
        prior = LatentPrior(arrays["mean"], arrays["factor"])
    if prior.mean.shape != (size,) or prior.factor.shape != (size, size):
        raise UserError(f"{path}: of {prior.mean.size} numbers; the model's latents have {size}")
    return prior
