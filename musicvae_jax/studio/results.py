"""Results of the studio: as the page shows them, and as files to download."""

import collections
import dataclasses
import json
import pathlib
import secrets
import tempfile
import threading
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from musicvae_jax.commands import transitions
from musicvae_jax.commands.compose import Composition
from musicvae_jax.midi import audio, encode
from musicvae_jax.music.assembly import single
from musicvae_jax.music.melody import MAX_PITCH, MIN_PITCH, STEPS_PER_QUARTER, Melody
from musicvae_jax.music.modulation import find_key
from musicvae_jax.music.piece import Piece
from musicvae_jax.music.tempo import microseconds_per_quarter
from musicvae_jax.plots import bar_values, rolls
from musicvae_jax.plots.picture import save_png
from musicvae_jax.system.errors import UserError

MAX_BARS = 1000
_MADE = 0.5  # of colours: between melody 1, at 0, and melody 2, at 1
_FACTS = ("monotonicity", "largest_jump", "tracking_error", "nll_excess", "key_stability")


@dataclasses.dataclass(frozen=True)
class Item:
    """One piece of a result.

    Attributes:
      stem: of its files.
      piece: what is played and downloaded.
      draw: writes its picture to a path.
      view: what the page shows, for JSON.
      provenance: for the MIDI file.
    """

    stem: str
    piece: Piece
    draw: Callable[[pathlib.Path], None]
    view: dict[str, Any]
    provenance: str = ""

    def midi(self) -> bytes:
        return encode.piece_bytes(self.piece, self.stem, self.provenance)

    def png(self) -> bytes:
        return _written(self.draw, ".png")

    def wav(self, soundfont: str | None) -> bytes:
        return _written(lambda path: audio.render(path, self.piece, soundfont), ".wav")


@dataclasses.dataclass(frozen=True)
class Result:
    """The result of one request.

    Attributes:
      items: the best first, where they are ranked.
      report: as the command line writes it.
    """

    items: Sequence[Item]
    report: dict[str, Any]

    def json(self) -> bytes:
        return (json.dumps(self.report, indent=2, allow_nan=False) + "\n").encode()


class Store:
    """The latest results, in memory, under names that cannot be guessed."""

    def __init__(self, limit: int = 128):
        self._limit = limit
        self._results: collections.OrderedDict[str, Result] = collections.OrderedDict()
        self._lock = threading.Lock()

    def put(self, result: Result) -> str:
        name = secrets.token_urlsafe(12)
        with self._lock:
            self._results[name] = result
            while len(self._results) > self._limit:
                self._results.popitem(last=False)
        return name

    def get(self, name: str) -> Result | None:
        with self._lock:
            return self._results.get(name)


def _written(write: Callable[[pathlib.Path], object], suffix: str) -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(folder) / f"file{suffix}"
        write(path)
        return path.read_bytes()


def view_piece(piece: Piece, t: np.ndarray) -> dict[str, Any]:
    """A piece for the page.

    Args:
      piece: the piece.
      t: [bars], how far each is from melody 1's colour to melody 2's.
    """
    seconds, tempos = 0.0, []
    for (step, bpm), (following, _) in zip(
        piece.tempos, [*piece.tempos[1:], (piece.num_steps, 0.0)], strict=True
    ):
        per_step = microseconds_per_quarter(bpm) / STEPS_PER_QUARTER / 1e6
        tempos.append([step, round(seconds, 6), round(per_step, 8)])
        seconds += (following - step) * per_step
    return {
        "bars": piece.num_bars,
        "duration_sec": round(seconds, 3),
        "loops": piece.loops,
        "tempos": tempos,
        "notes": piece.line.notes(),
        "t": np.round(np.asarray(t, np.float64), 4).tolist(),
        "sections": [
            {
                "label": section.origin,
                "title": section.title,
                "key": section.key,
                "start_bar": section.start_bar,
                "bars": section.melody.num_bars,
                "is_bridge": section.is_bridge,
            }
            for section in piece.sections
        ],
    }


