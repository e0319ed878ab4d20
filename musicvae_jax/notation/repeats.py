"""The order in which the bars of a score are played."""

from collections.abc import Sequence

from musicvae_jax.notation.score import MAX_BARS, MAX_TIMES, Bar


def playing_order(bars: Sequence[Bar]) -> list[int]:
    """The indices of the bars in the order in which a musician plays them.

    A `:|` without its `|:` goes back to where the last repeat ended, and otherwise to the
    beginning. After `D.C.` or `D.S.` each repeat is played once, with its last ending, and
    `Fine` and the jump to the coda count; each such jump is taken once.

    Raises:
      ValueError: they are more than `MAX_BARS`.
    """
    beside = _endings_beside(bars)
    segno, coda = _segno_before(bars), _coda_after(bars)
    order: list[int] = []
    index, start, time = 0, 0, 1  # the bar, where its repeat begins, and which time it is
    has_jumped = False
    jumps_left = {i for i, bar in enumerate(bars) if bar.da_capo or bar.dal_segno}
    while index < len(bars):
        bar = bars[index]
        if bar.begins_repeat and index > start:
            start, time = index, 1
        if _is_skipped(bar, beside[index], max(beside[index], default=1) if has_jumped else time):
            index += 1
            if index == len(bars) or not bars[index].endings:
                start, time = index, 1
            continue
        order.append(index)
        if len(order) > MAX_BARS:
            raise ValueError(f"more than {MAX_BARS} bars with its repeats")
        if has_jumped and bar.fine:
            break
        if has_jumped and bar.to_coda and coda[index]:
            index = start = coda[index]
            continue
        if not has_jumped and _goes_back(bars, index, time, beside[index]):
            index, time = start, time + 1
            continue
        if bar.repeat_times or _leaves_ending(bars, index):
            start, time = index + 1, 1
        index += 1
        if index - 1 in jumps_left:
            jumps_left.remove(index - 1)
            has_jumped = True
            index = start = 0 if bar.da_capo else segno[index - 1]
    return order


def _endings_beside(bars: Sequence[Bar]) -> list[frozenset[int]]:
    """For each bar the numbers of the endings that stand side by side with its own."""
    result: list[frozenset[int]] = [frozenset()] * len(bars)
    index = 0
    while index < len(bars):
        stop = index + 1
        if bars[index].endings:
            while stop < len(bars) and bars[stop].endings and not _starts_anew(bars, stop):
                stop += 1
            times = frozenset().union(*(bar.endings for bar in bars[index:stop]))
            result[index:stop] = [times] * (stop - index)
        index = stop
    return result


def _starts_anew(bars: Sequence[Bar], index: int) -> bool:
    """Whether a first ending follows directly on the endings of another repeat."""
    is_first = 1 in bars[index].endings and 1 not in bars[index - 1].endings
    return is_first or bars[index].begins_repeat


def _is_skipped(bar: Bar, beside: frozenset[int], time: int) -> bool:
    """Whether a bar is under the ending of another time.

    A second ending without a first one is played.
    """
    return bool(bar.endings) and time not in bar.endings and (time > 1 or 1 in beside)


def _goes_back(bars: Sequence[Bar], index: int, time: int, beside: frozenset[int]) -> bool:
    """Whether the player goes back after a bar that has been played for the `time`-th time."""
    bar = bars[index]
    if bar.repeat_times:
        return time < min(max(bar.repeat_times, *beside, 1), MAX_TIMES)
    # An ending with the next one beside it, and no sign between.
    return _leaves_ending(bars, index) and time + 1 in (beside - bar.endings)


def _leaves_ending(bars: Sequence[Bar], index: int) -> bool:
    return bool(bars[index].endings) and (
        index + 1 == len(bars) or bars[index + 1].endings != bars[index].endings
    )


def _segno_before(bars: Sequence[Bar]) -> list[int]:
    """For each bar that with the nearest segno before it; the first bar without one."""
    result, nearest = [], 0
    for index, bar in enumerate(bars):
        result.append(nearest)
        nearest = index if bar.segno else nearest
    return result


def _coda_after(bars: Sequence[Bar]) -> list[int]:
    """For each bar that with the nearest coda after it; 0 without one."""
    result, nearest = [0] * len(bars), 0
    for index in range(len(bars) - 1, -1, -1):
        result[index] = nearest
        nearest = index if bars[index].coda else nearest
    return result
