"""Which track is the melody: how often the right one is taken, and the fit of what counts.

Run: python benchmarks/melody_track.py --folder=FOLDER [--quick] [--fit] [--split=test]
Needs: pip install -e . and the collections lieder, open_hymnal and openewld in FOLDER

The songs: Lieder, of which the part with words is the melody and the piano one or two tracks;
hymns of four voices, of which the soprano is; and arrangements (see `arranged_songs.py`) of the
Lieder's and lead sheets' melodies. Names, instruments and words are taken away, where there are
any, and tracks change places in half of the songs. Songs are split as for training. Prints the
share of songs in which the right track is taken (or one with the same notes, perhaps in another
octave) and the mean F1 of its onsets, by the rule of version 0.1 and by the present one; of
hymns in one track the F1 of the top line. `--fit` fits the weights to the train split first and
prints them, to be written into `musicvae_jax/midi/analysis/melody_track.py`. The last line is JSON.
"""

import argparse
import collections
import dataclasses
import json
from collections.abc import Callable, Iterator, Sequence

import arranged_songs
import numpy as np
import scipy.optimize

from musicvae_jax.datasets.melodies import corpus, music_files, sources
from musicvae_jax.midi import extraction
from musicvae_jax.midi.analysis import melody_track, top_line
from musicvae_jax.midi.song import Song, Track
from musicvae_jax.music.windows import WindowRules
from musicvae_jax.notation import read
from musicvae_jax.system.errors import UserError

COLLECTIONS = ("lieder", "openewld", "open_hymnal")
# Not learned: nothing in these songs has a name, words or a typical instrument.
WRITTEN = ("words", "named", "accompanies", "bass", "pad", "percussion")
# A weight is at most so large. That singers come in late is true of the forms that were drawn,
# and less surely of other songs.
MOST, MOST_OF = 3.0, {"enters": 1.5}
PENALTY = 1e-3


@dataclasses.dataclass(frozen=True)
class Case:
    """A song whose melody is known.

    Attributes:
      kind: to report by.
      tracks: pitched ones.
      melody: the index of the right one.
    """

    kind: str
    tracks: tuple[Track, ...]
    melody: int


