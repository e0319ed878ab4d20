"""Tunes as people leave them in MIDI files: accompanied, with upbeats, shifted, played by hand.

`benchmarks/downbeats.py` reads them back. A rendition depends on its tune and its seed alone.
"""

import dataclasses
import io

import mido
import numpy as np

TICKS_PER_QUARTER = 480
QUARTERS_PER_BAR = 4
_TRIADS = np.array([[0, 4, 7], [2, 5, 9], [4, 7, 11], [5, 9, 0], [7, 11, 2], [9, 0, 4]])
# How likely a chord is without its melody: tonic, supertonic, mediant, and so on.
_LIKELY = np.array([0.5, 0.1, 0.0, 0.35, 0.4, 0.2])
# Of chords and of the bass: onsets and lengths in a bar, in quarter notes.
_CHORD_PATTERNS = (
    ((0, 4),),
    ((0, 2), (2, 2)),
    ((0, 1), (1, 1), (2, 1), (3, 1)),
    ((1, 0.5), (3, 0.5)),
    ((0.5, 0.5), (1.5, 0.5), (2.5, 0.5), (3.5, 0.5)),
    ((0, 1.5), (1.5, 1), (2.5, 1.5)),
    tuple((eighth / 2, 0.5) for eighth in range(8)),
)
_BASS_PATTERNS = (
    ((0, 4),),
    ((0, 2), (2, 2)),
    ((0, 1), (1, 1), (2, 1), (3, 1)),
    ((0, 1.5), (1.5, 0.5), (2, 1), (3, 1)),
    ((0, 1.5), (2.5, 1.5)),
    tuple((eighth / 2, 0.5) for eighth in range(8)),
)
_KICKS = ((0, 2), (0, 1, 2, 3), (0, 1.5, 2), (0, 2.5), (0, 0.75, 2, 2.5))
KICK, SNARE, CLOSED_HAT, CRASH = 36, 38, 42, 49


@dataclasses.dataclass(frozen=True)
class Part:
    """One instrument of a rendition.

    Attributes:
      name, program, is_drum: as in MIDI.
      notes: [notes, 4] float64: pitch, start and end in quarter notes, velocity.
    """

    name: str
    program: int
    is_drum: bool
    notes: np.ndarray


def melody_part(pitch: np.ndarray, start: np.ndarray, end: np.ndarray) -> Part:
    """A melody; quarter note 0 is a bar line."""
    notes = np.stack([pitch, start, end, np.full(len(pitch), 80.0)], axis=1).astype(np.float64)
    return Part("MELODY", 0, False, notes)


def accompany(rng: np.random.Generator, melody: Part) -> list[Part]:
    """A melody with chords and a bass, and drums to half of them."""
    num_bars = int(np.ceil(melody.notes[:, 2].max() / QUARTERS_PER_BAR))
    halves = 1 + (rng.random() < 0.35)
    roots = _harmony(rng, melody, num_bars * halves, QUARTERS_PER_BAR / halves)
    chord_rhythm = _CHORD_PATTERNS[rng.integers(len(_CHORD_PATTERNS))]
    bass_rhythm = _BASS_PATTERNS[rng.integers(len(_BASS_PATTERNS))]
    is_broken = rng.random() < 0.4
    chords, bass, drums = [], [], []
    has_drums, kicks = rng.random() < 0.5, _KICKS[rng.integers(len(_KICKS))]
    enters = int(rng.integers(0, 3)) * (rng.random() < 0.3) * 4
    for bar in range(num_bars):
        begin = bar * QUARTERS_PER_BAR
        for number, (offset, length) in enumerate(chord_rhythm):
            triad = roots[int((bar + offset / QUARTERS_PER_BAR) * halves)]
            pitches = np.sort(48 + (triad - 48) % 12)
            sounding = pitches[[number % 3]] if is_broken and len(chord_rhythm) > 2 else pitches
            chords += [(p, begin + offset, begin + offset + length, 64) for p in sounding]
        for number, (offset, length) in enumerate(bass_rhythm):
            triad = roots[int((bar + offset / QUARTERS_PER_BAR) * halves)]
            tone = triad[2] if number % 4 == 2 and rng.random() < 0.4 else triad[0]
            bass.append((36 + tone % 12, begin + offset, begin + offset + length, 72))
        if has_drums and bar >= enters:
            drums += [(KICK, begin + k, begin + k + 0.2, 96) for k in kicks]
            drums += [(SNARE, begin + k, begin + k + 0.2, 90) for k in (1, 3)]
            drums += [(CLOSED_HAT, begin + k / 2, begin + k / 2 + 0.2, 60) for k in range(8)]
            if bar % 8 == 0:
                drums.append((CRASH, begin, begin + 1, 90))
    parts = [
        melody,
        Part("Chords", 4, False, _table(chords)),
        Part("Bass", 33, False, _table(bass)),
    ]
    return [*parts, Part("Drums", 0, True, _table(drums))] if drums else parts


