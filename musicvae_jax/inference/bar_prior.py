"""The file of a bar prior, beside a checkpoint: a flow's parameters, and what their use needs.

`training/prior_loop` trains it, `composer` draws from it.
"""

import dataclasses
import json
import pathlib
from typing import Any

import flax
import jax
import jax.numpy as jnp
import numpy as np

from musicvae_jax.models.bar_flow import BarFlow, Layout
from musicvae_jax.system import files

FILE = "bar_prior.npz"


@dataclasses.dataclass(frozen=True)
class Outlines:
    """What new melodies begin with: the outlines of some training windows.

    Attributes:
      form: [outlines, bars] uint8, for each bar the number of the first one that is equal.
      source: [outlines] uint8, the number of the source.
      phase: [outlines] uint8, of the first bar, see `BarFlow`.
    """

    form: np.ndarray
    source: np.ndarray
    phase: np.ndarray


@dataclasses.dataclass(frozen=True)
class BarPrior:
    """A trained flow of bar codes.

    Attributes:
      config: the fields of `config.prior` that it was made with.
      params: of the flow, a tree of float32 arrays.
      mean, unit: [size] float32; the flow knows a code as (code - mean) / unit.
      sources: the names of the sources that it tells apart.
      outlines: of training windows, as often as the sources count.
      facts: what it was trained on and how well it did, for a report.
    """

    config: dict[str, Any]
    params: Any
    mean: np.ndarray
    unit: np.ndarray
    sources: tuple[str, ...]
    outlines: Outlines
    facts: dict[str, Any]

    def standard(self, codes: np.ndarray) -> np.ndarray:
        """Codes [..., size] as the flow knows them."""
        return ((codes - self.mean) / self.unit).astype(np.float32)

    def codes(self, standard: np.ndarray) -> np.ndarray:
        """The reverse of `standard`."""
        return (standard * self.unit + self.mean).astype(np.float32)


def create_flow(config: dict[str, Any], layout: Layout, sources: int) -> BarFlow:
    """The network that `config.prior` describes (see `configs/default.py`)."""
    return BarFlow(
        size=layout.size,
        sources=sources,
        features=config["features"],
        layers=config["layers"],
        heads=config["heads"],
        # Further apart no two bars ever lay in training.
        max_lag=max(layout.bars - 1, 1),
        dropout=config["dropout"],
        dtype=jnp.dtype(config["dtype"]),
    )


def save(directory: pathlib.Path, prior: BarPrior) -> None:
    """Writes the prior beside a checkpoint, with parameters of 16 bits."""
    flat = flax.traverse_util.flatten_dict(prior.params, sep="/")
    arrays = {f"params/{name}": np.asarray(leaf, np.float16) for name, leaf in flat.items()}
    plain = {"config": prior.config, "sources": prior.sources, "facts": prior.facts}
    arrays |= {"mean": prior.mean, "unit": prior.unit} | {
        f"outlines/{name}": values for name, values in vars(prior.outlines).items()
    }
    files.write_npz(directory / FILE, arrays | {"plain": json.dumps(plain)})


def load(directory: pathlib.Path, layout: Layout) -> BarPrior | None:
    """The prior beside a checkpoint, if there is one.

    Args:
      directory: of the run.
      layout: of the model's latents.

    Raises:
      UserError: it cannot be read, or is not of this model.
    """
    path = directory / FILE
    if not path.is_file():
        return None
    with files.reading_npz(path) as found:
        plain = json.loads(str(found.pop("plain")))
        numbers = {name: found.pop(name) for name in ("mean", "unit")}
        names = ("form", "source", "phase")
        outlines = Outlines(**{name: found.pop(f"outlines/{name}") for name in names})
        flat = {name.removeprefix("params/"): leaf for name, leaf in found.items()}
        params = flax.traverse_util.unflatten_dict(
            {name: leaf.astype(np.float32) for name, leaf in flat.items()}, sep="/"
        )
        prior = BarPrior(
            plain["config"],
            params,
            sources=tuple(plain["sources"]),
            outlines=outlines,
            facts=plain["facts"],
            **numbers,
        )
        _check(prior, layout)
    return prior


def _check(prior: BarPrior, layout: Layout) -> None:
    """Raises a ValueError if arrays are not of the shapes that they must have."""
    flow = create_flow(prior.config, layout, len(prior.sources))
    expected = jax.eval_shape(lambda: init_params(flow, layout, 0))
    shapes = [jax.tree.map(np.shape, tree) for tree in (prior.params, expected)]
    count = len(prior.outlines.form)
    sizes = [prior.mean.shape, prior.unit.shape]
    sizes += [values.shape for values in vars(prior.outlines).values()]
    wanted = [(layout.size,), (layout.size,), (count, layout.bars), (count,), (count,)]
    if shapes[0] != shapes[1] or sizes != wanted:
        raise ValueError(f"it is not a prior of {layout.bars} codes of {layout.size} numbers")


def init_params(flow: BarFlow, layout: Layout, seed: int) -> Any:
    """Initial parameters, a function of the seed."""
    codes = jnp.zeros((1, layout.bars, layout.size))
    level, phase = codes[..., 0], jnp.zeros((1, layout.bars), jnp.int32)
    key = jax.random.key(seed)
    # Compiled as a whole, which takes seconds; otherwise each of its operations is.
    initialise = jax.jit(flow.init)
    return initialise(key, codes, level, phase, jnp.zeros(1, jnp.int32))["params"]
