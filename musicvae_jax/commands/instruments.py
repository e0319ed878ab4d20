"""What the command line does with the music of each kind: one entry for each codec of data sets."""

import dataclasses
import functools
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from musicvae_jax.commands.options import Options
from musicvae_jax.inference import humaniser
from musicvae_jax.inference.melody_model import MelodyModel
from musicvae_jax.midi.reading import Reading
from musicvae_jax.music.drum_examples import example_drums
from musicvae_jax.music.drums import Drums
from musicvae_jax.music.examples import example, example_melodies
from musicvae_jax.music.melody import Melody
from musicvae_jax.music.tokens import CODECS, StoredCodec
from musicvae_jax.notation import read
from musicvae_jax.plots import drum_grid, rolls
from musicvae_jax.plots.picture import Figure


@dataclasses.dataclass(frozen=True)
class Instrument:
    """Music of a kind, as files and pictures.

    Attributes:
      examples: what is used where no file is given, by name, for steps of a bar.
      example: the example of a name, if there is one.
      read: the music of a file.
      figure: a picture of several, by title.
      finish: what a model made, as it is to be heard.
    """

    examples: Callable[[int], Mapping[str, Any]]
    example: Callable[[str], Any]
    read: Callable[[str, Reading], Any]
    figure: Callable[[Mapping[str, Any]], Figure]
    finish: Callable[[MelodyModel, Any, Options], Any]


def _as_it_is(model: MelodyModel, music: Melody, options: Options) -> Melody:
    return music


def _humanised(model: MelodyModel, music: Drums, options: Options) -> Drums:
    """The hits that a model made, which are all alike, as a drummer would strike them.

    The bars that were to stay as they are do so, also where all hits in them are alike.
    """
    if not options.strength or not (model.checkpoint.path / humaniser.FILE).is_file():
        return music
    head = _head(model.checkpoint.path)
    played = head.humanise(music, strength=options.strength, only_plain=True)
    is_kept = np.isin(np.arange(music.num_bars), options.kept_bars)
    return played.played_as(music, is_kept)


_head = functools.lru_cache(maxsize=1)(humaniser.load)
MELODY = Instrument(
    examples=example_melodies,
    example=example,
    read=read.read_melody,
    figure=rolls.melodies_figure,
    finish=_as_it_is,
)
DRUMS = Instrument(
    examples=lambda steps_per_bar: example_drums(),
    example=lambda name: example_drums().get(name),
    read=read.drums_of_file,
    figure=drum_grid.drums_figure,
    finish=_humanised,
)
INSTRUMENTS: dict[StoredCodec, Instrument] = {
    CODECS["melody"].stored: MELODY,
    CODECS["drums"].stored: DRUMS,
}


def instrument_of(model: MelodyModel) -> Instrument:
    """Of the music that a model knows."""
    return INSTRUMENTS[model.codec.stored]
