"""Lines that were edited by hand, in place of those that a model made."""

import dataclasses
from collections.abc import Mapping, Sequence

from musicvae_jax.commands.compose import Composition
from musicvae_jax.music.melody import Melody
from musicvae_jax.system.errors import UserError
from musicvae_jax.transitions.maker import Bridge


def with_notes(melody: Melody, line: Melody) -> Melody:
    """A melody with the notes of a line.

    Raises:
      UserError: the line is not as long, or on another grid.
    """
    if line.grid != melody.grid:
        raise UserError(
            f"an edited line in {line.grid.name}: {melody.grid.name} is needed throughout"
        )
    if line.num_bars != melody.num_bars:
        raise UserError(f"an edited line of {line.num_bars} bars: {melody.num_bars} are needed")
    return dataclasses.replace(melody, pitch=line.pitch, start=line.start, end=line.end)


def bridges_of(
    line: Melody, bridges: Sequence[Bridge], melodies: Sequence[Melody]
) -> tuple[Bridge, ...]:
    """The bridges of a line, whose melodies stay as they are.

    Args:
      line: the melodies and the bridges in turn, or one bridge alone.
      bridges: as they were made, each in one meter.
      melodies: those of the line; empty for a bridge alone.

    Raises:
      UserError: the line is not as long, or on another grid.
    """
    if any(bridge.rest is not None for bridge in bridges):
        raise UserError("a bridge that changes its meter cannot be edited")
    lengths = [bridge.melody.num_bars for bridge in bridges]
    bars = sum(lengths) + sum(melody.num_bars for melody in melodies)
    if line.num_bars != bars:
        raise UserError(f"an edited line of {line.num_bars} bars: {bars} are needed")
    result, bar = [], 0
    for index, (bridge, length) in enumerate(zip(bridges, lengths, strict=True)):
        bar += melodies[index].num_bars if melodies else 0
        melody = with_notes(bridge.melody, line.window(bar, length))
        result.append(dataclasses.replace(bridge, melody=melody))
        bar += length
    return tuple(result)


def composition(made: Composition, lines: Mapping[str, Melody]) -> Composition:
    """What was made, with the lines of some outputs, by their stems.

    Of what is known of an output only its title and what it was made from still hold.

    Raises:
      UserError: a line is not as long as its output.
    """
    outputs = [
        output
        if output.stem not in lines
        else dataclasses.replace(
            output, melody=with_notes(output.melody, lines[output.stem]), scores={}, attributes={}
        )
        for output in made.outputs
    ]
    return dataclasses.replace(made, outputs=tuple(outputs))
