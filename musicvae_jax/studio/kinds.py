"""Music of a kind in the studio: how it is read, shown and bridged. A table of those there are."""

import dataclasses
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np

from musicvae_jax.checkpoints import load
from musicvae_jax.commands import drum_transitions, inspect, transitions
from musicvae_jax.commands.instruments import DRUMS as DRUM_FILES
from musicvae_jax.commands.instruments import MELODY as MELODY_FILES
from musicvae_jax.commands.instruments import Instrument, instrument_of
from musicvae_jax.inference.melody_model import MelodyModel
from musicvae_jax.midi import drums as midi_drums
from musicvae_jax.midi import extraction
from musicvae_jax.midi import read as midi_read
from musicvae_jax.midi.reading import Reading
from musicvae_jax.music.assembly import single
from musicvae_jax.music.drum_piece import drum_single
from musicvae_jax.music.examples import example_melodies
from musicvae_jax.music.grid import given_name
from musicvae_jax.music.windows import WindowRules
from musicvae_jax.notation import read
from musicvae_jax.studio import drum_views, requests, songs, views
from musicvae_jax.studio.results import DrumItem, Item
from musicvae_jax.system.errors import UserError

# Calls a function that parses a file's content, with its name and what is known of it.
Parse = Callable[..., Any]


@dataclasses.dataclass(frozen=True)
class Kind:
    """Music of a kind.

    Attributes:
      instrument: what the command line does with it.
      noun, nouns: what the page calls one, and several.
      hint: what the page says of the files that it takes.
      is_line: whether it is one voice of notes with pitches, which can be a track of a song that
        is played whole, be sung, played in, edited and written as notation.
      without: flags of the page that mean nothing for it.
      suffixes: of the files that it is read from.
      examples: by name.
      item: of a result.
      single: a piece of one, with its name.
      view_piece: a piece for the page, see `views.view_piece`.
      view_transition: a transition as an item of a result.
      read_given: what the page gives back of an input, by its name.
      view_file: what the page shows of a file, which `Parse` parses.
      transitions: makes transitions, see `transitions.make_transitions`.
    """

    instrument: Instrument
    noun: str
    nouns: str
    hint: str
    is_line: bool
    without: frozenset[str]
    suffixes: tuple[str, ...]
    examples: Mapping[str, Any]
    item: type[Item]
    single: Callable[[Any, str], Any]
    view_piece: Callable[[Any, np.ndarray], dict[str, Any]]
    view_transition: Callable[[Any], Item]
    read_given: Callable[[str, Any], Any]
    view_file: Callable[[Parse, bytes, str, Reading, WindowRules], dict[str, Any]]
    transitions: Callable[..., Iterator[Any]]


def _melody_of_file(
    parse: Parse, content: bytes, name: str, reading: Reading, rules: WindowRules
) -> dict[str, Any]:
    """The melody of a file and its tracks.

    Raises:
      UserError: the file cannot be read, or has no melody.
    """
    song = parse(read.song_from_bytes, content, name, reading)
    found = extraction.extract(song, track=reading.track, grid=reading.grid)
    if found.melody is None or found.span is None:
        raise UserError(f"{name}: no usable melody: {found.refusal}")
    words = inspect.explain(name, song, found, rules)[1:]
    view = views.view_melody(name, found.melody, words) | songs.view_song(song, found)
    return view | {"grid": given_name(reading.grid) if reading.grid else ""}


def _drums_of_file(
    parse: Parse, content: bytes, name: str, reading: Reading, rules: WindowRules
) -> dict[str, Any]:
    """The drums of a file.

    Raises:
      UserError: the file cannot be read, or has no drums.
    """
    song = parse(read.song_with_drums, content, name, reading)
    drums, origin, refusal = midi_drums.drums_of(song)
    if drums is None:
        raise UserError(f"{name}: no usable drums: {refusal}")
    words = [*song.warnings, *inspect.explain_drums(song, drums, origin, refusal, rules)]
    return drum_views.view_drums(name, drums, [line.strip() for line in words])


MELODY = Kind(
    instrument=MELODY_FILES,
    noun="melody",
    nouns="melodies",
    hint="Drop a music file here: MIDI, MusicXML, ABC, kern, or a recording of one voice.",
    is_line=True,
    without=frozenset({"strength"}),
    suffixes=read.SUFFIXES,
    # In the bars of every model, those of the first one first.
    examples={
        name: one for steps in load.OF_STEPS for name, one in example_melodies(steps).items()
    },
    item=Item,
    single=single,
    view_piece=views.view_piece,
    view_transition=views.of_transition,
    read_given=requests.read_melody,
    view_file=_melody_of_file,
    transitions=transitions.make_transitions,
)
DRUMS = Kind(
    instrument=DRUM_FILES,
    noun="pattern",
    nouns="patterns",
    hint="Drop a MIDI file with drums here.",
    is_line=False,
    without=frozenset(
        {
            *("accompaniment", "attribute", "drums", "key_path", "melody_only", "meter_at"),
            *("meter_keeps", "pitch_range", "programs", "rhythm", "scale"),
        }
    ),
    suffixes=midi_read.SUFFIXES,
    examples=DRUM_FILES.examples(0),
    item=DrumItem,
    single=drum_single,
    view_piece=drum_views.view_piece,
    view_transition=drum_views.of_transition,
    read_given=drum_views.read_drums,
    view_file=_drums_of_file,
    transitions=drum_transitions.make_transitions,
)
_KINDS = {kind.instrument: kind for kind in (MELODY, DRUMS)}


def kind_of(model: MelodyModel) -> Kind:
    """Of the music that a model knows."""
    return _KINDS[instrument_of(model)]
