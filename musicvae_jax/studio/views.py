"""Pieces and melodies as the page shows them, for JSON."""

import dataclasses
import functools
import math
import pathlib
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from musicvae_jax.commands import transitions
from musicvae_jax.commands.compose import Composition
from musicvae_jax.music.assembly import single
from musicvae_jax.music.grid import given_name
from musicvae_jax.music.melody import Melody
from musicvae_jax.music.modulation import find_key
from musicvae_jax.music.piece import Piece
from musicvae_jax.music.tempo import microseconds_per_quarter
from musicvae_jax.plots import rolls
from musicvae_jax.plots.picture import Figure, save_png
from musicvae_jax.studio import songs, ways
from musicvae_jax.studio.results import Item

# What the page calls them, by the stems of their files.
_TITLES = {
    "generate": "New melody",
    "complete": "Continuation",
    "reconstruct": "Echo",
    "original": "Original",
    "vary": "Version",
}
_STEPS = {2: "eighth", 3: "triplet", 4: "sixteenth"}  # by how many are a quarter note
_MADE = 0.5  # of colours: between melody 1, at 0, and melody 2, at 1
_FACTS = ("monotonicity", "largest_jump", "tracking_error", "nll_excess", "key_stability")
# Of the modes that make a part of a melody, what the given and the made part are called.
_PARTS = {"complete": ("melody 1", "continuation"), "vary": ("kept", "new")}


