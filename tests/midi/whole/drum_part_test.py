"""The drums of whole songs on the bars of their melodies, and bridges of drums between them."""

import dataclasses

import hypothesis
import hypothesis.strategies as st
import numpy as np
import pytest

from musicvae_jax.midi.drums import drums_of
from musicvae_jax.midi.whole import arrangement, drum_part
from musicvae_jax.midi.whole.medley import medley
from musicvae_jax.music.drum_examples import example_drums
from musicvae_jax.music.drum_kit import KICK, LOW_TOM, PITCHES, SNARE
from musicvae_jax.music.drums import Drums
from musicvae_jax.music.examples import example_melodies
from musicvae_jax.notation import read
from tests import helpers, songs

ODE, REEL = example_melodies().values()
ROCK, BOSSA = example_drums().values()
BARS, STEPS = 4, 64
BRIDGE = Drums.from_hits([(KICK, s) for s in range(0, STEPS, 8)] + [(LOW_TOM, 62)], STEPS)


@pytest.fixture(scope="module")
def paths(tmp_path_factory):
    folder = tmp_path_factory.mktemp("songs")
    told = {"ticks_per_quarter": 384, "before": 3, "seed": 1, "bpm": 140.0}
    first = songs.write_song(folder / "ode.mid", ODE)
    return first, songs.write_song(folder / "reel.mid", REEL, **told)


@pytest.fixture(scope="module")
def sources(paths):
    return [read.read_whole(path) for path in paths]


def rows(whole):
    """All events of a medley: track, tick, message."""
    tracks = enumerate(whole.arrangement.tracks)
    return [(number, e.tick, e.message) for number, track in tracks for e in track]


def bridge_of(whole):
    """The first and the last tick of the bridge, without what may be played a little early."""
    resolution = whole.arrangement.ticks_per_quarter
    line = whole.origin + 16 * 4 * resolution
    return line, line + 4 * BARS * resolution - resolution // 8


def test_the_drums_of_a_file_lie_on_the_bars_of_its_melody(paths, sources):
    for path, source in zip(paths, sources, strict=True):
        found = drum_part.drums_of_source(source)
        assert found.num_bars == source.melody.num_bars
        span = (source.origin, source.origin + 4 * source.melody.num_bars)
        wanted, origin, _ = drums_of(read.read_song(path), span)
        assert origin == source.origin
        # One that is struck just before the span belongs to its first step here.
        shared = set(wanted.hits())
        assert shared <= set(found.hits())
        assert {step for _, step in set(found.hits()) - shared} <= {0}
        window = source.between(4, 6)
        assert drum_part.drums_of_source(window).hits() == found.window(4, 2).hits()


@hypothesis.given(helpers.drums(on_ticks=True), st.sampled_from([480, 960]))
def test_drums_beside_a_melody_are_read_back(drums, resolution):
    melody = ODE.window(0, drums.num_bars)
    source = arrangement.from_melody(melody, drums)
    scaled = dataclasses.replace(source, arrangement=source.arrangement.scaled(resolution))
    found = drum_part.drums_of_source(scaled)
    assert found.hits() == drums.hits()
    np.testing.assert_array_equal(found.velocity, drums.velocity)
    np.testing.assert_allclose(found.offset, drums.offset, atol=2 / resolution + 1e-6)


@pytest.mark.parametrize("kind", ["none", "fade", "hold"])
def test_a_bridge_of_drums_takes_the_place_of_those_of_the_accompaniment(sources, kind):
    told = {"accompaniment": kind}
    plain = medley(sources, [ODE.window(4, BARS)], **told)
    made = medley(sources, [ODE.window(4, BARS)], drums=[BRIDGE], **told)
    begin, end = bridge_of(made)

    def others(whole):
        """All but the drums of the bridge."""
        return [r for r in rows(whole) if not (r[2][0] & 15 == 9 and begin <= r[1] < end)]

    assert others(made) == others(plain)
    resolution = made.arrangement.ticks_per_quarter
    hits = [
        (note.track, note.pitch, (note.start - begin) * 4 / resolution)
        for note in made.arrangement.notes
        if note.channel == 9 and begin <= note.start < end
    ]
    first, second = 5, 10  # the tracks of the drums of both files, after that of the tempos
    assert hits == [
        *((first if step < STEPS // 2 else second, 36, step) for step in range(0, STEPS, 8)),
        (second, PITCHES[LOW_TOM], 62),
    ]


def test_the_drums_of_a_bridge_are_as_loud_as_those_beside_it():
    loud = dataclasses.replace(ROCK, velocity=np.full(ROCK.piece.size, 120))
    soft = dataclasses.replace(BOSSA, velocity=np.full(BOSSA.piece.size, 40))
    sources = [arrangement.from_melody(*pair) for pair in ((ODE, loud), (REEL, soft))]
    curve = np.array([0.0, 0.25, 0.75, 1.0])
    accents = dataclasses.replace(BRIDGE, velocity=np.where(BRIDGE.step % 16, 60, 100))
    made = medley(sources, [ODE.window(4, BARS)], curves=[curve], drums=[accents])
    begin, end = bridge_of(made)
    velocity = [n.velocity for n in made.arrangement.notes if n.channel == 9]
    start = [n.start for n in made.arrangement.notes if n.channel == 9]
    heard = np.array([v for v, s in zip(velocity, start, strict=True) if begin <= s < end])
    share = accents.velocity / accents.velocity.mean()
    level = np.array([120, 100, 60, 40])[accents.step // 16]
    np.testing.assert_array_equal(heard, np.minimum(np.rint(level * share), 127))


def test_each_file_is_played_with_its_own_notes_for_the_pieces():
    own = drum_part.own_notes([40, 40, 38, 35], [SNARE, SNARE, SNARE, KICK])
    assert own[SNARE] == 40 and own[KICK] == 35
    assert own[LOW_TOM] == PITCHES[LOW_TOM]


def test_drums_can_be_silent_in_a_bridge_and_need_drums_in_both_files(sources):
    silent = medley(sources, [ODE.window(4, BARS)], drums=[Drums.from_hits([], STEPS)])
    begin, end = bridge_of(silent)
    struck = [n for n in silent.arrangement.notes if n.channel == 9 and begin <= n.start < end]
    assert not struck
    alone = [sources[0], arrangement.from_melody(REEL)]
    with pytest.raises(ValueError, match="a file has no drums"):
        medley(alone, [ODE.window(4, BARS)], drums=[BRIDGE])
