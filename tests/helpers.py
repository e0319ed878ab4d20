"""What several tests need: small configurations, melodies, MIDI files."""

import dataclasses
import functools
import io
import itertools
import os
import pathlib

import hypothesis.strategies as st
import jax
import matplotlib.image
import mido
import ml_collections
import numpy as np

from musicvae_jax.configs import default
from musicvae_jax.datasets.melodies.melodies_dataset_builder import MelodiesConfig, melodies_config
from musicvae_jax.datasets.melodies.music_files import ReadingRules
from musicvae_jax.datasets.melodies.sources import find_source
from musicvae_jax.midi import write
from musicvae_jax.models import vae
from musicvae_jax.music.drums import Drums
from musicvae_jax.music.melody import STEPS_PER_BAR, Melody
from musicvae_jax.music.windows import WindowRules


def small_config(**model) -> ml_collections.ConfigDict:
    """Two bars; sixteen units, the fewest that the compiled LSTM takes: compiles in seconds."""
    config = default.get_config()
    config.model.update(
        {
            "bars": 2,
            "z": 4,
            "encoder_features": 16,
            "conductor_features": 16,
            "decoder_features": 16,
            **model,
        }
    )
    config.dataset.transpose_semitones = 3
    config.train.batch_size = 16
    config.train.num_steps = 4
    config.train.log_every = 2
    config.train.eval_every = 2
    config.train.eval_examples = 20
    return config


def of_another_program(data: bytes) -> bytes:
    """A MIDI file without the mark by which this package knows its own, whose bars are right."""
    file = mido.MidiFile(file=io.BytesIO(data))
    file.tracks[0] = mido.MidiTrack(m for m in file.tracks[0] if m.type != "sequencer_specific")
    written = io.BytesIO()
    file.save(file=written)
    return written.getvalue()


def random_params(config: ml_collections.ConfigDict, scale: float = 1.0, seed: int = 0) -> dict:
    """Parameters for `config.model`, as large as initial ones, times `scale`.

    They are drawn by NumPy: to compile the initialisation takes several seconds for each model.
    """
    rng = np.random.default_rng(seed)

    def draw(leaf: jax.ShapeDtypeStruct) -> np.ndarray:
        return (scale / np.sqrt(leaf.shape[0]) * rng.normal(size=leaf.shape)).astype(leaf.dtype)

    return jax.tree.map(draw, vae.abstract_params(config))


class Jitted:
    """A model whose `apply` is compiled once for each method and shape.

    `model.apply` itself compiles a program for each of its operations.
    """

    def __init__(self, model: vae.MusicVAE):
        self.model = model
        self.vocab, self.z, self.latent_shape = model.vocab, model.z, model.latent_shape
        self._functions = {}

    def apply(self, variables, *args, method=None):
        if method not in self._functions:
            is_call = method is None
            apply = functools.partial(self.model.apply, method=method)
            self._functions[method] = jax.jit(apply, static_argnums=(3,) if is_call else ())
        return self._functions[method](variables, *args)


def random_tokens(batch: int, steps: int, seed: int = 0, vocab: int = 90) -> np.ndarray:
    """[batch, steps] int32 of any tokens."""
    return np.random.default_rng(seed).integers(0, vocab, (batch, steps), np.int32)


def random_melody(rng: np.random.Generator, bars: int) -> Melody:
    """Notes of one to eight steps with a rest now and then, on the white keys."""
    notes, step = [], int(rng.integers(0, 3))
    while step < bars * STEPS_PER_BAR - 8:
        length = int(rng.integers(1, 9))
        pitch = 60 + int(rng.choice([0, 2, 4, 5, 7, 9, 11, 12]))
        notes.append((pitch, step, step + length))
        step += length + int(rng.choice([0, 0, 0, 2]))
    return Melody.from_notes(notes, bars * STEPS_PER_BAR, tempo_bpm=100.0, program=5)


