"""Pieces and melodies as the page shows them, for JSON."""

import dataclasses
import functools
import math
import pathlib
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from musicvae_jax.commands import transitions
from musicvae_jax.music.assembly import single
from musicvae_jax.music.grid import given_name
from musicvae_jax.music.melody import Melody
from musicvae_jax.music.modulation import find_key
from musicvae_jax.music.piece import Piece
from musicvae_jax.music.tempo import microseconds_per_quarter
from musicvae_jax.plots.picture import Figure, save_png
from musicvae_jax.studio import songs, ways
from musicvae_jax.studio.results import Item

_STEPS = {2: "eighth", 3: "triplet", 4: "sixteenth"}  # by how many are a quarter note
_FACTS = ("monotonicity", "largest_jump", "tracking_error", "nll_excess", "key_stability")


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
    """A transition between melodies as an item; curves are of the bars of its bridges alone."""
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
        "title": title(made.strategy, made.stem),
        "name": made.output,
        "curves": {name: or_none(curve) for name, curve in curves.items()},
        **({} if made.is_edited else judged(made, ways.judge, _FACTS)),
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


def judged(
    made: transitions.Made, judge: Callable[[Any], dict[str, float]], facts: Sequence[str]
) -> dict[str, Any]:
    """How good the bridges of a piece are, on average, in words and numbers.

    Args:
      made: the piece with its bridges.
      judge: gives what is said of the scores of one.
      facts: the names of scores that are told as numbers.
    """
    every = [bridge.scores for bridge in made.bridges]
    words = [judge(scores) for scores in every]
    return {
        "score": made.score,
        "scores": {name: _mean([one[name] for one in words]) for name in words[0]},
        "facts": {name: _mean([getattr(scores, name) for scores in every]) for name in facts},
    }


def _drawing(figure: Callable[[], Figure]) -> Callable[[pathlib.Path], None]:
    return lambda path: save_png(path, figure())


def title(strategy: str, stem: str) -> str:
    """The way in words, and which candidate it is where there are several."""
    rank = stem.removeprefix(f"transition_{strategy}").removeprefix("_")
    return ways.TITLES[strategy] + (f" {int(rank) + 1}" if rank else "")


def _mean(values: Sequence[Any]) -> float:
    return round(float(np.mean(values)), 4)


def or_none(values: np.ndarray) -> list[float | None] | None:
    """A curve of bars for JSON; None where there is no value in it."""
    if np.isnan(values).all():
        return None
    return [None if np.isnan(v) else round(float(v), 4) for v in values]


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
