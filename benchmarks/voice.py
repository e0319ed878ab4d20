"""Whether recordings of one voice are heard and read right: notes, beats, bars, melodies.

Run: python benchmarks/voice.py [--quick] [--folder=FOLDER] [--tunes=NUMBER]
Peers: python benchmarks/voice.py --peers [...], with librosa and basic-pitch if they are installed
Needs: pip install -e '.[audio]' and the collection `lieder` in FOLDER; without it, the traditional
tunes of music21 alone

The first 16 bars of tunes in 4/4 and 2/2 are performed by `benchmarks/singing.py` with vibrato,
glides, breath, notes that are out of tune and an unsteady tempo, in a room with three levels of
noise. The tunes are those whose hash says that they are for tests; nothing is fitted to them.
Prints for each way the F1 of notes (right pitch, onset within 50 ms, as in mir_eval), the shares of
beats and downbeats that are right, and the F1 of notes in the melody that are on their sixteenth,
counted from the best of its bar lines; as its last line JSON.
"""

import argparse
import dataclasses
import json
import pathlib
import tempfile
import time
import zlib
from collections.abc import Callable, Iterator

import music21
import numpy as np
import singing
from downbeats import TEST_FOLD, fold_of

from musicvae_jax.midi import extraction
from musicvae_jax.midi.analysis import bars
from musicvae_jax.midi.reading import AS_FOUND
from musicvae_jax.midi.song import Song, seconds_at
from musicvae_jax.music.melody import Melody
from musicvae_jax.notation import read
from musicvae_jax.system.errors import UserError
from musicvae_jax.voice import notes, pitch, sound, transcribe

NUM_BARS = 16
NOISE_DB = (30, 15, 5)
ONSET_SEC = 0.05
# Where nobody sings so fast, a tune is slower.
MOST_NOTES_A_SEC = 6.0
Listener = Callable[[np.ndarray], np.ndarray]


@dataclasses.dataclass(frozen=True)
class Tune:
    """A melody in quarter notes from a bar line.

    Attributes:
      kind: where it is from.
      seed: of its performances.
      notes: [notes, 3] float64: pitch, start, end.
    """

    kind: str
    seed: int
    notes: np.ndarray


def tunes(folder: str | None, count: int) -> list[Tune]:
    """At most `count` tunes of each kind, the same ones each time."""
    corpus = pathlib.Path(music21.__file__).parent / "corpus"
    names = ("oneills1850", "ryansMammoth", "airdsAirs")
    paths = {"folk": sorted(path for name in names for path in (corpus / name).glob("**/*.abc"))}
    if folder:
        paths["lieder"] = sorted((pathlib.Path(folder).expanduser() / "lieder").glob("**/*.mxl"))
    found = []
    for kind, files in paths.items():
        order = np.random.default_rng(0).permutation(len(files))
        of_kind = (tune for index in order for tune in _tunes_of(kind, files[index]))
        found += [tune for tune, _ in zip(of_kind, range(count), strict=False)]
    return found


def _tunes_of(kind: str, path: pathlib.Path) -> Iterator[Tune]:
    try:
        songs = read.songs_from_bytes(read.content(path), str(path))
    except UserError:
        return
    for number in range(0, len(songs), 97):  # one or two of a book of tunes
        song = songs[number]
        is_duple = {(n, d) for _, n, d in song.meters} <= {(4, 4), (2, 2)}
        if fold_of(path, number) != TEST_FOLD or not is_duple:
            continue
        melody = extraction.extract(song).melody
        if melody is None or melody.num_bars < NUM_BARS or melody.grid.steps_per_bar != 16:
            continue
        melody = melody.window(0, NUM_BARS)
        table = np.stack([melody.pitch, melody.start / 4, melody.end / 4], axis=1)
        yield Tune(kind, zlib.crc32(f"{path.name}:{number}".encode()), table.astype(np.float64))


