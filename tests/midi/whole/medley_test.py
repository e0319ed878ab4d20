import io

import hypothesis
import hypothesis.strategies as st
import mido
import numpy as np
import pytest

from musicvae_jax.midi.whole import arrangement, events
from musicvae_jax.midi.whole.accompaniment import ACCOMPANIMENTS
from musicvae_jax.midi.whole.arrangement import Source
from musicvae_jax.midi.whole.medley import medley
from musicvae_jax.music.examples import example_melodies
from musicvae_jax.music.melody import Melody
from musicvae_jax.music.modulation import plan_keys
from musicvae_jax.notation import read
from tests import songs

ODE, REEL = example_melodies().values()
BRIDGE = ODE.window(4, 8)
OF_ALL = ("set_tempo", "time_signature", "key_signature", "smpte_offset", "marker", "cue_marker")


@pytest.fixture(scope="module")
def paths(tmp_path_factory):
    """Two songs that use the same channels, at resolutions whose common multiple is 1920."""
    folder = tmp_path_factory.mktemp("songs")
    first = songs.write_song(folder / "ode.mid", ODE)
    second = songs.write_song(
        folder / "reel.mid",
        REEL.transpose(-7),
        ticks_per_quarter=384,
        before=3,
        after=2,
        programs=(40, 33, 24),
        seed=1,
        bpm=140.0,
    )
    return first, second


@pytest.fixture(scope="module")
def sources(paths):
    return [read.read_whole(path) for path in paths]


def made(sources, **told):
    return medley(sources, [BRIDGE] * (len(sources) - 1), **told)


def file_of(content):
    return mido.MidiFile(file=io.BytesIO(content))


def absolute(track, scale=1):
    """The messages with their ticks, without the end of the track."""
    ticks = (np.cumsum([message.time for message in track]) * scale).tolist()
    pairs = zip(ticks, (message.copy(time=0) for message in track), strict=True)
    return [(tick, message) for tick, message in pairs if message.type != "end_of_track"]


def left_over(part, whole):
    """What of a list is left without a part of it, whose members must come in their order."""
    rest = []
    place = 0
    for item in whole:
        if place < len(part) and item == part[place]:
            place += 1
        else:
            rest.append(item)
    assert place == len(part), f"missing: {part[place]}"
    return rest


def as_moved(message, file):
    if not hasattr(message, "channel"):
        return message
    channels = dict(file.channels)
    moved = message.copy(channel=channels[message.channel])
    if hasattr(message, "note") and message.channel != 9:
        moved = moved.copy(note=moved.note + file.semitones)
    return moved


@pytest.mark.parametrize(
    ("kind", "key_path"),
    [("none", "transpose"), ("fade", "keep"), ("fade", "glide"), ("hold", "keep")],
)
def test_outside_of_the_bridge_every_event_is_the_files_own(paths, sources, kind, key_path):
    result = made(sources, accompaniment=kind, key_path=key_path)
    written = file_of(result.midi_bytes("both"))
    assert written.type == 1
    assert written.ticks_per_beat == 1920
    compared = check_outside_of_the_bridge(result, paths, 16 * 4, 8 * 4)
    assert compared > 1500
    assert result.files[0].semitones == 0
    expected = plan_keys([ODE, REEL.transpose(-7)], key_path).shifts[1]
    assert result.files[1].semitones == expected


def check_outside_of_the_bridge(result, paths, quarters_before, quarters_of_bridge):
    """Asserts that two files are as they were, by mido; returns how many events were compared."""
    written = file_of(result.midi_bytes("both"))
    resolution = written.ticks_per_beat
    early = resolution // 8
    first, *tracks = (absolute(track) for track in written.tracks)
    leave = result.origin + round(quarters_before * resolution)
    enter = leave + round(quarters_of_bridge * resolution)
    originals = [mido.MidiFile(path) for path in paths]
    count = len(originals[0].tracks)
    compared = 0
    for number, (file, original) in enumerate(zip(result.files, originals, strict=True)):
        scale = resolution // original.ticks_per_beat
        mine = tracks[:count] if number == 0 else tracks[count:]
        cut = (leave if number == 0 else enter) - early - file.shift
        for own, track in zip(mine, original.tracks, strict=True):
            source = [
                (tick + file.shift, as_moved(message, file))
                for tick, message in absolute(track, scale)
                if (tick < cut) == (number == 0) and message.type not in OF_ALL
            ]
            compared += len(source)
            if number == 0:
                inside = [row for row in own if row[0] < leave - early]
                assert inside == source
            else:
                # The offs of what the bridge or the cut has ended are no longer there.
                begun = [row for row in own if row[0] >= enter - early]
                ons = [row for row in source if row[1].type != "note_off"]
                rest = left_over(ons, [row for row in begun if row[1].type != "note_off"])
                assert all(tick <= enter for tick, _ in rest)
                assert not any(m.type == "note_on" and tick > enter - early for tick, m in rest)
        song_wide = [
            (tick + file.shift, message)
            for tick, message in absolute(mido.merge_tracks(original.tracks), scale)
            if message.type in OF_ALL[:2] and (tick < cut) == (number == 0)
        ]
        left_over(song_wide, first)
    return compared


