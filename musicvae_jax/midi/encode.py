"""Pieces and drums as MIDI files.

They are written with mido, on which pretty_midi rests: it takes ticks as they are, where
pretty_midi takes seconds, rounds them back to ticks, and has no public way to write a
change of tempo.
"""

import io
from collections.abc import Iterable

import mido
import numpy as np
import pretty_midi

from musicvae_jax.midi.container import OURS
from musicvae_jax.music.drum_kit import PITCHES
from musicvae_jax.music.drum_piece import DrumPiece, drum_chain
from musicvae_jax.music.drums import STEPS_PER_BAR, Drums
from musicvae_jax.music.melody import STEPS_PER_QUARTER
from musicvae_jax.music.piece import Piece, Voice
from musicvae_jax.music.tempo import microseconds_per_quarter

TICKS_PER_QUARTER = 480
TICKS_PER_STEP = TICKS_PER_QUARTER // STEPS_PER_QUARTER
_DRUM_CHANNEL = 9  # counted from 0: channel 10
_CHANNELS = [channel for channel in range(16) if channel != _DRUM_CHANNEL]
# A drum rings as long as it likes, whatever its note says; a 32nd leaves room for the next hit.
_HIT_TICKS = TICKS_PER_STEP // 2


def piece_bytes(piece: Piece, name: str = "melody", provenance: str = "") -> bytes:
    """A piece as a MIDI file.

    A file of type 1: first a track with the meter, the tempos, a marker for each section
    and the provenance, then a track for each voice. All end where the piece ends.

    Args:
      piece: what to write.
      name: of the file's sequence, and of its tracks.
      provenance: how the piece was made, kept as a text event.
    """
    file = mido.MidiFile(type=1, ticks_per_beat=TICKS_PER_QUARTER, charset="utf-8")
    events = [
        (0, mido.MetaMessage("sequencer_specific", data=tuple(OURS))),
        (0, mido.MetaMessage("track_name", name=_text(name))),
    ]
    if provenance:
        events.append((0, mido.MetaMessage("text", text=_text(provenance))))
    events += _meters(piece)
    for step, bpm in piece.tempos:
        tempo = microseconds_per_quarter(bpm)
        events.append((_tick(piece, step), mido.MetaMessage("set_tempo", tempo=tempo)))
    for section in piece.sections:
        text = f"{section.origin}: {section.title}" if section.title else section.origin
        marker = mido.MetaMessage("marker", text=_text(text))
        events.append((_tick(piece, section.start_step), marker))
    end = _tick(piece, piece.num_steps)
    file.tracks.append(_track(events, end))
    for channel, voice in zip(_CHANNELS, piece.voices, strict=False):
        title = name if len(piece.voices) == 1 else f"{name}: {instrument_name(voice.program)}"
        file.tracks.append(_track(_voice_events(piece, voice, channel, title), end))
    content = io.BytesIO()
    file.save(file=content)
    return content.getvalue()


def drums_bytes(music: Drums | DrumPiece, name: str = "drums", provenance: str = "") -> bytes:
    """Drums as a MIDI file of one track, on channel 10.

    `midi.drums` gives back what was read of such a file: steps, pieces, velocities, and offsets, as
    far as ticks of 1/120 of a step can tell them. A hit before the beginning of the file is
    moved to it.

    Args:
      music: what to write; of a piece, the tempos and a marker for each section too.
      name: of the track.
      provenance: how they were made, kept as a text event.
    """
    piece = music if isinstance(music, DrumPiece) else drum_chain([music], [])
    drums = piece.drums
    file = mido.MidiFile(type=0, ticks_per_beat=TICKS_PER_QUARTER, charset="utf-8")
    events: list[tuple[int, mido.MetaMessage | mido.Message]] = [
        (0, mido.MetaMessage("sequencer_specific", data=tuple(OURS))),
        (0, mido.MetaMessage("track_name", name=_text(name))),
    ]
    if provenance:
        events.append((0, mido.MetaMessage("text", text=_text(provenance))))
    events.append((0, mido.MetaMessage("time_signature", numerator=4, denominator=4)))
    for step, bpm in piece.tempos:
        tempo = microseconds_per_quarter(bpm)
        events.append((step * TICKS_PER_STEP, mido.MetaMessage("set_tempo", tempo=tempo)))
    for section in piece.sections if len(piece.sections) > 1 else ():
        text = f"{section.origin}: {section.title}" if section.title else section.origin
        tick = section.start_bar * STEPS_PER_BAR * TICKS_PER_STEP
        events.append((tick, mido.MetaMessage("marker", text=_text(text))))
    events.append((0, mido.Message("program_change", channel=_DRUM_CHANNEL, program=drums.program)))
    events += _hit_events(drums)
    end = drums.num_bars * STEPS_PER_BAR * TICKS_PER_STEP
    file.tracks.append(_track(events, max(end, max(tick for tick, _ in events))))
    content = io.BytesIO()
    file.save(file=content)
    return content.getvalue()


