"""Decoding in PyTorch, to be measured against; talks to `decode.py` over a pipe.

For each line it reads, as `{"do": "latent", "batch": 1}`, it does that once and prints
its seconds as JSON. The transitions are the seed project's: one pair at a time, in
Python loops over bars and notes (its defects are left out, which changes no shape).
"""

import argparse
import json
import sys
import time

import torch
from step_jax import STEPS, STEPS_PER_BAR, load_config
from torch.nn import functional as F
from torch_vae import BARS, TorchVAE

from musicvae_jax.music.tokens import CODECS
from musicvae_jax.system import memory


class Decoding:
    """A model with what the seed and a batched decoder do with it."""

    def __init__(self, config: str):
        self._config = load_config(config, 1, "float32").model
        self._vocab = CODECS[self._config.codec].vocab
        self._device = "cuda" if torch.cuda.is_available() else "cpu"
        self._vae = TorchVAE(self._config.to_dict(), self._vocab).to(self._device).eval()

    def melody(self) -> torch.Tensor:
        """Random tokens: [steps, 1]."""
        return torch.randint(0, self._vocab, (STEPS, 1), device=self._device)

    def encode(self, tokens: torch.Tensor) -> torch.Tensor:
        """tokens: [steps, batch] -> a latent for each bar: [bars, batch, z]."""
        mu, _ = self._vae.encode(F.one_hot(tokens, self._vocab).float())
        return mu.expand(BARS, -1, -1)

    def _first_state(self, name: str, inputs: torch.Tensor, layers: int):
        if not self._config.learned_state:
            return None
        return self._vae._state(getattr(self._vae, name), inputs, layers)

    def decode(self, path: torch.Tensor, control: torch.Tensor | None) -> torch.Tensor:
        """Bar by bar and note by note: path [bars, batch, z] -> tokens [steps, batch].

        With `control`, tokens [steps, batch], these are fed back instead of its own.
        """
        vae, config, batch = self._vae, self._config, path.shape[1]
        state = self._first_state("conductor_state", path[0], config.conductor_layers)
        token = torch.zeros(batch, self._vocab, device=self._device)
        tokens = []
        shares = vae.shares(path)
        for bar in range(BARS):
            output, state = vae.conductor(shares[bar : bar + 1], state)
            embedding = vae.embedding(output)
            notes = self._first_state("decoder_state", embedding[0], config.decoder_layers)
            for step in range(bar * STEPS_PER_BAR, (bar + 1) * STEPS_PER_BAR):
                inputs = torch.cat([token[None], embedding], dim=-1)
                output, notes = vae.decoder(inputs, notes)
                tokens.append(vae.logits(output[0]).argmax(dim=-1))
                fed = tokens[-1] if control is None else control[step]
                token = F.one_hot(fed, self._vocab).float()
        return torch.stack(tokens)

    def transition(self, strategy: str) -> torch.Tensor:
        """One pair by the seed's strategy."""
        one, two = self.melody(), self.melody()
        first, second = self.encode(one), self.encode(two)
        t = torch.linspace(0, 1, BARS, device=self._device)
        path, control = first, None
        if strategy in ("latent", "combined"):
            path = torch.stack([(1 - t[b]) * first[b] + t[b] * second[b] for b in range(BARS)])
        if strategy in ("teacher_forcing", "combined"):
            takes_second = torch.bernoulli(t).bool().repeat_interleave(STEPS_PER_BAR)
            control = torch.where(takes_second[:, None], two, one)
        return self.decode(path, control)

    def generate(self, batch: int) -> torch.Tensor:
        """A batch of new melodies at once."""
        bars = BARS if self._config.latent == "per_bar" else 1
        z = torch.randn(bars, batch, self._config.z, device=self._device)
        return self.decode(z.expand(BARS, -1, -1), None)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--config", required=True)
    args = parser.parse_args()
    memory.keep_freed_memory()
    torch.manual_seed(0)
    decoding = Decoding(args.config)
    print(json.dumps({"ready": decoding._device}), flush=True)
    with torch.inference_mode():
        for line in sys.stdin:
            task = json.loads(line)
            start = time.perf_counter()
            if task["do"] == "generate":
                tokens = decoding.generate(task["batch"])
            else:
                tokens = decoding.transition(task["do"])
            tokens.cpu()
            print(json.dumps({"sec": time.perf_counter() - start}), flush=True)


if __name__ == "__main__":
    main()