def performed(tune: Tune, is_steady: bool) -> tuple[np.ndarray, np.ndarray]:
    """The notes of a tune in seconds with velocities, and when each quarter note is."""
    rng = np.random.default_rng(tune.seed)
    tone, start, end = tune.notes.T
    quarters = np.arange(end.max() + 8)
    bpm = min(rng.uniform(70, 150), 60 * MOST_NOTES_A_SEC * end.max() / len(tone))
    drift = np.cumsum(rng.normal(0, 0.008, quarters.size))
    breath = 0.06 * np.sin(2 * np.pi * quarters / 16 + rng.uniform(0, 6))
    slower = np.ones(quarters.size) if is_steady else np.exp(drift + breath)
    seconds = rng.uniform(0.5, 3) + np.concatenate([[0], np.cumsum(60 / bpm * slower)[:-1]])
    begin = np.interp(start, quarters, seconds) + rng.normal(0, 0.012, tone.size)
    begin[1:] = np.maximum(begin[1:], begin[:-1] + 0.05)
    stop = np.interp(end, quarters, seconds) - rng.uniform(0, 0.03, tone.size)
    stop = np.maximum(np.minimum(stop, np.append(begin[1:], np.inf)), begin + 0.05)
    velocity = np.clip(80 + rng.normal(0, 6, tone.size), 1, 127)
    octave = 12 if np.median(tone) > 66 and rng.random() < 0.5 else 0  # a man's voice
    return np.stack([tone - octave, begin, stop, velocity], axis=1), seconds


def f1(true: set, found: set) -> float:
    return 2 * len(true & found) / max(len(true) + len(found), 1)


def note_f1(true: np.ndarray, found: np.ndarray) -> float:
    """Of notes with the right pitch whose onset is right, one for one."""
    hits = 0
    for tone in np.unique(true[:, 0]):
        wanted, given = (np.sort(rows[rows[:, 0] == tone, 1]).tolist() for rows in (true, found))
        while wanted and given:
            if abs(wanted[-1] - given[-1]) <= ONSET_SEC:
                hits += 1
                wanted.pop(), given.pop()
            else:
                (wanted if wanted[-1] > given[-1] else given).pop()
    return 2 * hits / (len(true) + len(found))


def beats_right(song: Song, start: float, seconds: np.ndarray) -> tuple[float, float]:
    """The shares of its beats, and of its bar lines from `start`, that are where they are."""
    voice = song.tracks[0]
    shares = []
    for first, step in ((np.floor(voice.start.min()), 1), (start, 4)):
        places = np.arange(first, voice.start.max(), step)
        places = places[places >= voice.start.min()]
        true = np.interp(
            seconds_at(places, song.tempos), seconds, np.arange(seconds.size), left=0.5
        )
        shares.append(float((np.abs((true + step / 2) % step - step / 2) < 0.2).mean()))
    return shares[0], shares[1]


def in_place(tune: Tune, sung: np.ndarray, melody: Melody) -> float:
    """The F1 of notes on their sixteenth, with the bars counted so that it is highest."""
    found = set(zip(melody.pitch.tolist(), melody.start.tolist(), strict=True))
    step = np.round(tune.notes[:, 1] * 4).astype(int)
    tone = sung[:, 0].astype(int)
    return max(
        f1(set(zip(tone.tolist(), (step + 16 * shift).tolist(), strict=True)), found)
        for shift in range(-4, 5)
    )


def measure(tested: list[Tune], who: str, noise_db: int, is_steady: bool) -> list[float]:
    """Means over tunes: note F1, beats and downbeats right, F1 in place; and seconds of a processor
    for a minute of sound."""
    rows, passed, length = [], 0.0, 0.0
    for tune in tested:
        sung, seconds = performed(tune, is_steady)
        rng = np.random.default_rng(tune.seed + 1)
        samples = sound.in_range(singing.perform(rng, sung, singing.PERFORMERS[who], noise_db))
        begin = time.process_time()
        heard = notes.notes(pitch.track(samples))
        song = bars.heard(transcribe.song_of(heard, ""), AS_FOUND)
        passed += time.process_time() - begin
        length += samples.size / singing.RATE_HZ
        found = extraction.extract(song)
        row = [note_f1(sung, heard), 0.0, 0.0, 0.0]
        if found.melody is not None and found.span is not None:
            row[1:3] = beats_right(song, found.span.start, seconds)
            row[3] = in_place(tune, sung, found.melody)
        rows.append(row)
    return [*np.mean(rows, axis=0).tolist(), 60 * passed / length]


