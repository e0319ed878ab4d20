"""Traditional tunes of music21's corpus: ABC text to melodies."""

import collections
import dataclasses
import functools
import pathlib
import re
from collections.abc import Iterable, Iterator
from fractions import Fraction

from musicvae_jax.datasets.melodies.abc_notation import (
    Measure,
    header_field,
    play_repeats,
    read_measures,
    split_tunes,
)
from musicvae_jax.datasets.melodies.songs import (
    Refusal,
    SourceSong,
    normal_title,
    source_song,
)
from musicvae_jax.music.melody import DEFAULT_TEMPO_BPM, STEPS_PER_BAR, Melody
from musicvae_jax.music.windows import WindowRules
from musicvae_jax.system.errors import UserError
from musicvae_jax.system.workers import WorkerFailure, map_in_processes

COLLECTIONS = ("oneills1850", "ryansMammoth", "airdsAirs")
# Steps per notated bar; two bars of 2/4 make one bar of 16 steps.
DUPLE_METERS = {"4/4": 16, "C": 16, "2/2": 16, "C|": 16, "2/4": 8}
MAX_LOST_SHARE = 0.05
VIOLIN = 40


class TuneRejectedError(Exception):
    """The tune cannot become a melody; the message is the reason to count."""


@dataclasses.dataclass(frozen=True)
class Tune:
    """One tune of a collection.

    Attributes:
      id: collection, file and number, for example `oneills1850/0001-0050:17`.
      titles: all of its titles, as printed.
      melody: repeats played out, 16 steps to the bar.
      num_lost: notes that fell on a step already taken by another.
    """

    id: str
    titles: tuple[str, ...]
    melody: Melody
    num_lost: int


def corpus_files(collection: str) -> list[pathlib.Path]:
    """The ABC files of a collection inside the installed music21, in order.

    Raises:
      UserError: music21 has no such collection.
    """
    import music21  # slow to import, and only needed where tunes are read

    folder = pathlib.Path(music21.__file__).parent / "corpus" / collection
    files = sorted(folder.glob("*.abc"))
    if not files:
        raise UserError(
            f"config.dataset.collections: music21 {music21.__version__} has no ABC collection "
            f"{collection!r}; valid are {', '.join(COLLECTIONS)} or essenFolksong",
            "config.dataset.collections",
        )
    return files


def _place_on_bars(measures: list[Measure], bar: int) -> list[tuple[Fraction, Measure]]:
    """Places each measure on the grid of bars of `bar` steps.

    Short measures go where a player would put them. An upbeat (one that begins a
    strain) ends at a bar line, over the last beat of a bar already full if need
    be. Parts that together fill a bar stand one after another. After a short last
    bar of a strain, the rest of that bar is silent.

    Raises:
      TuneRejectedError: another measure is not as long as the meter says.
    """
    placed: list[tuple[Fraction, Measure]] = []
    position = Fraction(0)
    for measure in measures:
        filled = position % bar
        bar_line = position - filled + (bar if filled else 0)
        if measure.length % bar == 0:
            if filled and not placed[-1][1].ends_strain and not measure.begins_strain:
                raise TuneRejectedError("a bar is shorter than the meter")
            position = bar_line
        elif measure.length > bar:
            raise TuneRejectedError("a bar is longer than the meter")
        elif measure.begins_strain and filled + measure.length != bar:
            # The first bar line is a whole bar in, so that 2/4 stays paired.
            position = (bar_line if placed else Fraction(STEPS_PER_BAR)) - measure.length
        elif filled + measure.length > bar:
            raise TuneRejectedError("parts of a bar are longer than the meter")
        placed.append((position, measure))
        position += measure.length
    return placed


def _sounding_notes(placed: list[tuple[Fraction, Measure]]) -> list[list]:
    """`[pitch, start, end]` with tied notes joined and rests left out, in fractional steps."""
    notes: list[list] = []
    tied = False
    for position, measure in placed:
        while notes and notes[-1][1] >= position:  # an upbeat over the bar before
            notes.pop()
        if notes:
            notes[-1][2] = min(notes[-1][2], position)
        for pitch, length, ties_on in measure.notes:
            joins = tied and notes and notes[-1][0] == pitch and notes[-1][2] == position
            if joins:
                notes[-1][2] += length
            elif pitch is not None and length:
                notes.append([pitch, position, position + length])
            position += length
            tied = ties_on
    return notes


def _nearest_step(position: Fraction) -> int:
    """`floor(position + 1/2)`, in whole numbers: a new fraction would take longer."""
    return (2 * position.numerator + position.denominator) // (2 * position.denominator)