def _table(rows: list[tuple[float, float, float, float]]) -> np.ndarray:
    return np.array(sorted(rows, key=lambda row: (row[1], row[0])), np.float64)


def _harmony(
    rng: np.random.Generator, melody: Part, count: int, quarters: float
) -> list[np.ndarray]:
    """Pitch classes of a chord for each stretch of so many quarter notes, root first."""
    pitch, start, end, _ = melody.notes.T
    weight = np.zeros((count, 12))
    for tone, begin, stop in zip(pitch.astype(int), start, end, strict=True):
        place = int(begin / quarters)
        weight[place, tone % 12] += min(stop, (place + 1) * quarters) - begin
    scale = np.isin(np.arange(12), [0, 2, 4, 5, 7, 9, 11])
    total = weight.sum(axis=0)
    tonic = max(range(12), key=lambda k: total[np.roll(scale, k)].sum() + 0.5 * total[k])
    roots = []
    for row in weight:
        fits = [row[(triad + tonic) % 12].sum() / (row.sum() + 0.1) for triad in _TRIADS]
        choice = np.argmax(np.array(fits) + _LIKELY + rng.normal(0, 0.1, len(_TRIADS)))
        roots.append((_TRIADS[choice] + tonic) % 12)
    return roots


def cut_before(parts: list[Part], quarter: float) -> list[Part]:
    """What begins at a quarter note or later, which becomes quarter note 0."""
    cut = []
    for part in parts:
        kept = part.notes[part.notes[:, 1] >= quarter - 1e-6] - [0, quarter, quarter, 0]
        if len(kept):
            cut.append(dataclasses.replace(part, notes=kept))
    return cut


def swung(parts: list[Part], ratio: float) -> list[Part]:
    """The second eighth of each quarter begins at `ratio` of it, not at the half."""

    def bend(quarters: np.ndarray) -> np.ndarray:
        whole, rest = np.floor(quarters), quarters - np.floor(quarters)
        late = ratio + (rest - 0.5) * (1 - ratio) / 0.5
        return whole + np.where(rest < 0.5, rest * ratio / 0.5, late)

    return [
        dataclasses.replace(
            part,
            notes=np.column_stack(
                [part.notes[:, 0], bend(part.notes[:, 1]), bend(part.notes[:, 2]), part.notes[:, 3]]
            ),
        )
        for part in parts
    ]


def played(
    rng: np.random.Generator, parts: list[Part], seconds_of: np.ndarray, jitter_sec: float
) -> list[Part]:
    """The parts in seconds, each note early or late by itself.

    Args:
      rng: of the noise.
      parts: in quarter notes.
      seconds_of: [quarters] float64, when each whole quarter note is.
      jitter_sec: the standard deviation of onsets.
    """
    grid = np.arange(len(seconds_of))
    result = []
    for part in parts:
        start, end = (np.interp(part.notes[:, k], grid, seconds_of) for k in (1, 2))
        start = np.maximum(start + rng.normal(0, jitter_sec, len(start)), 0)
        end = np.maximum(end + rng.normal(0, jitter_sec, len(end)), start + 0.03)
        velocity = np.clip(part.notes[:, 3] + rng.normal(0, 6, len(start)), 1, 127)
        notes = np.column_stack([part.notes[:, 0], start, end, velocity])
        result.append(dataclasses.replace(part, notes=notes[np.argsort(start, kind="stable")]))
    return result


def midi_bytes(
    parts: list[Part],
    tempo_bpm: float,
    meter: tuple[int, int] | None,
    ticks_per_unit: float = TICKS_PER_QUARTER,
) -> bytes:
    """A MIDI file of parts.

    Args:
      parts: their times in units, whatever these are.
      tempo_bpm: that the file states.
      meter: that the file states; None for none.
      ticks_per_unit: by default a unit is a quarter note.
    """
    file = mido.MidiFile(type=1, ticks_per_beat=TICKS_PER_QUARTER)
    head = file.add_track()
    head.append(mido.MetaMessage("set_tempo", tempo=round(60e6 / tempo_bpm)))
    if meter is not None:
        head.append(mido.MetaMessage("time_signature", numerator=meter[0], denominator=meter[1]))
    for number, part in enumerate(parts):
        channel = 9 if part.is_drum else number % 9
        events = []
        for pitch, start, end, velocity in part.notes.tolist():
            on, off = (max(round(t * ticks_per_unit), 0) for t in (start, end))
            events.append((on, 1, int(pitch), round(velocity)))
            events.append((max(off, on + 1), 0, int(pitch), 0))
        track = file.add_track(part.name)
        track.append(mido.Message("program_change", channel=channel, program=part.program))
        now = 0
        for tick, _, pitch, velocity in sorted(events):
            track.append(
                mido.Message(
                    "note_on", channel=channel, note=pitch, velocity=velocity, time=tick - now
                )
            )
            now = tick
    content = io.BytesIO()
    file.save(file=content)
    return content.getvalue()
