"""A bridge between two whole songs with piano and drums, by each kind of accompaniment.

Run: python benchmarks/whole_songs.py --folder=FOLDER [--bars=8] [--strategy=dual_conductor]
                                      [--output=DIR]
Needs: pip install -e '.[dev]' and in FOLDER the collections `lieder` and `groove`

Writes two songs of Schubert, each with a performance of the official test split of Groove that is
played at the song's tempo, and bridges them by `--mode=interpolate --splice`. Prints how many
notes of the melody, of both accompaniments and of the drums each bar of the bridge has, and how
loud they are; and how many events of the songs are in the piece, by mido. As its last line JSON.
"""

import collections
import json
import pathlib
import subprocess
import sys

import band
import mido
import numpy as np

from musicvae_jax.midi.whole import arrangement, events
from musicvae_jax.midi.whole.accompaniment import ACCOMPANIMENTS
from musicvae_jax.notation import read

SONGS = ("_/An_die_Musik,_D.547", "Op.3/3_Heidenröslein,_D.257")
DRUMS = events.DRUM_CHANNEL + 1
EARLY = 1 / 8  # of a quarter note: what is played that early belongs to the bar that follows
Played = collections.Counter[tuple]


def write_song(path: pathlib.Path, score: pathlib.Path, groove: pathlib.Path) -> arrangement.Source:
    """A song with the first 16 bars of a performance, round and round, as one MIDI file."""
    source = read.read_whole(score)
    drums = read.read_drums(groove).window(0, 16)
    played = arrangement.from_melody(source.melody, drums).arrangement.scaled(
        source.arrangement.ticks_per_quarter
    )
    struck = tuple(event.at(event.tick + source.start) for event in played.tracks[-1])
    tracks = (*source.arrangement.tracks, struck)
    resolution = source.arrangement.ticks_per_quarter
    path.write_bytes(events.file_bytes(tracks, resolution, max(t[-1].tick for t in tracks)))
    return read.read_whole(path)


def messages(path: pathlib.Path) -> list[tuple[float, int, mido.Message]]:
    """All events of a file by mido: quarter note, channel from 1 or 0 for none, event."""
    file, result = mido.MidiFile(path), []
    for track in file.tracks:
        ticks = np.cumsum([message.time for message in track])
        for tick, message in zip(ticks, track, strict=True):
            if message.type not in ("end_of_track", "track_name"):
                channel = getattr(message, "channel", -1) + 1
                result.append((tick / file.ticks_per_beat, channel, message.copy(time=0)))
    return result


def own_events(path: pathlib.Path, told: dict) -> tuple[Played, Played]:
    """What a song should play in the piece: its notes, and its other events.

    Args:
      path: of the song.
      told: what the report says of it.
    """
    start, stop = told["start_at_quarter"], told["stop_at_quarter"]
    notes: Played = collections.Counter()
    others: Played = collections.Counter()
    for quarter, channel, message in messages(path):
        if start is not None and quarter < start - EARLY:
            continue
        if stop is not None and quarter >= stop - EARLY:
            continue
        if channel:
            message = message.copy(channel=told["channels"].get(str(channel), channel) - 1)
        kind = notes if message.type in ("note_on", "note_off") else others
        kind[round(quarter + told["moved_by_quarters"], 4), str(message)] += 1
    return notes, others


def struck(path: pathlib.Path, first: float, bars: int) -> list[tuple[float, int, int, int]]:
    """The notes of the bridge: quarter notes from its bar line, channel, pitch, velocity."""
    return [
        (quarter - first, channel, message.note, message.velocity)
        for quarter, channel, message in messages(path)
        if message.type == "note_on" and message.velocity
        if -EARLY <= quarter - first < 4 * bars - EARLY
    ]


def describe(bridge: list[tuple], melody: list[tuple], channels: list[set], bars: int) -> None:
    """Prints how many notes of each part a bar of the bridge has, and their mean velocity."""
    line = {(quarter, channel, pitch) for quarter, channel, pitch, _ in melody}
    print("bar" + "".join(f"{name:>12}" for name in ("melody", "song 1", "song 2", "drums")))
    for bar in range(bars):
        parts: dict[str, list[int]] = collections.defaultdict(list)
        for quarter, channel, pitch, velocity in bridge:
            if (quarter + EARLY) // 4 != bar:
                continue
            if (quarter, channel, pitch) in line:
                name = "melody"
            elif channel == DRUMS:
                name = "drums"
            else:
                name = "song 1" if channel in channels[0] else "song 2"
            parts[name].append(velocity)
        cells = [
            f"{len(parts[name])} at {np.mean(parts[name]):.0f}" if parts[name] else "-"
            for name in ("melody", "song 1", "song 2", "drums")
        ]
        print(f"{bar + 1:3d}" + "".join(f"{cell:>12}" for cell in cells))


def kept(piece: pathlib.Path, paths: list[pathlib.Path], files: list[dict]) -> dict:
    """How many events of the songs are in the piece, of how many."""
    there = collections.Counter((round(q, 4), str(message)) for q, _, message in messages(piece))
    result = {}
    for number, (path, told) in enumerate(zip(paths, files, strict=True), start=1):
        for name, own in zip(("notes", "others"), own_events(path, told), strict=True):
            result[f"song_{number}_{name}"] = (own & there).total(), own.total()
    print(", ".join(f"{name}: {a} of {b}" for name, (a, b) in result.items()) + "\n")
    return result


def main() -> None:
    args = band.arguments(__doc__)
    output = args.output
    paths = [output / f"song_{number}.mid" for number in (1, 2)]
    songs = [
        write_song(
            path,
            next((args.folder / "lieder/scores/Schubert,_Franz" / song).glob("*.mxl")),
            args.folder / "groove" / groove,
        )
        for path, song, groove in zip(paths, SONGS, band.GROOVES, strict=True)
    ]
    first = songs[0].origin + 4 * songs[0].melody.num_bars
    figures, melody = {}, []
    for kind in ACCOMPANIMENTS:  # the first of them is 'none', whose notes are the melody's
        command = [sys.executable, "-m", "musicvae_jax.main", "--mode=interpolate", "--splice"]
        command += [f"--accompaniment={kind}", f"--bars={args.bars}"]
        command += [f"--strategy={args.strategy}", f"--output={output / kind}"]
        command += [f"--input={paths[0]},{paths[1]}"]
        subprocess.run(command, check=True)
        report = json.loads((output / kind / "interpolate.json").read_text())
        [[entry]] = report["outputs"].values()
        files = entry["piece"]["whole"]["files"]
        channels = [set(told["channels"].values()) - {DRUMS} for told in files]
        bridge = struck(output / kind / entry["output"], first, args.bars)
        melody = melody or bridge
        print(kind)
        describe(bridge, melody, channels, args.bars)
        figures[kind] = kept(output / kind / entry["output"], paths, files)
    print(json.dumps(figures))


if __name__ == "__main__":
    main()
