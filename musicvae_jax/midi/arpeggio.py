"""The seed's preprocessing chain: tracks of any texture to one arpeggiated voice.

Each step is a pure function on arrays, named as what it does, with the seed's name
for it. A roll is [steps, pitches], four steps to a quarter note.
"""

from collections.abc import Sequence

import numpy as np

from musicvae_jax.midi.song import Song, Track
from musicvae_jax.music import keys
from musicvae_jax.music.melody import STEPS_PER_BAR, STEPS_PER_QUARTER

MIDI_PITCHES = 128
LOW_PITCH, HIGH_PITCH = 48, 107


def choose_tracks(
    song: Song, programs: Sequence[int] = (0,), name_contains: str = "piano"
) -> list[Track]:
    """Pitched tracks with one of the programs and a name that contains some text.

    The seed took program 0 and "piano". Case does not matter.
    """
    return [
        track
        for track in song.tracks
        if not track.is_drum
        and track.program in programs
        and name_contains.lower() in track.name.lower()
    ]


def piano_roll(tracks: Sequence[Track], steps: int | None = None) -> np.ndarray:
    """Velocities on the sixteenth grid; of notes that share a cell the loudest.

    A note sounds from its nearest step up to its end's, at least one step.

    Args:
      tracks: at least one.
      steps: the length; by default up to the last end.

    Returns:
      [steps, 128] uint8.
    """
    pitch = np.concatenate([track.pitch for track in tracks])
    velocity = np.concatenate([track.velocity for track in tracks])
    start, end = (
        np.floor(np.concatenate(edge) * STEPS_PER_QUARTER + 0.5).astype(np.int64)
        for edge in ([t.start for t in tracks], [t.end for t in tracks])
    )
    end = np.maximum(end, start + 1)
    steps = int(end.max(initial=0)) if steps is None else steps
    length = np.clip(end, 0, steps) - np.clip(start, 0, steps)
    # One row for each cell that a note fills: the notes repeated, and their steps.
    note = np.repeat(np.arange(pitch.size), length)
    first = np.cumsum(length) - length
    step = np.arange(note.size) - first[note] + start[note]
    roll = np.zeros((steps, MIDI_PITCHES), np.uint8)
    np.maximum.at(roll, (step, pitch[note]), velocity[note].astype(np.uint8))
    return roll


def transpose(roll: np.ndarray, semitones: int) -> np.ndarray:
    """Shifts a roll [steps, pitches] up; what leaves it is lost (`transposer`)."""
    shifted = np.roll(roll, semitones, axis=1)
    if semitones > 0:
        shifted[:, :semitones] = 0
    elif semitones < 0:
        shifted[:, semitones:] = 0
    return shifted


def chop(roll: np.ndarray, low: int = LOW_PITCH, high: int = HIGH_PITCH) -> np.ndarray:
    """Keeps the columns of MIDI pitches `low` to `high`, both included (`chopster`)."""
    return roll[:, low : high + 1]


def trim_blanks(roll: np.ndarray) -> np.ndarray:
    """Drops the silent steps before the first note (`trim_blanks`)."""
    sounds = roll.any(axis=1)
    return roll[sounds.argmax() :] if sounds.any() else roll[:0]


def to_on_off(roll: np.ndarray) -> np.ndarray:
    """Velocities to bool (`minister`)."""
    return roll > 0


def arpeggiate(on: np.ndarray) -> np.ndarray:
    """Of n notes at step k only note k mod n, from below, sounds (`arpster`).

    Args:
      on: [steps, pitches] bool.
    """
    count = on.sum(axis=1)
    chosen = np.arange(len(on)) % np.maximum(count, 1)
    rank = np.cumsum(on, axis=1) - 1
    return on & (rank == chosen[:, None])


def is_polyphonic(on: np.ndarray) -> bool:
    """Whether two notes sound at any step of a roll [steps, pitches]."""
    return bool((on.sum(axis=1) > 1).any())


def drop_long_silences(on: np.ndarray, max_bars: float = 1) -> np.ndarray:
    """Cuts out every silence longer than so many bars (`cutster`).

    Args:
      on: [steps, pitches] bool.
      max_bars: silences up to this long stay.
    """
    if not len(on):
        return on
    silent = np.asarray(~on.any(axis=1))
    run = np.cumsum(np.diff(silent, prepend=silent[0]))
    run_length = np.bincount(run)[run]
    return on[~(silent & (run_length > max_bars * STEPS_PER_BAR))]


def pad(on: np.ndarray, steps: int) -> np.ndarray:
    """Appends silence up to a whole multiple of `steps` (`padster`)."""
    missing = -len(on) % steps
    return np.pad(on, ((0, missing), (0, 0)))


def cut(on: np.ndarray, steps: int) -> np.ndarray:
    """Cuts a padded roll into segments: [segments, steps, pitches]."""
    return on.reshape(-1, steps, on.shape[1])


def to_tokens(on: np.ndarray) -> np.ndarray:
    """One-voice rolls [..., steps, 60] bool to `RollCodec` tokens: [..., steps] uint8."""
    silence = on.shape[-1]
    return np.where(on.any(axis=-1), on.argmax(axis=-1), silence).astype(np.uint8)


def song_key_shift(song: Song) -> int:
    """Semitones from the song's key, over all pitched tracks, to C major or A minor."""
    pitched = [track for track in song.tracks if not track.is_drum]
    weights = np.zeros(12)
    for track in pitched:
        weights += keys.pitch_class_weights(track.pitch, track.end - track.start)
    tonic, is_minor, _ = keys.find_keys(weights[None])
    return int(keys.shift_to_c_or_a(tonic, is_minor)[0])


def one_voice_roll(
    song: Song,
    programs: Sequence[int] = (0,),
    name_contains: str = "piano",
    max_silent_bars: float = 1,
    arpeggiates: bool = True,
) -> tuple[np.ndarray, int, str]:
    """The whole chain up to the padding.

    Args:
      song: the song.
      programs, name_contains: see `choose_tracks`.
      max_silent_bars: see `drop_long_silences`.
      arpeggiates: turn chords into arpeggios, instead of refusing them.

    Returns:
      on: [steps, 60] bool, MIDI 48 to 107, at most one sounding at a step, empty if
      the song is refused; the transposition in semitones; and why it is refused.
    """
    tracks = choose_tracks(song, programs, name_contains)
    shift = song_key_shift(song)
    empty = np.zeros((0, HIGH_PITCH - LOW_PITCH + 1), bool)
    if not tracks:
        wanted = ", ".join(map(str, programs))
        return empty, shift, f"no track of program {wanted} is named like {name_contains!r}"
    on = to_on_off(trim_blanks(chop(transpose(piano_roll(tracks), shift))))
    on = arpeggiate(on) if arpeggiates else on
    if is_polyphonic(on):
        return empty, shift, "polyphonic"
    if not on.any():
        return empty, shift, f"no notes in MIDI {LOW_PITCH} to {HIGH_PITCH}"
    return drop_long_silences(on, max_silent_bars), shift, ""
