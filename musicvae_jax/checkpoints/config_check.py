"""The values that a configuration may have; ml_collections checks names and types."""

import math
from collections.abc import Sequence
from typing import Any

import ml_collections

from musicvae_jax.configs import default
from musicvae_jax.datasets.augmentation import OF_CODEC
from musicvae_jax.datasets.melodies.music_files import EXTRACTIONS
from musicvae_jax.datasets.melodies.sources import COLLECTIONS, FOLK
from musicvae_jax.music.grid import GRIDS, SIXTEENTHS
from musicvae_jax.music.tokens import CODECS
from musicvae_jax.system.errors import UserError

CHOICES = {
    "dataset.extraction": tuple(EXTRACTIONS),
    "model.codec": tuple(CODECS),
    "model.steps_per_bar": tuple(sorted({grid.steps_per_bar for grid in GRIDS.values()})),
    "model.latent": ("global", "per_bar"),
    "model.encoder_reads": ("final", "bars"),
    "model.conductor_reads": ("same", "bars"),
    "model.decoder": ("hierarchical", "flat"),
    "model.dtype": ("float32", "bfloat16"),
    "prior.dtype": ("float32", "bfloat16"),
    "model.lstm": ("auto", "scan", "rolled", "unrolled", "pallas", "triton"),
    "train.parallel": ("pmap", "mesh"),
    "train.sampling": ("none", "constant", "inverse_sigmoid"),
}
AT_LEAST_1 = (
    "model.bars",
    "model.z",
    "model.encoder_features",
    "model.encoder_layers",
    "model.conductor_features",
    "model.conductor_layers",
    "model.decoder_features",
    "model.decoder_layers",
    "train.batch_size",
    "train.accumulate",
    "train.num_steps",
    "train.log_every",
    "train.eval_every",
    "prior.features",
    "prior.layers",
    "prior.heads",
    "prior.transpositions",
    "prior.batch_size",
    "prior.num_steps",
    "prior.steps_per_call",
    "prior.log_every",
    "prior.eval_every",
)
AT_LEAST_0 = (
    "seed",
    "dataset.transpose_semitones",
    "model.conductor_input",
    "model.embedding",
    "train.max_minutes",
    "train.learning_rate_warmup",
    "train.free_bits",
    "train.beta",
    "train.eval_examples",
    "prior.learning_rate_warmup",
)
SHARES = (
    "model.dropout",
    "model.encoder_word_dropout",
    "model.decoder_word_dropout",
    "prior.average",
    "prior.dropout",
)


# Fields that were added later, with their values for a checkpoint that lacks them.
ADDED = {
    "dataset": {
        "augment": [],
        "augment_share": 0.0,
        "sources": [["folk", 1.0]],
        "folder": "~/musicvae_data",
    },
    "model": {"conductor_reads": "same", "steps_per_bar": 16},
    "train": {"learning_rate_warmup": 0, "parallel": "pmap"},
    "prior": default.get_config().prior.to_dict(),
}


def complete(saved: dict[str, Any]) -> dict[str, Any]:
    """The configuration of a checkpoint as one of today: with what was added after it."""
    saved = saved | {part: fields | saved.get(part, {}) for part, fields in ADDED.items()}
    # Said which of the sources was meant; now a path alone says it.
    saved["dataset"].pop("name", None)
    return saved


def unknown_field(arguments: Sequence[str]) -> str:
    """What is wrong with the first --config.FIELD=VALUE of which there is no such field, or ''."""
    paths = [argument.lstrip("-").partition("=")[0] for argument in arguments]
    for path in paths:
        known, above = default.get_config(), "config"
        for name in path.split(".")[1:] if path.startswith("config.") else ():
            if not isinstance(known, ml_collections.ConfigDict):
                return f"--{path}: no such field; {above} is a value"
            if name not in known:
                return f"--{path}: no such field; those of {above} are {', '.join(sorted(known))}"
            known, above = known[name], f"{above}.{name}"
    return ""


