"""What a MIDI channel is set to: its program, controllers and pitch bend.

The music of one file that begins in the middle, or on a channel on which another file has
played, needs the settings that it would have if its own file had been played up to there.
"""

import collections
from collections.abc import Iterable, Mapping

from musicvae_jax.midi.whole import events
from musicvae_jax.midi.whole.events import Event

# By the setting, the messages without their channel that make it. A setting that is not
# there is as MIDI has it at the beginning.
State = dict[str | int, tuple[bytes, ...]]

BANK, MODULATION, DATA, VOLUME, PAN, EXPRESSION, BANK_LOW = 0, 1, 6, 7, 10, 11, 32
SUSTAIN, ALL_SOUND_OFF, RESET = 64, 120, 121
# Registered parameters, such as the range of a bend: their order counts, so they are kept
# together, in the order in which they came.
_PARAMETERS = (DATA, 38, *range(96, 102))
# What a reset of controllers leaves as it is (MIDI Association, RP-015).
_NOT_RESET = ("program", "parameters", BANK, BANK_LOW, VOLUME, PAN, *range(70, 80), *range(91, 96))
_DEFAULTS = {VOLUME: 100, PAN: 64, EXPRESSION: 127}
_CENTRE = bytes([events.BEND << 4, 0, 64])
_NO_BEND_RANGE = tuple(
    bytes([events.CONTROL << 4, number, value])
    for number, value in ((101, 0), (100, 0), (DATA, 2), (38, 0), (101, 127), (100, 127))
)


def setting(number: int, value: int) -> tuple[bytes, ...]:
    """The messages that set a controller."""
    return (bytes([events.CONTROL << 4, number, value]),)


def program(number: int) -> tuple[bytes, ...]:
    """The messages that set a program."""
    return (bytes([events.PROGRAM << 4, number]),)


def state(played: Iterable[Event]) -> State:
    """What a channel is set to after events of it, which are given by time."""
    result: State = {}
    for event in played:
        message = bytes([event.message[0] & 0xF0]) + event.message[1:]
        if event.kind == events.PROGRAM:
            result["program"] = (message,)
        elif event.kind == events.BEND:
            result["bend"] = (message,)
        elif event.kind == events.PRESSURE:
            result["pressure"] = (message,)
        elif event.kind == events.CONTROL:
            number = message[1]
            if number == RESET:
                result = {key: value for key, value in result.items() if key in _NOT_RESET}
            elif number in _PARAMETERS:
                result["parameters"] = (*result.get("parameters", ()), message)
            elif number < ALL_SOUND_OFF:
                result[number] = (message,)
    return result


def _default(key: str | int) -> tuple[bytes, ...]:
    if isinstance(key, int):
        return setting(key, _DEFAULTS.get(key, 0))
    return {
        "program": program(0),
        "bend": (_CENTRE,),
        "pressure": (bytes([events.PRESSURE << 4, 0]),),
        "parameters": _NO_BEND_RANGE,
    }[key]


def change(tick: int, channel: int, before: State, after: State) -> list[Event]:
    """The events that bring a channel from one state to another.

    A bank counts from the next program change on, so the program follows it.
    """
    keys = [key for key in {**before, **after} if before.get(key) != after.get(key)]
    keys = [k for k in keys if after.get(k, _default(k)) != before.get(k, _default(k))]
    if {BANK, BANK_LOW} & set(keys) and "program" not in keys:
        keys.append("program")
    first = (BANK, BANK_LOW, "program", "parameters")
    keys.sort(key=lambda key: first.index(key) if key in first else len(first))
    return [
        Event(tick, bytes([message[0] | channel]) + message[1:])
        for key in keys
        for message in after.get(key, _default(key))
    ]


def usual(played: Iterable[Event]) -> State:
    """The volume and the expression with which most notes of a channel are played.

    A song that fades out, or swells at its beginning, has other ones at its ends.
    """
    now = dict(_DEFAULTS)
    counts: Mapping[int, collections.Counter[int]] = {
        number: collections.Counter() for number in (VOLUME, EXPRESSION)
    }
    for event in played:
        if event.kind == events.CONTROL and event.message[1] in counts:
            now[event.message[1]] = event.message[2]
        elif event.begins_note:
            for number, counter in counts.items():
                counter[now[number]] += 1
    return {
        number: setting(number, counter.most_common(1)[0][0])
        for number, counter in counts.items()
        if counter
    }


def at_rest(settings: State) -> State:
    """The same without what a player does for a moment: bends, pedals, modulation."""
    moments = ("bend", "pressure", MODULATION, *range(SUSTAIN, 70))
    return {key: value for key, value in settings.items() if key not in moments}
