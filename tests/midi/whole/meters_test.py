import mido
import numpy as np
import pytest

from musicvae_jax.midi.reading import make_reading
from musicvae_jax.midi.whole import arrangement
from musicvae_jax.midi.whole.accompaniment import ACCOMPANIMENTS
from musicvae_jax.midi.whole.medley import medley
from musicvae_jax.midi.whole.placement import Placement
from musicvae_jax.music.examples import example_melodies
from musicvae_jax.music.grid import GRIDS
from musicvae_jax.music.melody import Melody
from musicvae_jax.music.rebar import rebar
from musicvae_jax.notation import read
from tests import songs
from tests.midi.whole.medley_test import absolute, check_outside_of_the_bridge, file_of, sounding

_, REEL = example_melodies().values()
WALTZ, JIG = example_melodies(12).values()
SLIP = rebar(JIG, GRIDS["9/8"])
# Bars of the waltz, and bars of the reel: the meter changes in the middle of the bridge.
PARTS = (WALTZ.window(4, 4), REEL.window(4, 4))


@pytest.fixture(scope="module")
def paths(tmp_path_factory):
    """Songs in 3/4, 4/4, 6/8 and 9/8 that use the same channels."""
    folder = tmp_path_factory.mktemp("songs")
    told = {"before": 3, "after": 2, "programs": (40, 33, 24), "seed": 1, "bpm": 140.0}
    return {
        "waltz": songs.write_song(folder / "waltz.mid", WALTZ),
        "reel": songs.write_song(folder / "reel.mid", REEL, ticks_per_quarter=384, **told),
        "jig": songs.write_song(folder / "jig.mid", JIG, **told),
        "slip": songs.write_song(folder / "slip.mid", SLIP, ticks_per_quarter=96),
    }


@pytest.fixture(scope="module")
def sources(paths):
    return {name: read.read_whole(path) for name, path in paths.items()}


class Bridge:
    """A bridge of two meters, as `interpolate` makes them."""

    def __init__(self, parts):
        self.parts = parts
        bars = sum(part.num_bars for part in parts)
        self.curve = np.arange(1, bars + 1) / (bars + 1)


@pytest.mark.parametrize(
    ("kind", "key_path"), [("none", "transpose"), ("fade", "keep"), ("hold", "keep")]
)
def test_a_waltz_and_a_reel_are_as_they_were_outside_of_the_bridge(paths, sources, kind, key_path):
    pair = ("waltz", "reel")
    result = medley(
        [sources[name] for name in pair], [Bridge(PARTS)], accompaniment=kind, key_path=key_path
    )
    assert result.origin == 2 * 3 * result.arrangement.ticks_per_quarter
    files = [paths[name] for name in pair]
    assert check_outside_of_the_bridge(result, files, 16 * 3, 4 * 3 + 4 * 4) > 1300


@pytest.mark.parametrize("pair", [("jig", "waltz"), ("slip", "jig"), ("reel", "slip")])
def test_songs_in_any_meter_are_as_they_were_outside_of_the_bridge(paths, sources, pair):
    first, second = (sources[name] for name in pair)
    parts = (first.melody.window(0, 3), second.melody.window(0, 2))
    result = medley([first, second], [Bridge(parts)], accompaniment="fade")
    quarters = [source.melody.grid.quarters_per_bar for source in (first, second)]
    lengths = (16 * quarters[0], 3 * quarters[0] + 2 * quarters[1])
    assert check_outside_of_the_bridge(result, [paths[name] for name in pair], *lengths) > 700


def bar_lines(track, resolution):
    """The meters of a track of mido, and where bars begin up to its end, in quarter notes."""
    changes = [(t, m) for t, m in absolute(track) if m.type == "time_signature"]
    end = sum(message.time for message in track)
    lines = []
    for (tick, m), (stop, _) in zip(changes, [*changes[1:], (end, None)], strict=True):
        bar = round(4 * m.numerator / m.denominator * resolution)
        # Before the first bar there may be an upbeat.
        assert (stop - tick) % bar == 0 or stop == end or stop < bar
        lines += range(tick, stop, bar)
    return [(m.numerator, m.denominator) for _, m in changes], np.array(lines) / resolution


def test_meters_bar_lines_and_tempos_by_another_library(sources):
    pair = [sources["waltz"], sources["reel"]]
    result = medley(pair, [Bridge(PARTS)], accompaniment="fade")
    written = file_of(result.midi_bytes())
    meters, lines = bar_lines(written.tracks[0], written.ticks_per_beat)
    assert meters == [(3, 4), (3, 4), (4, 4), (4, 4)]
    threes, fours = 2 + 16 + 4, 4 + 16 + 2
    expected = [*(3 * np.arange(threes)), *(3 * threes + 4 * np.arange(fours))]
    assert lines[: len(expected)].tolist() == expected
    # In a bar of the piece, from the first one of the waltz's melody.
    ticks = np.array([0, 6, 6 + 48, 6 + 60, 6 + 76]) * written.ticks_per_beat
    assert result.bars_at(ticks).tolist() == [-2, 0, 16, 20, 24]
    end = written.length
    assert result.seconds_at(result.end) == pytest.approx(end, abs=1e-3)