def _on_grid(notes: list[list]) -> tuple[list[tuple[int, int, int]], int]:
    """Rounds to whole steps; of notes that begin on one step the first is kept.

    Returns the notes and how many were lost.
    """
    kept: list[tuple[int, int, int]] = []
    for pitch, start, end in notes:
        step = _nearest_step(start)
        if not kept or step > kept[-1][1]:
            kept.append((pitch, step, max(step + 1, _nearest_step(end))))
    next_starts = [start for _, start, _ in kept[1:]] + [kept[-1][2]] if kept else []
    clipped = [
        (pitch, start, min(end, following))
        for (pitch, start, end), following in zip(kept, next_starts, strict=True)
    ]
    return clipped, len(notes) - len(kept)


def _tempo_bpm(text: str, meter: str) -> float:
    """Quarter notes per minute by the `Q:` field, as in `1/2=112`, `112` or `C=112`."""
    for value in header_field(text, "Q"):
        match = re.match(r"(?:(\d+)/(\d+)\s*=\s*)?(\d+)", value)
        if match:
            beats, unit, per_minute = match.groups()
            beat = Fraction(int(beats), int(unit)) if beats else Fraction(1, 4)
            return float(beat * 4 * int(per_minute))
    # Cut time is counted in halves, at a walking speed.
    return 2 * 90.0 if meter in ("C|", "2/2") else DEFAULT_TEMPO_BPM


def read_tune(text: str, id: str) -> Tune:
    """Reads one tune.

    Args:
      text: the tune's ABC text, from its `X:` line on.
      id: what to call it.

    Raises:
      TuneRejectedError: it is not in a duple meter throughout, has several voices,
        its bars do not add up, or too many of its notes miss the sixteenth grid.
    """
    meters = header_field(text, "M")
    if not meters or meters[0] not in DUPLE_METERS:
        raise TuneRejectedError("the meter is not 4/4, 2/2 or 2/4")
    body = re.split(r"(?m)^K:.*$", text, maxsplit=1)[-1]
    if re.search(r"(?m)^M:|\[M:", body):
        raise TuneRejectedError("the meter changes")
    if re.search(r"(?m)^V:|\[V:", text):
        raise TuneRejectedError("several voices")
    try:
        measures = read_measures(text)
    except Exception as error:  # music21 raises what it meets: anything from KeyError on
        raise TuneRejectedError("music21 cannot read it") from error
    placed = _place_on_bars(play_repeats(measures), DUPLE_METERS[meters[0]])
    notes, num_lost = _on_grid(_sounding_notes(placed))
    if not notes:
        raise TuneRejectedError("no notes")
    if num_lost > MAX_LOST_SHARE * (len(notes) + num_lost):
        raise TuneRejectedError("over 5 % of its notes miss the sixteenth grid")
    num_bars = -(-notes[-1][2] // STEPS_PER_BAR)
    melody = Melody.from_notes(
        notes, num_bars * STEPS_PER_BAR, tempo_bpm=_tempo_bpm(text, meters[0]), program=VIOLIN
    )
    return Tune(id, tuple(header_field(text, "T")), melody, num_lost)


def _read_abc_file(path: pathlib.Path, rules: WindowRules) -> list[SourceSong | Refusal]:
    collection = path.parent.name
    results: list[SourceSong | Refusal] = []
    seen: collections.Counter[str] = collections.Counter()
    for text in split_tunes(path.read_text(encoding="utf-8", errors="replace")):
        number = (header_field(text, "X") or ["?"])[0]
        seen[number] += 1
        copy = f".{seen[number]}" if seen[number] > 1 else ""
        id = f"{collection}/{path.stem}:{number}{copy}"
        try:
            tune = read_tune(text, id)
        except TuneRejectedError as error:
            results.append(Refusal(id, str(error)))
            continue
        names = tuple(sorted({normal_title(title) for title in tune.titles} - {""})) or (id,)
        results.append(source_song(id, names, [tune.melody], rules))
    return results


def read_folk(collections_: Iterable[str], rules: WindowRules) -> Iterator[SourceSong | Refusal]:
    """Reads collections of music21's corpus, on all cores."""
    files = [path for name in collections_ for path in corpus_files(name)]
    function = functools.partial(_read_abc_file, rules=rules)
    read = map_in_processes(function, files, "reading ABC files", total=len(files))
    for path, results in zip(files, read, strict=True):
        if isinstance(results, WorkerFailure):
            yield Refusal(f"{path.parent.name}/{path.stem}", results.reason)
        else:
            yield from results
