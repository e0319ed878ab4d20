"""Drums as the page shows them, for JSON, and as it gives them back."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from musicvae_jax.commands.drum_transitions import DrumTransition
from musicvae_jax.music.drum_kit import PIECES
from musicvae_jax.music.drum_piece import DrumPiece, drum_single
from musicvae_jax.music.drums import STEPS_PER_BAR, STEPS_PER_QUARTER, Drums
from musicvae_jax.music.grid import given_name
from musicvae_jax.music.tempo import microseconds_per_quarter
from musicvae_jax.plots.picture import save_png
from musicvae_jax.studio import requests, views, ways
from musicvae_jax.studio.results import DrumItem
from musicvae_jax.system.errors import UserError

_BEATS = STEPS_PER_BAR // STEPS_PER_QUARTER
_LENGTH = 0.8  # of a hit as it is drawn, in steps
_FACTS = ("monotonicity", "largest_jump", "tracking_error", "nll_excess", "density_stability")


def view_piece(piece: DrumPiece, t: np.ndarray) -> dict[str, Any]:
    """A piece of drums for the page: a row for each piece of the kit.

    A hit is `[row, start, end, velocity]`, where it was played, and the time axis is as of
    `views.view_piece`.

    Args:
      piece: the piece.
      t: [bars], how far each is from the colour of the first pattern to that of the second.
    """
    drums, seconds, tempos = piece.drums, 0.0, []
    ends = [step for step, _ in piece.tempos[1:]] + [piece.num_bars * STEPS_PER_BAR]
    for (step, bpm), end in zip(piece.tempos, ends, strict=True):
        per_step = microseconds_per_quarter(bpm) / STEPS_PER_QUARTER / 1e6
        tempos.append([step, round(seconds, 6), round(per_step, 8)])
        seconds += (end - step) * per_step
    starts = np.maximum(np.round(drums.step + np.asarray(drums.offset, np.float64), 3), 0.0)
    columns = (drums.piece, starts, np.round(starts + _LENGTH, 3), drums.velocity)
    return {
        "bars": piece.num_bars,
        "steps_per_bar": STEPS_PER_BAR,
        "grid": given_name(drums.grid),
        "step": "sixteenth",
        "duration_sec": round(seconds, 3),
        "loops": piece.loops,
        "tempos": tempos,
        "rows": list(PIECES),
        "unit": "hits",
        "notes": list(zip(*(column.tolist() for column in columns), strict=True)),
        "t": np.round(np.asarray(t, np.float64), 4).tolist(),
        "sections": [
            {
                "label": section.origin.replace("drums", "pattern"),
                "title": section.title,
                "key": "",
                "start_bar": section.start_bar,
                "bars": section.drums.num_bars,
                "is_bridge": section.is_bridge,
                "meter": drums.grid.meter,
                "beats": _BEATS,
            }
            for section in piece.sections
        ],
    }


def of_transition(made: DrumTransition) -> DrumItem:
    """A transition between drums as an item; curves are of the bars of its bridges alone."""
    piece = made.written
    names = ("t_latent", "t_control", "hit_overlap_1", "hit_overlap_2", "nll")
    curves = {name: np.full(piece.num_bars, np.nan) for name in names}
    t = np.zeros(piece.num_bars)
    bridges = iter(made.bridges)
    patterns = 0
    for section in piece.sections:
        bars = slice(section.start_bar, section.start_bar + section.drums.num_bars)
        if not section.is_bridge:
            t[bars] = patterns % 2
            patterns += 1
            continue
        bridge = next(bridges)
        leaves = max(patterns - 1, 0) % 2
        t[bars] = 1 - bridge.curve if leaves else bridge.curve
        for name, curve in curves.items():
            value = getattr(bridge if name.startswith("t_") else bridge.by_bar, name)
            if value is not None:
                curve[bars] = np.asarray(value)
    view = view_piece(piece, t) | {
        "title": views.title(made.strategy, made.stem),
        "name": made.output,
        "curves": {name: views.or_none(curve) for name, curve in curves.items()},
        **views.judged(made, ways.judge_drums, _FACTS),
    }
    return DrumItem(
        made.stem, piece, lambda path: save_png(path, made.figure()), view, made.provenance
    )


def view_drums(name: str, drums: Drums, explanation: Sequence[str]) -> dict[str, Any]:
    """An input for the page, which gives `melody` back with what it asks for."""
    columns = (drums.piece, drums.step, drums.velocity, drums.offset)
    return {
        "name": name,
        "key": "",
        "tempo_bpm": round(drums.tempo_bpm, 2),
        "explanation": list(explanation),
        "melody": {
            "hits": list(zip(*(column.tolist() for column in columns), strict=True)),
            "num_steps": drums.num_steps,
            "tempo_bpm": drums.tempo_bpm,
            "program": drums.program,
            "grid": given_name(drums.grid),
        },
        "view": view_piece(drum_single(drums, "drums 1"), np.zeros(drums.num_bars)),
    }


def read_drums(name: str, given: Any) -> Drums:
    """The drums that the page gives back.

    Raises:
      UserError: they are not ones that `view_drums` could have given.
    """
    try:
        table = np.array(given["hits"], np.float64).reshape(-1, 4)
        if not np.isfinite(table).all():
            raise ValueError("numbers are needed")
        piece, step, velocity = (table[:, column].astype(np.int64) for column in range(3))
        drums = Drums(
            piece,
            step,
            velocity,
            table[:, 3],
            int(given["num_steps"]),
            float(given["tempo_bpm"]),
            int(given["program"]),
        )
        microseconds_per_quarter(drums.tempo_bpm)
        if not 0 <= drums.program <= 127 or not drums.piece.size:
            raise ValueError("no hits, or no such program")
    except (AttributeError, KeyError, TypeError, ValueError, OverflowError) as error:
        raise UserError(f"{name}: not drums ({error})") from error
    requests.check_length(name, drums)
    return drums
