"""What is compiled for accelerators: functions mapped over devices, and their arguments' shapes."""

import functools
from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import ml_collections

from musicvae_jax.inference import bar_prior, batching, composer
from musicvae_jax.inference.network import Network
from musicvae_jax.models import bar_flow
from musicvae_jax.models.bar_flow import BarFlow
from musicvae_jax.models.vae import abstract_params, create_model
from musicvae_jax.system.errors import UserError
from musicvae_jax.training import prior_step, step, validation
from musicvae_jax.transitions import strategies
from musicvae_jax.transitions.settings import Settings

# A mapped function, and the shapes of its arguments.
Mapped = tuple[Callable[..., Any], tuple[Any, ...]]

# Windows that a prior is trained on; the shipped one has about as many.
WINDOWS = 65_536
SCALAR = jax.ShapeDtypeStruct((), jnp.float32)


def spread(tree: Any, devices: int) -> Any:
    """The shapes of a tree, of which each device has a copy."""
    return jax.tree.map(lambda x: jax.ShapeDtypeStruct((devices, *x.shape), x.dtype), tree)


def train(config: ml_collections.ConfigDict, devices: Sequence[Any], rows: int) -> Mapped:
    """A step of training."""
    model, optimizer = create_model(config.model), step.create_optimizer(config.train)
    mapped = step.parallel_train_step(model, optimizer, config, devices)
    state = jax.eval_shape(lambda: step.create_train_state(model, optimizer, 0))
    tokens = jax.ShapeDtypeStruct((rows, model.bars * model.steps_per_bar), jnp.int32)
    return mapped, spread((state, tokens), len(devices))


def evaluate(config: ml_collections.ConfigDict, devices: Sequence[Any], rows: int) -> Mapped:
    """A batch of validation."""
    model = create_model(config.model)
    tokens = jax.ShapeDtypeStruct((rows, model.bars * model.steps_per_bar), jnp.int32)
    weight = jax.ShapeDtypeStruct((rows,), jnp.float32)
    spreaded = spread((abstract_params(config), tokens, weight), len(devices))
    return validation.pmap_eval_step(model, devices), (*spreaded, 0)


def _keys(rows: int) -> jax.ShapeDtypeStruct:
    return jax.eval_shape(lambda: jax.random.key_data(jax.random.split(jax.random.key(0), rows)))


def generate(config: ml_collections.ConfigDict, devices: Sequence[Any], rows: int) -> Mapped:
    """Melodies from latents, each token fed back."""
    network = Network(config.model, None)
    z = jax.ShapeDtypeStruct((rows, 1, *network.model.latent_shape), jnp.float32)
    given = jax.ShapeDtypeStruct((rows, network.bars * network.model.steps_per_bar), jnp.int32)
    is_given = jax.ShapeDtypeStruct(given.shape, jnp.bool_)
    spreaded = spread((abstract_params(config), (z, _keys(rows), given, is_given)), len(devices))
    return batching.pmap_rows(network.decoded, devices), (*spreaded, SCALAR)


def bridge(
    strategy: str, config: ml_collections.ConfigDict, devices: Sequence[Any], rows: int
) -> Mapped:
    """Bridges as long as a melody, by a strategy, from melodies to tokens."""
    network = Network(config.model, None)

    def made(params, rows, shared):
        first, second, keys, written = rows
        told = dict(zip(("t_latent", "t_control", "temperature"), shared, strict=True))
        keys = jax.random.wrap_key_data(keys)
        told |= {"keys": keys, "composed_path": written, "settings": Settings()}
        return strategies.transition(network.trained(params), strategy, (first, second), **told)[0]

    melody = jax.ShapeDtypeStruct((rows, network.bars * network.model.steps_per_bar), jnp.int32)
    path = jax.ShapeDtypeStruct((rows, network.bars, network.model.z), jnp.float32)
    written = path if strategies.STRATEGIES[strategy].needs_composer else None
    t = jax.ShapeDtypeStruct((network.bars,), jnp.float32)
    of_rows = (melody, melody, _keys(rows), written)
    spreaded = spread((abstract_params(config), of_rows), len(devices))
    return batching.pmap_rows(made, devices), (*spreaded, (t, t, SCALAR))