def _hit_events(drums: Drums) -> list[tuple[int, mido.Message]]:
    """The notes of hits, with their ticks."""
    tick = _ticks_of(drums)
    events = []
    for piece in range(len(PITCHES)):
        mine = np.flatnonzero(drums.piece == piece)
        starts = tick[mine]
        # The next hit of the piece ends this one at the latest.
        ends = np.minimum(starts + _HIT_TICKS, np.append(starts[1:], np.iinfo(np.int64).max))
        for start, end, velocity in zip(starts, ends, drums.velocity[mine], strict=True):
            told = {"channel": _DRUM_CHANNEL, "note": PITCHES[piece]}
            events.append((int(start), mido.Message("note_on", velocity=int(velocity), **told)))
            events.append((int(end), mido.Message("note_off", velocity=0, **told)))
    return events


def _ticks_of(drums: Drums) -> np.ndarray:
    """When each hit begins: [hits] int64 ticks."""
    half = TICKS_PER_STEP // 2
    off = np.clip(np.rint(drums.offset * TICKS_PER_STEP), -half, half - 1).astype(np.int64)
    return np.maximum(drums.step * TICKS_PER_STEP + off, 0)


def instrument_name(program: int) -> str:
    """The name of a program of General MIDI, which counts from 0."""
    return pretty_midi.program_to_instrument_name(program)


def _tick(piece: Piece, step: int) -> int:
    return round(piece.quarters_at(step) * TICKS_PER_QUARTER)


def _meters(piece: Piece) -> list[tuple[int, mido.MetaMessage]]:
    return [
        (
            round(quarter * TICKS_PER_QUARTER),
            mido.MetaMessage(
                "time_signature", numerator=grid.numerator, denominator=grid.denominator
            ),
        )
        for quarter, grid in piece.meters()
    ]


def _text(text: str) -> str:
    """Text that can be written: file names may hold bytes that are no characters."""
    return text.encode("utf-8", "replace").decode("utf-8")


def _voice_events(
    piece: Piece, voice: Voice, channel: int, title: str
) -> list[tuple[int, mido.MetaMessage | mido.Message]]:
    events = [
        (0, mido.MetaMessage("track_name", name=_text(title))),
        (0, mido.Message("program_change", channel=channel, program=voice.program)),
    ]
    table = np.stack([voice.pitch, voice.start, voice.end, voice.velocity], axis=1)
    # One note sounds at a time, so each ends before the next begins, on the same tick too.
    for pitch, start, end, velocity in table.tolist():
        on = mido.Message("note_on", channel=channel, note=pitch, velocity=velocity)
        off = mido.Message("note_off", channel=channel, note=pitch, velocity=0)
        events += [(_tick(piece, start), on), (_tick(piece, end), off)]
    return events


def _track(
    events: Iterable[tuple[int, mido.MetaMessage | mido.Message]], end: int
) -> mido.MidiTrack:
    """A track of `(tick, message)` events, which ends at tick `end`."""
    track, now = mido.MidiTrack(), 0
    ordered = sorted(events, key=lambda event: event[0])  # stable: as given on equal ticks
    for tick, message in [*ordered, (end, mido.MetaMessage("end_of_track"))]:
        track.append(message.copy(time=tick - now))
        now = tick
    return track
