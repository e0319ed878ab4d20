"""The options of the command line, apart from `--mode` and `--config`."""

import dataclasses
import pathlib
from collections.abc import Mapping
from typing import Any

from musicvae_jax.evaluation.measure import PRIOR_SAMPLES
from musicvae_jax.music import keys
from musicvae_jax.system.errors import UserError
from musicvae_jax.training.loop import RunOptions
from musicvae_jax.transitions import curves
from musicvae_jax.transitions import strategies as transitions_strategies


@dataclasses.dataclass(frozen=True)
class TransitionOptions:
    """The options of `interpolate`.

    Attributes:
      strategies: names of transition strategies.
      curve, control_curve: see `curves.sample`.
      settings: see `strategies.Settings`.
      keep_all: whether all candidates are written, or the best alone.
      splice: whether the melodies are played before and after the bridge.
      order_by_latent: whether the melodies of a chain may change places.
      loop: whether a chain ends with a bridge back to its first melody.
      key_path: one of `modulation.KEY_PATHS`.
      programs: one of `piece.PROGRAM_PATHS`.
      pairs: a CSV file of pairs, or None.
    """

    strategies: tuple[str, ...]
    curve: str | tuple[float, ...]
    control_curve: str | tuple[float, ...]
    settings: transitions_strategies.Settings
    keep_all: bool
    splice: bool
    order_by_latent: bool
    loop: bool
    key_path: str
    programs: str
    pairs: str | None


@dataclasses.dataclass(frozen=True)
class StudioOptions:
    """Where `studio` listens.

    Attributes:
      host: a name or an address; by default only this machine can connect.
      port: 0 for any free one.
    """

    host: str = "127.0.0.1"
    port: int = 7860


@dataclasses.dataclass(frozen=True)
class Options:
    """The options of a mode.

    Attributes:
      workdir: where training keeps its state.
      output: where an inference mode writes.
      checkpoint: see `checkpoints.load.find`.
      inputs: MIDI files.
      transition: of `interpolate`.
      bars: of a bridge, or of a continuation; None for the model's own.
      num: how many melodies to write or to choose from; None for the mode's own.
      seed: of all random numbers.
      temperature: of decoding; None for the mode's own.
      audio: also render audio.
      soundfont: for audio; None for one that is found.
      attributes: how much of which attributes is added to latents.
      run: how training is run.
      beam_options: of Apache Beam, for building data; empty for this machine alone.
      studio: where the studio listens.
    """

    workdir: pathlib.Path
    output: pathlib.Path
    checkpoint: str
    inputs: tuple[str, ...]
    transition: TransitionOptions
    bars: int | None
    num: int | None
    seed: int
    temperature: float | None
    audio: bool
    soundfont: str | None
    attributes: Mapping[str, float] = dataclasses.field(default_factory=dict)
    run: RunOptions = dataclasses.field(default_factory=RunOptions)
    beam_options: tuple[str, ...] = ()
    studio: StudioOptions = dataclasses.field(default_factory=StudioOptions)

    def temperature_or(self, default: float) -> float:
        return default if self.temperature is None else self.temperature

    @property
    def transition_temperature(self) -> float:
        """Above 0 for several candidates, which would otherwise be the same melody."""
        return self.temperature_or(0.5 if self.num_or(1) > 1 else 0.0)

    def sampling(self) -> dict[str, float]:
        """Keywords of `measure.measure`."""
        return {
            "seed": self.seed,
            "num_samples": self.num_or(PRIOR_SAMPLES),
            "temperature": self.temperature_or(0.7),
        }

    def bridging(self) -> dict[str, Any]:
        """Keywords of `interpolate.make_transitions` and `pairs.write_pairs`."""
        return {
            "strategies": self.transition.strategies,
            "num": self.num_or(1),
            "seed": self.seed,
            "temperature": self.transition_temperature,
            "key_path": self.transition.key_path,
            "programs": self.transition.programs,
        }

    def num_or(self, default: int) -> int:
        return default if self.num is None else self.num


def check_strategies(names: list[str]) -> tuple[str, ...]:
    """The strategies that `--strategy` names; `all` stands for every one.

    Raises:
      UserError: one is unknown.
    """
    valid = list(transitions_strategies.STRATEGIES)
    if names == ["all"]:
        return tuple(valid)
    for name in names:
        if name not in valid:
            raise UserError(f"--strategy={name}: unknown; valid are {', '.join(valid)}, all")
    return tuple(dict.fromkeys(names))


def parse_curve(flag: str, values: list[str]) -> str | tuple[float, ...]:
    """The curve of a flag: a name, or numbers.

    Raises:
      UserError: it is neither.
    """
    if len(values) == 1 and values[0] in curves.CURVES:
        return values[0]
    try:
        numbers = tuple(float(value) for value in values)
    except ValueError:
        numbers = ()
    if not numbers or not all(0 <= number <= 1 for number in numbers):
        valid = ", ".join(curves.CURVES)
        raise UserError(
            f"--{flag}={','.join(values)}: not a curve; valid are {valid}, or numbers from 0 to 1, "
            "such as 0,0.2,0.5,1"
        )
    return numbers


def check_scale(name: str) -> str:
    """The scale that `--scale` names.

    Raises:
      UserError: there is none of that name.
    """
    tonic, _, scale = name.partition("_")
    if name in ("none", "auto") or (tonic in keys.TONICS and scale in keys.SCALES):
        return name
    raise UserError(
        f"--scale={name}: unknown; valid are none, auto, or a tonic and one of "
        f"{', '.join(keys.SCALES)}, such as C_major or F#_dorian"
    )


def parse_pitch_range(values: list[str]) -> tuple[int, int]:
    """The lowest and highest note of `--pitch_range`; without one, all MIDI notes.

    Raises:
      UserError: these are not two MIDI notes at least an octave apart, so that every
        scale has a note between them.
    """
    if not values:
        return (0, 127)
    try:
        low, high = (int(value) for value in values)
    except ValueError:
        low, high = 0, -1
    if not (0 <= low <= high <= 127 and high - low >= 11):
        raise UserError(
            f"--pitch_range={','.join(values)}: two MIDI notes from 0 to 127 are needed, the "
            "second at least 11 above the first, such as 55,79"
        )
    return low, high
