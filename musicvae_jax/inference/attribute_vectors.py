"""Vectors that change one attribute of a melody, and the others little, when added to its latent.

Roberts et al. 2018 (arXiv 1803.05428, section 5) add the difference between the mean
latents of melodies that have much of an attribute and of those that have little: a
quarter of the training data each. Such a vector carries as well what tends to come with the
attribute: dense melodies have a wide range. So here latents are regressed on all
attributes at once, and a vector is the mean difference of latents between melodies that
differ in one attribute alone, by as much as the quarters do.

A decoder that hardly ever errs hears nothing of a small step, since what it is told of each bar is
nearly a code. So the length of a vector is then found by decoding, see `lengthened`.
"""

import dataclasses
import pathlib
from collections.abc import Callable, Mapping

import numpy as np

from musicvae_jax.music.attributes import ATTRIBUTES
from musicvae_jax.system import files
from musicvae_jax.system.errors import UserError

FILE = "attributes.npz"
_LENGTHS = (0.0, 1.0, 1.5, 2.0, 3.0, 4.0, 6.0, 8.0)
_ENOUGH = 0.9


@dataclasses.dataclass(frozen=True)
class AttributeVectors:
    """Vectors to add to latents, flattened, and statistics of the training melodies.

    Attributes:
      vectors: [attributes, d] float32, in the order of `ATTRIBUTES`.
      mean, deviation: [attributes] float32, of the attributes in training.
      gap: [attributes] float32, between the means of the high quarter and of the low one,
        which is the change that one whole vector makes; 0 for an attribute that never varies.
    """

    vectors: np.ndarray
    mean: np.ndarray
    deviation: np.ndarray
    gap: np.ndarray

    def shift(self, amounts: Mapping[str, float]) -> np.ndarray:
        """The sum of the vectors of named attributes, each times its amount: [d] float32.

        Raises:
          UserError: an attribute is unknown, or never varies in the training data.
        """
        total = np.zeros(self.vectors.shape[1], np.float32)
        names = list(ATTRIBUTES)
        for name, amount in amounts.items():
            if name not in names:
                raise UserError(
                    f"attribute={name}: no such attribute; valid are {', '.join(names)}",
                    "attribute",
                )
            index = names.index(name)
            if not self.gap[index]:
                raise UserError(
                    f"attribute={name}: the same in every melody of the training data, so how "
                    "to change it is not known",
                    "attribute",
                )
            total += np.float32(amount) * self.vectors[index]
        return total

    def summary(self) -> dict[str, dict[str, float]]:
        """The statistics of each attribute, for JSON."""
        names = ("mean", "deviation", "gap")
        return {
            attribute: {name: round(float(getattr(self, name)[index]), 4) for name in names}
            for index, attribute in enumerate(ATTRIBUTES)
        }


def _gap(values: np.ndarray) -> np.ndarray:
    """[attributes]: between the means of the quarters; melodies that tie are all counted."""
    low, high = np.quantile(values, (0.25, 0.75), axis=0)
    return np.array(
        [
            column[column >= top].mean() - column[column <= bottom].mean()
            for column, bottom, top in zip(values.T, low, high, strict=True)
        ]
    )


def fit(mu: np.ndarray, measured: np.ndarray) -> AttributeVectors:
    """The vectors of training melodies.

    Args:
      mu: [melodies, ...], posterior means.
      measured: [melodies, attributes], from `attributes.measure`.
    """
    mean, deviation = measured.mean(axis=0), measured.std(axis=0)
    unit = np.where(deviation > 0, deviation, 1.0)
    standard = (measured - mean) / unit
    z = mu.reshape(len(mu), -1).astype(np.float64)
    # The shortest solution: 0 for what never varies.
    slopes = np.linalg.lstsq(standard, z - z.mean(axis=0), rcond=None)[0]
    gap = _gap(measured)
    return AttributeVectors(
        vectors=(slopes * (gap / unit)[:, None]).astype(np.float32),
        mean=mean.astype(np.float32),
        deviation=deviation.astype(np.float32),
        gap=gap.astype(np.float32),
    )


def lengthened(
    vectors: AttributeVectors, mu: np.ndarray, decoded: Callable[[np.ndarray], np.ndarray]
) -> AttributeVectors:
    """Vectors that change what is decoded by as much as `gap` says.

    Where an attribute has a bound that melodies reach before that, the vector is as long as nine
    tenths of the largest change take. At most it becomes eight times as long.

    Args:
      vectors: of `fit`.
      mu: [melodies, ...], posterior means.
      decoded: returns the attributes [melodies, attributes] of what latents [melodies, ...]
        decode to.
    """
    before, factors = decoded(mu), []
    for index, vector in enumerate(vectors.vectors):
        step = vector.reshape(mu.shape[1:])
        changes = [0.0]
        changes += [
            float((decoded(mu + np.float32(length) * step) - before)[:, index].mean())
            for length in _LENGTHS[1:]
        ]
        factors.append(_reaches(changes, min(float(vectors.gap[index]), _ENOUGH * max(changes))))
    longer = vectors.vectors * np.array(factors, np.float32)[:, None]
    return dataclasses.replace(vectors, vectors=longer)


def _reaches(changes: list[float], wanted: float) -> float:
    """The first length at which a change is as wanted, between those of `_LENGTHS`."""
    if wanted <= 0:
        return 1.0
    last = next(number for number, change in enumerate(changes) if change >= wanted)
    sides = slice(last - 1, last + 1)
    return float(np.interp(wanted, changes[sides], _LENGTHS[sides]))


def save(directory: pathlib.Path, vectors: AttributeVectors) -> None:
    """Writes the vectors beside a checkpoint."""
    arrays = dataclasses.asdict(vectors) | {"names": np.array(list(ATTRIBUTES))}
    files.write_npz(directory / FILE, arrays)


def load(directory: pathlib.Path, size: int) -> AttributeVectors | None:
    """The vectors beside a checkpoint, or None if it has none.

    Args:
      directory: of the run.
      size: numbers of a latent.

    Raises:
      UserError: they cannot be read, or are of another size or of other attributes.
    """
    path = directory / FILE
    if not path.is_file():
        return None
    with files.reading_npz(path) as arrays:
        names = arrays.pop("names").tolist()
        found = AttributeVectors(**arrays)
    if names != list(ATTRIBUTES) or found.vectors.shape != (len(names), size):
        raise UserError(
            f"{path}: of {names} and {found.vectors.shape[-1]} numbers; {list(ATTRIBUTES)} and "
            f"{size} are needed"
        )
    return found
