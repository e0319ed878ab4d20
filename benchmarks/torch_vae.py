"""The same models in PyTorch, to be measured against; talks to `train_step.py` over a pipe.

Written as a PyTorch user would: nn.LSTM over one-hot inputs, teacher forcing, the
same loss. Run by `train_step.py`: for each line that it reads it takes one step and
prints its seconds and the peak memory as JSON.
"""

import argparse
import json
import resource
import sys
import time

import torch
from step_jax import STEPS, STEPS_PER_BAR, load_config
from torch import nn
from torch.nn import functional as F

from musicvae_jax.music.tokens import CODECS
from musicvae_jax.system import memory

BARS = STEPS // STEPS_PER_BAR


class TorchVAE(nn.Module):
    """`configs/seed.py` or `configs/hier.py`, by their fields."""

    def __init__(self, model: dict, vocab: int):
        super().__init__()
        self.model, self.vocab = model, vocab
        hidden, z = model["encoder_features"], model["z"]
        self.encoder = nn.LSTM(vocab, hidden, model["encoder_layers"], bidirectional=True)
        self.has_shares = model["conductor_reads"] == "bars"
        self.is_mixed = model["encoder_reads"] == "bars" and model["latent"] == "global"
        if self.is_mixed:
            self.bar = nn.Linear(2 * hidden, z // BARS)
            self.posterior = nn.Linear(z, 2 * z)
        else:
            self.posterior = nn.Linear(2 * hidden, 2 * z)
        conductor_input = model["conductor_input"] or z
        self.input = nn.Linear(z, conductor_input) if model["conductor_input"] else nn.Identity()
        if self.has_shares:
            conductor_input = z // BARS
            self.input = nn.Linear(z, z, bias=False)
        width, layers = model["conductor_features"], model["conductor_layers"]
        self.conductor = nn.LSTM(conductor_input, width, layers)
        embedding = model["embedding"] or width
        self.embedding = nn.Linear(width, embedding) if model["embedding"] else nn.Identity()
        notes, note_layers = model["decoder_features"], model["decoder_layers"]
        self.decoder = nn.LSTM(vocab + embedding, notes, note_layers)
        self.logits = nn.Linear(notes, vocab)
        if model["learned_state"]:
            self.conductor_state = nn.Linear(z, 2 * layers * width)
            self.decoder_state = nn.Linear(embedding, 2 * note_layers * notes)

    def _state(self, linear: nn.Linear, x: torch.Tensor, layers: int):
        state = torch.tanh(linear(x)).view(x.shape[0], 2 * layers, -1).transpose(0, 1)
        return state[::2].contiguous(), state[1::2].contiguous()

    def encode(self, one_hot: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """one_hot: [steps, batch, vocab] -> mu and raw sigma: [bars or 1, batch, z]."""
        model, batch = self.model, one_hot.shape[1]
        outputs, (final, _) = self.encoder(one_hot)
        bars = outputs[STEPS_PER_BAR - 1 :: STEPS_PER_BAR]
        if model["encoder_reads"] == "bars":
            backward = outputs[::STEPS_PER_BAR].chunk(2, dim=-1)[1]
            bars = torch.cat([bars.chunk(2, dim=-1)[0], backward], dim=-1)
        if self.is_mixed:
            encoded = self.bar(bars).transpose(0, 1).reshape(1, batch, -1)
        elif model["latent"] == "per_bar":
            encoded = bars
        else:
            encoded = torch.cat([final[-2], final[-1]], dim=-1)[None]
        return self.posterior(encoded).chunk(2, dim=-1)

    def shares(self, path: torch.Tensor) -> torch.Tensor:
        """What the conductor is given: path [bars, batch, z] -> [bars, batch, input]."""
        if not self.has_shares:
            return self.input(path)
        bars = path.shape[0]
        kernels = self.input.weight.view(BARS, -1, self.model["z"])
        return torch.einsum("tbz,tiz->tbi", path, kernels[:bars])

    def forward(self, tokens: torch.Tensor) -> torch.Tensor:
        """tokens: [steps, batch] int64 -> the loss, a mean over the batch."""
        model, batch = self.model, tokens.shape[1]
        one_hot = F.one_hot(tokens, self.vocab).float()
        mu, raw_sigma = self.encode(one_hot)
        sigma = F.softplus(raw_sigma)
        z = mu + sigma * torch.randn_like(sigma)
        kl = (0.5 * (mu**2 + sigma**2 - 1) - sigma.log()).sum((0, 2))
        path = z.expand(BARS, batch, -1)
        layers, note_layers = model["conductor_layers"], model["decoder_layers"]
        state = (
            self._state(self.conductor_state, path[0], layers) if model["learned_state"] else None
        )
        bars = self.embedding(self.conductor(self.shares(path), state)[0])
        rows = bars.reshape(BARS * batch, -1)
        previous = F.pad(one_hot[:-1], (0, 0, 0, 0, 1, 0))
        # [bars, steps_per_bar, batch] -> [steps_per_bar, bars * batch]
        previous = previous.view(BARS, STEPS_PER_BAR, batch, -1).transpose(0, 1)
        previous = previous.reshape(STEPS_PER_BAR, BARS * batch, -1)
        inputs = torch.cat([previous, rows.expand(STEPS_PER_BAR, -1, -1)], dim=-1)
        state = (
            self._state(self.decoder_state, rows, note_layers) if model["learned_state"] else None
        )
        logits = self.logits(self.decoder(inputs, state)[0])
        targets = tokens.view(BARS, STEPS_PER_BAR, batch).transpose(0, 1).reshape(-1)
        nll = F.cross_entropy(logits.reshape(-1, self.vocab), targets, reduction="sum") / batch
        return nll + 0.2 * kl.mean()


def peak_memory_mib(device: str) -> float:
    if device == "cuda":
        return torch.cuda.max_memory_allocated() / 2**20
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--config", required=True)
    parser.add_argument("--batch", type=int, required=True)
    parser.add_argument("--dtype", required=True)
    parser.add_argument("--compile", action="store_true")
    parser.add_argument("--keep_freed_memory", action="store_true")
    args = parser.parse_args()
    if args.keep_freed_memory:
        memory.keep_freed_memory()
    config = load_config(args.config, args.batch, args.dtype).model
    vocab = CODECS[config.codec].vocab
    device = "cuda" if torch.cuda.is_available() else "cpu"
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = True
    torch.manual_seed(0)
    model = TorchVAE(config.to_dict(), vocab).to(device)
    loss_of = torch.compile(model) if args.compile else model
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
    tokens = torch.randint(0, vocab, (STEPS, args.batch), device=device)
    autocast = torch.autocast(device, torch.bfloat16, enabled=args.dtype == "bfloat16")

    def step() -> None:
        optimizer.zero_grad(set_to_none=True)
        with autocast:
            loss = loss_of(tokens)
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        if device == "cuda":
            torch.cuda.synchronize()

    for _ in range(3):
        step()
    print(json.dumps({"ready": device}), flush=True)
    for _ in sys.stdin:
        start = time.perf_counter()
        step()
        seconds = time.perf_counter() - start
        print(json.dumps({"sec": seconds, "peak_mib": peak_memory_mib(device)}), flush=True)


if __name__ == "__main__":
    main()
