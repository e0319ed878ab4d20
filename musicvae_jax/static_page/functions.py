"""The functions of a model that the page calls, as ONNX models for one melody at a time.

Every one has fixed shapes. What JavaScript does between them is simple arithmetic: mixing,
cutting and repeating bars (`site/bridges.js`, `site/composer.js`).
"""

import dataclasses
from typing import Any

import jax
import jax.numpy as jnp
import ml_collections
import numpy as np

from musicvae_jax.inference.bar_prior import create_flow
from musicvae_jax.inference.composer import Composer, integrate
from musicvae_jax.inference.melody_model import MelodyModel
from musicvae_jax.models import noise
from musicvae_jax.models.vae import create_model
from musicvae_jax.music.grid import SIXTEENTHS
from musicvae_jax.music.tokens import CODECS
from musicvae_jax.static_page.onnx_graph import to_onnx
from musicvae_jax.system.errors import UserError
from musicvae_jax.transitions import composing


def check(model: MelodyModel) -> None:
    """Raises: UserError: the page knows no such model."""
    config = model.checkpoint.config.model
    if (
        model.codec != CODECS["melody"]
        or model.grid != SIXTEENTHS
        or config.decoder != "hierarchical"
        or config.latent != "global"
        or not composing.can_compose(model)
    ):
        raise UserError(
            f"{model.checkpoint.path}: a page needs a model of melodies in bars of 16 steps, "
            "with a conductor, one latent with a share for each bar, and a bar prior; "
            "checkpoint=pretrained is one",
            "checkpoint",
        )


def export(model: MelodyModel) -> dict[str, bytes]:
    """The functions of a model by their names.

    `encode`: tokens [1, steps] int32 to the posterior's mean [1, z].
    `conduct`: path [1, bars, z] to bar embeddings [bars, 1, embedding].
    `decode`: one bar: embedding [1, 1, embedding], the token before [1] int32, what is added to
    the logits [1, steps_per_bar, vocab] float32, to tokens [1, steps_per_bar] int32.
    `write`: codes [1, bars, size] in the prior's units, their levels [1, bars], whether each
    moves [1, bars] bool, phase [1, bars] int32, source [1] int32, form [1, bars] int32, to codes;
    see `composer.integrate`.

    Raises:
      UserError: see `check`.
    """
    check(model)
    composer = model.composer
    assert composer is not None
    return {**_of_model(model), "write": _write(composer)}


def _of_model(model: MelodyModel) -> dict[str, bytes]:
    # The compiled loop of CPUs cannot be translated.
    config = ml_collections.ConfigDict({**model.checkpoint.config.model, "lstm": "rolled"})
    network = create_model(config)
    per_bar, bars = network.steps_per_bar, network.bars
    params = {"params": jax.tree.map(jnp.asarray, model.params)}
    # No random number is drawn of it.
    keys = noise.example_keys(jax.random.key(0), 0, 1)
    nothing = np.zeros((1, per_bar), np.int32), np.zeros((1, per_bar), bool)

    def apply(method: str, *args: Any) -> Any:
        return network.apply(params, *args, method=method)

    def encode(tokens: jax.Array) -> jax.Array:
        mu, _ = apply("encode", tokens)
        return mu

    def conduct(path: jax.Array) -> jax.Array:
        return apply("bar_embeddings", path)

    def decode(embedding: jax.Array, before: jax.Array, bias: jax.Array) -> jax.Array:
        tokens, _ = apply("sample_bars", embedding, keys, 0.0, *nothing, bias, before)
        return tokens

    path = jax.ShapeDtypeStruct((1, bars, network.z), jnp.float32)
    _, _, width = jax.eval_shape(conduct, path).shape
    shapes = {
        "tokens": jax.ShapeDtypeStruct((1, bars * per_bar), jnp.int32),
        "path": path,
        "embedding": jax.ShapeDtypeStruct((1, 1, width), jnp.float32),
        "before": jax.ShapeDtypeStruct((1,), jnp.int32),
        "bias": jax.ShapeDtypeStruct((1, per_bar, network.vocab), jnp.float32),
    }

    def made(function: Any, result: str, *names: str) -> bytes:
        return to_onnx(function, {name: shapes[name] for name in names}, result)

    return {
        "encode": made(encode, "mu", "tokens"),
        "conduct": made(conduct, "embeddings", "path"),
        "decode": made(decode, "tokens_of_bar", "embedding", "before", "bias"),
    }


def _write(composer: Composer) -> bytes:
    prior, layout = composer.prior, composer.layout
    flow = create_flow(prior.config | {"dtype": "float32"}, layout, len(prior.sources))
    params = jax.tree.map(jnp.asarray, prior.params)

    def write(*rows: jax.Array) -> jax.Array:
        return integrate(flow, params, *rows, steps=composer.sampling.steps)

    row = (1, layout.bars)
    shapes = {
        "codes": jax.ShapeDtypeStruct((*row, layout.size), jnp.float32),
        "level": jax.ShapeDtypeStruct(row, jnp.float32),
        "moves": jax.ShapeDtypeStruct(row, jnp.bool_),
        "phase": jax.ShapeDtypeStruct(row, jnp.int32),
        "source": jax.ShapeDtypeStruct((1,), jnp.int32),
        "form": jax.ShapeDtypeStruct(row, jnp.int32),
    }
    return to_onnx(write, shapes, "written")


def facts(model: MelodyModel) -> dict[str, Any]:
    """What the page has to know of a model, for JSON."""
    composer = model.composer
    assert composer is not None
    prior = composer.prior
    return {
        "bars": model.bars,
        "z": model.model.z,
        "vocab": model.codec.vocab,
        "size": composer.layout.size,
        "mean": prior.mean.tolist(),
        "unit": prior.unit.tolist(),
        "sources": len(prior.sources),
        "sampling": dataclasses.asdict(composer.sampling),
        "outlines": len(prior.outlines.form),
    }


def outlines(model: MelodyModel) -> bytes:
    """The outlines of new melodies: for each the form of its bars, the source and the phase."""
    assert model.composer is not None
    found = model.composer.prior.outlines
    table = np.concatenate([found.form, found.source[:, None], found.phase[:, None]], axis=1)
    return table.astype(np.uint8).tobytes()
