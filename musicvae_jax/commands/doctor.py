"""What is in a data set, and what becomes of a file: the modes `build_data` and `inspect`."""

import collections

import ml_collections
import numpy as np

from musicvae_jax.commands.options import Options
from musicvae_jax.datasets import input_pipeline
from musicvae_jax.datasets.melodies import melodies_dataset_builder
from musicvae_jax.midi import extraction as midi_extraction
from musicvae_jax.midi import read_bulk
from musicvae_jax.midi.song import Song
from musicvae_jax.music import keys
from musicvae_jax.music.melody import MIN_PITCH, STEPS_PER_BAR
from musicvae_jax.music.tokens import FIRST_ONSET, HOLD
from musicvae_jax.music.windows import WindowRules, melody_windows
from musicvae_jax.plots import rolls
from musicvae_jax.system import files
from musicvae_jax.system.errors import UserError

LONGEST_NOTE_STEPS = 32


def corpus_statistics(tokens: np.ndarray) -> dict[str, np.ndarray]:
    """Histograms of windows.

    Args:
      tokens: [windows, steps] uint8, of `MelodyCodec`.

    Returns:
      `pitch`: [128] onsets by MIDI pitch; `onsets_per_bar`: [17] bars by how many
      notes begin in them; `key`: [24] windows by key, major from C up, then minor;
      `note_steps`: [33] notes by length, the last entry for all that are longer.
    """
    steps = tokens.shape[1]
    row, step = np.nonzero(tokens >= FIRST_ONSET)
    pitch = tokens[row, step].astype(np.int64) - FIRST_ONSET + MIN_PITCH
    # The step of the next event after each step, from the right; the end if there is none.
    event = np.where(tokens != HOLD, np.arange(steps), steps)
    following = np.minimum.accumulate(event[:, ::-1], axis=1)[:, ::-1]
    following = np.pad(following[:, 1:], ((0, 0), (0, 1)), constant_values=steps)
    length = following[row, step] - step
    cell = row * 12 + pitch % 12
    weights = np.bincount(cell, weights=length, minlength=12 * len(tokens)).reshape(-1, 12)
    tonic, is_minor, _ = keys.find_keys(weights)
    bars = steps // STEPS_PER_BAR
    per_bar = (tokens >= FIRST_ONSET).reshape(len(tokens), bars, STEPS_PER_BAR).sum(axis=2)
    return {
        "pitch": np.bincount(pitch, minlength=128),
        "onsets_per_bar": np.bincount(per_bar.ravel(), minlength=STEPS_PER_BAR + 1),
        "key": np.bincount(tonic + 12 * is_minor, minlength=24),
        "note_steps": np.bincount(
            np.minimum(length, LONGEST_NOTE_STEPS), minlength=LONGEST_NOTE_STEPS + 1
        ),
    }


def _train_statistics(builder: melodies_dataset_builder.Builder) -> dict[str, np.ndarray]:
    """`corpus_statistics` of the training split, in memory that its size does not change."""
    steps = builder.info.features["tokens"].shape[0]
    statistics = corpus_statistics(np.zeros((0, steps), np.uint8))
    for tokens in input_pipeline.read_chunks(builder, "train"):
        for name, counts in corpus_statistics(tokens).items():
            statistics[name] += counts
    return statistics


def build_data(config: ml_collections.ConfigDict, options: Options) -> None:
    """Builds the data set, and says what was read, kept and dropped, and what it is like."""
    builder = input_pipeline.build_dataset(config, options.beam_options)
    report = dict(builder.info.metadata["report"])
    folder = files.make_output_dir(options.output)
    print(f"data set {builder.info.full_name} in {builder.data_dir}")
    print(f"melodies read {report['melodies_read']}, kept {report['melodies_kept']}, dropped:")
    for reason, entry in report["melodies_dropped"].items():
        print(f"  {entry['count']:6d}  {reason} (as {', '.join(entry['examples'])})")
    print("windows dropped:")
    for reason, count in report["windows_dropped"].items():
        print(f"  {count:6d}  {reason}")
    print("split        songs  melodies  windows")
    for split, counts in sorted(report["splits"].items()):
        columns = (counts["songs"], counts["melodies"], counts["windows"])
        print("{:10s} {:7d} {:9d} {:8d}".format(split, *columns))
    statistics = _train_statistics(builder)
    report["train_histograms"] = {name: h.tolist() for name, h in statistics.items()}
    files.write_json(folder / "report.json", report)
    rolls.statistics_png(folder / "report.png", statistics, f"{builder.info.full_name}, train")
    print(f"wrote {folder / 'report.json'} and {folder / 'report.png'}")
    batch, windows = config.train.batch_size, report["splits"]["train"]["windows"]
    if windows < batch:
        raise UserError(
            f"the training split has {windows} windows, too few for one batch of {batch}: at "
            f"least {batch} are needed, or a smaller --config.train.batch_size"
        )


def inspect(config: ml_collections.ConfigDict | None, options: Options) -> None:
    """Explains, for each input, which track was taken and what became of it."""
    if not options.inputs:
        raise UserError("--mode=inspect needs --input, one or more MIDI files")
    bars = config.model.bars if config is not None else WindowRules().bars
    songs = {name: read_bulk.read_song(name) for name in options.inputs}
    folder = files.make_output_dir(options.output)
    for number, (name, song) in enumerate(songs.items()):
        extraction = midi_extraction.extract(song)
        lines = explain(name, song, extraction, WindowRules(bars=bars))
        print("\n".join(lines))
        stem = f"inspect_{number:02d}"
        with files.replacing(folder / f"{stem}.txt") as temporary:
            temporary.write_text("\n".join(lines) + "\n")
        if extraction.tracks:
            rolls.tracks_png(folder / f"{stem}.png", name, extraction)
        print(f"  wrote {folder / stem}.txt and .png")


def explain(
    name: str, song: Song, extraction: midi_extraction.Extraction, rules: WindowRules
) -> list[str]:
    """What `inspect` prints of a file, in lines."""
    meters = ", ".join(f"{n}/{d} from quarter note {start:g}" for start, n, d in song.meters)
    tempos = ", ".join(f"{bpm:g}" for _, bpm in song.tempos[:8])
    more = f" and {len(song.tempos) - 8} more" if len(song.tempos) > 8 else ""
    lines = [name, f"  meter {meters}", f"  tempo {tempos}{more} quarter notes a minute"]
    lines.append("  tracks, the likeliest melody first:")
    for report in extraction.tracks:
        track = report.track
        lines.append(
            f"    {track.name or '(no name)':24.24s} program {track.program:3d}  "
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
