"""Sequences per second of one training step: ours, plain Flax, PyTorch, and the limit.

Run: python benchmarks/train_step.py [--quick] [--batch=64]
Needs: pip install -e . torch

All are started in one run and take their steps in turns, A B C A B C, so that a
machine whose speed drifts is fair to each. The limit is the time that the step's
matrix products alone take at the best rate a plain product reached in this run.
"""

import argparse
import functools
import importlib
import json
import pathlib
import statistics
import subprocess
import sys
import time

import jax
import jax.numpy as jnp
import ml_collections
import optax
from plain_flax import PlainVAE

sys.path.insert(0, str(pathlib.Path(__file__).parents[1]))  # for configs/

from musicvae_jax import losses, train
from musicvae_jax.models.vae import create_model

STEPS, STEPS_PER_BAR = 256, 16


class Ours:
    """The mapped step of `musicvae_jax.train`, optimizer and all."""

    def __init__(self, config: ml_collections.ConfigDict, tokens: jax.Array):
        model, optimizer = create_model(config.model), train.create_optimizer(config.train)
        self._tokens = tokens[None]
        devices = jax.local_devices()[:1]
        self._step = train.pmap_train_step(model, optimizer, config, devices)
        self._state = train.replicate(
            jax.jit(lambda: train.create_train_state(model, optimizer, 0))(), devices
        )

    def __call__(self) -> None:
        self._state, metrics = self._step(self._state, self._tokens)
        jax.block_until_ready((self._state, metrics))


class PlainFlax:
    """`PlainVAE` with the same loss and optimizer."""

    def __init__(self, config: ml_collections.ConfigDict, tokens: jax.Array, vocab: int):
        model = PlainVAE(ml_collections.FrozenConfigDict(config.model), vocab)
        optimizer = train.create_optimizer(config.train)
        latents = STEPS // STEPS_PER_BAR if config.model.latent == "per_bar" else 1
        shape = (tokens.shape[0], latents, config.model.z)
        params = jax.jit(model.init)(jax.random.key(0), tokens, jnp.zeros(shape))
        self._state = (params, optimizer.init(params), jnp.zeros((), jnp.int32))

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

        self._step = step

    def __call__(self) -> None:
        self._state = self._step(self._state)
        jax.block_until_ready(self._state)


class Torch:
    """`torch_vae.py` in a process of its own."""

    def __init__(self, config: ml_collections.ConfigDict, vocab: int, batch: int, compiles: bool):
        command = [
            sys.executable,
            str(pathlib.Path(__file__).parent / "torch_vae.py"),
            f"--model={config.model.to_json()}",
            f"--vocab={vocab}",
            f"--batch={batch}",
            *(["--compile"] if compiles else []),
        ]
        self._process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        ready = self._process.stdout.readline()
        if not ready.startswith("ready"):
            raise RuntimeError(f"torch_vae.py did not start: {' '.join(command[:2])}")

    def __call__(self) -> float:
        self._process.stdin.write("step\n")
        self._process.stdin.flush()
        return float(self._process.stdout.readline())

    def close(self) -> None:
        self._process.stdin.close()
        self._process.wait()


def step_flops(model: ml_collections.ConfigDict, vocab: int, batch: int) -> float:
    """Operations of a step's matrix products: two forward, four backward for each weight.

    Tokens pick rows of a table, which is no product; a layer's first input has no
    gradient to pass on, but a bar's embedding has.
    """
    bars = STEPS // STEPS_PER_BAR
    hidden, width, notes = model.encoder_features, model.conductor_features, model.decoder_features
    embedding = model.embedding or width
    encoder = 2 * STEPS * hidden * 4 * hidden
    conductor = bars * (width + (model.conductor_input or model.z)) * 4 * width
    decoder = STEPS * notes * (4 * notes + vocab) + bars * embedding * 4 * notes
    return 6.0 * batch * (encoder + conductor + decoder)


def product_rate(config: ml_collections.ConfigDict, batch: int) -> float:
    """Operations per second of the encoder's recurrent product, as often as in a step."""
    hidden = config.model.encoder_features
    weight = jnp.ones((hidden, 4 * hidden))

    @jax.jit
    def products(state):
        def body(state, _):
            return (state @ weight)[:, :hidden] * 1e-3, None

        return jax.lax.scan(body, state, None, length=STEPS)[0]

    state = jnp.ones((batch, hidden))
    jax.block_until_ready(products(state))
    start = time.perf_counter()
    jax.block_until_ready(products(state))
    return 2.0 * STEPS * batch * hidden * 4 * hidden / (time.perf_counter() - start)


def timed(function) -> float:
    """Seconds of one call; a PyTorch process measures its own."""
    start = time.perf_counter()
    own = function()
    return own if own is not None else time.perf_counter() - start


def measure(name: str, batch: int, rounds: int) -> dict[str, float]:
    """Median seconds of a step by each contender, and of the limit."""
    config = importlib.import_module(f"configs.{name}").get_config()
    config.train.batch_size = batch
    # The others have none.
    config.model.dropout = config.model.encoder_word_dropout = 0.0
    vocab = create_model(config.model).vocab
    tokens = jax.random.randint(jax.random.key(1), (batch, STEPS), 0, vocab)
    contenders = {
        "ours": Ours(config, tokens),
        "plain_flax": PlainFlax(config, tokens, vocab),
        "torch_eager": Torch(config, vocab, batch, compiles=False),
        "torch_compile": Torch(config, vocab, batch, compiles=True),
    }
    for contender in contenders.values():
        contender()
    seconds: dict[str, list[float]] = {contender: [] for contender in contenders}
    rates = []
    for _ in range(rounds):
        rates.append(product_rate(config, batch))
        for contender, function in contenders.items():
            seconds[contender].append(timed(function))
    for contender in contenders.values():
        if isinstance(contender, Torch):
            contender.close()
    medians = {contender: statistics.median(times) for contender, times in seconds.items()}
    medians["limit"] = step_flops(config.model, vocab, batch) / statistics.median(rates)
    return medians


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="few rounds, the seed's model only")
    parser.add_argument("--batch", type=int, default=64)
    args = parser.parse_args()
    names, rounds = (("seed",), 3) if args.quick else (("seed", "hier"), 11)
    figures: dict[str, float] = {"batch": args.batch}
    print(f"batch {args.batch}, {jax.devices()[0].device_kind}, medians of {rounds} steps in turns")
    print(f"{'model':8s} {'contender':14s} {'s/step':>9s} {'sequences/s':>12s} {'ours is':>8s}")
    for name in names:
        medians = measure(name, args.batch, rounds)
        for contender, seconds in medians.items():
            rate, ratio = args.batch / seconds, seconds / medians["ours"]
            print(f"{name:8s} {contender:14s} {seconds:9.4f} {rate:12.1f} {ratio:7.2f}x")
            figures[f"{name}_{contender}_sec"] = round(seconds, 5)
        best = min(medians["torch_eager"], medians["torch_compile"])
        figures[f"{name}_vs_torch_eager"] = round(medians["torch_eager"] / medians["ours"], 3)
        figures[f"{name}_vs_torch_best"] = round(best / medians["ours"], 3)
        figures[f"{name}_vs_plain_flax"] = round(medians["plain_flax"] / medians["ours"], 3)
        figures[f"{name}_vs_limit"] = round(medians["ours"] / medians["limit"], 3)
    print(json.dumps(figures))


if __name__ == "__main__":
    main()
