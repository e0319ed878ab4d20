"""What `generate`, `reconstruct` and `complete` make, before it is written."""

import dataclasses
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from musicvae_jax.inference.melody_model import MelodyModel
from musicvae_jax.music import attributes as music_attributes
from musicvae_jax.music import drum_attributes
from musicvae_jax.music.drums import Drums
from musicvae_jax.music.melody import Melody
from musicvae_jax.music.tokens import CODECS
from musicvae_jax.music.windows import first_window
from musicvae_jax.system.errors import UserError

_MAX_SHOWN = 16  # more rolls than this are too small to see


@dataclasses.dataclass(frozen=True)
class Output:
    """A melody that a model made, or drums.

    Attributes:
      stem: of its file.
      melody: the melody.
      title: what a picture of it says.
      scores: what the model says of it, by name.
      attributes: of the melody, by name; empty where they are not measured.
      source: the title of the input that it reconstructs, or empty.
      original: the window of that input, or None.
      original_attributes: of that window.
    """

    stem: str
    melody: Melody
    title: str
    scores: Mapping[str, float] = dataclasses.field(default_factory=dict)
    attributes: Mapping[str, float] = dataclasses.field(default_factory=dict)
    source: str = ""
    original: Melody | None = None
    original_attributes: Mapping[str, float] = dataclasses.field(default_factory=dict)

    @property
    def name(self) -> str:
        """The name of its MIDI file."""
        return f"{self.stem}.mid"

    def report(self) -> dict[str, Any]:
        """All but the melodies, for JSON."""
        entry: dict[str, Any] = {"input": self.source} if self.source else {}
        entry |= {"output": self.name, **self.scores}
        for name in ("original_attributes", "attributes"):
            if getattr(self, name):
                entry[name] = dict(getattr(self, name))
        return entry


@dataclasses.dataclass(frozen=True)
class Composition:
    """Melodies that a model made.

    Attributes:
      outputs: the melodies, with what is known of them.
      temperature: at which they were decoded.
      changes: how much of each attribute was added; None where none can be.
      given: the title and the melody that was continued, or None.
    """

    outputs: tuple[Output, ...]
    temperature: float
    changes: Mapping[str, float] | None = None
    given: tuple[str, Melody] | None = None

    @property
    def melodies(self) -> dict[str, Melody]:
        """What is written, by the stems of the files: each output, and its original."""
        melodies = {}
        for number, output in enumerate(self.outputs):
            melodies[output.stem] = output.melody
            if output.original is not None:
                melodies[f"original_{number:02d}"] = output.original
        return melodies

    @property
    def shown(self) -> dict[str, Melody]:
        """What one picture shows, by title."""
        shown = {} if self.given is None else dict([self.given])
        for output in self.outputs:
            if output.original is not None:
                shown[output.source] = output.original
            shown[output.title] = output.melody
        has_originals = any(output.original is not None for output in self.outputs)
        return shown if has_originals else dict(list(shown.items())[:_MAX_SHOWN])

    def report(self) -> dict[str, Any]:
        """What was made, for JSON."""
        head: dict[str, Any] = {}
        if self.changes is not None:
            head["attribute"] = dict(self.changes)
        if self.given is not None:
            head["given_bars"] = self.given[1].num_bars
        return head | {"outputs": [output.report() for output in self.outputs]}


def generate(
    model: MelodyModel,
    *,
    bars: int | None = None,
    num: int = 4,
    seed: int = 0,
    temperature: float | None = None,
    attributes: Mapping[str, float] | None = None,
) -> Composition:
    """New melodies from the prior.

    Args:
      model: makes them.
      bars: of each; None for the model's.
      num: how many.
      seed: of all randomness.
      temperature: of decoding; None for the model's own.
      attributes: how much of each attribute to add.

    Raises:
      UserError: how to add them is not known, or the model knows no melodies as long as that.
    """
    attributes = attributes or {}
    temperature = model.temperature if temperature is None else temperature
    made = model.generate(num, seed=seed, temperature=temperature, attributes=attributes, bars=bars)
    outputs = []
    for number, (melody, measured) in enumerate(zip(made, _measure(made), strict=True)):
        stem = f"generate_{number:02d}"
        outputs.append(Output(stem, melody, title=stem, attributes=measured))
    return Composition(tuple(outputs), temperature, changes=attributes)


def _measure(music: Sequence[Melody] | Sequence[Drums]) -> list[dict[str, float]]:
    """The attributes of melodies or drums of equal length."""
    names, rows = _ATTRIBUTES[type(music[0])](music)
    return [dict(zip(names, row, strict=True)) for row in rows.round(4).tolist()]


