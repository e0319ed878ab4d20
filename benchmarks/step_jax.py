"""One JAX contender of `train_step.py`, in a process of its own.

For each line that it reads it takes one training step, or measures the machine's
rates, and prints the result as JSON. Run by `train_step.py`.
"""

import argparse
import functools
import json
import resource
import sys
import time

import jax
import jax.numpy as jnp
import ml_collections
import optax
from plain_flax import PlainVAE

from musicvae_jax import configs
from musicvae_jax.models import losses
from musicvae_jax.models.vae import create_model
from musicvae_jax.system import devices as system_devices
from musicvae_jax.system import memory
from musicvae_jax.training import step as training_step

STEPS, STEPS_PER_BAR = 256, 16


def load_config(name: str, batch: int, dtype: str) -> ml_collections.ConfigDict:
    """A configuration without dropout, which the other contenders do not have."""
    config = configs.load(name)
    config.train.batch_size = batch
    config.model.dtype = dtype
    config.model.dropout = 0.0
    config.model.encoder_word_dropout = config.model.decoder_word_dropout = 0.0
    return config


def peak_memory_mib() -> float:
    """The accelerator's peak, or this process's."""
    stats = jax.local_devices()[0].memory_stats()
    if stats:
        return stats["peak_bytes_in_use"] / 2**20
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def ours(config: ml_collections.ConfigDict, tokens: jax.Array):
    """The mapped step of `musicvae_jax.training.step`, as `main` sets it up."""
    model, optimizer = create_model(config.model), training_step.create_optimizer(config.train)
    devices = jax.local_devices()[:1]
    step = training_step.pmap_train_step(model, optimizer, config, devices)
    state = system_devices.replicate(
        jax.jit(lambda: training_step.create_train_state(model, optimizer, 0))(), devices
    )
    tokens = tokens[None]

    def run() -> None:
        nonlocal state
        state, metrics = step(state, tokens)
        jax.block_until_ready((state, metrics))

    return run


def plain_flax(config: ml_collections.ConfigDict, tokens: jax.Array):
    """`PlainVAE` with the same loss and optimizer."""
    model = PlainVAE(
        ml_collections.FrozenConfigDict(config.model), create_model(config.model).vocab
    )
    optimizer = training_step.create_optimizer(config.train)
    latents = STEPS // STEPS_PER_BAR if config.model.latent == "per_bar" else 1
    shape = (tokens.shape[0], latents, config.model.z)
    params = jax.jit(model.init)(jax.random.key(0), tokens, jnp.zeros(shape))
    state = (params, optimizer.init(params), jnp.zeros((), jnp.int32))

    @functools.partial(jax.jit, donate_argnums=0)
    def step(state):
        params, optimizer_state, number = state

        def mean_loss(params):
            noise = jax.random.normal(jax.random.fold_in(jax.random.key(0), number), shape)
            logits, mu, sigma = model.apply(params, tokens, noise)
            return losses.loss_and_metrics(logits, tokens, mu, sigma, 0.2, 0.0)[0].mean()

        gradients = jax.grad(mean_loss)(params)
        updates, optimizer_state = optimizer.update(gradients, optimizer_state, params)
        return optax.apply_updates(params, updates), optimizer_state, number + 1

    def run() -> None:
        nonlocal state
        state = step(state)
        jax.block_until_ready(state)

    return run


def _seconds(function, *arguments) -> float:
    jax.block_until_ready(function(*arguments))
    start = time.perf_counter()
    jax.block_until_ready(function(*arguments))
    return time.perf_counter() - start


def rates(config: ml_collections.ConfigDict, batch: int) -> dict[str, float]:
    """What the machine can do at this moment, by products alone, without any LSTM.

    Returns:
      Operations per second of the three products of the encoder's first layer: the
      state by the kernel, a step at a time; the gates' gradients by the transposed
      kernel, a step at a time; and the kernel's gradient, all steps at once. And the
      seconds of one turn of a loop that does next to nothing.
    """
    hidden, dtype = config.model.encoder_features, jnp.dtype(config.model.dtype)
    kernel = jnp.full((hidden, 4 * hidden), 1e-3, dtype)
    state, gates = jnp.ones((batch, hidden), dtype), jnp.ones((batch, 4 * hidden), dtype)

    def fold(x):  # all four gates take part, or XLA would drop their columns
        return (x[:, :hidden] + x[:, hidden : 2 * hidden]) + (
            x[:, 2 * hidden : 3 * hidden] + x[:, 3 * hidden :]
        )

    def scanned(body, start):
        return jax.jit(lambda x: jax.lax.scan(lambda x, _: (body(x), None), x, None, STEPS)[0])

    forward = scanned(lambda h: fold(h @ kernel), state)
    backward = scanned(lambda g: jnp.tile(g @ kernel.T, (1, 4)), gates)
    all_states = jnp.ones((STEPS * batch, hidden), dtype)
    all_gates = jnp.ones((STEPS * batch, 4 * hidden), dtype)
    operations = 2.0 * STEPS * batch * hidden * 4 * hidden
    return {
        "forward": operations / _seconds(forward, state),
        "backward": operations / _seconds(backward, gates),
        "weight": operations / _seconds(jax.jit(lambda a, b: a.T @ b), all_states, all_gates),
        "loop_turn_sec": _seconds(scanned(lambda x: x * 0.5 + 1.0, state[:1, :1]), state[:1, :1])
        / STEPS,
    }


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--contender", required=True, choices=("ours", "plain_flax", "rates"))
    parser.add_argument("--config", required=True)
    parser.add_argument("--batch", type=int, required=True)
    parser.add_argument("--dtype", required=True)
    args = parser.parse_args()
    config = load_config(args.config, args.batch, args.dtype)
    if args.contender != "plain_flax":  # ours does so, and who writes plain Flax does not
        memory.keep_freed_memory()
    if args.contender == "rates":
        step = functools.partial(rates, config, args.batch)
    else:
        vocab = create_model(config.model).vocab
        tokens = jax.random.randint(jax.random.key(1), (args.batch, STEPS), 0, vocab)
        step = {"ours": ours, "plain_flax": plain_flax}[args.contender](config, tokens)
    for _ in range(2):
        step()
    print(json.dumps({"ready": jax.devices()[0].device_kind}), flush=True)
    for _ in sys.stdin:
        start = time.perf_counter()
        result = step() or {"sec": time.perf_counter() - start}
        print(json.dumps({**result, "peak_mib": peak_memory_mib()}), flush=True)


if __name__ == "__main__":
    main()
