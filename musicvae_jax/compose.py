"""What `generate`, `reconstruct` and `complete` make, before anything of it is written."""

import dataclasses
from collections.abc import Mapping
from typing import Any

from musicvae_jax.inference import MelodyModel
from musicvae_jax.melody import Melody
from musicvae_jax.options import Options
from musicvae_jax.windows import first_window

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
    """New melodies from the prior."""
    temperature = options.temperature_or(0.7)
    made = model.generate(options.num_or(4), options.seed, temperature)
    melodies = {f"generate_{number:02d}": melody for number, melody in enumerate(made)}
    shown = dict(list(melodies.items())[:_MAX_SHOWN])
    return Composition(melodies, shown, temperature, {"outputs": [f"{m}.mid" for m in melodies]})


def reconstruct(model: MelodyModel, inputs: Mapping[str, Melody], options: Options) -> Composition:
    """Encodes and decodes each input, or its first window.

    Raises:
      UserError: one is shorter than what the model knows.
    """
    temperature = options.temperature_or(0.0)
    windows = [first_window(melody, model.bars, title) for title, melody in inputs.items()]
    decoded, scores = model.reconstruct(windows, options.seed, temperature)
    melodies, outputs, shown = {}, [], {}
    for number, (title, window) in enumerate(zip(inputs, windows, strict=True)):
        stem = f"reconstruct_{number:02d}"
        melodies |= {stem: decoded[number], f"original_{number:02d}": window}
        outputs.append({"input": title, "output": f"{stem}.mid", **scores[number]})
        accuracy = scores[number]["sampled_accuracy"]
        shown[title] = window
        shown[f"{stem}.mid: {accuracy:.0%} of tokens as in {title}"] = decoded[number]
    return Composition(melodies, shown, temperature, {"outputs": outputs})


def complete(model: MelodyModel, inputs: Mapping[str, Melody], options: Options) -> Composition:
    """Continues the first input, several times.

    Raises:
      UserError: the model knows a single bar, and so no continuation.
    """
    title, melody = next(iter(inputs.items()))
    temperature = options.temperature_or(0.7)
    continuations = model.complete(
        melody, options.bars, options.num_or(4), options.seed, temperature
    )
    melodies, outputs, shown = {}, [], {title: melody}
    for number, (continued, score) in enumerate(continuations):
        stem = f"complete_{number:02d}"
        melodies[stem] = continued
        outputs.append({"output": f"{stem}.mid", "log_prob_per_token": round(score, 4)})
        shown[f"{stem}.mid: {score:.3f} nats a token"] = continued
    shown = dict(list(shown.items())[:_MAX_SHOWN])
    results = {"given_bars": melody.num_bars, "outputs": outputs}
    return Composition(melodies, shown, temperature, results)
