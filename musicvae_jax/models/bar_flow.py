"""A flow from noise to the codes of a melody's bars, in which every bar has its own noise level.

A bar's code is its share of the posterior's mean: equal bars have nearly equal codes. The
network is trained by flow matching (Lipman et al. 2023, arXiv 2210.02747; Liu et al. 2023,
arXiv 2209.03003): at level t a code is t * code + (1 - t) * noise, and the network predicts
code - noise, along which an ODE leads from noise (t = 0) to codes (t = 1). Because each bar
has a level of its own (Diffusion Forcing, Chen et al. 2024, arXiv 2407.01392), one network
writes new melodies (all bars are noise), continues, bridges and repairs (some bars are known,
t = 1).
"""

import dataclasses

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np

from musicvae_jax.models import noise
from musicvae_jax.models.vae import MusicVAE

# Bars are counted within so many: a tune of the training data often has four parts of eight.
PHASES = 32
_FREQUENCIES = 32  # of sines of the noise level


@dataclasses.dataclass(frozen=True)
class Layout:
    """How a model's latent divides into codes of bars.

    Attributes:
      bars: codes of a latent: its bars, or 1 if nothing in a latent belongs to a bar.
      size: numbers of a code.
      latent_shape: of one latent.
    """

    bars: int
    size: int
    latent_shape: tuple[int, ...]

    def codes(self, z: np.ndarray) -> np.ndarray:
        """Latents [batch, ...] as codes [batch, bars, size]."""
        return z.reshape(len(z), self.bars, self.size)

    def latents(self, codes: np.ndarray) -> np.ndarray:
        """Codes [batch, bars, size] as latents [batch, ...]."""
        return codes.reshape(len(codes), *self.latent_shape)


def layout(model: MusicVAE) -> Layout:
    """The layout of a model's latents."""
    has_shares = bool((model.decoder["conductor"] or {}).get("bars"))
    if model.per_bar or has_shares:
        size = model.z if model.per_bar else model.z // model.bars
        return Layout(model.bars, size, model.latent_shape)
    return Layout(1, model.z, model.latent_shape)


class Attention(nn.Module):
    """Self-attention of bars; where a bar stands shows in its distances to others alone.

    Attributes:
      heads: how many; they divide the features.
      max_lag: bars that lie further apart do not see each other.
      dtype: of matrix products.
    """

    heads: int
    max_lag: int
    dtype: jnp.dtype

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        """x: [batch, bars, features] -> the same."""
        batch, bars, features = x.shape
        size = features // self.heads
        qkv = nn.Dense(3 * features, dtype=self.dtype, name="qkv")(x)
        query, key, value = jnp.moveaxis(qkv.reshape(batch, bars, 3, self.heads, size), 2, 0)
        # Normalised, so that attention stays in bounds at any rate of learning.
        query = nn.RMSNorm(dtype=self.dtype, name="query_norm")(query)
        key = nn.RMSNorm(dtype=self.dtype, name="key_norm")(key)
        lag = jnp.arange(bars)[None, :] - jnp.arange(bars)[:, None]
        zeros = nn.initializers.zeros_init()
        bias = self.param("bias", zeros, (self.heads, 2 * self.max_lag + 1))
        by_lag = bias[:, jnp.clip(lag, -self.max_lag, self.max_lag) + self.max_lag]
        by_lag = jnp.where(jnp.abs(lag) <= self.max_lag, by_lag, -jnp.inf)
        scores = jnp.einsum("bqhs,bkhs->bhqk", query, key).astype(jnp.float32)
        weights = nn.softmax(scores / jnp.sqrt(size) + by_lag).astype(self.dtype)
        mixed = jnp.einsum("bhqk,bkhs->bqhs", weights, value).reshape(batch, bars, features)
        return nn.Dense(features, dtype=self.dtype, name="output")(mixed)


