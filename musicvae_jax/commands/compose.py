"""What `generate`, `reconstruct` and `complete` make, before anything of it is written."""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from musicvae_jax.commands.options import Options
from musicvae_jax.inference.melody_model import MelodyModel
from musicvae_jax.music import attributes
from musicvae_jax.music.melody import Melody
from musicvae_jax.music.tokens import CODECS
from musicvae_jax.music.windows import first_window

_MAX_SHOWN = 16  # more rolls than this are too small to see


@dataclasses.dataclass(frozen=True)
class Composition:
    """Melodies that a model made.

    Attributes:
      melodies: by the stems of their files.
      shown: by title, for one picture of all.
      temperature: at which they were decoded.
      results: for the report.
    """

    melodies: dict[str, Melody]
    shown: dict[str, Melody]
    temperature: float
    results: dict[str, Any]


def generate(model: MelodyModel, options: Options) -> Composition:
    """New melodies from the prior, with attributes added.

    Raises:
      UserError: how to add them is not known.
    """
    temperature = options.temperature_or(0.7)
    made = model.generate(
        options.num_or(4),
        seed=options.seed,
        temperature=temperature,
        attributes=options.attributes,
    )
    melodies = {f"generate_{number:02d}": melody for number, melody in enumerate(made)}
    outputs = [
        {"output": f"{stem}.mid", "attributes": measured}
        for stem, measured in zip(melodies, _measure(made), strict=True)
    ]
    shown = dict(list(melodies.items())[:_MAX_SHOWN])
    results = {"attribute": dict(options.attributes), "outputs": outputs}
    return Composition(melodies, shown, temperature, results)


def _measure(melodies: Sequence[Melody]) -> list[dict[str, float]]:
    """The attributes of melodies of equal length."""
    tokens = np.stack([CODECS["melody"].encode(melody) for melody in melodies])
    rows = attributes.measure(tokens).round(4).tolist()
    return [dict(zip(attributes.ATTRIBUTES, row, strict=True)) for row in rows]


def reconstruct(model: MelodyModel, inputs: Mapping[str, Melody], options: Options) -> Composition:
    """Encodes each input, or its first window, adds attributes and decodes.

    Raises:
      UserError: one is shorter than what the model knows, or how to add attributes is not
        known.
    """
    temperature = options.temperature_or(0.0)
    windows = [first_window(melody, model.bars, title) for title, melody in inputs.items()]
    made = model.reconstruct(
        windows, seed=options.seed, temperature=temperature, attributes=options.attributes
    )
    decoded = [one.melody for one in made]
    measured = {"original_attributes": _measure(windows), "attributes": _measure(decoded)}
    melodies, outputs, shown = {}, [], {}
    for number, (title, window) in enumerate(zip(inputs, windows, strict=True)):
        stem = f"reconstruct_{number:02d}"
        melodies |= {stem: decoded[number], f"original_{number:02d}": window}
        accuracies = {
            "sampled_accuracy": made[number].sampled_accuracy,
            "teacher_forced_accuracy": made[number].teacher_forced_accuracy,
        }
        known = accuracies | {name: rows[number] for name, rows in measured.items()}
        outputs.append({"input": title, "output": f"{stem}.mid", **known})
        accuracy = made[number].sampled_accuracy
        shown[title] = window
        shown[f"{stem}.mid: {accuracy:.0%} of tokens as in {title}"] = decoded[number]
    results = {"attribute": dict(options.attributes), "outputs": outputs}
    return Composition(melodies, shown, temperature, results)


def complete(model: MelodyModel, inputs: Mapping[str, Melody], options: Options) -> Composition:
    """Continues the first input, several times.

    Raises:
      UserError: the model knows a single bar, and so no continuation.
    """
    title, melody = next(iter(inputs.items()))
    temperature = options.temperature_or(0.7)
    continuations = model.complete(
        melody,
        bars=options.bars,
        num=options.num_or(4),
        seed=options.seed,
        temperature=temperature,
    )
    melodies, outputs, shown = {}, [], {title: melody}
    for number, continuation in enumerate(continuations):
        score = continuation.log_prob_per_token
        stem = f"complete_{number:02d}"
        melodies[stem] = continuation.melody
        outputs.append({"output": f"{stem}.mid", "log_prob_per_token": round(score, 4)})
        shown[f"{stem}.mid: {score:.3f} nats a token"] = continuation.melody
    shown = dict(list(shown.items())[:_MAX_SHOWN])
    results = {"given_bars": melody.num_bars, "outputs": outputs}
    return Composition(melodies, shown, temperature, results)
