"""Whole songs to be listened to, their accompaniment louder or softer beside the line."""

import numpy as np

from musicvae_jax.midi.container import read_container
from musicvae_jax.midi.whole import events
from musicvae_jax.midi.whole.events import DRUM_CHANNEL, Event
from musicvae_jax.music.melody import STEPS_PER_QUARTER
from musicvae_jax.music.piece import Piece

# How far from its place in the line a note may begin, in quarter notes: half a sixteenth.
_NEAR = 0.5 / STEPS_PER_QUARTER


def with_softer_accompaniment(
    content: bytes, piece: Piece, first_quarter: float, share: float
) -> bytes:
    """A MIDI file with the velocities of all notes but those of a piece multiplied by a share.

    Args:
      content: of the MIDI file of a medley.
      piece: the medley's line. A note is of it if it has the pitch of one of its notes, is not a
        drum's, and begins less than half a sixteenth from it.
      first_quarter: where the piece's first bar begins in the file, in quarter notes.
      share: 0 to 1; at 0 no other note is heard.
    """
    file = read_container(content)
    line: dict[int, np.ndarray] = {}
    for pitch, start, _ in piece.notes():
        quarter = first_quarter + piece.quarters_at(start)
        line[pitch] = np.append(line.get(pitch, np.empty(0)), quarter)

    def is_of_line(event: Event) -> bool:
        places = line.get(event.message[1])
        if places is None or event.channel == DRUM_CHANNEL:
            return False
        return bool(np.abs(places - event.tick / file.ticks_per_quarter).min() < _NEAR)

    def softer(event: Event) -> list[Event]:
        if not event.begins_note or is_of_line(event):
            return [event]
        velocity = round(share * event.message[2])
        # With the velocity 0 it would end a note of the line at the same pitch.
        return [event._replace(message=event.message[:2] + bytes([velocity]))] if velocity else []

    tracks = [events.read_track(track) for track in file.tracks]
    music = first_quarter + piece.quarters_at(piece.num_steps)
    last = max((track[-1].tick for track in tracks if track), default=0)
    end = max(round(music * file.ticks_per_quarter), last)
    played = [[each for event in track for each in softer(event)] for track in tracks]
    return events.file_bytes(played, file.ticks_per_quarter, end)
