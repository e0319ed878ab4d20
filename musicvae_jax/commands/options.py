"""The options of the command line, apart from `--mode` and `--config`."""

import dataclasses
import pathlib
from collections.abc import Mapping
from typing import Any

from musicvae_jax.evaluation.measure import PRIOR_SAMPLES
from musicvae_jax.midi.reading import AS_FOUND, Reading
from musicvae_jax.system.errors import UserError
from musicvae_jax.training.loop import RunOptions
from musicvae_jax.transitions.places import AUTO
from musicvae_jax.transitions.settings import Settings, wrong_pitch_range


@dataclasses.dataclass(frozen=True)
class TransitionOptions:
    """The options of `interpolate`.

    Attributes:
      strategies: names of transition strategies.
      curve, control_curve: see `curves.sample`.
      settings: see `settings.Settings`.
      adherence, meter_at, keeps: see `maker.Plan`.
      keep_all: whether all candidates are written, or the best alone.
      splice: whether the melodies are played before and after the bridge.
      order_by_latent: whether the melodies of a chain may change places.
      loop: whether a chain ends with a bridge back to its first melody.
      bridge_bars: of each bridge in turn; empty if all are as long.
      key_path: one of `modulation.KEY_PATHS`.
      programs: one of `assembly.PROGRAM_PATHS`.
      accompaniment: of the bridges between whole songs, one of
        `accompaniment.ACCOMPANIMENTS`.
      has_drum_bridge: whether the drums of whole songs have a bridge of their own.
      melody_only: whether of the songs before and after a bridge the melodies alone are
        played.
      leave: after how many bars of its melody the first song is left, `auto`, or None for
        all of them.
      enter: at which bar of its melody, from 1, the second song is entered, `auto`, or None.
      pairs: a CSV file of pairs, or None.
    """

    strategies: tuple[str, ...]
    curve: str | tuple[float, ...]
    control_curve: str | tuple[float, ...]
    settings: Settings
    adherence: float
    meter_at: str
    keeps: str
    keep_all: bool
    splice: bool
    order_by_latent: bool
    loop: bool
    key_path: str
    programs: str
    accompaniment: str
    has_drum_bridge: bool
    melody_only: bool
    leave: int | str | None
    enter: int | str | None
    pairs: str | None
    bridge_bars: tuple[int, ...] = ()


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
      inputs: music files.
      readings: what is known of each input, or one for all; empty if nothing is.
      transition: of `interpolate`.
      bars: of a bridge, or of a continuation; None for the model's own.
      num: how many melodies to write or to choose from; None for the mode's own.
      seed: of all random numbers.
      temperature: of decoding; None for the mode's own.
      strength: of drums, how far velocities and timing are a drummer's.
      audio: also render audio.
      notation: also write MusicXML.
      soundfont: for audio; None for one that is found.
      attributes: how much of which attributes is added to latents.
      kept_bars: of `vary`, the bars that stay, from 0.
      run: how training is run.
      beam_options: of Apache Beam, for building data; empty for this machine alone.
      studio: where the studio listens.
      runtime: of `export_page`, the file of the library that runs models in browsers, or None.
      fields: values by field, which change the configuration of the checkpoint.
    """

    workdir: pathlib.Path
    output: pathlib.Path
    checkpoint: str
    inputs: tuple[str, ...]
    transition: TransitionOptions
    readings: tuple[Reading, ...] = ()
    bars: int | None = None
    num: int | None = None
    seed: int = 0
    temperature: float | None = None
    strength: float = 1.0
    audio: bool = False
    notation: bool = False
    soundfont: str | None = None
    attributes: Mapping[str, float] = dataclasses.field(default_factory=dict)
    kept_bars: tuple[int, ...] = ()
    run: RunOptions = dataclasses.field(default_factory=RunOptions)
    beam_options: tuple[str, ...] = ()
    studio: StudioOptions = dataclasses.field(default_factory=StudioOptions)
    runtime: str | None = None
    fields: Mapping[str, Any] = dataclasses.field(default_factory=dict)

    def input_readings(self) -> tuple[Reading, ...]:
        """What is known of each input."""
        return self.readings_of(len(self.inputs))

    def readings_of(self, count: int) -> tuple[Reading, ...]:
        """What is known of each of so many files."""
        readings = self.readings or (AS_FOUND,)
        return readings * count if len(readings) == 1 else readings

    def temperature_or(self, default: float) -> float:
        return default if self.temperature is None else self.temperature

    @property
    def transition_temperature(self) -> float:
        """Above 0 for several candidates, which would otherwise be the same melody."""
        return self.temperature_or(0.5 if self.num_or(1) > 1 else 0.0)

    def sampling(self, usual_temperature: float) -> dict[str, float]:
        """Keywords of `measure.measure`.

        Args:
          usual_temperature: of the model's new melodies, if no other is given.
        """
        return {
            "seed": self.seed,
            "num_samples": self.num_or(PRIOR_SAMPLES),
            "temperature": self.temperature_or(usual_temperature),
        }

    def candidates(self) -> dict[str, Any]:
        """Keywords of `BridgeMaker`: how the candidates of a bridge are drawn."""
        temperature = self.transition_temperature
        return {"num": self.num_or(1), "seed": self.seed, "temperature": temperature}

    def num_or(self, default: int) -> int:
        return default if self.num is None else self.num


def parse_curve(values: list[str]) -> str | tuple[float, ...]:
    """The curve of a flag: numbers, or otherwise a name, which `curves.check` checks."""
    try:
        return tuple(float(value) for value in values)
    except ValueError:
        return ",".join(values)


def parse_bar(flag: str, text: str | None) -> int | str | None:
    """The bar of `--from` or `--to`, `auto`, or None if it is left open.

    Raises:
      UserError: it is neither.
    """
    if not text or text == AUTO:
        return text or None
    if not (text.isdecimal() and len(text) < 6 and int(text)):
        raise UserError(f"--{flag}={text}: a bar of the melody, counted from 1, or auto is needed")
    return int(text)


def parse_lengths(values: list[str]) -> tuple[int, ...]:
    """The bars of bridges, which `Plan` checks.

    Raises:
      UserError: one is not a whole number.
    """
    try:
        return tuple(int(value) for value in values)
    except ValueError as error:
        raise UserError(
            f"--bridge_bars={','.join(values)}: numbers of bars are needed, such as 8,4,16"
        ) from error


def parse_pitch_range(values: list[str]) -> tuple[int, ...]:
    """The MIDI notes of `--pitch_range`, which `Settings` checks; without any, all of them.

    Raises:
      UserError: one is not a whole number.
    """
    try:
        return tuple(int(value) for value in values) or (0, 127)
    except ValueError as error:
        raise wrong_pitch_range(values) from error
