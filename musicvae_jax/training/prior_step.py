"""The training steps of a bar prior, many in one dispatch, on all devices of a process."""

import functools
from collections.abc import Callable, Sequence
from typing import Any

import flax
import jax
import jax.numpy as jnp
import optax
from jax import lax

from musicvae_jax.models import noise
from musicvae_jax.models.bar_flow import PHASES, BarFlow
from musicvae_jax.system.devices import AXIS

# How often each kind of noise is practised: all bars at one level, each at its own, and three
# kinds with some bars known: the first ones, those at both ends, any.
_KINDS = (0.35, 0.15, 0.2, 0.15, 0.15)
# How often equal bars have the same noise, by which the flow is told the form.
_TOLD_FORM = 0.5
# How often an example's phase and source are both hidden; as often one of them alone.
_HIDDEN = 0.15


@flax.struct.dataclass
class PriorState:
    """All that a step changes.

    Attributes:
      step: the number of steps done.
      params: of the flow.
      average: an exponential moving average of them, which is what is kept in the end.
      optimizer: Adam's state.
    """

    step: jax.Array
    params: Any
    average: Any
    optimizer: optax.OptState


@flax.struct.dataclass
class TrainCodes:
    """What batches are drawn from, on the device.

    Attributes:
      codes: [windows, transpositions, bars, size], in the flow's units.
      source, start_bar: [windows] int32.
      form: [windows, bars] int32, for each bar the number of the first one that is equal.
      cumulative: [windows] float32, of the windows' weights, which rises to 1.
    """

    codes: jax.Array
    source: jax.Array
    start_bar: jax.Array
    form: jax.Array
    cumulative: jax.Array


def create_optimizer(config: dict[str, Any]) -> optax.GradientTransformation:
    """Adam with clipped gradients, a rate that warms up and falls along a cosine."""
    rate = optax.warmup_cosine_decay_schedule(
        init_value=0.0,
        peak_value=config["learning_rate"],
        warmup_steps=min(config["learning_rate_warmup"], config["num_steps"] - 1),
        decay_steps=config["num_steps"],
    )
    return optax.chain(
        optax.clip_by_global_norm(config["clip_norm"]), optax.adam(rate, b1=0.9, b2=0.99)
    )


def create_state(params: Any, optimizer: optax.GradientTransformation) -> PriorState:
    """The state before the first step."""
    copy = jax.tree.map(jnp.array, params)  # the state is donated, and both would be one buffer
    return PriorState(jnp.zeros((), jnp.int32), params, copy, optimizer.init(params))


def draw_levels(key: jax.Array, bars: int) -> jax.Array:
    """The noise levels of one example in training: [bars]; bars of level 1 are known."""
    keys = jax.random.split(key, 5)
    kind = jax.random.choice(keys[0], len(_KINDS), p=jnp.array(_KINDS))
    one = jax.random.uniform(keys[1])
    own = jax.random.uniform(keys[2], (bars,))
    bar = jnp.arange(bars)
    before, after = jax.random.randint(keys[3], (2,), 0, bars + 1)
    ends = (bar < jnp.minimum(before, bars - 1)) | (bar >= jnp.maximum(after, before + 1))
    rate, *coins = jax.random.uniform(keys[4], (bars + 1,))
    some = jnp.stack(coins) < rate
    known = jnp.select(
        [kind == 2, kind == 3, kind == 4],
        [bar < jnp.minimum(before, bars - 1), ends, some],
        jnp.zeros(bars, bool),
    )
    return jnp.where(known, 1.0, jnp.where(kind == 1, own, one))


