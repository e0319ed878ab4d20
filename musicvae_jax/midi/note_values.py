"""How lengths on a grid are written as notes: whole, half, quarter and so on."""

from typing import NamedTuple

from musicvae_jax.music.grid import Grid

# By the length in sixteenths: the note value, and whether it is dotted.
_VALUES = {
    **{1: ("16th", False), 2: ("eighth", False), 3: ("eighth", True), 4: ("quarter", False)},
    **{6: ("quarter", True), 8: ("half", False), 12: ("half", True), 16: ("whole", False)},
    24: ("whole", True),
}


class NoteValue(NamedTuple):
    """How a note is written.

    Attributes:
      name: as MusicXML calls it.
      is_dotted: whether a dot follows.
      is_triplet: whether three of them last as long as two.
    """

    name: str
    is_dotted: bool
    is_triplet: bool


def note_value(length: int, grid: Grid) -> NoteValue | None:
    """How a note of that many steps is written; None if it takes several."""
    is_within = grid.is_triplet and length < grid.steps_per_beat
    # Of a triplet, one step is written as an eighth.
    sixteenths = 2 * length if is_within else 4 * length / grid.steps_per_quarter
    value = _VALUES.get(int(sixteenths)) if sixteenths == int(sixteenths) else None
    return None if value is None else NoteValue(*value, is_within)


def split(begin: int, end: int, grid: Grid) -> list[int]:
    """The lengths of the note values that fill a stretch of a bar, in steps.

    A value begins on a beat or stays within it, but for one as long as a beat between two.

    Args:
      begin, end: steps of the bar that take time.
      grid: of the bar.
    """
    beat, lengths = grid.steps_per_beat, []
    while begin < end:
        length, within = end - begin, begin % beat
        is_between = not grid.is_compound and 2 * within == beat and length == beat
        if within and not is_between:
            length = min(length, beat - within)
        if note_value(length, grid) is None and length > beat:
            length -= length % beat
        while note_value(length, grid) is None:
            length -= 1
        lengths.append(length)
        begin += length
    return lengths