def of_transition(made: transitions.Transition) -> Item:
    """A transition as an item; where it is spliced, curves are only of the bridge's bars."""
    piece = made.piece
    curves = {
        name: np.full(piece.num_bars, np.nan)
        for name in ("t_latent", "t_control", "similarity_1", "similarity_2", "nll")
    }
    t = np.zeros(piece.num_bars)
    melodies = 0
    values = bar_values.values_of_bridges(piece, made.bridges)
    for section, known in zip(piece.sections, values, strict=True):
        bars = slice(section.start_bar, section.start_bar + section.melody.num_bars)
        if known is None:
            t[bars] = melodies % 2
            melodies += 1
            continue
        leaves = max(melodies - 1, 0) % 2
        share = known.t(section.melody.num_bars)
        t[bars] = 1 - share if leaves else share
        for name, curve in curves.items():
            value = getattr(known, name)
            if value is not None:
                curve[bars] = value
    view = view_piece(piece, t) | {
        "title": made.strategy,
        "name": made.output,
        "score": made.score,
        "facts": {
            name: round(
                float(np.mean([getattr(bridge.scores, name) for bridge in made.bridges])), 4
            )
            for name in _FACTS
        },
        "curves": {name: _or_none(curve) for name, curve in curves.items()},
    }

    def draw(path: pathlib.Path) -> None:
        save_png(path, made.figure())

    return Item(made.stem, piece, draw, view, made.provenance)


def _or_none(values: np.ndarray) -> list[float | None] | None:
    if np.isnan(values).all():
        return None
    return [None if np.isnan(v) else round(float(v), 4) for v in values]


def of_composition(made: Composition) -> list[Item]:
    """Melodies as items; what was given has the colour of melody 1."""
    given = 0 if made.given is None else made.given[1].num_bars

    def draw(path: pathlib.Path) -> None:
        save_png(path, rolls.melodies_figure(made.shown))

    items = []
    scores = {output.stem: output.scores for output in made.outputs}
    for stem, melody in made.melodies.items():
        piece = single(melody, origin=stem)
        t = np.full(piece.num_bars, 0.0 if stem.startswith("original") else _MADE)
        t[:given] = 0.0
        view = view_piece(piece, t) | {"title": stem, "name": f"{stem}.mid"}
        if given:
            view["sections"] = [
                view["sections"][0] | {"label": "melody 1", "bars": given},
                view["sections"][0]
                | {
                    "label": "continuation",
                    "start_bar": given,
                    "bars": piece.num_bars - given,
                    "is_bridge": True,
                },
            ]
        view["facts"] = {name: round(value, 4) for name, value in scores.get(stem, {}).items()}
        items.append(Item(stem, piece, draw, view))
    return items


def view_melody(name: str, melody: Melody, explanation: Sequence[str]) -> dict[str, Any]:
    """An input for the page, which gives `melody` back with what it asks for."""
    return {
        "name": name,
        "key": find_key(melody).name,
        "tempo_bpm": round(melody.tempo_bpm, 2),
        "explanation": list(explanation),
        "melody": {
            "notes": melody.notes(),
            "num_steps": melody.num_steps,
            "tempo_bpm": melody.tempo_bpm,
            "program": melody.program,
        },
        "view": view_piece(single(melody), np.zeros(melody.num_bars)),
    }


def read_melody(name: str, given: Any) -> Melody:
    """The melody that the page gives back.

    Raises:
      UserError: it is not one that `view_melody` could have given.
    """
    try:
        melody = Melody.from_notes(
            given["notes"],
            int(given["num_steps"]),
            tempo_bpm=float(given["tempo_bpm"]),
            program=int(given["program"]),
        )
        microseconds_per_quarter(melody.tempo_bpm)
        if not 0 <= melody.program <= 127 or not melody.pitch.size:
            raise ValueError("no notes, or no such program")
        if melody.pitch.min() < MIN_PITCH or melody.pitch.max() > MAX_PITCH:
            raise ValueError("pitches outside of the piano")
    except (KeyError, TypeError, ValueError, OverflowError) as error:
        raise UserError(f"{name}: not a melody ({error})") from error
    if melody.num_bars > MAX_BARS:
        raise UserError(
            f"{name}: {melody.num_bars} bars; the studio takes {MAX_BARS}, the command line all"
        )
    return melody