def view_piece(piece: Piece, t: np.ndarray) -> dict[str, Any]:
    """A piece for the page, whose unit of time is a step that all of its meters have.

    A bar has as many of them in every meter: of one grid those that take time, of several grids
    their least common multiple.

    Args:
      piece: the piece.
      t: [bars], how far each is from melody 1's colour to melody 2's.
    """
    grids = list(dict.fromkeys(section.melody.grid for section in piece.sections))
    per_bar = math.lcm(*(grid.played_steps for grid in grids))

    def unit(step: int) -> int:
        section = piece.section_at(step)
        grid = section.melody.grid
        played = int(grid.played(step - section.start_step))
        return section.start_bar * per_bar + played * (per_bar // grid.played_steps)

    seconds, tempos = 0.0, []
    changes = _tempos(piece)
    for (step, bpm), (following, _) in zip(
        changes, [*changes[1:], (piece.num_steps, 0.0)], strict=True
    ):
        quarters = piece.section_at(step).melody.grid.quarters_per_bar
        per_unit = microseconds_per_quarter(bpm) * quarters / per_bar / 1e6
        tempos.append([unit(step), round(seconds, 6), round(per_unit, 8)])
        seconds += (unit(following) - unit(step)) * per_unit
    return {
        "bars": piece.num_bars,
        "steps_per_bar": per_bar,
        "grid": given_name(grids[0]) if len(grids) == 1 else "",
        "step": _STEPS[grids[0].steps_per_quarter],
        "duration_sec": round(seconds, 3),
        "loops": piece.loops,
        "tempos": tempos,
        "notes": [(pitch, unit(start), unit(end)) for pitch, start, end in piece.notes()],
        "t": np.round(np.asarray(t, np.float64), 4).tolist(),
        "sections": [
            {
                "label": section.origin,
                "title": section.title,
                "key": section.key,
                "start_bar": section.start_bar,
                "bars": section.melody.num_bars,
                "is_bridge": section.is_bridge,
                "meter": section.melody.grid.meter,
                "beats": section.melody.grid.played_steps // section.melody.grid.steps_per_beat,
            }
            for section in piece.sections
        ],
    }


def _tempos(piece: Piece) -> list[tuple[int, float]]:
    """`(step, tempo_bpm)` of each change, and of each section whose bars last longer or shorter."""
    changes, quarters = dict(piece.tempos), None
    for section in piece.sections:
        step, before = section.start_step, quarters
        quarters = section.melody.grid.quarters_per_bar
        if before not in (None, quarters) and step not in changes:
            changes[step] = next(bpm for at, bpm in reversed(piece.tempos) if at < step)
    return sorted(changes.items())


def of_transition(made: transitions.Transition) -> Item:
    """A transition as an item; where it is spliced, curves are only of the bridge's bars."""
    piece = made.piece
    curves = {
        name: np.full(piece.num_bars, np.nan)
        for name in ("t_latent", "t_control", "similarity_1", "similarity_2", "nll")
    }
    t = np.zeros(piece.num_bars)
    melodies = 0
    for section, known in zip(piece.sections, made.values(piece), strict=True):
        bars = slice(section.start_bar, section.start_bar + section.melody.num_bars)
        if known is None:
            t[bars] = melodies % 2
            melodies += 1
            continue
        leaves = max(melodies - 1, 0) % 2
        share = known.t(section)
        t[bars] = 1 - share if leaves else share
        for name, curve in curves.items():
            value = getattr(known, name)
            if value is not None:
                curve[bars] = value
    view = view_piece(piece, t) | {
        "title": _title(made),
        "name": made.output,
        "curves": {name: _or_none(curve) for name, curve in curves.items()},
        **({} if made.is_edited else _judged(made)),
    }
    if made.medley is None:
        return Item(made.stem, piece, _drawing(made.figure), view, made.provenance)
    notes = made.medley.notes_in_bars()
    content = made.medley.midi_bytes(made.stem, made.provenance)
    return Item(
        made.stem,
        piece,
        # All events of both songs are a hundred times as large as their file.
        _drawing(functools.partial(dataclasses.replace(made, medley=None).figure, notes)),
        songs.with_songs(view, made.medley),
        made.provenance,
        whole=content,
        first_quarter=made.medley.origin / made.medley.arrangement.ticks_per_quarter,
        size=len(content) + 4 * sum(each.nbytes for each in notes),
    )


def _judged(made: transitions.Transition) -> dict[str, Any]:
    """How good the bridges are, on average, in words and numbers."""
    every = [bridge.scores for bridge in made.bridges]
    return {
        "score": made.score,
        "scores": _mean([ways.judge(scores) for scores in every]),
        "facts": {
            name: round(float(np.mean([getattr(scores, name) for scores in every])), 4)
            for name in _FACTS
        },
    }


def _drawing(figure: Callable[[], Figure]) -> Callable[[pathlib.Path], None]:
    return lambda path: save_png(path, figure())


def _title(made: transitions.Transition) -> str:
    """The way in words, and which candidate it is where there are several."""
    rank = made.stem.removeprefix(f"transition_{made.strategy}").removeprefix("_")
    return ways.TITLES[made.strategy] + (f" {int(rank) + 1}" if rank else "")


def _mean(judged: Sequence[Mapping[str, float]]) -> dict[str, float]:
    return {name: round(float(np.mean([one[name] for one in judged])), 4) for name in judged[0]}


def _or_none(values: np.ndarray) -> list[float | None] | None:
    if np.isnan(values).all():
        return None
    return [None if np.isnan(v) else round(float(v), 4) for v in values]


def of_composition(made: Composition, kept_bars: Sequence[int] = ()) -> list[Item]:
    """Melodies as items; what was given has the colour of melody 1.

    Args:
      made: what a mode made.
      kept_bars: of `vary`, the bars that stay.
    """

    def draw(path: pathlib.Path) -> None:
        save_png(path, rolls.melodies_figure(made.shown))

    items = []
    scores = {output.stem: output.scores for output in made.outputs}
    for stem, melody in made.melodies.items():
        kind, _, number = stem.rpartition("_")
        piece = single(melody, origin=stem)
        is_given = np.full(piece.num_bars, kind == "original")
        if kind == "complete" and made.given is not None:
            is_given[: made.given[1].num_bars] = True
        is_given[list(kept_bars)] = True
        view = view_piece(piece, np.where(is_given, 0.0, _MADE))
        if kind in _PARTS:
            view["sections"] = _parts(view["sections"][0], is_given, *_PARTS[kind])
        view |= {
            "title": f"{_TITLES[kind]} {int(number) + 1}",
            "name": f"{stem}.mid",
            "facts": {name: round(value, 4) for name, value in scores.get(stem, {}).items()},
        }
        items.append(Item(stem, piece, draw, view))
    return items


def _parts(
    whole: Mapping[str, Any], is_given: np.ndarray, given: str, made: str
) -> list[dict[str, Any]]:
    """The sections of bars [bars] that were given and of those that were made, in turn."""
    starts = np.flatnonzero(np.diff(is_given, prepend=~is_given[:1]))
    ends = [*starts[1:], len(is_given)]
    return [
        {
            **whole,
            "label": given if is_given[start] else made,
            "title": "",
            "key": "",
            "start_bar": int(start),
            "bars": int(end - start),
            "is_bridge": not is_given[start],
        }
        for start, end in zip(starts, ends, strict=True)
    ]


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
            "grid": given_name(melody.grid),
            "steps_per_bar": melody.grid.steps_per_bar,
        },
        "view": view_piece(single(melody), np.zeros(melody.num_bars)),
    }
