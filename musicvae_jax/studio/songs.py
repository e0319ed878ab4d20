"""Whole songs as the page shows them, for JSON: the tracks of a file, and songs with bridges."""

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from musicvae_jax.midi import encode
from musicvae_jax.midi.extraction import Extraction
from musicvae_jax.midi.song import Song, Track
from musicvae_jax.midi.whole import song_events
from musicvae_jax.midi.whole.medley import Medley

# Of all tracks together; of more, every second or third one is drawn, and so on.
_MOST_NOTES = 20_000


def view_song(song: Song, extraction: Extraction) -> dict[str, Any]:
    """The tracks of a file in its order, and where the bars of its melody begin.

    Args:
      song: the file, as it was read.
      extraction: of that song, with a melody.
    """
    every = math.ceil(sum(track.pitch.size for track in song.tracks) / _MOST_NOTES)
    tracks = [
        {
            "number": report.number,
            "name": report.track.name,
            "instrument": _instrument(report.track),
            "is_drum": report.track.is_drum,
            "is_melody": report.decision == "taken",
            "count": report.track.pitch.size,
            "notes": [
                [pitch, round(start, 2), round(end, 2)]
                for pitch, start, end in zip(
                    report.track.pitch[::every].tolist(),
                    report.track.start[::every].tolist(),
                    report.track.end[::every].tolist(),
                    strict=True,
                )
            ],
        }
        for report in sorted(extraction.tracks, key=lambda report: report.number)
    ]
    assert extraction.melody is not None
    quarters = max(float(track.end.max()) for track in song.tracks)
    return {
        "song": {
            "quarters": round(quarters, 2),
            "bar_one": round(extraction.origin or 0.0, 4),
            "bar_quarters": extraction.melody.grid.quarters_per_bar,
            "tracks": tracks,
        }
    }


def _instrument(track: Track) -> str:
    return "drums" if track.is_drum else encode.instrument_name(track.program)


def with_songs(view: Mapping[str, Any], medley: Medley) -> dict[str, Any]:
    """The view of a line with the songs that are around it.

    The bars before the first melody and after the last one belong to their songs, and the time
    axis is that of the medley.

    Args:
      view: of the line, with sections, colours and curves of its bars.
      medley: the songs whole.
    """
    begin, end = medley.bars_at(np.array([0, medley.end])).tolist()
    before = math.ceil(-begin)
    after = max(0, math.ceil(end - 1e-6) - view["bars"])
    per_bar = view["steps_per_bar"]
    first_step = before * per_bar
    sections = [
        section | {"start_bar": section["start_bar"] + before} for section in view["sections"]
    ]
    sections[0] |= {"start_bar": 0, "bars": sections[0]["bars"] + before}
    sections[-1] |= {"bars": sections[-1]["bars"] + after}
    return {
        **view,
        "is_whole": True,
        "first_bar": before,
        "line_bars": view["bars"],
        "bars": before + view["bars"] + after,
        "duration_sec": round(medley.seconds_at(medley.end), 3),
        "tempos": _tempos(medley, per_bar, first_step),
        "notes": [[p, start + first_step, end + first_step] for p, start, end in view["notes"]],
        "others": _others(medley, per_bar, first_step),
        "t": [view["t"][0]] * before + view["t"] + [view["t"][-1]] * after,
        "sections": sections,
        "curves": {
            name: curve and [None] * before + curve + [None] * after
            for name, curve in view["curves"].items()
        },
    }


def _tempos(medley: Medley, per_bar: int, first_step: int) -> list[list[float]]:
    """`[step, seconds, seconds a step]` of each tempo, and where bars begin to last longer."""
    resolution = medley.arrangement.ticks_per_quarter
    changes = song_events.tempo_map(medley.arrangement)
    lines: list[tuple[int, float]] = []
    for section in medley.piece.sections:
        quarters = section.melody.grid.quarters_per_bar
        if not lines or lines[-1][1] != quarters:
            tick = medley.origin + song_events.ticks_before(section, resolution)
            lines.append((tick, quarters))
    for tick, _ in lines[1:]:
        *_, (_, _, per_quarter) = (change for change in changes if change[0] <= tick)
        changes.append((tick, medley.seconds_at(tick), per_quarter))
        changes.sort(key=lambda change: change[0])
    result = []
    for tick, seconds, per_quarter in changes:
        quarters = [quarters for line, quarters in lines if line <= tick or line == lines[0][0]][-1]
        place = per_bar * float(medley.bars_at(np.array(tick))) + first_step
        per_step = per_quarter * quarters / per_bar
        result.append([place, round(seconds, 6), round(per_step, 8)])
    return result


def _others(medley: Medley, per_bar: int, first_step: int) -> list[list[float]]:
    """All pitched notes, as `[pitch, start, end]` in steps."""
    notes, _ = medley.notes_in_bars()
    notes = notes[:: max(1, math.ceil(len(notes) / _MOST_NOTES))]
    notes[:, 1:] = notes[:, 1:] * per_bar + first_step
    return [[int(pitch), *times] for pitch, *times in np.round(notes, 2).tolist()]