def rule_of_version_0_1(tracks: Sequence[Track]) -> np.ndarray:
    """The score before there were learned weights, without names and words."""
    end = max(float(track.end.max()) for track in tracks)
    scores = []
    for track in tracks:
        overlaps = track.start[1:] < track.end[:-1] - 0.1
        one_voice = 1.0 - overlaps.mean() if overlaps.size else 1.0
        bars = min(np.unique(track.start // 4).size / max(end / 4, 1.0), 1.0)
        bass = 32 <= track.program < 40
        scores.append(one_voice + track.pitch.mean() / 24 + bars - 2.0 * bass)
    return np.array(scores)


def songs(folder: str, every: int) -> Iterator[tuple[str, str, Song]]:
    """`(collection, split, song)` of every so-many-th file of the collections."""
    for name in COLLECTIONS:
        files = sources.find_source(name, music_files.ReadingRules(WindowRules()), folder).files()
        for file in files[:: every if name == "lieder" else 1]:
            try:
                found = read.songs_from_bytes(read.content(file.path), str(file.path))
            except UserError:
                continue
            for song in found:
                identity = music_files.song_name(file, "", song.title)
                yield name, corpus.split_of(identity), song


def joined(tracks: Sequence[Track]) -> Track:
    """All notes in one track."""
    rows = [np.c_[track.pitch, track.start, track.end] for track in tracks]
    return arranged_songs.track(np.concatenate(rows))


def bare(track: Track) -> Track:
    """A track of which only the notes are known."""
    return dataclasses.replace(track, name="", num_syllables=0, program=0)


def in_any_order(kind: str, tracks: Sequence[Track], rng: np.random.Generator) -> Case:
    """Tracks of which the first is the melody, in another order in half of the songs."""
    order = rng.permutation(len(tracks)) if rng.random() < 0.5 else np.arange(len(tracks))
    return Case(kind, tuple(tracks[i] for i in order), int(np.flatnonzero(order == 0)[0]))


def sung_part(song: Song) -> Track | None:
    """The part with words, if it is one."""
    sung = [track for track in song.tracks if track.num_syllables >= 20]
    return sung[0] if len(sung) == 1 else None


def lied(song: Song, rng: np.random.Generator) -> Case | None:
    """A voice and its piano, in one track or in one for each hand."""
    voice = sung_part(song)
    piano = [track for track in song.tracks if track is not voice and not track.is_drum]
    if voice is None or not piano:
        return None
    hands = [[t for t in piano if (np.median(t.pitch) >= 58) == right] for right in (True, False)]
    tracks = [piano] if rng.random() < 0.4 else [hand for hand in hands if hand]
    return in_any_order("song with piano", [bare(voice), *(joined(t) for t in tracks)], rng)


def hymn(song: Song, rng: np.random.Generator) -> Case | None:
    """Four voices, the soprano first."""
    if len(song.tracks) != 4 or min(track.pitch.size for track in song.tracks) < 20:
        return None
    return in_any_order("hymn", [bare(track) for track in song.tracks], rng)


def tune(song: Song) -> np.ndarray | None:
    """The melody of a song in duple meter as rows for arrangements."""
    voice = sung_part(song) or (song.tracks[0] if len(song.tracks) == 1 else None)
    duple = all(meter[1:] in ((4, 4), (2, 2), (2, 4)) for meter in song.meters)
    if voice is None or not duple or voice.pitch.size < 40:
        return None
    last = np.flatnonzero(np.diff(voice.start, append=np.inf) > 0.06)
    rows = np.c_[voice.pitch, voice.start, voice.end][last]
    rows[:-1, 2] = np.minimum(rows[:-1, 2], rows[1:, 1])
    return rows


def arrangements(tunes: Sequence[np.ndarray], count: int, rng: np.random.Generator) -> list[Case]:
    """So many of each form."""
    forms: tuple[Callable, ...] = (
        arranged_songs.pop_with_piano,
        arranged_songs.band,
        arranged_songs.game,
    )
    cases = []
    for form in forms:
        for _ in range(count):
            first, *others = (tunes[i] for i in rng.integers(len(tunes), size=4))
            made = form(arranged_songs.Arranger(first, others, rng))
            tracks = [track for track in made.song.tracks if not track.is_drum]
            melody = made.song.tracks[made.melody]
            index = next(i for i, track in enumerate(tracks) if track is melody)
            if rng.random() < 0.5:  # as files of songs begin with the melody, many of them
                tracks.insert(0, tracks.pop(index))
                index = 0
            cases.append(Case(made.kind, tuple(tracks), index))
    return cases


def fit(cases: Sequence[Case]) -> dict[str, float]:
    """The weights of what is heard, by a penalised conditional logit; each kind counts alike."""
    names = [name for name in melody_track.WEIGHTS if name not in WRITTEN]
    columns = [list(melody_track.WEIGHTS).index(name) for name in names]
    written = np.array([w * (n in WRITTEN) for n, w in melody_track.WEIGHTS.items()])
    kinds = collections.Counter(case.kind for case in cases)
    most = max(len(case.tracks) for case in cases)
    features = np.zeros((len(cases), most, len(names)))
    offset = np.full((len(cases), most), -1e9)
    share = np.array([1 / kinds[case.kind] for case in cases]) / len(kinds)
    for row, case in enumerate(cases):
        values = melody_track.features(case.tracks)
        features[row, : len(values)] = values[:, columns]
        offset[row, : len(values)] = values @ written
    rows, right = np.arange(len(cases)), np.array([case.melody for case in cases])

    def loss(weights: np.ndarray) -> tuple[float, np.ndarray]:
        score = features @ weights + offset
        chance = np.exp(score - score.max(axis=1, keepdims=True))
        chance /= chance.sum(axis=1, keepdims=True)
        nats = -(share * np.log(chance[rows, right] + 1e-12)).sum()
        chance[rows, right] -= 1
        gradient = np.einsum("s,st,stf->f", share, chance, features)
        return nats + PENALTY * weights @ weights, gradient + 2 * PENALTY * weights

    signs = np.sign([melody_track.WEIGHTS[name] for name in names])
    bounds = [
        tuple(sorted((0.0, s * MOST_OF.get(n, MOST)))) for n, s in zip(names, signs, strict=True)
    ]
    found = scipy.optimize.minimize(loss, signs, jac=True, method="L-BFGS-B", bounds=bounds)
    return dict(zip(names, found.x.tolist(), strict=True))


def line(track: Track) -> set[tuple[int, int]]:
    """Pitch and onset of the notes of a track's top line."""
    notes = extraction.highest_line(top_line.melodic(track), 0.0, float(track.end.max()) + 1)
    return {(pitch, start) for pitch, start, _ in notes}


def f1(found: set, right: set) -> float:
    return 2 * len(found & right) / max(len(found) + len(right), 1)


def figures(case: Case, taken: int) -> tuple[float, float]:
    """Whether the track is right, and the F1 of its notes."""
    found, right = line(case.tracks[taken]), line(case.tracks[case.melody])
    score = f1(found, right)
    octave = f1({(p % 12, s) for p, s in found}, {(p % 12, s) for p, s in right})
    return float(taken == case.melody or octave > 0.95), score


def table(cases: Sequence[Case], weights: np.ndarray) -> dict[str, dict[str, list[float]]]:
    """By kind and rule: the share of right tracks, and the mean F1."""
    results: dict[str, dict[str, list]] = collections.defaultdict(lambda: {"before": [], "now": []})
    for case in cases:
        before = int(rule_of_version_0_1(case.tracks).argmax())
        now = int((melody_track.features(case.tracks) @ weights).argmax())
        results[case.kind]["before"].append(figures(case, before))
        results[case.kind]["now"].append(figures(case, now))
    return {
        kind: {rule: [len(v), *np.mean(v, axis=0).round(3).tolist()] for rule, v in rules.items()}
        for kind, rules in results.items()
    }


def in_one_track(cases: Sequence[Case]) -> dict[str, list[float]]:
    """Of hymns in one track, the F1 of the top line: before and now."""
    scores = []
    for case in cases:
        if case.kind == "hymn":
            whole, right = joined(case.tracks), line(case.tracks[case.melody])
            notes = extraction.highest_line(whole, 0.0, float(whole.end.max()) + 1)
            before = {(pitch, start) for pitch, start, _ in notes}
            scores.append((f1(before, right), f1(line(whole), right)))
    return {"hymn in one track": [len(scores), *np.mean(scores, axis=0).round(3).tolist()]}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--folder", required=True, help="of the published collections")
    parser.add_argument("--quick", action="store_true", help="few songs")
    parser.add_argument("--fit", action="store_true", help="fit the weights and print them")
    parser.add_argument("--split", default="test", choices=("validation", "test"))
    parser.add_argument("--count", type=int, default=300, help="arrangements of each form")
    args = parser.parse_args()
    rng = np.random.default_rng(0)
    cases: dict[str, list[Case]] = collections.defaultdict(list)
    tunes: dict[str, list[np.ndarray]] = collections.defaultdict(list)
    for name, split, song in songs(args.folder, 20 if args.quick else 2):
        case = {"lieder": lied, "open_hymnal": hymn}.get(name, lambda *_: None)(song, rng)
        cases[split] += [case] if case else []
        if name != "open_hymnal" and (rows := tune(song)) is not None:
            tunes[split].append(rows)
    count = 20 if args.quick else args.count
    weights = dict(melody_track.WEIGHTS)
    if args.fit:
        cases["train"] += arrangements(tunes["train"], count, rng)
        weights |= fit(cases["train"])
        print("\n".join(f'    "{name}": {value:.2f},' for name, value in weights.items()))
    cases[args.split] += arrangements(tunes[args.split], count, rng)
    found = table(cases[args.split], np.array(list(weights.values())))
    print(f"{'':20s} songs  right track: before  now   onset F1: before  now")
    for kind, rules in found.items():
        (number, *before), (_, *now) = rules["before"], rules["now"]
        (right_before, f1_before), (right, f1_now) = before, now
        columns = f"{right_before:20.3f} {right:5.3f} {f1_before:17.3f} {f1_now:5.3f}"
        print(f"{kind:20s} {number:5d} {columns}")
    one = in_one_track(cases[args.split])
    print("in one track, top line: songs, F1 before, now", one)
    print(json.dumps(found | one))


if __name__ == "__main__":
    main()