def draw_batch(
    data: TrainCodes, keys: jax.Array, sources: int
) -> tuple[jax.Array, jax.Array, jax.Array, jax.Array]:
    """For keys [batch]: codes [batch, bars, size], phases [batch, bars], sources [batch] and
    forms [batch, bars], by which bars share their noise.
    """
    windows, transpositions, bars = data.codes.shape[:3]

    def one(key: jax.Array) -> tuple[jax.Array, ...]:
        keys = jax.random.split(key, 4)
        window = jnp.searchsorted(data.cumulative, jax.random.uniform(keys[0]))
        window = jnp.minimum(window, windows - 1)
        shift = jax.random.randint(keys[1], (), 0, transpositions)
        phase = (data.start_bar[window] + jnp.arange(bars)) % PHASES
        coin = jax.random.uniform(keys[2]) / _HIDDEN
        phase = jnp.where(coin < 1.5, PHASES, phase)
        source = jnp.where((coin < 1) | ((coin >= 1.5) & (coin < 2)), sources, data.source[window])
        is_told = jax.random.uniform(keys[3]) < _TOLD_FORM
        form = jnp.where(is_told, data.form[window], jnp.arange(bars))
        return data.codes[window, shift].astype(jnp.float32), phase, source, form

    return jax.vmap(one)(keys)


def loss(
    params: Any,
    flow: BarFlow,
    codes: jax.Array,
    phase: jax.Array,
    source: jax.Array,
    form: jax.Array,
    keys: jax.Array,
    is_training: bool = False,
) -> jax.Array:
    """The mean squared error of the velocities of bars to be written, of examples with keys."""
    _, bars, size = codes.shape
    level = jax.vmap(lambda key: draw_levels(key, bars))(noise.fold_in(keys, 1))
    epsilon = noise.normal(noise.fold_in(keys, 2), (bars, size))
    epsilon = jnp.take_along_axis(epsilon, form[..., None], axis=1)
    weight = level[..., None]
    noisy = weight * codes + (1 - weight) * epsilon
    drop_keys = noise.fold_in(keys, 3) if is_training else None
    velocity = flow.apply({"params": params}, noisy, level, phase, source, drop_keys)
    error = jnp.square(velocity - (codes - epsilon)).mean(axis=-1)
    # By an expected number of bars, so that the parts of a batch on several devices add up.
    return (error * (level < 1)).mean() * 2


def pmap_steps(
    flow: BarFlow,
    optimizer: optax.GradientTransformation,
    config: dict[str, Any],
    seed: int,
    count: int,
    devices: Sequence[jax.Device] | None = None,
) -> Callable[[PriorState, TrainCodes], tuple[PriorState, dict[str, jax.Array]]]:
    """`count` steps over devices, by default this process'; the state that goes in is given up.

    The noise belongs to the example's place in the batch and to the step, so that batches are
    the same on any number of devices and for any `count`.

    Returns:
      A function of a replicated state and replicated data, which gives the next state and
      the mean loss and gradient norm.
    """
    devices = jax.local_devices() if devices is None else devices
    per_device = config["batch_size"] // len(devices)

    def step(data: TrainCodes, state: PriorState, _: Any) -> tuple[PriorState, Any]:
        key = jax.random.fold_in(jax.random.key(seed), state.step)
        keys = noise.example_keys(key, lax.axis_index(AXIS) * per_device, per_device)
        batch = draw_batch(data, noise.fold_in(keys, 0), flow.sources)
        value, gradient = jax.value_and_grad(loss)(state.params, flow, *batch, keys, True)
        value, gradient = lax.pmean((value, gradient), AXIS)
        updates, optimizer_state = optimizer.update(gradient, state.optimizer, state.params)
        params = optax.apply_updates(state.params, updates)
        # In the first steps the average follows closely, or it would keep the initial values.
        decay = jnp.minimum(config["average"], (1 + state.step) / (10 + state.step))
        average = optax.incremental_update(params, state.average, 1 - decay)
        metrics = {"loss": value, "gradient_norm": optax.tree.norm(gradient)}
        return PriorState(state.step + 1, params, average, optimizer_state), metrics

    def steps(state: PriorState, data: TrainCodes) -> tuple[PriorState, dict[str, jax.Array]]:
        state, metrics = lax.scan(functools.partial(step, data), state, length=count)
        return state, jax.tree.map(jnp.mean, metrics)

    return jax.pmap(steps, axis_name=AXIS, devices=devices, donate_argnums=0)
