"""Songs of several tracks whose melody is known: arrangements of given tunes.

Used by `melody_track.py`, as no free collection of multi-track songs says which track is the
melody. Each song is drawn: its form, who plays with the melody, in which octaves, patterns
and instruments. No track has a name. Notes are rows `(pitch, start, end)` in quarter notes.
"""

import dataclasses
import itertools
from collections.abc import Callable, Sequence

import numpy as np

from musicvae_jax.midi.song import Song, Track, make_song
from musicvae_jax.music import keys

Rows = np.ndarray
MAJOR, MINOR = (0, 2, 4, 5, 7, 9, 11), (0, 2, 3, 5, 7, 8, 10)
# Degrees of the chords where no tune says which.
CYCLES = ((0, 4, 5, 3), (5, 3, 0, 4), (0, 5, 3, 4), (0, 3, 4, 3))
LEADS = (0, 1, 11, 22, 24, 40, 52, 53, 56, 64, 65, 68, 71, 73, 75, 79, 80, 81)
CHORDAL = (0, 0, 0, 1, 4, 5, 16, 24, 25, 27, 46)
PADS = (48, 49, 50, 51, 52, 88, 89, 91, 95)


@dataclasses.dataclass(frozen=True)
class Arrangement:
    """A song, and which of its tracks is the melody.

    Attributes:
      song: with tracks in a random order.
      melody: the index of its melody.
      kind: what sort of song it is, to report by.
      players: what each track plays, to see what is mistaken for the melody.
    """

    song: Song
    melody: int
    kind: str
    players: tuple[str, ...]


def track(rows: Rows, program: int = 0, is_drum: bool = False) -> Track:
    """A track without a name."""
    rows = np.asarray(rows, np.float64).reshape(-1, 3)
    rows = rows[np.lexsort((rows[:, 0], rows[:, 1]))]
    pitch = np.clip(rows[:, 0], 0, 127).astype(np.int32)
    return Track("", program, is_drum, pitch, pitch * 0 + 80, rows[:, 1], rows[:, 2])


def arrangement(kind: str, named: dict[str, Track], rng: np.random.Generator) -> Arrangement:
    """A song of these tracks, one of which is called `melody`, in a random order."""
    names = [name for name in rng.permutation(list(named)) if named[name].pitch.size]
    song = make_song([named[n] for n in names], [], [])
    return Arrangement(song, names.index("melody"), kind, tuple(names))