def peers() -> dict[str, Listener]:
    """Other listeners that are installed, from samples to notes."""
    found: dict[str, Listener] = {"pitch and notes of this package": _ours}
    try:
        import librosa

        def by_librosa(samples: np.ndarray) -> np.ndarray:
            here = pitch.track(samples)
            low, high = (440 * 2 ** ((tone - 69) / 12) for tone in (pitch.LOWEST, pitch.HIGHEST))
            told = {"sr": singing.RATE_HZ, "hop_length": singing.RATE_HZ // pitch.FRAMES_PER_SEC}
            hz, _, _ = librosa.pyin(samples, fmin=low, fmax=high, resolution=0.2, **told)
            tone = 69 + 12 * np.log2(hz[: here.pitch.size] / 440)
            return notes.notes(dataclasses.replace(here, pitch=tone))

        found["pitch by librosa.pyin, notes of this package"] = by_librosa
    except ImportError:
        pass
    try:
        import basic_pitch
        import soundfile
        from basic_pitch.inference import Model, predict

        model = Model(basic_pitch.build_icassp_2022_model_path(basic_pitch.FilenameSuffix.onnx))

        def by_basic_pitch(samples: np.ndarray) -> np.ndarray:
            with tempfile.NamedTemporaryFile(suffix=".wav") as file:
                soundfile.write(file.name, samples, singing.RATE_HZ)
                _, _, events = predict(file.name, model)
            return np.array([[tone, start, end, 80] for start, end, tone, *_ in events])

        found["basic-pitch"] = by_basic_pitch
    except ImportError:
        pass
    return found


def _ours(samples: np.ndarray) -> np.ndarray:
    return notes.notes(pitch.track(samples))


def compare(tested: list[Tune]) -> dict[str, dict[str, list[float]]]:
    """By listener and level of noise: F1 of notes, and seconds of a processor for a minute."""
    figures: dict[str, dict[str, list[float]]] = {}
    for name, listen in peers().items():
        for noise_db in NOISE_DB:
            scores, passed, length = [], 0.0, 0.0
            for tune in tested:
                sung, _ = performed(tune, False)
                rng = np.random.default_rng(tune.seed + 1)
                samples = singing.perform(rng, sung, singing.PERFORMERS["voice"], noise_db)
                if name != "basic-pitch":
                    samples = sound.in_range(samples)
                begin = time.process_time()
                scores.append(note_f1(sung, listen(samples)))
                passed += time.process_time() - begin
                length += samples.size / singing.RATE_HZ
            row = [float(np.mean(scores)), 60 * passed / length]
            figures.setdefault(name, {})[f"{noise_db} dB"] = row
            print(
                f"{name:46s} {noise_db:3d} dB  F1 {row[0]:.3f}  {row[1]:6.1f} s a minute",
                flush=True,
            )
    return figures


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="three tunes of each kind")
    parser.add_argument("--peers", action="store_true", help="compare with other listeners")
    parser.add_argument("--folder", help="where the collection lieder is")
    parser.add_argument("--tunes", type=int, default=12, help="of each kind")
    arguments = parser.parse_args()
    tested = tunes(arguments.folder, 3 if arguments.quick else arguments.tunes)
    count = {kind: sum(tune.kind == kind for tune in tested) for kind in {t.kind for t in tested}}
    print(", ".join(f"{number} tunes of {kind}" for kind, number in sorted(count.items())))
    if arguments.peers:
        print(json.dumps(compare(tested)))
        return
    ways = [(who, noise, False) for who in singing.PERFORMERS for noise in NOISE_DB]
    ways.append(("voice", NOISE_DB[0], True))
    figures = {}
    print(f"{'':36s}{'notes':>8s}{'beats':>8s}{'bars':>8s}{'in place':>10s}{'s a minute':>12s}")
    for who, noise_db, is_steady in ways:
        label = f"{who}, noise {noise_db} dB below" + (", steady" if is_steady else "")
        row = measure(tested, who, noise_db, is_steady)
        figures[label] = [round(value, 4) for value in row]
        cells = f"{row[0]:8.3f}{row[1]:8.2f}{row[2]:8.2f}{row[3]:10.2f}{row[4]:12.1f}"
        print(f"{label:36s}{cells}", flush=True)
    print(json.dumps(figures))


if __name__ == "__main__":
    main()
