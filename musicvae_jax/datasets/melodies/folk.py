"""Traditional tunes of music21's corpus: ABC text to melodies."""

import collections
import contextlib
import dataclasses
import functools
import pathlib
import re
from collections.abc import Iterable, Iterator
from fractions import Fraction

import numpy as np

from musicvae_jax.datasets.melodies.abc_notation import (
    Measure,
    header_field,
    play_repeats,
    read_measures,
    split_tunes,
)
from musicvae_jax.datasets.melodies.songs import (
    Elsewhere,
    Refusal,
    SourceSong,
    normal_title,
    source_song,
)
from musicvae_jax.music.grid import METERS, SIXTEENTHS, Grid, best_grid
from musicvae_jax.music.melody import DEFAULT_TEMPO_BPM, Melody
from musicvae_jax.music.windows import WindowRules
from musicvae_jax.system.errors import UserError
from musicvae_jax.system.workers import WorkerFailure, map_in_processes

COLLECTIONS = ("oneills1850", "ryansMammoth", "airdsAirs")
# By how they are written.
METERS_BY_NAME = {
    **{"4/4": (4, 4), "C": (4, 4), "2/2": (2, 2), "C|": (2, 2), "2/4": (2, 4)},
    **{"3/4": (3, 4), "6/8": (6, 8), "3/8": (3, 8), "9/8": (9, 8), "12/8": (12, 8)},
    **{"3/2": (3, 2), "6/4": (6, 4)},
}
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
      melody: repeats played out.
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


