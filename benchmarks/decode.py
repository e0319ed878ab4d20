"""Transitions and new melodies per second, by batch size, against PyTorch.

Run: python benchmarks/decode.py [--quick] [--model=seed] [--rounds=5]
Needs: pip install -e . torch

The peers are the seed project's way, one transition at a time in Python loops, and a
decoder in PyTorch that takes a whole batch through the same loops. All take turns.
"""

import argparse
import functools
import json
import statistics
import time

import jax
import jax.numpy as jnp
from step_jax import STEPS, STEPS_PER_BAR, load_config
from train_step import Contender

from musicvae_jax.models import noise, vae
from musicvae_jax.models.trained import TrainedModel
from musicvae_jax.models.vae import create_model
from musicvae_jax.music.tokens import CODECS
from musicvae_jax.system import memory
from musicvae_jax.transitions import strategies
from musicvae_jax.transitions.settings import Settings

STRATEGIES = ("latent", "teacher_forcing", "combined")
SEED_RUNS = 20  # transitions of the seed's way in each round


class Ours:
    """Jitted functions of a batch; random parameters, which take no longer than good ones."""

    def __init__(self, name: str):
        config = load_config(name, 1, "float32").model
        self._model = model = create_model(config)
        self._params = params = jax.jit(lambda: vae.init_params(model, 0))()
        t = jnp.linspace(0.0, 1.0, STEPS // STEPS_PER_BAR)
        settings = Settings()
        trained = TrainedModel(params, model, CODECS[config.codec])

        def transition(strategy, tokens_1, tokens_2, keys):
            made, _ = strategies.transition(
                trained,
                strategy,
                (tokens_1, tokens_2),
                t_latent=t,
                t_control=t,
                keys=keys,
                settings=settings,
            )
            return made

        def generate(z, keys):
            path = model.apply({"params": params}, z, method="path")
            return model.apply({"params": params}, path, keys, 0.0, method="sample")[0]

        def encode(tokens):
            return model.apply({"params": params}, tokens, method="encode")[0]

        self._transition = jax.jit(transition, static_argnums=0)
        self._generate, self._encode = jax.jit(generate), jax.jit(encode)

    def tasks(self, batch: int) -> dict[str, functools.partial]:
        """What is measured, by name, for a batch size."""
        key = jax.random.key(batch)
        tokens = jax.random.randint(key, (2, batch, STEPS), 0, self._model.vocab)
        keys = noise.example_keys(key, 0, batch)
        z = noise.normal(keys, self._model.latent_shape)
        tasks = {s: functools.partial(self._transition, s, *tokens, keys) for s in STRATEGIES}
        tasks["generate"] = functools.partial(self._generate, z, keys)
        tasks["encode both"] = functools.partial(self._encode, tokens.reshape(-1, STEPS))
        return tasks


def seconds(function) -> float:
    start = time.perf_counter()
    jax.block_until_ready(function())
    return time.perf_counter() - start


def measure(
    ours: Ours, peer: Contender, batch: int, rounds: int
) -> tuple[dict[str, float], dict[str, float]]:
    """Median rates a second: ours at a batch size, and the peer's.

    The peer's transitions come one at a time, its `generate` as a batch.
    """
    tasks = ours.tasks(batch)
    for task in tasks.values():
        jax.block_until_ready(task())
    own: dict[str, list[float]] = {name: [] for name in tasks}
    others: dict[str, list[float]] = {name: [] for name in (*STRATEGIES, "generate")}
    for _ in range(rounds):
        for name, task in tasks.items():
            own[name].append(seconds(task))
        for strategy in STRATEGIES:
            alone = [peer.step({"do": strategy, "batch": 1})["sec"] for _ in range(SEED_RUNS)]
            others[strategy].append(statistics.median(alone))
        others["generate"].append(peer.step({"do": "generate", "batch": batch})["sec"])
    rates = {name: batch / statistics.median(values) for name, values in own.items()}
    peer_rates = {name: 1 / statistics.median(others[name]) for name in STRATEGIES}
    peer_rates["generate"] = batch / statistics.median(others["generate"])
    return rates, peer_rates


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="batch 256 only, one round")
    parser.add_argument("--model", default="seed", help="a name in configs/")
    parser.add_argument("--rounds", type=int, default=5)
    args = parser.parse_args()
    memory.keep_freed_memory()
    batches, rounds = ((256,), 1) if args.quick else ((1, 4, 16, 64, 256, 1024), args.rounds)
    ours, peer = Ours(args.model), Contender("torch_decode.py", f"--config={args.model}")
    figures: dict[str, object] = {}
    print(f"{args.model}, {jax.devices()[0].device_kind}, a second; medians of {rounds} rounds")
    print(f"{'batch':>6s} {'':16s} {'ours':>10s} {'PyTorch':>10s} {'ratio':>8s}")
    for batch in batches:
        rates, peers = measure(ours, peer, batch, rounds)
        for name, rate in rates.items():
            versus = f"{peers[name]:10.1f} {rate / peers[name]:7.1f}x" if name in peers else ""
            print(f"{batch:6d} {name:16s} {rate:10.1f} {versus}")
        figures[f"batch_{batch}"] = {name: round(rate, 2) for name, rate in rates.items()}
        if batch == 256:
            figures |= {f"{s}_vs_seed": round(rates[s] / peers[s], 2) for s in STRATEGIES}
            figures["generate_vs_torch_batched"] = round(rates["generate"] / peers["generate"], 2)
    peer.close()
    print(json.dumps(figures))


if __name__ == "__main__":
    main()
