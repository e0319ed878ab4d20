"""A band's bridge between two songs with melody and drums, bar by bar.

Run: python benchmarks/band.py --folder=FOLDER [--bars=8] [--strategy=dual_conductor] [--output=DIR]
Needs: pip install -e . and in FOLDER the collections `openewld` and `groove`

Writes two songs, each a tune of OpenEWLD with a performance of the official test split of Groove
at that performance's tempo, and bridges them by `--mode=interpolate --splice --drums=bridge`.
Prints, for each bar of the bridge, how like the bars of both songs its melody and its drums are,
and the hits of each piece; and whether all notes of the songs are in the piece. As its last line
JSON.
"""

import argparse
import dataclasses
import json
import pathlib
import subprocess
import sys
import tempfile

from musicvae_jax.midi.whole import arrangement, events
from musicvae_jax.midi.whole.cutting import early
from musicvae_jax.midi.whole.drum_part import drums_of_source
from musicvae_jax.music.drum_kit import PIECES
from musicvae_jax.notation import read

TUNES = (
    "[Traditional]/Down_by_the_Riverside/Down_by_the_Riverside.mxl",
    "[Traditional]/Red_River_Valley/Red_River_Valley.mxl",
)
GROOVES = (
    "drummer9/session1/3_rock_100_beat_4-4.mid",
    "drummer5/session1/1_latin-brazilian-bossa_127_beat_4-4.mid",
)


def write_song(path: pathlib.Path, tune: pathlib.Path, groove: pathlib.Path) -> pathlib.Path:
    """A tune with the first 16 bars of a performance, round and round, as one MIDI file."""
    drums = read.read_drums(groove).window(0, 16)
    melody = dataclasses.replace(read.read(tune), tempo_bpm=drums.tempo_bpm)
    whole = arrangement.from_melody(melody, drums).arrangement
    path.write_bytes(events.file_bytes(whole.tracks, whole.ticks_per_quarter, whole.end))
    return path


def notes_of(source: arrangement.Source, start: int, stop: int) -> list[tuple]:
    """The notes between two bars of the melody: whether a drum, pitch, velocity, tick."""
    first, last = source.bar_line(start), source.bar_line(stop)
    before = early(source.arrangement.ticks_per_quarter)
    return sorted(
        (note.channel == events.DRUM_CHANNEL, note.pitch, note.velocity, note.start - first)
        for note in source.arrangement.notes
        if first - before <= note.start < last - before
    )


def arguments(doc: str) -> argparse.Namespace:
    """Where music is and what bridge to make; `output` is there, or a new temporary folder."""
    parser = argparse.ArgumentParser(description=doc.split("\n")[0])
    parser.add_argument("--folder", type=pathlib.Path, required=True)
    parser.add_argument("--bars", type=int, default=8)
    parser.add_argument("--strategy", default="dual_conductor")
    parser.add_argument("--output", type=pathlib.Path)
    args = parser.parse_args()
    args.output = args.output or pathlib.Path(tempfile.mkdtemp())
    args.output.mkdir(parents=True, exist_ok=True)
    return args


def main() -> None:
    args = arguments(__doc__)
    output = args.output
    paths = [
        write_song(output / f"song_{n}.mid", args.folder / "openewld/dataset" / tune, groove)
        for n, (tune, groove) in enumerate(
            zip(TUNES, (args.folder / "groove" / name for name in GROOVES), strict=True), start=1
        )
    ]
    command = [sys.executable, "-m", "musicvae_jax.main", "--mode=interpolate", "--splice"]
    command += ["--drums=bridge", f"--bars={args.bars}", f"--strategy={args.strategy}"]
    command += [f"--input={paths[0]},{paths[1]}", f"--output={output}"]
    subprocess.run(command, check=True)

    report = json.loads((output / "interpolate.json").read_text())
    [entry] = report["outputs"][args.strategy]
    [melody], [drums] = entry["bridges"], entry["drums"]
    songs = [read.read_whole(path) for path in paths]
    bars = [song.melody.num_bars for song in songs]
    made = read.read_whole(output / entry["output"])
    line = songs[0].melody.then(*[songs[1].melody] * (1 + args.bars // bars[1]))
    made = dataclasses.replace(made, melody=line, origin=songs[0].origin)
    struck = drums_of_source(made).window(bars[0], args.bars)
    print(f"{' ' * 4}melody like 1, 2   drums like 1, 2   velocity   hits of each piece")
    for bar in range(args.bars):
        here = struck.window(bar, 1)
        counts = {name: int((here.piece == p).sum()) for p, name in enumerate(PIECES)}
        told = ", ".join(f"{count} {name}" for name, count in counts.items() if count)
        print(
            f"{bar + 1:3d} {melody['similarity_1'][bar]:9.2f} {melody['similarity_2'][bar]:4.2f} "
            f"{drums['hit_overlap_1'][bar]:13.2f} {drums['hit_overlap_2'][bar]:4.2f} "
            f"{here.velocity.mean():10.0f}     {told}"
        )
    end = bars[0] + args.bars
    is_kept = [
        notes_of(made, 0, bars[0]) == notes_of(songs[0], 0, bars[0]),
        notes_of(made, end, end + bars[1]) == notes_of(songs[1], 0, bars[1]),
    ]
    print(f"all notes of song 1 and of song 2 are there: {is_kept}")
    figures = {"melody_score": melody["score"], "drum_score": drums["score"], "kept": is_kept}
    print(json.dumps(figures))


if __name__ == "__main__":
    main()
