"""The seed's preprocessing chain as it was written: pandas, music21, loops over cells.

A re-statement from the design of what each step does and of how it does it, kept
only to be measured against (see `preprocessing.py` in this folder).
"""

import pathlib
import warnings

import music21
import pandas as pd
import pretty_midi

STEPS_PER_BEAT = 4
STEPS_PER_BAR = 16
LOW, HIGH = 48, 107


def transposer(path: pathlib.Path) -> int:
    """Semitones to C major or A minor, by music21's key of the whole file."""
    key = music21.converter.parse(path).analyze("key")
    target = music21.pitch.Pitch("A" if key.mode == "minor" else "C")
    semitones = music21.interval.Interval(key.tonic, target).semitones % 12
    return semitones - 12 if semitones >= 6 else semitones


def piano_roll(path: pathlib.Path, semitones: int) -> pd.DataFrame | None:
    """The piano tracks, transposed, as a frame of velocities: a row a step."""
    midi = pretty_midi.PrettyMIDI(str(path))
    chosen = [
        instrument
        for instrument in midi.instruments
        if instrument.program == 0 and not instrument.is_drum and "piano" in instrument.name.lower()
    ]
    if not chosen:
        return None
    beat_sec = 60 / midi.get_tempo_changes()[1][0]
    piano = pretty_midi.PrettyMIDI()
    for instrument in chosen:
        for note in instrument.notes:
            note.pitch = min(max(note.pitch + semitones, 0), 127)
        piano.instruments.append(instrument)
    return pd.DataFrame(piano.get_piano_roll(fs=STEPS_PER_BEAT / beat_sec).T)


def chopster(frame: pd.DataFrame) -> pd.DataFrame:
    """Keeps MIDI 48 to 107."""
    for pitch in list(frame.columns):
        if pitch < LOW or pitch > HIGH:
            frame = frame.drop(columns=pitch)
    return frame


def trim_blanks(frame: pd.DataFrame) -> pd.DataFrame:
    """Drops the silent rows before the first note."""
    first = 0
    while first < len(frame) and frame.iloc[first].sum() == 0:
        first += 1
    return frame.iloc[first:].reset_index(drop=True)


def minister(frame: pd.DataFrame) -> pd.DataFrame:
    """Velocities to on and off."""
    for column in frame.columns:
        for row in range(len(frame)):
            if frame.at[row, column] > 0:
                frame.at[row, column] = 1.0
    return frame


def arpster(frame: pd.DataFrame) -> pd.DataFrame:
    """Of n notes at step k only note k mod n sounds."""
    for row in range(len(frame)):
        sounding = [column for column in frame.columns if frame.at[row, column] == 1]
        for position, column in enumerate(sounding):
            if position != row % len(sounding):
                frame.at[row, column] = 0.0
    return frame


def cutster(frame: pd.DataFrame, max_bars: int = 1) -> pd.DataFrame:
    """Drops silences longer than so many bars."""
    kept, silence = [], []
    for row in range(len(frame)):
        if frame.iloc[row].sum() == 0:
            silence.append(row)
            continue
        if len(silence) <= max_bars * STEPS_PER_BAR:
            kept += silence
        silence = []
        kept.append(row)
    if len(silence) <= max_bars * STEPS_PER_BAR:
        kept += silence
    return frame.iloc[kept].reset_index(drop=True)


def padster(frame: pd.DataFrame, steps: int) -> pd.DataFrame:
    """Appends silent rows up to a whole window."""
    while len(frame) % steps:
        frame.loc[len(frame)] = 0.0
    return frame


def preprocess(path: pathlib.Path, bars: int = 16) -> list[pd.DataFrame]:
    """A file to its segments; empty if it has no piano or stays polyphonic."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        frame = piano_roll(path, transposer(path))
    if frame is None:
        return []
    frame = arpster(minister(trim_blanks(chopster(frame))))
    if any(frame.iloc[row].sum() > 1 for row in range(len(frame))):
        return []
    steps = bars * STEPS_PER_BAR
    frame = padster(cutster(frame), steps)
    return [frame.iloc[first : first + steps] for first in range(0, len(frame), steps)]