class BarFlow(nn.Module):
    """The velocity of bar codes (see the module).

    A transformer whose layers are scaled, shifted and gated by each bar's noise level (Peebles
    & Xie 2023, arXiv 2212.09748), through one map that the layers share (Chen et al. 2024,
    arXiv 2310.00426).

    Attributes:
      size: numbers of a code.
      sources: how many sources of melodies are told apart.
      features, layers, heads: of the transformer.
      max_lag: see `Attention`.
      dropout: share of features dropped from what a layer adds, in training.
      dtype: of matrix products; parameters are float32.
    """

    size: int
    sources: int
    features: int
    layers: int
    heads: int
    max_lag: int
    dropout: float = 0.0
    dtype: jnp.dtype = jnp.float32

    @nn.compact
    def __call__(
        self,
        codes: jax.Array,
        level: jax.Array,
        phase: jax.Array,
        source: jax.Array,
        keys: jax.Array | None = None,
    ) -> jax.Array:
        """Predicts velocities.

        Args:
          codes: [batch, bars, size] at their levels, in any number of bars.
          level: [batch, bars], from 0, noise, to 1, known.
          phase: [batch, bars] int32, each bar's number in its song modulo `PHASES`; `PHASES`
            if it is not known.
          source: [batch] int32, the number of the source; `sources` if it is not known.
          keys: [batch] keys for dropout, or None for none.

        Returns:
          [batch, bars, size] float32.
        """
        features, dtype = self.features, self.dtype
        where = nn.Embed(PHASES + 1, features, name="phase")(phase)
        kind = nn.Embed(self.sources + 1, features, name="source")(source)[:, None]
        hidden = nn.Dense(features, name="codes")(codes) + where + kind
        condition = nn.Dense(features, name="level_1")(_waves(level))
        condition = nn.Dense(features, name="level_2")(nn.silu(condition)) + where + kind
        zeros = nn.initializers.zeros_init()
        shared = nn.Dense(6 * features, kernel_init=zeros, name="modulation")(nn.silu(condition))
        norm = nn.LayerNorm(use_bias=False, use_scale=False, dtype=dtype)
        for number in range(self.layers):
            own = self.param(f"modulation_{number}", zeros, (6 * features,))
            shift_1, scale_1, gate_1, shift_2, scale_2, gate_2 = jnp.split(shared + own, 6, -1)
            attention = Attention(self.heads, self.max_lag, dtype, name=f"attention_{number}")
            added = gate_1 * attention(norm(hidden) * (1 + scale_1) + shift_1)
            hidden += self._drop(added, keys, 2 * number)
            inner = norm(hidden) * (1 + scale_2) + shift_2
            inner = nn.gelu(nn.Dense(4 * features, dtype=dtype, name=f"wide_{number}")(inner))
            added = gate_2 * nn.Dense(features, dtype=dtype, name=f"narrow_{number}")(inner)
            hidden += self._drop(added, keys, 2 * number + 1)
        last = nn.Dense(2 * features, kernel_init=zeros, name="last")(nn.silu(condition))
        shift, scale = jnp.split(last, 2, -1)
        hidden = norm(hidden) * (1 + scale) + shift
        return nn.Dense(self.size, kernel_init=zeros, name="velocity")(hidden).astype(jnp.float32)

    def _drop(self, added: jax.Array, keys: jax.Array | None, purpose: int) -> jax.Array:
        """added: [batch, bars, features]; in all bars of an example the same features go."""
        return noise.dropout(added.swapaxes(0, 1), self.dropout, keys, purpose).swapaxes(0, 1)


def _waves(level: jax.Array) -> jax.Array:
    """Sines and cosines of a level, from slow to fast: [..., 2 * frequencies]."""
    frequencies = jnp.exp(jnp.linspace(0.0, jnp.log(200.0), _FREQUENCIES))
    angles = level[..., None] * frequencies
    return jnp.concatenate([jnp.sin(angles), jnp.cos(angles)], axis=-1)