def sounding(track_events):
    """The notes of mido messages as (pitch, start, end, velocity), by channel."""
    notes, begun = {}, {}
    for tick, message in track_events:
        if message.type == "note_on" and message.velocity:
            key = (message.channel, message.note)
            begun.setdefault(key, []).append((tick, message.velocity))
        elif message.type in ("note_on", "note_off"):
            start, velocity = begun[message.channel, message.note].pop(0)
            row = (message.note, start, tick, velocity)
            notes.setdefault(message.channel, []).append(row)
    assert not any(begun.values())
    return notes


@pytest.mark.parametrize("kind", ACCOMPANIMENTS)
def test_every_note_that_begins_ends_and_its_neighbour_on_the_channel_is_its_own(sources, kind):
    result = made(sources, accompaniment=kind)
    for track in file_of(result.midi_bytes()).tracks:
        sounding(absolute(track))
    first, second = (set(file.channels.values()) for file in result.files)
    assert first & second == {9}


def bridge_notes(result):
    """The notes of a medley in its bridge, in steps from its beginning, by channel."""
    resolution = result.arrangement.ticks_per_quarter
    line = result.origin + result.piece.sections[1].start_step * resolution // 4
    end = line + 4 * result.piece.sections[1].melody.num_bars * resolution
    rows = {}
    for note in result.arrangement.notes:
        if line <= note.start < end - resolution // 8:
            place = tuple(round((tick - line) * 4 / resolution) for tick in (note.start, note.end))
            rows.setdefault(note.channel, []).append((note.pitch, *place))
    return rows


def test_without_accompaniment_a_bridge_is_its_line(sources):
    rows = bridge_notes(made(sources, accompaniment="none", programs="switch"))
    line = sorted(rows[0] + rows[3], key=lambda row: row[1])
    assert line == BRIDGE.notes()
    assert set(rows) == {0, 3}


def test_a_fade_plays_the_bars_beside_the_bridge(sources):
    rows = bridge_notes(made(sources, accompaniment="fade", programs="keep"))
    assert rows[0] == BRIDGE.notes()  # and not the melodies themselves
    for side, channels in enumerate(((1, 2), (4, 5))):
        source = sources[side]
        resolution = source.arrangement.ticks_per_quarter
        first = (8, 0)[side]  # bars 9 to 16 of the first melody, 1 to 8 of the second
        for channel, own in zip(channels, (1, 2), strict=True):
            beside = [
                (note.pitch, source.step(note.start) - 16 * first)
                for note in source.arrangement.notes
                if note.channel == own
            ]
            steps = range(64) if side == 0 else range(64, 128)
            expected = {(pitch, step) for pitch, step in beside if step in steps}
            assert {row[:2] for row in rows[channel]} == expected
            assert resolution
    drums = np.array([row[1] for row in rows[9]])
    assert set(range(0, 128, 2)) <= set(drums.tolist())


