"""`--mode=inspect`: what becomes of a music file, and why."""

import collections
import itertools

import ml_collections
import numpy as np

from musicvae_jax.commands.options import Options
from musicvae_jax.midi import drums as midi_drums
from musicvae_jax.midi import extraction as midi_extraction
from musicvae_jax.midi.song import Song
from musicvae_jax.music import keys
from musicvae_jax.music.drum_kit import PIECES, is_roland
from musicvae_jax.music.drums import STEPS_PER_QUARTER, Drums
from musicvae_jax.music.windows import WindowRules, drum_windows, melody_windows
from musicvae_jax.notation import read
from musicvae_jax.plots import drum_grid, rolls
from musicvae_jax.plots.picture import save_png
from musicvae_jax.system import files
from musicvae_jax.system.errors import UserError

# Of drums so many bars are drawn, so many in a row.
_SHOWN_BARS, _BARS_A_ROW = 64, 16


def inspect(config: ml_collections.ConfigDict | None, options: Options) -> None:
    """Explains, for each input, which track was taken and what became of it and of the drums."""
    if not options.inputs:
        raise UserError("--mode=inspect needs --input, one or more music files")
    bars = config.model.bars if config is not None else WindowRules().bars
    readings = dict(zip(options.inputs, options.input_readings(), strict=True))
    songs = {
        name: read.song_with_drums(read.content(name), name, reading)
        for name, reading in readings.items()
    }
    folder = files.make_output_dir(options.output)
    for number, (name, song) in enumerate(songs.items()):
        told = readings[name]
        extraction = midi_extraction.extract(song, track=told.track, grid=told.grid)
        lines = explain(name, song, extraction, WindowRules(bars=bars))
        drums, origin, refusal = midi_drums.drums_of(song)
        if any(track.is_drum for track in song.tracks):
            lines += explain_drums(song, drums, origin, refusal, WindowRules(bars=bars))
        print("\n".join(lines))
        stem = f"inspect_{number:02d}"
        with files.replacing(folder / f"{stem}.txt") as temporary:
            temporary.write_text("\n".join(lines) + "\n")
        if extraction.tracks:
            save_png(folder / f"{stem}.png", rolls.tracks_figure(name, extraction))
        if drums is not None:
            save_png(folder / f"{stem}_drums.png", drum_grid.drums_figure(_in_rows(drums)))
        more = ", _drums.png" if drums is not None else ""
        print(f"  wrote {folder / stem}.txt, .png{more}")


def explain(
    name: str, song: Song, extraction: midi_extraction.Extraction, rules: WindowRules
) -> list[str]:
    """What `inspect` prints of a file, in lines."""
    meters = ", ".join(f"{n}/{d} from quarter note {start:g}" for start, n, d in song.meters)
    tempos = ", ".join(f"{bpm:g}" for _, bpm in song.tempos[:8])
    more = f" and {len(song.tempos) - 8} more" if len(song.tempos) > 8 else ""
    lines = [name, f"  meter {meters}", f"  tempo {tempos}{more} quarter notes a minute"]
    lines += [f"  {warning}" for warning in song.warnings]
    lines.append("  tracks, the likeliest melody first:")
    for report in extraction.tracks:
        track = report.track
        name_shown = f"{report.number:3d} {track.name or '(no name)':24.24s}"
        lines.append(
            f"    {name_shown} program {track.program:3d}  "
            f"{track.pitch.size:6d} notes  score {report.score:5.2f}  {report.decision}"
        )
    if extraction.melody is None:
        return [*lines, f"  no usable melody: {extraction.refusal}"]
    lines += [f"  {change}" for change in midi_extraction.explain_changes(song, extraction)]
    melody = extraction.melody
    weights = keys.pitch_class_weights(melody.pitch, melody.end - melody.start)
    tonic, is_minor, correlation = keys.find_keys(weights[None])
    key = keys.key_name(int(tonic[0]), bool(is_minor[0]))
    lines.append(f"  key {key} (correlation {correlation[0]:.2f})")
    windows = melody_windows(melody, rules)
    dropped: collections.Counter[str] = windows.refusals
    if melody.num_bars < rules.bars:
        return [*lines, f"  too short: {melody.num_bars} bars, a window has {rules.bars}"]
    lines.append(f"  {len(windows.tokens)} windows of {rules.bars} bars")
    return lines + [f"    {count} dropped: {reason}" for reason, count in dropped.items()]


def explain_drums(
    song: Song, drums: Drums | None, origin: float, refusal: str, rules: WindowRules
) -> list[str]:
    """What `inspect` prints of a file's drums, in lines.

    Args:
      song: the song.
      drums, origin, refusal: of `midi.drums.drums_of`.
      rules: of windows.
    """
    if drums is None:
        return [f"  no usable drums: {refusal}"]
    pitch = np.concatenate([track.pitch for track in song.tracks if track.is_drum])
    tables = {is_roland(track.pitch) for track in song.tracks if track.is_drum}
    read_as = " and ".join(
        {False: "General MIDI", True: "a Roland TD-11"}[t] for t in sorted(tables)
    )
    counts = np.bincount(drums.piece, minlength=len(PIECES))
    struck = ", ".join(f"{n} {piece}" for piece, n in zip(PIECES, counts, strict=True) if n)
    windows = drum_windows(drums, rules)
    return [
        f"  drums: {drums.num_bars} bars of 4/4 from quarter note {origin:g}, read as {read_as}",
        f"  {pitch.size} notes, {drums.piece.size} hits of the kit: {struck}",
        f"  velocity {drums.velocity.mean():.0f} on average, deviation {drums.velocity.std():.0f}; "
        f"hits are {np.abs(drums.offset).mean() / STEPS_PER_QUARTER:.3f} quarter notes off the "
        "sixteenths on average",
        f"  {len(windows.tokens)} windows of {rules.bars} bars of drums",
        *(f"    {count} dropped: {reason}" for reason, count in windows.refusals.items()),
    ]


def _in_rows(drums: Drums) -> dict[str, Drums]:
    """The first bars of drums, so many below each other that they can be read."""
    bars = min(drums.num_bars, _SHOWN_BARS)
    edges = [*range(0, bars, _BARS_A_ROW), bars]
    return {
        f"bars {first + 1} to {last}": drums.window(first, last - first)
        for first, last in itertools.pairwise(edges)
    }
