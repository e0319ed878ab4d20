"""The command line beyond `--mode` and `--config`."""

import dataclasses
import pathlib

from musicvae_jax.loop import LoopOptions


@dataclasses.dataclass(frozen=True)
class Options:
    """What a mode is told.

    Attributes:
      workdir: where training keeps its state.
      output: where an inference mode writes.
      checkpoint: see `checkpoints.find`.
      inputs: MIDI files.
      strategies: names of transition strategies.
      num: how many melodies to write.
      seed: of all random numbers.
      temperature: of decoding; None for the mode's own.
      wav: also render audio.
      loop: how training is run.
      beam_options: of Apache Beam, for building data; empty for this machine alone.
    """

    workdir: pathlib.Path
    output: pathlib.Path
    checkpoint: str
    inputs: tuple[str, ...]
    strategies: tuple[str, ...]
    num: int
    seed: int
    temperature: float | None
    wav: bool
    loop: LoopOptions = dataclasses.field(default_factory=LoopOptions)
    beam_options: tuple[str, ...] = ()

    def temperature_or(self, default: float) -> float:
        return default if self.temperature is None else self.temperature
