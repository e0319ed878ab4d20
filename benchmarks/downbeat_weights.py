"""Fits the weights of `musicvae_jax/midi/analysis/downbeats.csv` to songs whose bars are known.

`python benchmarks/downbeats.py --fit` calls it. Songs are taken whole and cut at random sixteenths,
by one voice alone and by several; each kind of music counts the same, up to a factor of three.
"""

import collections
import csv
import dataclasses
import pathlib

import numpy as np
import renditions
import scipy.optimize
from renditions import Part

from musicvae_jax.midi import read as midi_read
from musicvae_jax.midi.analysis import cues, downbeats
from musicvae_jax.midi.reading import Reading
from musicvae_jax.midi.song import Song, Track, make_song
from musicvae_jax.music.melody import STEPS_PER_BAR
from musicvae_jax.system.errors import UserError

PENALTY = 2.0
MIN_NOTES = 24


@dataclasses.dataclass(frozen=True)
class Example:
    """The cues of a song whose bars begin at place 0, and what kind of song it is."""

    kind: str
    profile: np.ndarray
    is_ensemble: bool


def song_of(parts: list[Part]) -> Song:
    """A song of parts in quarter notes."""
    tracks = []
    for part in parts:
        pitch, start, end, velocity = part.notes.T
        whole = (pitch.astype(np.int32), velocity.astype(np.int32))
        tracks.append(Track(part.name, part.program, part.is_drum, *whole, start, end))
    return make_song(tracks, [], [])


def example(kind: str, song: Song) -> Example:
    notes = cues.on_grid(song)
    line = notes.line()
    return Example(kind, cues.profile(notes, line), downbeats.is_ensemble(notes, line))


def cut(rng: np.random.Generator, parts: list[Part]) -> list[Part]:
    """12 to 40 bars from a sixteenth on."""
    end = max(part.notes[:, 2].max() for part in parts)
    begin = round(4 * rng.uniform(0, max(end - 48, 0))) / 4
    stop = begin + rng.uniform(48, 160)
    kept = []
    for part in parts:
        inside = part.notes[(part.notes[:, 1] >= begin) & (part.notes[:, 1] < stop)]
        inside = inside - np.array([0, begin // 4 * 4, begin // 4 * 4, 0])
        if len(inside):
            kept.append(dataclasses.replace(part, notes=inside))
    return kept


def of_tune(kind: str, parts: list[Part], rng: np.random.Generator) -> list[Example]:
    """Examples of a tune: alone and with an accompaniment, whole and cut."""
    full = parts if len(parts) > 1 else renditions.accompany(rng, parts[0])
    result = []
    for name, chosen in ((f"{kind} alone", parts[:1]), (kind, full)):
        for way, made in ((name, chosen), (f"{name} cut", cut(rng, chosen))):
            if sum(len(part.notes) for part in made) >= MIN_NOTES:
                result.append(example(way, song_of(made)))
    return result


def of_drummers(folder: pathlib.Path) -> list[Example]:
    """Beats in 4/4 of the training part of the Groove MIDI Dataset, every third."""
    with (folder / "info.csv").open() as file:
        rows = [row for row in csv.DictReader(file) if row["split"] == "train"]
    wanted = [r for r in rows if (r["time_signature"], r["beat_type"]) == ("4-4", "beat")]
    result = []
    for row in wanted[::3]:
        path = folder / row["midi_filename"]
        try:
            song = midi_read.song_from_bytes(
                midi_read.content(path), str(path), Reading(as_declared=True)
            )
        except UserError:
            continue
        if song.tracks and max(track.end.max() for track in song.tracks) >= 24:
            result.append(example("groove", song))
    return result


def fit(examples: list[Example]) -> np.ndarray:
    """Weights [cues, 16] of the greatest penalised likelihood that bars begin at place 0."""
    profiles = np.stack([one.profile for one in examples])
    turned = np.stack([np.roll(profiles, -step, axis=2) for step in range(STEPS_PER_BAR)], axis=1)
    turned = turned.reshape(len(examples), STEPS_PER_BAR, -1)
    counts = collections.Counter(one.kind for one in examples)
    usual = len(examples) / len(counts)
    weight = np.array([min(3.0, usual / counts[one.kind]) for one in examples])

    def loss(flat: np.ndarray) -> tuple[float, np.ndarray]:
        score = turned @ flat
        score -= score.max(axis=1, keepdims=True)
        likely = np.exp(score)
        total = likely.sum(axis=1, keepdims=True)
        value = -(weight * (score[:, 0] - np.log(total[:, 0]))).sum() + PENALTY * flat @ flat
        expected = np.einsum("nr,nrk->k", weight[:, None] * likely / total, turned)
        return value, expected - weight @ turned[:, 0] + 2 * PENALTY * flat

    start = np.zeros(turned.shape[2])
    found = scipy.optimize.minimize(loss, start, jac=True, method="L-BFGS-B")
    return found.x.reshape(len(cues.CUES), STEPS_PER_BAR)


def write(examples: list[Example], path: pathlib.Path) -> None:
    """Fits both sets of weights and writes the table."""
    lines = ["voices,cue," + ",".join(map(str, range(STEPS_PER_BAR)))]
    for voices, is_ensemble in (("one", False), ("several", True)):
        weights = fit([one for one in examples if one.is_ensemble == is_ensemble])
        for cue, row in zip(cues.CUES, weights, strict=True):
            lines.append(f"{voices},{cue}," + ",".join(f"{value:.2f}" for value in row))
    path.write_text("\n".join(lines) + "\n")