def tempos_in(result, first, last):
    """The tempos that begin in some quarter notes of the piece."""
    resolution = result.arrangement.ticks_per_quarter
    return [
        (tick / resolution, 60e6 / message.tempo)
        for tick, message in absolute(file_of(result.midi_bytes()).tracks[0])
        if message.type == "set_tempo" and first <= tick / resolution < last
    ]


@pytest.mark.parametrize("keeps", ["beat", "bar"])
def test_what_keeps_its_length_where_the_meter_changes(sources, keeps):
    """At the change of 3/4 to 4/4 inside of the bridge, beats or bars last equally long."""
    pair = [sources["waltz"], sources["reel"]]
    result = medley(pair, [Bridge(PARTS)], keeps=keeps, accompaniment="none")
    change = 3 * (2 + 16 + 4)
    before = tempos_in(result, 0, change)[-1][1]
    after = tempos_in(result, change, change + 1)[0][1]
    assert after / before == pytest.approx({"beat": 1, "bar": 4 / 3}[keeps], rel=0.03)


@pytest.mark.parametrize("kind", ACCOMPANIMENTS)
def test_the_line_of_a_bridge_of_two_meters_is_played_where_it_is_written(sources, kind):
    pair = [sources["waltz"], sources["reel"]]
    result = medley(pair, [Bridge(PARTS)], accompaniment=kind, programs="switch")
    for track in file_of(result.midi_bytes()).tracks:
        sounding(absolute(track))  # every note ends
    resolution = result.arrangement.ticks_per_quarter
    line = result.origin + 16 * 3 * resolution
    end = line + 28 * resolution
    heard = sorted(
        (n.start - line, n.end - line, n.pitch)
        for n in result.arrangement.notes
        if n.channel in (0, 3) and line <= n.start < end - resolution // 8
    )
    first, second = ([*PARTS[0].notes()], [*PARTS[1].notes()])
    expected = [(s / 4, e / 4, p) for p, s, e in first]
    expected += [(12 + s / 4, 12 + e / 4, p) for p, s, e in second]
    assert heard == [(s * resolution, e * resolution, p) for s, e, p in expected]


def note(source, pitch, start, end):
    quarter = source.arrangement.ticks_per_quarter
    return arrangement.Note(1, 0, pitch, 80, round(start * quarter), round(end * quarter))


def spans(source, grid, start, end):
    quarter = source.arrangement.ticks_per_quarter
    placed = Placement(source, 0, GRIDS[grid])
    begin = source.bar_line(0) / quarter
    found = placed.spans(note(source, 60, begin + start, begin + end))
    return [(a / quarter, b / quarter) for a, b in found]


def test_an_accompaniment_in_another_meter_by_hand(sources):
    waltz, reel, jig = sources["waltz"], sources["reel"], sources["jig"]
    # In its own meter nothing moves.
    assert spans(waltz, "3/4", 0.5, 9) == [(0.5, 9)]
    # The third beat of a waltz is struck once more in 4/4, and a held note is held.
    assert spans(waltz, "4/4", 2, 2.5) == [(2, 2.5), (3, 3.5)]
    assert spans(waltz, "4/4", 0, 3) == [(0, 4)]
    assert spans(waltz, "4/4", 1, 2) == [(1, 2)]
    # The fourth beat of a reel is dropped in 3/4.
    assert spans(reel, "3/4", 3, 4) == [] == spans(reel, "3/4", 3.5, 4)
    assert spans(reel, "3/4", 2, 4) == [(2, 3)]
    # Eighths of a jig move to sixteenths of 4/4, each as late as it was, in shares of a beat.
    assert spans(jig, "4/4", 0.5, 1.0) == [(0.75, 1.25)]
    late = spans(jig, "4/4", 0.5 + 1 / 32, 1.0)[0][0] - 0.75
    assert late == pytest.approx(4 / 3 / 32, abs=1e-3)


def test_a_fade_is_heard_in_both_meters(sources):
    """Beside bars of 4/4 the waltz strikes its third beat twice."""
    pair = [sources["waltz"], sources["reel"]]
    lines = [Bridge((rebar(WALTZ, REEL.grid).window(0, 8),))]
    result = medley(pair, lines, accompaniment="fade", programs="keep")
    resolution = result.arrangement.ticks_per_quarter
    line = result.origin + 48 * resolution
    bass = [
        round((n.start - line) / resolution * 4)
        for n in result.arrangement.notes
        if n.channel == 1 and -resolution // 8 <= n.start - line < 16 * resolution - resolution // 8
    ]
    assert bass == list(range(0, 64, 4))