def _flow(config: ml_collections.ConfigDict, dtype: str) -> tuple[BarFlow, bar_flow.Layout]:
    """The network of a bar prior, and the bars of a latent."""
    layout = bar_flow.layout(create_model(config.model))
    fields = config.prior.to_dict() | {"dtype": dtype}
    return bar_prior.create_flow(fields, layout, len(config.dataset.sources)), layout


def train_prior(config: ml_collections.ConfigDict, devices: Sequence[Any], rows: int) -> Mapped:
    """Steps of training a bar prior, `config.prior.steps_per_call` of them."""
    del rows
    fields = config.prior.to_dict()
    flow, layout = _flow(config, fields["dtype"])
    optimizer = prior_step.create_optimizer(fields)
    mapped = prior_step.pmap_steps(flow, optimizer, fields, 0, fields["steps_per_call"], devices)
    params = jax.eval_shape(lambda: bar_prior.init_params(flow, layout, 0))
    state = jax.eval_shape(lambda params: prior_step.create_state(params, optimizer), params)
    codes = (WINDOWS, fields["transpositions"], layout.bars, layout.size)
    data = prior_step.TrainCodes(
        codes=jax.ShapeDtypeStruct(codes, jnp.float16),
        source=jax.ShapeDtypeStruct((WINDOWS,), jnp.int32),
        start_bar=jax.ShapeDtypeStruct((WINDOWS,), jnp.int32),
        form=jax.ShapeDtypeStruct((WINDOWS, layout.bars), jnp.int32),
        cumulative=jax.ShapeDtypeStruct((WINDOWS,), jnp.float32),
    )
    return mapped, spread((state, data), len(devices))


def write(config: ml_collections.ConfigDict, devices: Sequence[Any], rows: int) -> Mapped:
    """Codes of bars, drawn from a bar prior."""
    flow, layout = _flow(config, composer.DTYPE)
    params = jax.eval_shape(lambda: bar_prior.init_params(flow, layout, 0))

    def drawn(params, rows, shared):
        del shared
        return composer.integrate(flow, params, *rows, steps=composer.Sampling().steps)

    bars = (rows, layout.bars)
    arguments = (
        jax.ShapeDtypeStruct((*bars, layout.size), jnp.float32),
        jax.ShapeDtypeStruct(bars, jnp.float32),
        jax.ShapeDtypeStruct(bars, jnp.bool_),
        jax.ShapeDtypeStruct(bars, jnp.int32),
        jax.ShapeDtypeStruct((rows,), jnp.int32),
        jax.ShapeDtypeStruct(bars, jnp.int32),
    )
    spreaded = spread((params, arguments), len(devices))
    return batching.pmap_rows(drawn, devices), (*spreaded, ())


FUNCTIONS = {
    "train": train,
    "evaluate": evaluate,
    "generate": generate,
    "train_prior": train_prior,
    "write": write,
    **{name: functools.partial(bridge, name) for name in strategies.STRATEGIES},
}
# Those whose rows are the batch of training.
OF_A_BATCH = ("train", "evaluate")


def named(argument: str) -> list[str]:
    """Names of functions, divided by commas.

    Raises:
      UserError: one is unknown.
    """
    names = argument.split(",")
    for name in names:
        if name not in FUNCTIONS:
            raise UserError(f"--functions={name}: unknown; known are {', '.join(FUNCTIONS)}")
    return names


def mapped(
    name: str, config: ml_collections.ConfigDict, devices: Sequence[Any], rows: int
) -> Mapped:
    """A function over devices.

    Args:
      name: of `FUNCTIONS`.
      config, devices: of it.
      rows: decoded by a device at once; training and validation have a share of the batch.
    """
    share = -(-config.train.batch_size // len(devices))
    return FUNCTIONS[name](config, devices, share if name in OF_A_BATCH else rows)