def _of_melodies(melodies: Sequence[Melody]) -> tuple[Iterable[str], np.ndarray]:
    tokens = np.stack([CODECS["melody"].encode(melody) for melody in melodies])
    rows = music_attributes.measure(tokens, melodies[0].grid.steps_per_bar)
    return music_attributes.ATTRIBUTES, rows


def _of_drums(patterns: Sequence[Drums]) -> tuple[Iterable[str], np.ndarray]:
    tokens = np.stack([CODECS["drums"].encode(drums) for drums in patterns])
    return drum_attributes.DRUM_ATTRIBUTES, drum_attributes.measure(tokens)


_ATTRIBUTES: dict[type, Callable[[Any], tuple[Iterable[str], np.ndarray]]] = {
    Melody: _of_melodies,
    Drums: _of_drums,
}


def reconstruct(
    model: MelodyModel,
    inputs: Mapping[str, Melody],
    *,
    seed: int = 0,
    temperature: float = 0.0,
    attributes: Mapping[str, float] | None = None,
) -> Composition:
    """Encodes each input, or its first window, adds attributes and decodes.

    Args:
      model: encodes and decodes.
      inputs: melodies by title.
      seed, temperature, attributes: as for `generate`.

    Raises:
      UserError: an input is shorter than what the model knows, or how to add attributes is
        not known.
    """
    attributes = attributes or {}
    windows = [first_window(melody, model.bars, title) for title, melody in inputs.items()]
    made = model.reconstruct(windows, seed=seed, temperature=temperature, attributes=attributes)
    originals, measured = _measure(windows), _measure([one.melody for one in made])
    outputs = []
    for number, (title, one) in enumerate(zip(inputs, made, strict=True)):
        stem = f"reconstruct_{number:02d}"
        outputs.append(
            Output(
                stem,
                one.melody,
                title=f"{stem}.mid: {one.sampled_accuracy:.0%} of tokens as in {title}",
                scores={
                    "sampled_accuracy": one.sampled_accuracy,
                    "teacher_forced_accuracy": one.teacher_forced_accuracy,
                },
                attributes=measured[number],
                source=title,
                original=windows[number],
                original_attributes=originals[number],
            )
        )
    return Composition(tuple(outputs), temperature, changes=attributes)


def complete(
    model: MelodyModel,
    title: str,
    melody: Melody,
    *,
    bars: int | None = None,
    num: int = 4,
    seed: int = 0,
    temperature: float | None = None,
) -> Composition:
    """Continues a melody, several times.

    Args:
      model: continues it.
      title: of the melody.
      melody: of any length.
      bars: how many to add; None for as many as the model fills at once.
      num, seed, temperature: as for `generate`.

    Raises:
      UserError: the model knows a single bar, and so no continuation.
    """
    temperature = model.temperature if temperature is None else temperature
    continuations = model.complete(melody, bars=bars, num=num, seed=seed, temperature=temperature)
    outputs = []
    for number, continuation in enumerate(continuations):
        stem, score = f"complete_{number:02d}", continuation.log_prob_per_token
        outputs.append(
            Output(
                stem,
                continuation.melody,
                title=f"{stem}.mid: {score:.3f} nats a token",
                scores={"log_prob_per_token": round(score, 4)},
            )
        )
    return Composition(tuple(outputs), temperature, given=(title, melody))


def vary(
    model: MelodyModel,
    title: str,
    melody: Melody,
    kept_bars: Sequence[int],
    *,
    num: int = 4,
    seed: int = 0,
    temperature: float = 0.0,
) -> Composition:
    """Writes some bars of a melody anew, several times.

    Args:
      model: writes them.
      title: of the melody.
      melody: of any length.
      kept_bars: the bars that stay as they are, from 0.
      num, seed, temperature: as for `generate`.

    Raises:
      UserError: there is no such bar, none is to be written, or the model has no composer.
    """
    outside = [bar for bar in kept_bars if bar >= melody.num_bars]
    if outside:
        raise UserError(
            f"keep_bars={outside[0] + 1}: {title} has {melody.num_bars} bars", "keep_bars"
        )
    if len(set(kept_bars)) == melody.num_bars:
        raise UserError("keep_bars: all bars are kept, and none is left to write", "keep_bars")
    made = model.vary(melody, kept_bars, num=num, seed=seed, temperature=temperature)
    outputs = []
    for number, version in enumerate(made):
        stem = f"vary_{number:02d}"
        outputs.append(Output(stem, version, title=f"{stem}.mid"))
    return Composition(tuple(outputs), temperature, given=(title, melody))