def check(config: ml_collections.ConfigDict) -> None:
    """Checks each value, and combinations of values.

    Raises:
      UserError: one is not valid; the message names the field and what is valid.
    """
    values = {name: _value(config, name) for name in (*CHOICES, *AT_LEAST_1, *AT_LEAST_0, *SHARES)}
    for name, valid in CHOICES.items():
        if values[name] not in valid:
            raise UserError(
                f"config.{name}={values[name]!r}: unknown; valid are {', '.join(map(str, valid))}",
                f"config.{name}",
            )
    for least, names in ((1, AT_LEAST_1), (0, AT_LEAST_0)):
        for name in names:
            if values[name] < least:
                raise UserError(
                    f"config.{name}={values[name]}: must be at least {least}", f"config.{name}"
                )
    for name in SHARES:
        if not 0 <= values[name] < 1:
            raise UserError(
                f"config.{name}={values[name]}: must be at least 0 and below 1", f"config.{name}"
            )
    is_shared = "bars" in (values["model.encoder_reads"], values["model.conductor_reads"])
    z, bars = values["model.z"], values["model.bars"]
    if values["model.latent"] == "global" and is_shared and z % bars:
        raise UserError(
            f"config.model.z={z}: must divide by the {bars} bars that share it (model.bars), "
            "with encoder_reads=bars or conductor_reads=bars",
            "config.model.z",
        )
    if values["model.latent"] == "per_bar" and values["model.conductor_reads"] == "bars":
        raise UserError(
            "config.model.conductor_reads=bars: is for one latent of the whole melody "
            "(config.model.latent=global); with per_bar each bar has its own already",
            "config.model.conductor_reads",
            "config.model.latent",
        )
    _check_extraction(values["model.steps_per_bar"], values["dataset.extraction"])
    features, heads = values["prior.features"], values["prior.heads"]
    if features % heads:
        raise UserError(
            f"config.prior.features={features}: must divide by the {heads} heads (prior.heads)",
            "config.prior.features",
        )
    extraction, codec = values["dataset.extraction"], values["model.codec"]
    if CODECS[codec].stored != CODECS[EXTRACTIONS[extraction].codec].stored:
        raise UserError(
            f"config.model.codec={codec}: does not go with what config.dataset.extraction="
            f"{extraction} takes from a song",
            "config.model.codec",
            "config.dataset.extraction",
        )
    _check_sources(config.dataset.sources)
    ways = OF_CODEC[CODECS[config.model.codec].stored]
    _check_augmentation(config.dataset.augment, config.dataset.augment_share, tuple(ways))


def _check_extraction(steps: Any, extraction: Any) -> None:
    if steps != SIXTEENTHS.steps_per_bar and extraction != "highest":
        raise UserError(
            f"config.dataset.extraction={extraction!r}: is in bars of "
            f"{SIXTEENTHS.steps_per_bar} steps; with config.model.steps_per_bar={steps} only "
            "'highest' is possible",
            "config.dataset.extraction",
            "config.model.steps_per_bar",
        )


def _is_weighted_name(pair: Any) -> bool:
    match pair:
        case [str(), int() | float() as weight]:  # a tuple, or a list where JSON was read
            return 0 < weight < math.inf
    return False


def _check_weighted(field: str, pairs: Any, example: str) -> list[str]:
    """Checks pairs of a name and a weight; returns the names."""
    for pair in pairs:
        if not _is_weighted_name(pair):
            raise UserError(
                f"{field}: {pair!r} is not a name with a positive weight, such as {example}", field
            )
    names = [name for name, _ in pairs]
    if len(set(names)) < len(names):
        raise UserError(f"{field}: a name occurs twice: {', '.join(names)}", field)
    return names


def _check_sources(sources: Any) -> None:
    field = "config.dataset.sources"
    names = _check_weighted(field, sources, '("folk", 1.0)')
    if not names:
        raise UserError(f'{field}: empty; at least one is needed, such as (("folk", 1.0),)', field)
    known = (FOLK, *COLLECTIONS)
    for name in names:
        if name not in known and "/" not in name:
            raise UserError(
                f"{field}: {name!r} is unknown; valid are {', '.join(known)}, or a path with a "
                "slash, such as ./my_songs",
                field,
            )


def _check_augmentation(augment: Any, share: float, valid: Sequence[str]) -> None:
    names_field, share_field = "config.dataset.augment", "config.dataset.augment_share"
    if not 0 <= share <= 1:
        raise UserError(f"{share_field}={share}: must lie in 0..1", share_field)
    for name in _check_weighted(names_field, augment, f'("{valid[0]}", 1.0)'):
        if name not in valid:
            raise UserError(
                f"{names_field}: {name!r} is unknown; valid are {', '.join(valid)}",
                names_field,
            )
    if bool(augment) != (share > 0):
        raise UserError(
            f"{share_field}={share} with {len(augment)} augmentations in {names_field}: set both "
            "or neither",
            share_field,
            names_field,
        )


def _value(config: ml_collections.ConfigDict, name: str) -> str | float:
    for part in name.split("."):
        config = config[part]
    return config