def _place_on_bars(
    measures: list[Measure], bar: Fraction, first_line: Fraction
) -> list[tuple[Fraction, Measure]]:
    """Places each measure on the grid of bars of `bar` sixteenths.

    Short measures go where a player would put them. An upbeat (one that begins a
    strain) ends at a bar line, over the last beat of a bar already full if need
    be. Parts that together fill a bar stand one after another. After a short last
    bar of a strain, the rest of that bar is silent.

    Args:
      measures: as they are played.
      bar: the length of a bar as it is written.
      first_line: where the first bar line is after an upbeat: a bar of the melody in, so that
        bars of 2/4 stay paired.

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
            position = (bar_line if placed else first_line) - measure.length
        elif filled + measure.length > bar:
            raise TuneRejectedError("parts of a bar are longer than the meter")
        placed.append((position, measure))
        position += measure.length
    return placed


def _sounding_notes(placed: list[tuple[Fraction, Measure]]) -> list[list]:
    """`[pitch, start, end]` with tied notes joined and rests left out, in sixteenths."""
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


def _nearest_step(position: Fraction, grid: Grid) -> int:
    """The played step nearest to a position in sixteenths, half a step up.

    `floor(steps + 1/2)` in whole numbers: a new fraction would take longer.
    """
    steps, of_sixteenth = position.numerator * grid.steps_per_quarter, 4 * position.denominator
    return (2 * steps + of_sixteenth) // (2 * of_sixteenth)


def _on_grid(notes: list[list], grid: Grid) -> tuple[list[tuple[int, int, int]], int]:
    """Rounds to whole steps; of notes that begin on one step the first is kept.

    Returns the notes and how many were lost.
    """
    kept: list[tuple[int, int, int]] = []
    for pitch, start, end in notes:
        step = _nearest_step(start, grid)
        if not kept or step > kept[-1][1]:
            kept.append((pitch, step, max(step + 1, _nearest_step(end, grid))))
    next_starts = [start for _, start, _ in kept[1:]] + [kept[-1][2]] if kept else []
    clipped = [
        (pitch, grid.step_of(start), grid.step_of(min(end, following)))
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


def read_tune(text: str, id: str, steps_per_bar: int = SIXTEENTHS.steps_per_bar) -> Tune:
    """Reads one tune.

    Args:
      text: the tune's ABC text, from its `X:` line on.
      id: what to call it.
      steps_per_bar: of the grids on which it may be read.

    Raises:
      TuneRejectedError: it is not throughout in a meter of these grids, has several voices,
        its bars do not add up, or too many of its notes miss the grid.
    """
    meters = header_field(text, "M")
    meter = METERS_BY_NAME.get(meters[0]) if meters else None
    grids = METERS[meter] if meter else ()
    if meter is None or not _has(grids, steps_per_bar):
        valid = [n for n, m in METERS_BY_NAME.items() if _has(METERS[m], steps_per_bar)]
        raise TuneRejectedError(f"the meter is not {', '.join(valid)}")
    body = re.split(r"(?m)^K:.*$", text, maxsplit=1)[-1]
    if re.search(r"(?m)^M:|\[M:", body):
        raise TuneRejectedError("the meter changes")
    if re.search(r"(?m)^V:|\[V:", text):
        raise TuneRejectedError("several voices")
    try:
        measures = read_measures(text)
    except Exception as error:  # music21 raises what it meets: anything from KeyError on
        raise TuneRejectedError("music21 cannot read it") from error
    bar, first_line = Fraction(16 * meter[0], meter[1]), Fraction(4 * grids[0].quarters_per_bar)
    sounding = _sounding_notes(_place_on_bars(play_repeats(measures), bar, first_line))
    grid = _grid(sounding, grids, steps_per_bar)
    notes, num_lost = _on_grid(sounding, grid)
    if not notes:
        raise TuneRejectedError("no notes")
    if num_lost > MAX_LOST_SHARE * (len(notes) + num_lost):
        raise TuneRejectedError("over 5 % of its notes miss the grid")
    num_bars = -(-notes[-1][2] // grid.steps_per_bar)
    told = {"tempo_bpm": _tempo_bpm(text, meters[0]), "program": VIOLIN, "grid": grid}
    melody = Melody.from_notes(notes, num_bars * grid.steps_per_bar, **told)
    return Tune(id, tuple(header_field(text, "T")), melody, num_lost)


def _has(grids: tuple[Grid, ...], steps_per_bar: int) -> bool:
    return any(grid.steps_per_bar == steps_per_bar for grid in grids)


def _grid(notes: list[list], grids: tuple[Grid, ...], steps_per_bar: int) -> Grid:
    """The grid on which a tune is read, of so many steps a bar.

    What can be in sixteenths is, if these are asked for; otherwise the best grid is taken.

    Raises:
      TuneRejectedError: the best grid has another number of steps.
    """
    if steps_per_bar == SIXTEENTHS.steps_per_bar:
        return SIXTEENTHS
    grid = best_grid(np.array([float(start) / 4 for _, start, _ in notes]), grids)
    if grid.steps_per_bar != steps_per_bar:
        raise TuneRejectedError(f"its notes fit {grid.name} better")
    return grid


def _read_abc_file(
    path: pathlib.Path, rules: WindowRules, steps_per_bar: int
) -> list[SourceSong | Refusal | Elsewhere]:
    collection = path.parent.name
    results: list[SourceSong | Refusal | Elsewhere] = []
    seen: collections.Counter[str] = collections.Counter()
    for text in split_tunes(path.read_text(encoding="utf-8", errors="replace")):
        number = (header_field(text, "X") or ["?"])[0]
        seen[number] += 1
        copy = f".{seen[number]}" if seen[number] > 1 else ""
        id = f"{collection}/{path.stem}:{number}{copy}"
        if steps_per_bar != SIXTEENTHS.steps_per_bar:
            with contextlib.suppress(TuneRejectedError):
                usual = read_tune(text, id)
                if usual.melody.num_bars >= rules.bars:
                    results.append(Elsewhere(id, _names(usual)))
        try:
            tune = read_tune(text, id, steps_per_bar)
        except TuneRejectedError as error:
            results.append(Refusal(id, str(error)))
            continue
        results.append(source_song(id, _names(tune), [tune.melody], rules))
    return results


def _names(tune: Tune) -> tuple[str, ...]:
    """What tells the tune from others: its titles."""
    return tuple(sorted({normal_title(title) for title in tune.titles} - {""})) or (tune.id,)


def read_folk(
    collections_: Iterable[str],
    rules: WindowRules,
    steps_per_bar: int = SIXTEENTHS.steps_per_bar,
) -> Iterator[SourceSong | Refusal | Elsewhere]:
    """Reads collections of music21's corpus, on all cores."""
    files = [path for name in collections_ for path in corpus_files(name)]
    function = functools.partial(_read_abc_file, rules=rules, steps_per_bar=steps_per_bar)
    read = map_in_processes(function, files, "reading ABC files", total=len(files))
    for path, results in zip(files, read, strict=True):
        if isinstance(results, WorkerFailure):
            yield Refusal(f"{path.parent.name}/{path.stem}", results.reason)
        else:
            yield from results
