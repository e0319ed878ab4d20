"""What the host of a GPU starts to run a program, counted in XLA's list of its thunks.

A thunk is a piece of work that is started at once: a kernel, a copy, a call of a library, or a
command buffer, which is a CUDA graph of many of them.
"""

import pathlib
import re
from collections.abc import Iterable

_THUNK = re.compile(r"( *)\d+: (k\w+)")
_CONTROL = ("kWhile", "kConditional")


def host_launches(text: str, trips: Iterable[int | None]) -> int:
    """How many pieces of work the host starts, of which a whole CUDA graph is one.

    Args:
      text: the thunks, those within another one indented below it.
      trips: how often each loop turns, in their order; None counts as once.
    """
    trips_left = iter(trips)
    total = 0
    # Of the thunks that the line is in: indentation, and how often what is in it is started.
    within: list[tuple[int, int]] = []
    # Of the loops among them: the place in `within`, and the turns. The condition comes first.
    waiting: list[tuple[int, int]] = []
    for line in text.splitlines():
        if line.strip() == "body:":
            place, turns = waiting.pop()
            within[place:] = [(within[place][0], turns)]
        elif found := _THUNK.match(line):
            indent, kind = len(found.group(1)), found.group(2)
            while within and within[-1][0] >= indent:
                within.pop()
            times = 1
            for _, often in within:
                times *= often
            total += 0 if kind in _CONTROL else times
            within.append((indent, int(kind == "kConditional")))
            if kind == "kWhile":
                waiting.append((len(within) - 1, next(trips_left) or 1))
    return total


def dumped(folder: str) -> str:
    """The thunks of the program that XLA compiled with `xla_dump_to` this folder."""
    # They are dumped before passes such as that which makes graphs, and again if one changed them.
    found = sorted(
        pathlib.Path(folder).glob("*thunk_sequence*.txt"), key=lambda path: len(path.name)
    )
    return found[-1].read_text()
