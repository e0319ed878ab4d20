"""Tracks as they are meant: what programs that write MIDI files make of one line of music."""

import dataclasses
import re
from collections.abc import Sequence

import numpy as np

from musicvae_jax.midi.song import Track
from musicvae_jax.music.melody import MIN_PITCH

# Below the piano samplers have keys that change the sound; so many of a track's notes may be such.
_MOST_KEY_SWITCHES = 0.2
_SUNG_NAME = re.compile(r"melod|vocal|voice|gesang|singstimme", re.IGNORECASE)
_MIN_SUNG_PITCHES = 5
# In quarter notes: by how much the instruments of a line may overlap, and rest between.
_OVERLAP, _REST = 0.25, 8.0
_MOST_CHANGES = 16


def as_meant(tracks: Sequence[Track]) -> tuple[list[Track], list[str]]:
    """Tracks without key switches, lines that change their instrument joined.

    A track that is named a melody is none of drums, whatever its channel.

    Args:
      tracks: of a file, in its order.

    Returns:
      The tracks, and what was changed, a line each.
    """
    changes: list[str] = []
    result = [_without_key_switches(_off_drums(track, changes), changes) for track in tracks]
    names = [track.name for track in result if not track.is_drum]
    for name in dict.fromkeys(name for name in names if names.count(name) > 1):
        group = [track for track in result if track.name == name and not track.is_drum]
        line = _joined(group)
        if line is not None:
            changes.append(f"track {name!r} changes its instrument and is read as one line")
            place = result.index(group[0])
            result = [track for track in result if not any(track is one for one in group)]
            result.insert(place, line)
    return result, changes


def _off_drums(track: Track, changes: list[str]) -> Track:
    if not (track.is_drum and _SUNG_NAME.search(track.name)):
        return track
    if np.unique(track.pitch).size < _MIN_SUNG_PITCHES:
        return track
    changes.append(f"track {track.name!r} is on the channel of drums and read as a melody")
    return dataclasses.replace(track, is_drum=False)


def _without_key_switches(track: Track, changes: list[str]) -> Track:
    is_key = track.pitch < MIN_PITCH
    count = int(is_key.sum())
    if track.is_drum or not 0 < count <= _MOST_KEY_SWITCHES * track.pitch.size:
        return track
    changes.append(f"{count} key switches in track {track.name!r} are passed over")
    kept = ~is_key
    return dataclasses.replace(
        track,
        pitch=track.pitch[kept],
        velocity=track.velocity[kept],
        start=track.start[kept],
        end=track.end[kept],
    )


def _joined(tracks: Sequence[Track]) -> Track | None:
    """One track of several of one name, if one of them plays at a time; None otherwise."""
    heard = [track for track in tracks if track.pitch.size]
    if len(heard) < 2:
        return None
    owner = np.repeat(np.arange(len(heard)), [track.pitch.size for track in heard])
    pitch, velocity, start, end = (
        np.concatenate([getattr(track, field) for track in heard])
        for field in ("pitch", "velocity", "start", "end")
    )
    order = np.lexsort((pitch, start))
    owner, pitch, velocity, start, end = (
        values[order] for values in (owner, pitch, velocity, start, end)
    )
    change = np.flatnonzero(np.diff(owner)) + 1
    silence = start[change] - np.maximum.accumulate(end)[change - 1]
    if change.size > _MOST_CHANGES or not ((silence > -_OVERLAP) & (silence < _REST)).all():
        return None
    first = heard[owner[0]]
    return dataclasses.replace(first, pitch=pitch, velocity=velocity, start=start, end=end)