class Arranger:
    """One song around a tune.

    Args:
      tune: the melody's rows.
      others: other tunes, from which lead instruments take their phrases.
      rng: for all choices.
    """

    def __init__(self, tune: Rows, others: Sequence[Rows], rng: np.random.Generator):
        self.rng = rng
        tune = _moved(tune, -4 * (tune[0, 1] // 4))
        tonic, self.scale = _key(tune)
        self.tonic = int(rng.integers(12))
        self.source = _shifted(tune, self.tonic - tonic)
        self.others = []
        for other in others:
            other_tonic, _ = _key(other)
            self.others.append(_shifted(other, self.tonic - other_tonic))
        self.sung: list[tuple[int, int, int]] = []  # first bar, bars, first bar in the tune
        self.num_bars = 0
        self._form()
        self.melody = self._placed(self.source)
        self.chords = self._harmony()

    def _form(self) -> None:
        """Intro, verses and choruses with interludes, end."""
        rng = self.rng
        length = int(self.source[:, 2].max() // 4) + 1
        part = int(rng.choice([8, 8, 12, 16]))
        starts = [0, min(part, max(length - part, 0))]
        self.num_bars = int(rng.choice([0, 2, 4, 8], p=[0.15, 0.15, 0.4, 0.3]))
        for which in [0, 1] if rng.random() < 0.3 else [0, 1, 0, 1] if rng.random() < 0.8 else [0]:
            bars = min(part, length - starts[which])
            self.sung.append((self.num_bars, bars, starts[which]))
            self.num_bars += bars + int(rng.choice([0, 0, 1, 2, 4, 8]))
        self.num_bars += int(rng.choice([0, 1, 2, 4]))

    def _placed(self, tune: Rows) -> Rows:
        parts = []
        for begin, bars, first in self.sung:
            inside = (tune[:, 1] >= 4 * first) & (tune[:, 1] < 4 * (first + bars))
            parts.append(_moved(self._varied(tune[inside]), 4 * (begin - first)))
        return np.concatenate(parts)

    def _varied(self, rows: Rows) -> Rows:
        """Other words to the same tune: some notes struck twice, joined or moved by a step."""
        rng = self.rng
        share = rng.choice([0, 0.05, 0.15])
        kept = rows[rng.random(len(rows)) > share / 2]
        middle = np.round(kept[:, 1:].mean(axis=1) * 4) / 4
        twice = (rng.random(len(kept)) < share) & (middle > kept[:, 1] + 0.2)
        again = np.c_[kept[:, 0], middle, kept[:, 2]][twice]
        kept = np.c_[kept[:, :2], np.where(twice, middle, kept[:, 2])]
        rows = np.concatenate([kept, again])
        return rows[np.argsort(rows[:, 1])]

    def _harmony(self) -> np.ndarray:
        """The chord of each bar, `[bars, 3]` pitch classes: what fits the melody best."""
        rng = self.rng
        scale = np.array(self.scale)
        triads = (scale[(np.arange(7)[:, None] + [0, 2, 4]) % 7] + self.tonic) % 12
        cycle = CYCLES[rng.integers(len(CYCLES))]
        chords = []
        for bar in range(self.num_bars):
            inside = (self.melody[:, 1] >= 4 * bar) & (self.melody[:, 1] < 4 * bar + 4)
            weight = np.zeros(12)
            pitch = self.melody[inside, 0].astype(int) % 12
            np.add.at(weight, pitch, self.melody[inside, 2] - self.melody[inside, 1])
            fit = weight[triads].sum(axis=1) - [0, 0.3, 0.5, 0, 0, 0.2, 2]
            fit[cycle[bar % 4]] += 0.5
            chords.append(triads[int(np.argmax(fit))])
        return np.array(chords)

    def voiced(self, bar: int, around: float, size: int = 3) -> np.ndarray:
        """The chord of a bar near a pitch, from below."""
        chord = self.chords[min(bar, self.num_bars - 1)]
        near = np.sort((chord - round(around)) % 12) + round(around)
        near = np.concatenate([near, near + 12, near + 24])
        return near[:size]

    def free_bars(self) -> list[int]:
        """Those in which the melody has no note."""
        used = set((self.melody[:, 1] // 4).astype(int).tolist())
        return [bar for bar in range(self.num_bars) if bar not in used]

    # Who plays what. Each returns rows.

    def lead(self) -> Rows:
        """A second melody: before, between and after the verses, and in the melody's rests."""
        rng = self.rng
        source = self.others[rng.integers(len(self.others))]
        source = _at_height(source, rng.normal(73, 6))
        if rng.random() < 0.3:
            source = source * [1, 2, 2]
        length = max(int(source[:, 2].max() // 4), 1)
        begin = int(rng.integers(max(length - 8, 1)))
        rows: list[Rows] = []
        plays_along, fills = rng.random() * rng.random() * 0.6, rng.random() < 0.6
        free = set(self.free_bars())
        is_playing, comes_back = False, rng.random() < 0.5
        first = int(self.num_bars * rng.uniform(0, 0.6)) if rng.random() < 0.3 else 0
        since = 0
        for bar in range(self.num_bars):
            since = 0 if comes_back and bar in free and bar - 1 not in free else since + 1
            if bar < first:
                continue
            if bar in free:
                is_playing = rng.random() < 0.9
            elif bar % 4 == 0:
                is_playing = rng.random() < plays_along
            at = (begin + since) % length
            inside = (source[:, 1] >= 4 * at) & (source[:, 1] < 4 * at + 4)
            phrase = _moved(source[inside], 4 * (bar - at))
            if is_playing:
                rows.append(phrase)
            elif fills:
                rows.append(phrase[~self._is_sung(phrase)])
        played = np.concatenate([*rows, np.zeros((0, 3))])
        if rng.random() < 0.25 and len(played):
            below = self._in_scale(played[:, 0] - rng.choice([3, 4, 8, 9]))
            chosen = rng.random(len(played)) < rng.uniform(0.2, 1)
            played = np.concatenate([played, np.c_[below, played[:, 1:]][chosen]])
        return played

    def _is_sung(self, rows: Rows) -> np.ndarray:
        """Whether the melody sounds, or sounds within a beat, where each note begins."""
        at = np.searchsorted(self.melody[:, 1], rows[:, 1] + 1) - 1
        return (at >= 0) & (self.melody[np.maximum(at, 0), 2] > rows[:, 1] - 0.5)

    def _in_scale(self, pitch: np.ndarray) -> np.ndarray:
        allowed = (np.array(self.scale) + self.tonic) % 12
        pitch = np.round(pitch)
        return np.where(np.isin(pitch % 12, allowed), pitch, pitch + 1)

    def second_voice(self) -> Rows:
        """A voice below or above the melody, in its rhythm, for some of the verses."""
        rng = self.rng
        rows = self.melody[self._chosen_verses(self.melody)]
        step = rng.choice(
            [-9, -8, -5, -4, -3, 3, 4, 7], p=[0.15, 0.1, 0.15, 0.2, 0.2, 0.1, 0.05, 0.05]
        )
        return np.c_[self._in_scale(rows[:, 0] + step), rows[:, 1:]]

    def doubling(self) -> Rows:
        """The melody's own notes in some of the verses, perhaps an octave away."""
        octave = self.rng.choice([-12, 0, 0, 12])
        rows = self.melody[self._chosen_verses(self.melody)]
        return _raised(rows, octave)

    def _chosen_verses(self, rows: Rows) -> np.ndarray:
        chosen = np.zeros(len(rows), bool)
        for begin, bars, _ in self.sung:
            if self.rng.random() < 0.5:
                chosen |= (rows[:, 1] >= 4 * begin) & (rows[:, 1] < 4 * (begin + bars))
        return chosen

    def slow_line(self) -> Rows:
        """Strings that move by half and whole notes above or among the others."""
        rng = self.rng
        around, length = rng.normal(74, 7), float(rng.choice([2, 4]))
        rows, pitch = [], around
        for start in np.arange(0, 4 * self.num_bars, length):
            if rng.random() < 0.15:
                continue
            options = np.concatenate([self.voiced(int(start // 4), around - 12, 9)])
            pitch = options[np.argmin(np.abs(options - pitch + rng.normal(0, 3)))]
            rows.append((pitch, start, start + length))
        return np.array(rows)

    def bass(self) -> Rows:
        rng = self.rng
        pattern = [(0.0, 4.0), (0.0, 2.0, 4.0), (0.0, 1.5, 2.0, 4.0), tuple(np.arange(0, 4.5, 0.5))]
        chosen = pattern[rng.integers(4)]
        rows = []
        for bar in range(self.num_bars):
            low = 33 + (self.chords[bar][0] - 33) % 12
            for begin, end in itertools.pairwise(chosen):
                pitch = low + rng.choice([0, 0, 0, 7, 12, 5])
                rows.append((pitch, 4 * bar + begin, 4 * bar + end - 0.05))
        return np.array(rows)

    def pad(self) -> Rows:
        """Chords held for a bar, at any height."""
        around, size = self.rng.choice([48, 55, 60, 67, 74, 79]), int(self.rng.integers(2, 5))
        rows = [
            (pitch, 4 * bar, 4 * bar + 3.95)
            for bar in range(self.num_bars)
            for pitch in self.voiced(bar, around, size)
        ]
        return np.array(rows)

    def arpeggio(self) -> Rows:
        """Chords note by note, in eighths or sixteenths."""
        rng = self.rng
        around, step = rng.choice([43, 50, 55, 60, 67, 74]), rng.choice([0.25, 0.5, 0.5])
        figure = rng.integers(0, 6, 8) if rng.random() < 0.5 else np.array([0, 1, 2, 3, 4, 3, 2, 1])
        length = rng.choice([1.0, 1.0, 4.0])
        rows = []
        for bar in range(self.num_bars):
            notes = self.voiced(bar, around, 6)
            for number in range(int(4 / step)):
                start = 4 * bar + number * step
                end = min(start + step * length, 4 * bar + 4)
                rows.append((notes[figure[number % 8]], start, end))
        return np.array(rows)

    def riff(self) -> Rows:
        """One or two bars that go round and round."""
        rng = self.rng
        around, bars = rng.normal(68, 8), int(rng.choice([1, 2]))
        times = np.sort(rng.choice(np.arange(0, 4 * bars, 0.5), int(rng.integers(3, 8)), False))
        pick = rng.integers(0, 5, times.size)
        rows = []
        for bar in range(0, self.num_bars, bars):
            notes = self.voiced(bar, around, 5)
            ends = np.append(times[1:], 4 * bars)
            for time, end, which in zip(times, ends, pick, strict=True):
                rows.append((notes[which], 4 * bar + time, 4 * bar + end - 0.1))
        return np.array(rows)

    def strum(self) -> Rows:
        """Chords in a rhythm."""
        rng = self.rng
        around, size = rng.choice([48, 52, 55, 60, 64]), int(rng.integers(3, 6))
        rhythm = np.sort(rng.choice(np.arange(0, 4, 0.5), int(rng.integers(2, 7)), False))
        rows = [
            (pitch, 4 * bar + time, 4 * bar + time + 0.45)
            for bar in range(self.num_bars)
            for time in rhythm
            for pitch in self.voiced(bar, around, size)
        ]
        return np.array(rows)

    def piano(self) -> Rows:
        """Two hands, in patterns that change with the sections; perhaps with the tune on top."""
        rng = self.rng
        rows: list[Rows] = []
        edges = sorted(
            {0, self.num_bars, *(b for begin, n, _ in self.sung for b in (begin, begin + n))}
        )
        hands = [self.strum(), self.arpeggio(), self.pad(), self.strum(), self.arpeggio()]
        for begin, end in itertools.pairwise(edges):
            for hand in rng.choice(len(hands), int(rng.integers(1, 3)), False):
                rows.append(_between(hands[hand], 4 * begin, 4 * end))
        rows.append(_raised(self.bass(), rng.choice([0, 0, 12])))
        if rng.random() < 0.35:
            solo = _at_height(self.lead(), rng.normal(74, 4))
            free = np.isin(solo[:, 1] // 4, self.free_bars())
            rows.append(solo[free])
        if rng.random() < 0.2:
            rows.append(self.doubling())
        return _no_clashes(np.concatenate(rows))


def _key(tune: Rows) -> tuple[int, tuple[int, ...]]:
    weights = keys.pitch_class_weights(tune[:, 0].astype(int), tune[:, 2] - tune[:, 1])
    tonic, is_minor, _ = keys.find_keys(weights[None])
    return int(tonic[0]), MINOR if is_minor[0] else MAJOR


def _raised(rows: Rows, semitones: int) -> Rows:
    return rows + np.array([semitones, 0, 0])


def _shifted(rows: Rows, semitones: int) -> Rows:
    """The same in another key, by the nearest way."""
    return _raised(rows, (semitones + 6) % 12 - 6)


def _moved(rows: Rows, quarters: float) -> Rows:
    return rows + np.array([0, quarters, quarters])


def _between(rows: Rows, begin: float, end: float) -> Rows:
    return rows[(rows[:, 1] >= begin) & (rows[:, 1] < end)]


def _at_height(rows: Rows, pitch: float) -> Rows:
    """The same in the octave in which its median is nearest to a pitch."""
    if not len(rows):
        return rows
    return _raised(rows, 12 * round((pitch - float(np.median(rows[:, 0]))) / 12))


def _no_clashes(rows: Rows) -> Rows:
    """Without notes of one pitch that begin together."""
    key = np.round(rows[:, 1] * 16) * 128 + rows[:, 0]
    return rows[np.unique(key, return_index=True)[1]]


def played(rows: Rows, rng: np.random.Generator) -> Rows:
    """As people play: a little early or late, shorter or longer than written."""
    if not len(rows):
        return rows
    loose = rng.choice([0.0, 0.01, 0.03])
    begin = np.maximum(rows[:, 1] + rng.normal(0, 1, len(rows)) * loose, 0)
    length = (rows[:, 2] - rows[:, 1]) * rng.uniform(0.75, 1.03)
    return np.c_[rows[:, 0], begin, begin + np.maximum(length, 0.05)]


def _with_drums(named: dict[str, Track], bars: int) -> dict[str, Track]:
    beats = np.arange(0, 4 * bars, 0.5)
    return named | {"drums": track(np.c_[beats * 0 + 42, beats, beats + 0.1], 0, True)}


def pop_with_piano(arranger: Arranger) -> Arrangement:
    """Voice, a lead instrument and a piano, all played by pianos."""
    rng = arranger.rng
    melody = _at_height(arranger.melody, rng.normal(67, 5))
    arranger.melody = melody
    named = {"melody": melody, "lead": arranger.lead(), "piano": arranger.piano()}
    return arrangement(
        "pop, three tracks", {n: track(played(r, rng)) for n, r in named.items()}, rng
    )


def band(arranger: Arranger) -> Arrangement:
    """A melody among three to nine other tracks."""
    rng = arranger.rng
    arranger.melody = _at_height(arranger.melody, rng.normal(68, 7))
    players: dict[str, tuple[Callable[[], Rows], float, Sequence[int]]] = {
        "lead": (arranger.lead, 0.6, LEADS),
        "second lead": (arranger.lead, 0.25, LEADS),
        "second voice": (arranger.second_voice, 0.35, (*LEADS, 52, 52)),
        "doubling": (arranger.doubling, 0.15, LEADS),
        "slow line": (arranger.slow_line, 0.3, (40, 42, *PADS)),
        "bass": (arranger.bass, 0.9, range(32, 40)),
        "pad": (arranger.pad, 0.5, PADS),
        "high pad": (arranger.pad, 0.2, PADS),
        "arpeggio": (arranger.arpeggio, 0.45, CHORDAL),
        "riff": (arranger.riff, 0.35, (*CHORDAL, *LEADS)),
        "strum": (arranger.strum, 0.5, CHORDAL),
        "piano": (arranger.piano, 0.4, (0, 0, 1, 4)),
    }
    named = {"melody": track(played(arranger.melody, rng), int(rng.choice(LEADS)))}
    for name, (play, share, programs) in players.items():
        if rng.random() < share:
            named[name] = track(played(play(), rng), int(rng.choice(programs)))
    if len(named) == 1:
        named["strum"] = track(played(arranger.strum(), rng))
    if rng.random() < 0.8:
        named = _with_drums(named, arranger.num_bars)
    return arrangement("band", named, rng)


def game(arranger: Arranger) -> Arrangement:
    """A lead that hardly rests, a second voice, a bass and perhaps an arpeggio."""
    rng = arranger.rng
    arranger.melody = _at_height(arranger.melody, rng.normal(74, 6))
    arranger.sung = [(0, arranger.num_bars, 0)]
    named = {"melody": arranger.melody, "bass": _raised(arranger.bass(), rng.choice([0, 12]))}
    if rng.random() < 0.7:
        named["second voice"] = (
            arranger.second_voice() if rng.random() < 0.6 else arranger.arpeggio()
        )
    if rng.random() < 0.4:
        named["riff"] = arranger.riff()
    programs = [int(p) for p in rng.choice([80, 81, 82, 0, 38, 73, 48], len(named))]
    tracks = {n: track(r, p) for (n, r), p in zip(named.items(), programs, strict=True)}
    return arrangement("game", _with_drums(tracks, arranger.num_bars), rng)
