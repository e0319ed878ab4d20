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
from musicvae_jax.music.melody import STEPS_PER_BAR, STEPS_PER_QUARTER

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
    quarters = max(float(track.end.max()) for track in song.tracks)
    return {
        "song": {
            "quarters": round(quarters, 2),
            "bar_one": round(extraction.origin or 0.0, 4),
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
    bar = 4 * medley.arrangement.ticks_per_quarter
    before = math.ceil(medley.origin / bar)
    after = max(0, math.ceil((medley.end - medley.origin) / bar - 1e-6) - view["bars"])
    first_step = before * STEPS_PER_BAR
    sections = [
        section | {"start_bar": section["start_bar"] + before} for section in view["sections"]
    ]
    sections[0] |= {"start_bar": 0, "bars": sections[0]["bars"] + before}
    sections[-1] |= {"bars": sections[-1]["bars"] + after}
    tempos = [
        [
            STEPS_PER_BAR * (tick - medley.origin) / bar + first_step,
            round(seconds, 6),
            round(seconds_per_quarter / STEPS_PER_QUARTER, 8),
        ]
        for tick, seconds, seconds_per_quarter in song_events.tempo_map(medley.arrangement)
    ]
    return {
        **view,
        "is_whole": True,
        "first_bar": before,
        "line_bars": view["bars"],
        "bars": before + view["bars"] + after,
        "duration_sec": round(medley.seconds_at(medley.end), 3),
        "tempos": tempos,
        "notes": [[p, start + first_step, end + first_step] for p, start, end in view["notes"]],
        "others": _others(medley, first_step),
        "t": [view["t"][0]] * before + view["t"] + [view["t"][-1]] * after,
        "sections": sections,
        "curves": {
            name: curve and [None] * before + curve + [None] * after
            for name, curve in view["curves"].items()
        },
    }


def _others(medley: Medley, first_step: int) -> list[list[float]]:
    """All pitched notes, as `[pitch, start, end]` in steps."""
    notes, _ = medley.notes_in_bars()
    notes = notes[:: max(1, math.ceil(len(notes) / _MOST_NOTES))]
    notes[:, 1:] = notes[:, 1:] * STEPS_PER_BAR + first_step
    return [[int(pitch), *times] for pitch, *times in np.round(notes, 2).tolist()]
