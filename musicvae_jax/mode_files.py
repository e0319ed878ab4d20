"""What the modes read and write: checkpoints, melodies, MIDI, audio, reports."""

import logging
import pathlib
from collections.abc import Mapping
from typing import Any

import ml_collections

from musicvae_jax import __version__, atomic_io, audio, checkpoints, midi
from musicvae_jax.examples import example_melodies
from musicvae_jax.inference import MelodyModel, abstract_params
from musicvae_jax.melody import Melody
from musicvae_jax.options import Options
from musicvae_jax.piece import Piece, single
from musicvae_jax.preprocessing import extract_melody

logger = logging.getLogger(__name__)


def load_model(config: ml_collections.ConfigDict | None, options: Options) -> MelodyModel:
    """The model that the options mean.

    Raises:
      UserError: there is none, or it is not of the configuration's model.
    """
    directory = checkpoints.find(options.checkpoint, options.workdir)
    checkpoint = checkpoints.load(directory, abstract_params, config)
    logger.info("model of step %d from %s", checkpoint.step, checkpoint.path)
    return MelodyModel(checkpoint)


def input_melodies(options: Options) -> dict[str, Melody]:
    """Titled melodies of the files given, or of the two examples that are shipped."""
    if not options.inputs:
        logger.info("no --input: using the examples %s", ", ".join(example_melodies()))
        return example_melodies()
    melodies: dict[str, Melody] = {}
    for name in options.inputs:
        title = name if name not in melodies else f"{name} ({len(melodies) + 1})"
        melodies[title] = extract_melody(midi.read_song(name), name)
    return melodies


def write_piece(
    folder: pathlib.Path, stem: str, piece: Piece, options: Options, provenance: str = ""
) -> str:
    """Writes MIDI, and audio if asked for; returns the MIDI file's name."""
    path = folder / f"{stem}.mid"
    midi.write_piece(path, piece, name=stem, provenance=provenance)
    logger.info("wrote %s", path)
    if options.audio:
        sound = path.with_suffix(".wav")
        rendering = audio.render(sound, piece, options.soundfont)
        logger.info("wrote %s, by %s", sound, rendering)
    return path.name


def write_melody(folder: pathlib.Path, stem: str, melody: Melody, options: Options) -> str:
    """`write_piece` of one melody."""
    return write_piece(folder, stem, single(melody, origin=stem), options)


def write_report(
    folder: pathlib.Path,
    mode: str,
    model: MelodyModel,
    options: Options,
    temperature: float,
    results: Mapping[str, Any],
) -> None:
    """Writes what was done, how, and with which model as `MODE.json`."""
    checkpoint = model.checkpoint
    atomic_io.write_json(
        folder / f"{mode}.json",
        {
            "mode": mode,
            "version": __version__,
            "seed": options.seed,
            "temperature": temperature,
            "inputs": list(options.inputs) or list(example_melodies()),
            "checkpoint": {
                "path": str(checkpoint.path),
                "step": checkpoint.step,
                "sha256": checkpoint.sha256(),
            },
            "config": checkpoint.config.to_dict(),
            **results,
        },
    )
    logger.info("wrote %s", folder / f"{mode}.json")