def test_a_fade_is_softest_in_its_middle(sources):
    result = made(sources, accompaniment="fade")
    resolution = result.arrangement.ticks_per_quarter
    line = result.origin + 64 * resolution
    by_bar = [[] for _ in range(8)]
    for note in result.arrangement.notes:
        bar = (note.start - line + resolution // 8) // (4 * resolution)
        if note.channel == 9 and 0 <= bar < 8:
            by_bar[bar].append(note.velocity)
    means = np.array([np.mean(velocities) for velocities in by_bar])
    assert means[3] < 0.8 * means[0] and means[4] < 0.8 * means[7]


def test_a_drone_holds_the_key(sources):
    rows = bridge_notes(made(sources, accompaniment="hold", key_path="keep"))
    first = {pitch % 12 for pitch, *_ in rows[2]}
    second = {pitch % 12 for pitch, *_ in rows[5]}
    keys = plan_keys([source.melody for source in sources]).keys
    for pitches, key in zip((first, second), keys, strict=True):
        assert pitches == {key.tonic, (key.tonic + 7) % 12}
    assert sorted({row[1] for row in rows[2]}) == [0, 16, 32, 48]
    assert sorted({row[1] for row in rows[5]}) == [64, 80, 96, 112]


def settings_at(track_events, tick):
    """Program, controllers and bend of each channel before a tick, by mido."""
    found = {}
    for place, message in sorted(track_events, key=lambda row: row[0]):
        if place > tick:
            break
        if message.type == "control_change":
            found[message.channel, message.control] = message.value
        elif message.type == "program_change":
            found[message.channel, "program"] = message.program
        elif message.type == "pitchwheel":
            found[message.channel, "bend"] = message.pitch
    return found


@pytest.mark.parametrize("kind", ACCOMPANIMENTS)
def test_the_second_song_finds_its_channels_as_it_left_them(paths, sources, kind):
    result = made(sources, accompaniment=kind)
    written = file_of(result.midi_bytes())
    enter = result.origin + 24 * 4 * 1920
    everything = [row for track in written.tracks for row in absolute(track)]
    file = result.files[1]
    original = [
        (tick + file.shift, message)
        for track in mido.MidiFile(paths[1]).tracks
        for tick, message in absolute(track, 5)
    ]
    neutral = {"program": 0, "bend": 0, 7: 100, 11: 127, 10: 64}
    for own, new in file.channels.items():
        first = min(
            tick
            for tick, message in original
            if message.type == "note_on" and message.channel == own and tick >= enter - 240
        )
        now = settings_at(everything, first)
        for (channel, key), value in settings_at(original, first).items():
            if channel == own:
                assert now.get((new, key), neutral.get(key, 0)) == value, (channel, key)


def one_note(pitch, start, end, *, channel=0, before=()):
    rows = [*before, events.note_on(start, channel, pitch, 64)]
    return (*rows, events.note_off(end, channel, pitch))


def test_a_note_over_the_seam_ends_there_and_one_held_into_the_entry_is_struck_there():
    four = Melody.from_notes([(60, 0, 4), (62, 4, 8), (64, 8, 12), (65, 12, 16)], 16)
    tune = arrangement.from_melody(four).arrangement.scaled(480).tracks[1]
    organ = one_note(48, 960, 9999, channel=1)
    cymbal = one_note(49, 0, 9999, channel=9)
    first = Source(four, 0.0, arrangement.Arrangement(480, (tune, organ, cymbal)))
    later = tuple(event.at(event.tick + 1920) for event in tune)
    second = Source(four, 4.0, arrangement.Arrangement(480, (later, organ, cymbal)))
    result = medley([first, second], [four], accompaniment="none")
    assert (result.files[0].num_cut, result.files[1].num_struck) == (2, 1)
    held = [(n.channel, n.start, n.end) for n in result.arrangement.notes if n.pitch == 48]
    assert held == [(1, 960, 1920), (3, 3840, 9999 + 1920)]
    assert [(n.start, n.end) for n in result.arrangement.notes if n.pitch == 49] == [(0, 1920)]


def full_band(programs):
    """A melody on channel 1 and a held note on each of the other pitched channels."""
    tune = arrangement.from_melody(ODE).arrangement.scaled(480).tracks[1]
    others = [
        one_note(40 + c, 0, 480 * 64, channel=c, before=[events.program_change(0, c, programs + c)])
        for c in arrangement.PITCHED_CHANNELS[1:]
    ]
    return Source(ODE, 0.0, arrangement.Arrangement(480, (tune, *others)))


def test_two_songs_that_need_all_channels_share_them_from_the_middle_on():
    result = medley([full_band(0), full_band(60)], [BRIDGE], accompaniment="fade")
    assert sorted(result.files[1].channels.values()) == list(arrangement.PITCHED_CHANNELS)
    line, bar = 16 * 4 * 480, 4 * 480
    for channel in arrangement.PITCHED_CHANNELS[1:]:
        changes = [
            (event.tick, event.message[1])
            for event in result.arrangement.of_channel(channel)
            if event.kind == events.PROGRAM
        ]
        middle = line + 4 * bar - 60
        assert (0, channel) in changes
        assert {program for tick, program in changes if tick >= middle} == {60 + channel}
        assert not [program for tick, program in changes if line < tick < middle]


def test_a_chain_of_songs_that_loops(sources):
    ode = arrangement.from_melody(ODE)
    result = medley([*sources, ode], [BRIDGE] * 3, titles=["a", "b", "c"])
    assert result.origin == 0
    markers = [m.message[2:].decode() for m in result.arrangement.of_song(events.MARKER)]
    assert markers[:3] == ["melody 1: a", "bridge 1", "melody 2: b"]
    length = (16 + 8) * 3 * 4
    assert result.end == length * result.arrangement.ticks_per_quarter
    length = file_of(result.midi_bytes()).length
    assert result.summary()["duration_sec"] == pytest.approx(length, abs=1e-3)
    for before, after in ((0, 1), (1, 2)):
        used = [set(result.files[n].channels.values()) - {9} for n in (before, after)]
        assert not used[0] & used[1]


def test_the_parts_of_notation_are_all_played(tmp_path):
    text = "X:1\nM:4/4\nL:1/4\nQ:1/4=90\nK:C\nV:1\nCDEF|GABc|\nV:2\nC,4|G,4|\n"
    (tmp_path / "two.abc").write_text(text)
    source = read.read_whole(tmp_path / "two.abc")
    result = medley([source, source], [BRIDGE], accompaniment="none")
    assert len(source.arrangement.channels) == 2
    assert len({channel for file in result.files for channel in file.channels.values()}) == 4
    lows = [note for note in result.arrangement.notes if note.pitch in (48, 55)]
    assert len(lows) == 4


def test_an_unknown_accompaniment_is_refused(sources):
    with pytest.raises(ValueError, match="valid are none, fade, hold"):
        made(sources, accompaniment="loud")


numbers = st.integers(0, 127)
messages = st.one_of(
    st.tuples(st.integers(0x80, 0xEF), numbers, numbers).map(
        lambda row: bytes(row[: 2 if row[0] >> 4 in (events.PROGRAM, events.PRESSURE) else 3])
    ),
    st.binary(max_size=200).map(lambda content: bytes([events.META, events.TEXT]) + content),
    st.lists(numbers, max_size=200).map(lambda content: bytes([events.SYSEX, *content, 0xF7])),
)


@hypothesis.given(st.lists(st.tuples(st.integers(0, 2**20), messages), max_size=30))
@hypothesis.settings(max_examples=40)
def test_another_library_reads_the_events_that_are_written(rows):
    ticks = np.cumsum([delta for delta, _ in rows]).tolist()
    track = [events.Event(tick, message) for tick, (_, message) in zip(ticks, rows, strict=True)]
    content = events.file_bytes([track], 96, 0)
    back = arrangement.from_midi(content, read.Song((), (), ()), read.Song((), (), ()))
    assert back == arrangement.Arrangement(96, (tuple(track),))
    theirs = absolute(file_of(content).tracks[0])
    assert [tick for tick, _ in theirs] == ticks
    for event, (_, message) in zip(track, theirs, strict=True):
        if event.channel is not None or event.message[0] == events.SYSEX:
            assert bytes(message.bytes()) == event.message


def test_songs_are_left_and_entered_at_any_bar(sources):
    first, second = sources[0].between(0, 9), sources[1].between(5, 16)
    result = medley([first, second], [BRIDGE], accompaniment="none")
    assert [section.start_bar for section in result.piece.sections] == [0, 9, 17]
    quarters = [file.summary(1920) for file in result.files]
    # Two bars stand before the first melody, and three before the second.
    assert quarters[0]["stop_at_quarter"] == 4 * (2 + 9)
    assert quarters[1]["start_at_quarter"] == 4 * (3 + 5)
    assert quarters[1]["moved_by_quarters"] == 4 * (2 + 9 + 8 - 3 - 5)
    line = result.piece.line.notes()
    heard = [n for n in result.arrangement.notes if n.channel in (0, 3)]
    assert len(heard) == len(line) + sum(16 * 9 <= start < 16 * 17 for _, start, _ in line)