def folder_config(bars: int, path: str, **rules) -> MelodiesConfig:
    """The data set of a folder; `rules` are fields of `ReadingRules`."""
    rules = ReadingRules(WindowRules(bars=bars), **rules)
    return melodies_config(bars, [find_source(path, rules)])


def write_midi_folder(folder: pathlib.Path, songs: int, bars: int = 8) -> pathlib.Path:
    """A folder of MIDI files, each with another melody."""
    folder.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(0)
    for number in range(songs):
        write.write(folder / f"song_{number:03d}.mid", random_melody(rng, bars))
    return folder


def colors_in(path):
    """The colours of a picture as a set of (red, green, blue) in 0..255."""
    red, green, blue = np.moveaxis(matplotlib.image.imread(path)[..., :3] * 255, -1, 0).round()
    numbers = np.unique(red * 256**2 + green * 256 + blue).astype(int)  # float32 holds 24 bits
    return {(number >> 16, number >> 8 & 255, number & 255) for number in numbers.tolist()}


def rgb(name):
    return tuple(int(name[i : i + 2], 16) for i in (1, 3, 5))


def die(*_, **__) -> None:
    """A task that brings its worker down."""
    os._exit(1)


@st.composite
def melodies(draw, min_pitch: int = 21, max_pitch: int = 108) -> Melody:
    """Any melody of up to three bars."""
    num_steps = draw(st.integers(1, 48))
    edges = draw(st.lists(st.integers(0, num_steps), unique=True, max_size=24).map(sorted))
    notes = []
    for start, end in itertools.pairwise(edges):
        if draw(st.booleans()):
            notes.append((draw(st.integers(min_pitch, max_pitch)), start, end))
    return Melody.from_notes(notes, num_steps)


@st.composite
def drums(draw, min_bars: int = 1, min_hits: int = 1, on_ticks: bool = False) -> Drums:
    """Drums of up to three bars, with a hit in the first and in the last one.

    Args:
      min_bars, min_hits: at least so many.
      on_ticks: whether MIDI can tell each hit's time exactly.
    """
    bars = draw(st.integers(min_bars, 3))
    cell = st.integers(0, 16 * 9 - 1)
    ends = [draw(cell), (bars - 1) * 144 + draw(cell)]
    others = draw(st.lists(st.integers(0, bars * 144 - 1), min_size=min_hits, max_size=30))
    cells = np.unique([*ends, *others])
    free = np.setdiff1d(np.arange(bars * 144), cells)
    cells = np.sort([*cells, *free[: max(min_hits - len(cells), 0)]])
    step, piece = np.divmod(cells, 9)
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    ticks = rng.integers(-60, 60, len(cells)) if on_ticks else rng.uniform(-60, 60, len(cells))
    ticks = np.where(step == 0, np.abs(ticks) % 60, ticks)
    tempo_bpm = round(draw(st.floats(40, 300)), 2)
    velocity = rng.integers(1, 128, len(cells))
    return Drums(piece, step, velocity, ticks / 120, bars * 16, tempo_bpm)


@st.composite
def chains(draw) -> tuple[list[Melody], list[Melody], str]:
    """Melodies of any tempo and program, bridges between them, perhaps back to the first."""
    count = draw(st.integers(1, 3))
    tempos = st.floats(20, 400).map(lambda bpm: round(bpm, 2))
    parts = []
    for _ in range(count):
        program = draw(st.sampled_from([0, 0, 40, 73]))
        tempo_bpm = draw(tempos)
        parts.append(dataclasses.replace(draw(melodies()), program=program, tempo_bpm=tempo_bpm))
    bridges = []
    for _ in range(draw(st.integers(count - 1, count))):
        bridge = draw(melodies())
        bridges.append(dataclasses.replace(bridge, num_steps=16 * bridge.num_bars))
    return parts, bridges, draw(st.sampled_from(["keep", "switch", "crossfade"]))
