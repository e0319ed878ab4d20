"""Whole songs for tests: public-domain tunes with an accompaniment that was made for them."""

import pathlib

import mido
import numpy as np

from musicvae_jax.music.melody import Melody


def write_song(
    path: pathlib.Path,
    melody: Melody,
    *,
    ticks_per_quarter: int = 480,
    before: int = 2,
    after: int = 1,
    channels: tuple[int, int, int] = (0, 1, 2),
    programs: tuple[int, int, int] = (73, 32, 0),
    seed: int = 0,
    bpm: float = 100.0,
) -> pathlib.Path:
    """Writes a song of a melody, a bass, chords with a pedal, and drums played by hand.

    Bars of accompaniment stand before and after the melody. The melody swells and bends, the
    tempo changes within the song, and nothing but the melody is exactly on the beat.

    Args:
      path: where to.
      melody: of whole bars, in C; its grid is that of the song.
      ticks_per_quarter: the resolution.
      before, after: bars of accompaniment alone.
      channels, programs: of the melody, the bass and the chords.
      seed: of the timing and the dynamics.
      bpm: the tempo at the beginning.
    """
    rng = np.random.default_rng(seed)
    bars, grid = before + melody.num_bars + after, melody.grid
    file = mido.MidiFile(ticks_per_beat=ticks_per_quarter)
    bar = round(grid.quarters_per_bar * ticks_per_quarter)
    beat = ticks_per_quarter * grid.steps_per_beat // grid.steps_per_quarter
    first = [(0, mido.MetaMessage("track_name", name=path.stem))]
    meter = {"numerator": grid.numerator, "denominator": grid.denominator}
    first.append((0, mido.MetaMessage("time_signature", **meter)))
    first.append((0, mido.MetaMessage("key_signature", key="C")))
    for place, change in ((0, 1.0), (before * bar, 1.1), ((bars - after - 1) * bar, 0.7)):
        tempo = mido.bpm2tempo(bpm * change)
        first.append((place, mido.MetaMessage("set_tempo", tempo=tempo)))
    tracks = [first, _tune(melody, before * bar, ticks_per_quarter, channels[0], programs[0])]
    tracks.append(_bass(bars, bar, beat, channels[1], programs[1], rng))
    tracks.append(_chords(bars, bar, channels[2], programs[2], rng))
    tracks.append(_drums(bars * bar, ticks_per_quarter // 2, rng))
    for events in tracks:
        track, now = mido.MidiTrack(), 0
        for tick, message in sorted(events, key=lambda event: event[0]):
            track.append(message.copy(time=tick - now))
            now = tick
        file.tracks.append(track)
    file.save(path)
    return path


def _played(channel, pitch, start, end, velocity):
    on = mido.Message("note_on", channel=channel, note=pitch, velocity=int(velocity))
    return [(start, on), (end, mido.Message("note_off", channel=channel, note=pitch))]


def _tune(melody, offset, quarter, channel, program):
    events = [(0, mido.MetaMessage("track_name", name="Melody"))]
    events.append((0, mido.Message("program_change", channel=channel, program=program)))
    events.append((0, mido.Message("control_change", channel=channel, control=7, value=90)))
    for number, (pitch, start, end) in enumerate(melody.notes()):
        begin, stop = (offset + round(melody.grid.quarters(s) * quarter) for s in (start, end))
        swell = mido.Message("control_change", channel=channel, control=11, value=60 + number % 60)
        bend = mido.Message("pitchwheel", channel=channel, pitch=(number % 5) * 100)
        events += [(begin, swell), (begin, bend)]
        events += _played(channel, pitch, begin, stop, 70 + number % 40)
    return events


_ROOTS = (48, 53, 55, 48)


def _bass(bars, bar, beat, channel, program, rng):
    events = [(0, mido.MetaMessage("track_name", name="Bass"))]
    events.append((0, mido.Message("program_change", channel=channel, program=program)))
    for place in range(0, bars * bar, beat):
        start = max(0, place + int(rng.integers(-9, 10)))
        pitch = _ROOTS[place // bar % 4] - 12 + 7 * (place // beat % 2)
        events += _played(channel, pitch, start, start + beat - 20, rng.integers(60, 110))
    return events


def _chords(bars, length, channel, program, rng):
    """Chords under a pedal, each held a little into the next bar."""
    events = [(0, mido.MetaMessage("track_name", name="Piano"))]
    events.append((0, mido.Message("control_change", channel=channel, control=0, value=0)))
    events.append((0, mido.Message("program_change", channel=channel, program=program)))
    for bar in range(bars):
        start, pedal = length * bar, {"channel": channel, "control": 64}
        events.append((start + 30, mido.Message("control_change", value=127, **pedal)))
        for degree in (0, 4, 7):
            begin = max(0, start + int(rng.integers(-9, 10)))
            end = begin + length - 30
            events += _played(channel, _ROOTS[bar % 4] + degree, begin, end, rng.integers(40, 90))
        release = start + length - 10
        events.append((release, mido.Message("control_change", value=0, **pedal)))
    return events


def _drums(length, ticks, rng):
    events = [(0, mido.MetaMessage("track_name", name="Drums"))]
    for eighth in range(length // ticks):
        start = max(0, eighth * ticks + int(rng.integers(-9, 10)))
        for pitch in (42, 36 if eighth % 4 == 0 else 38)[: 1 + (eighth % 2 == 0)]:
            events += _played(9, pitch, start, start + 40, rng.integers(50, 120))
    return events