def test_a_song_that_is_read_in_another_meter_goes_on_in_that_one(tmp_path):
    """A file of 3/4 says nothing of its meter, which MIDI takes for 4/4; a user tells it."""
    path = songs.write_song(tmp_path / "a.mid", WALTZ)
    file = mido.MidiFile(path)
    file.tracks[0] = mido.MidiTrack(m for m in file.tracks[0] if m.type != "time_signature")
    file.save(path)
    source = read.read_whole(path, make_reading(meter="3/4"))
    result = medley([source, source], [WALTZ.window(0, 2)], accompaniment="none")
    meters, _ = bar_lines(file_of(result.midi_bytes()).tracks[0], 480)
    assert set(meters) == {(3, 4)}


def of_file(path, melody, meters, start=0):
    """A file of a melody that begins some quarter notes late, with meters at quarter notes."""
    track = mido.MidiTrack()
    events = [
        (480 * q, mido.MetaMessage("time_signature", numerator=n, denominator=d))
        for q, n, d in meters
    ]
    events.append((0, mido.MetaMessage("set_tempo", tempo=mido.bpm2tempo(180))))
    for pitch, begin, end in melody.notes():
        places = [round(480 * (start + float(melody.grid.quarters(s)))) for s in (begin, end)]
        events.append((places[0], mido.Message("note_on", note=pitch)))
        events.append((places[1], mido.Message("note_off", note=pitch)))
    now = 0
    for tick, message in sorted(events, key=lambda event: event[0]):
        track.append(message.copy(time=tick - now))
        now = tick
    file = mido.MidiFile(ticks_per_beat=480)
    file.tracks.append(track)
    file.save(path)
    return path


TWELVE = Melody.from_notes(
    [(60 + n % 7, n, n + 1) for n in range(120)], 120, grid=GRIDS["6/8"], tempo_bpm=180.0
)


@pytest.mark.parametrize(
    ("melody", "declared", "told", "bars", "expected"),
    [
        # Two bars of 2/4 are one of the melody.
        (REEL, (2, 4), None, (4, 8), (2, 4)),
        # Sixteenths in 12/8 are read in 6/8, and the second half of a bar is one of the melody.
        (TWELVE, (12, 8), None, (2, 8), (12, 8)),
        (TWELVE, (12, 8), None, (3, 8), (6, 8)),
        (WALTZ, (4, 4), "3/4", (3, 8), (3, 4)),
    ],
)
def test_the_meter_in_which_a_song_goes_on(tmp_path, melody, declared, told, bars, expected):
    path = of_file(tmp_path / "a.mid", melody, [(0, *declared)])
    source = read.read_whole(path, make_reading(meter=told))
    assert source.melody.notes() == melody.notes()
    second = source.between(*bars)
    first = arrangement.from_melody(REEL)
    result = medley([first, second], [REEL.window(0, 2)], accompaniment="none")
    meters, lines = bar_lines(file_of(result.midi_bytes()).tracks[0], 960)
    assert meters == [(4, 4), (4, 4), expected]
    assert 4 * 18 in lines


@pytest.mark.parametrize("place", ["first", "second"])
def test_bar_lines_where_the_reader_has_found_an_upbeat(tmp_path, place):
    """The file says that its first note begins a bar, and a user that it is an upbeat."""
    path = of_file(tmp_path / "a.mid", REEL, [(0, 4, 4)])
    source = read.read_whole(path, make_reading(bar_one=1))
    assert source.origin == -3
    ode = arrangement.from_melody(example_melodies()["ode_to_joy"])
    pair = [source, ode] if place == "first" else [ode, source]
    result = medley(pair, [REEL.window(0, 2)], accompaniment="none")
    track = file_of(result.midi_bytes()).tracks[0]
    _, lines = bar_lines(track, result.arrangement.ticks_per_quarter)
    if place == "first":
        assert lines.tolist() == [0, *(1 + 4 * np.arange(lines.size - 1)).tolist()]
    else:
        assert lines.tolist() == (4 * np.arange(lines.size)).tolist()
        tempos = tempos_in(result, 72, 100)
        assert [(quarter, round(bpm, 3)) for quarter, bpm in tempos] == [(72, 180), (75, 180)]


def test_swung_and_straight(tmp_path):
    """A song in triplets before one in sixteenths: both are exact on the grid of ticks."""
    steps = [n // 2 * 3 + n % 2 * 2 for n in range(33)]
    notes = [(60 + n % 5, steps[n], steps[n + 1]) for n in range(32)]
    swing = Melody.from_notes(notes, 48, grid=GRIDS["triplets"])
    path = songs.write_song(tmp_path / "swing.mid", swing, ticks_per_quarter=96, before=0, after=0)
    source = read.read_whole(path)
    assert source.melody.notes() == swing.notes()
    bridge = Bridge((swing.window(0, 1), REEL.window(0, 1)))
    result = medley([source, arrangement.from_melody(REEL)], [bridge], accompaniment="fade")
    resolution = result.arrangement.ticks_per_quarter
    assert resolution == 960
    line = 16 * resolution
    starts = [n.start - line for n in result.arrangement.notes if n.channel == 0]
    expected = [round(step * resolution / 3) for step in steps[:8]]
    assert [start for start in starts if 0 <= start < 4 * resolution] == expected
    meters, _ = bar_lines(file_of(result.midi_bytes()).tracks[0], resolution)
    assert set(meters) == {(4, 4)}
