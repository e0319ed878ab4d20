"""`--mode=export_page`: writes the studio's page for bridges as files that need no server."""

import gzip
import logging
import os
import pathlib
from collections.abc import Mapping
from typing import Any

import ml_collections

from musicvae_jax import __version__
from musicvae_jax.commands.files import load_model
from musicvae_jax.commands.options import Options
from musicvae_jax.datasets import input_pipeline
from musicvae_jax.datasets.melodies.sources import COLLECTIONS
from musicvae_jax.inference.melody_model import MelodyModel
from musicvae_jax.midi import encode
from musicvae_jax.midi.analysis import downbeats, melody_track
from musicvae_jax.music.examples import example_melodies
from musicvae_jax.static_page import functions, runtime
from musicvae_jax.studio import ways
from musicvae_jax.system import files

logger = logging.getLogger(__name__)

_SITE = pathlib.Path(__file__).parent / "site"
_STUDIO = pathlib.Path(__file__).parents[1] / "studio" / "page"
# What the page has in common with that of the studio.
_SHARED = (
    *(
        "icon.svg",
        "player.js",
        "roll.js",
        "studio.css",
        "tones.js",
        "tracks.js",
        "wav.js",
        "words.js",
    ),
    "work.css",
)
# The ways that the page can go, see `site/bridges.js`.
_STRATEGIES = ("composed", "dual_conductor", "latent", "cut")
_PROGRAMS = 128
_FOLK = (
    "traditional tunes in music21, https://www.music21.org, transcribed by Jack Campin and others "
    "whom its files name"
)


def export_page(config: ml_collections.ConfigDict | None, options: Options) -> None:
    """Writes the page, the model and what runs it to one folder.

    Raises:
      UserError: the page knows no such model, or the library that runs it cannot be had.
    """
    model = load_model(config, options)
    functions.check(model)
    library = runtime.read(options.runtime)
    logger.info("translates the model")
    content = contents(model, library)
    write(options.output, content)
    for part, prefix in (("", ""), (", of which the model", "model/")):
        size = sum(len(data) for name, data in content.items() if name.startswith(prefix))
        logger.info("wrote %s%s: %.1f MB", options.output, part, size / 1e6)
    logger.info("cd %s && python -m http.server 8000 serves it", options.output)


def contents(model: MelodyModel, library: Mapping[str, bytes]) -> dict[str, bytes]:
    """All files, by their names in the folder.

    Args:
      model: that the page uses.
      library: see `runtime.read`.

    Raises:
      UserError: see `functions.check`.
    """
    content = site_files() | {"NOTICE.txt": notice(model).encode()}
    content |= {f"runtime/{name}": data for name, data in library.items()}
    return content | {f"model/{name}": data for name, data in model_files(model).items()}


def write(folder: str | os.PathLike, content: Mapping[str, bytes]) -> None:
    """Writes files by their names; those that stand there are replaced."""
    folder = files.make_output_dir(folder)
    for name, data in content.items():
        path = folder / name
        path.parent.mkdir(exist_ok=True)
        with files.replacing(path) as temporary:
            temporary.write_bytes(data)


def site_files() -> dict[str, bytes]:
    """The page and its scripts, by their names."""
    paths = [*_SITE.iterdir(), *(_STUDIO / name for name in _SHARED)]
    return {path.name: path.read_bytes() for path in paths}


def model_files(model: MelodyModel) -> dict[str, bytes]:
    """What the page has to know of a model, by file names.

    Raises:
      UserError: see `functions.check`.
    """
    made = {f"{name}.packed": packed(data) for name, data in functions.export(model).items()}
    return made | {
        "facts.json": files.as_json(facts(model)).encode(),
        "outlines.bin": functions.outlines(model),
    }


def notice(model: MelodyModel) -> str:
    """Under which licences the files are, and what the model has learned from."""
    lines = [
        f"The page and the model: MusicVAE-JAX {__version__}, Apache License 2.0.",
        f"runtime/: ONNX Runtime Web {runtime.VERSION}, Copyright (c) Microsoft Corporation, MIT "
        "License, https://github.com/microsoft/onnxruntime/blob/main/LICENSE",
        "",
        "The model has learned from:",
    ]
    for name, _ in input_pipeline.weighted_sources(model.checkpoint.config):
        if name in COLLECTIONS:
            known = COLLECTIONS[name]
            told = f"{known.title}, {known.address}, {known.credit}, {known.licence}"
        else:  # the path of a folder is nobody's business
            told = _FOLK if name == "folk" else "tunes that its maker had"
        lines.append(f"- {told}")
    return "\n".join(lines) + "\n"


def facts(model: MelodyModel) -> dict[str, Any]:
    """What the page has to know of the model and of music, for JSON."""
    titles = {way.strategy: way for way in ways.possible(has_composer=True)}
    return functions.facts(model) | {
        "version": __version__,
        "ways": [vars(titles[name]) for name in _STRATEGIES],
        "examples": {
            name: {
                "notes": melody.notes(),
                "num_steps": melody.num_steps,
                "tempo_bpm": melody.tempo_bpm,
                "program": melody.program,
            }
            for name, melody in example_melodies().items()
        },
        "reading": reading_rules(),
        "instruments": [encode.instrument_name(program) for program in range(_PROGRAMS)],
    }


def reading_rules() -> dict[str, Any]:
    """By what the page finds bars and the melody of a song, for JSON."""
    return {
        "downbeats": downbeats.weights().tolist(),
        "weights": melody_track.WEIGHTS,
        "melody_name": melody_track.MELODY_NAME.pattern,
        "accompaniment_name": melody_track.ACCOMPANIMENT_NAME.pattern,
    }


def packed(data: bytes) -> bytes:
    """Compressed: first every other byte, and then those between.

    The parameters have 16 bits, and their upper bytes resemble each other. `site/model.js` does
    the reverse.
    """
    return gzip.compress(data[0::2] + data[1::2], compresslevel=9, mtime=0)
