"""MusicXML files written by hand, and music21's reading of the same files."""

import io
import time
import zipfile

import pytest

from musicvae_jax.midi.extraction import extract
from musicvae_jax.midi.read import FileError
from musicvae_jax.notation import read, xml_tree
from musicvae_jax.notation.archive import MAX_XML_BYTES

NAMES = ["C", "C#", "D", "D#", "E", "F", "F#", "G", "G#", "A", "A#", "B"]
TYPES = {4: "quarter", 8: "half", 16: "whole", 2: "eighth", 1: "16th", 12: "half"}


def note(pitch: int | None, duration: int, *extra: str, lyric: str = "", voice: int = 1) -> str:
    """A note of some sixteenths; `extra` are elements that stand after its duration."""
    if pitch is None:
        what = "<rest/>"
    else:
        step = NAMES[pitch % 12]
        alter = "<alter>1</alter>" if "#" in step else ""
        what = f"<pitch><step>{step[0]}</step>{alter}<octave>{pitch // 12 - 1}</octave></pitch>"
    words = f"<lyric><syllabic>single</syllabic><text>{lyric}</text></lyric>" if lyric else ""
    return (
        f"<note>{what}<duration>{duration}</duration>{''.join(extra)}"
        f"<voice>{voice}</voice><type>{TYPES[duration]}</type>{words}</note>"
    )


def attributes(beats: int = 4, unit: int = 4, more: str = "") -> str:
    time = f"<time><beats>{beats}</beats><beat-type>{unit}</beat-type></time>"
    return f"<attributes><divisions>4</divisions>{time}{more}</attributes>"


def file(*parts: list[str], names: tuple[str, ...] = (), title: str = "Song") -> bytes:
    """A file with parts that are lists of the contents of measures."""
    names = names or tuple(f"Part {i}" for i in range(len(parts)))
    listed = "".join(
        f'<score-part id="P{i}"><part-name>{name}</part-name></score-part>'
        for i, name in enumerate(names)
    )
    music = "".join(
        f'<part id="P{i}">'
        + "".join(f'<measure number="{n}">{m}</measure>' for n, m in enumerate(measures))
        + "</part>"
        for i, measures in enumerate(parts)
    )
    text = (
        '<?xml version="1.0" encoding="UTF-8"?>\n'
        '<!DOCTYPE score-partwise PUBLIC "-//Recordare//DTD MusicXML 4.0 Partwise//EN" '
        '"http://www.musicxml.org/dtds/partwise.dtd">\n'
        f'<score-partwise version="4.0"><work><work-title>{title}</work-title></work>'
        f"<part-list>{listed}</part-list>{music}</score-partwise>"
    )
    return text.encode()


def archive(xml: bytes, name: str = "score.xml", container: str | None = None) -> bytes:
    container = container or (
        f'<container><rootfiles><rootfile full-path="{name}"/></rootfiles></container>'
    )
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as packed:
        packed.writestr("META-INF/container.xml", container)
        packed.writestr(name, xml)
    return buffer.getvalue()


def rows(track) -> list[tuple[int, float, float]]:
    """`(pitch, start, end)` of each note, in quarter notes."""
    return list(zip(track.pitch.tolist(), track.start.tolist(), track.end.tolist(), strict=True))


def only_track(data: bytes, name: str = "x.musicxml") -> list[tuple[int, float, float]]:
    [track] = read.song_from_bytes(data, name).tracks
    return rows(track)


REPEAT = '<barline location="right"><repeat direction="backward"/></barline>'


def test_an_upbeat_stands_before_its_bar_line_each_time():
    first = attributes() + note(60, 4)
    last = note(64, 8) + note(65, 4) + REPEAT
    assert only_track(file([first, note(62, 16), last])) == [
        (60, 3, 4), (62, 4, 8), (64, 8, 10), (65, 10, 11),
        (60, 11, 12), (62, 12, 16), (64, 16, 18), (65, 18, 19),
    ]  # fmt: skip


def test_an_upbeat_to_a_pair_of_bars():
    data = file([attributes(2, 4) + note(60, 2), note(62, 8), note(64, 8)])
    assert only_track(data) == [(60, 3.5, 4), (62, 4, 6), (64, 6, 8)]
    assert read.song_from_bytes(data, "x.xml").meters == ((0, 2, 4),)


def test_a_bar_in_two_parts_and_a_repeated_upbeat_over_a_full_bar_keep_the_grid():
    split = [attributes() + note(60, 16), note(62, 12), note(64, 4), note(65, 16)]
    assert only_track(file(split)) == [(60, 0, 4), (62, 4, 7), (64, 7, 8), (65, 8, 12)]
    over = [attributes() + note(60, 4), note(62, 16), note(64, 16) + REPEAT]
    assert only_track(file(over))[3:] == [(60, 11, 12), (62, 12, 16), (64, 16, 20)]
    assert only_track(file(over))[2] == (64, 8, 11)


def test_a_short_bar_is_filled_up():
    data = file([attributes() + note(60, 16), note(62, 8), note(64, 16)])
    assert only_track(data) == [(60, 0, 4), (62, 4, 6), (64, 8, 12)]
    assert "1 bars are not as long" in read.song_from_bytes(data, "x.xml").warnings[0]


def test_bars_of_parts_in_different_meters_last_equally_long():
    """The rests of the voice are as long as MuseScore writes them: one and a half times."""
    stretched = note(None, 4).replace("<duration>4", "<duration>6")
    voice = [attributes(2, 4) + note(60, 4) + stretched, note(62, 4) * 2, note(64, 8)]
    piano = [attributes(6, 8) + note(48, 2) * 6, note(50, 12), note(52, 4) * 3]
    song = read.song_from_bytes(file(voice, piano), "x.musicxml")
    assert not song.warnings
    assert song.meters == ((0, 2, 4),)
    upper, lower = map(rows, song.tracks)
    assert upper == [(60, 0, 1), (62, 2, 3), (62, 3, 4), (64, 4, 6)]
    assert [start for _, start, _ in lower] == pytest.approx(
        [0, 1 / 3, 2 / 3, 1, 4 / 3, 5 / 3, 2, 4, 14 / 3, 16 / 3], abs=1e-4
    )


def test_a_full_bar_of_the_first_part_is_right_though_another_part_has_too_much():
    voice = [attributes() + note(60, 16), note(62, 16)]
    piano = [attributes() + note(48, 8) * 3, note(50, 16)]
    song = read.song_from_bytes(file(voice, piano), "x.musicxml")
    assert [track.start.tolist() for track in song.tracks] == [[0, 4], [0, 2, 4, 4]]


def test_the_meter_of_a_file_that_tells_none():
    divisions = "<attributes><divisions>4</divisions></attributes>"
    data = file([divisions + note(60, 4), note(62, 12), note(64, 12), note(65, 8)])
    assert read.song_from_bytes(data, "x.musicxml").meters == ((0, 3, 4),)
    assert only_track(data) == [(60, 2, 3), (62, 3, 6), (64, 6, 9), (65, 9, 11)]


def test_endings_and_the_times_of_a_repeat():
    def under(number: str, kind: str, more: str = "") -> str:
        mark = f'ending number="{number}" type='
        start = f'<barline location="left"><{mark}"start"/></barline>'
        stop = f'<barline location="right"><{mark}"{kind}"/>{more}</barline>'
        return start + note(64 if "1" in number else 65, 16) + stop

    back = '<repeat direction="backward"/>'
    measures = [attributes() + note(60, 16), under("1, 2", "stop", back), under("3", "stop")]
    pitches = [pitch for pitch, _, _ in only_track(file([*measures, note(67, 16)]))]
    assert pitches == [60, 64, 60, 64, 60, 65, 67]


def test_da_capo_al_fine():
    fine = "<direction><direction-type><words>Fine</words></direction-type></direction>"
    da_capo = (
        "<direction><direction-type><words>D.C. al Fine</words></direction-type>"
        '<sound dacapo="yes"/></direction>'
    )
    advice = "<direction><direction-type><words>rall. al Fine</words></direction-type></direction>"
    measures = [attributes() + note(60, 16) + advice, note(62, 16) + fine, note(64, 16) + da_capo]
    assert [pitch for pitch, _, _ in only_track(file(measures))] == [60, 62, 64, 60, 62]


def test_ties_are_joined_over_bar_lines_and_grace_notes_left_out():
    start, stop = '<tie type="start"/>', '<tie type="stop"/>'
    grace = "<note><grace/><pitch><step>D</step><octave>5</octave></pitch></note>"
    cue = note(80, 4).replace("<note>", "<note><cue/>")
    measures = [
        attributes() + note(60, 12) + note(62, 4, start),
        note(62, 4, stop, start) + grace + note(62, 4, stop) + cue + note(62, 4),
    ]
    assert only_track(file(measures)) == [(60, 0, 3), (62, 3, 6), (62, 7, 8)]


def test_transposing_instruments_sound():
    clarinet = "<transpose><diatonic>-1</diatonic><chromatic>-2</chromatic></transpose>"
    low = "<transpose><chromatic>0</chromatic><octave-change>-1</octave-change></transpose>"
    assert only_track(file([attributes(more=clarinet) + note(62, 16)])) == [(60, 0, 4)]
    assert only_track(file([attributes(more=low) + note(62, 16)])) == [(50, 0, 4)]


def test_clefs_and_lines_of_octaves_move_nothing():
    """The pitch of a note in a file is where it sounds, however it is drawn."""
    clef = "<clef><sign>G</sign><line>2</line><clef-octave-change>-1</clef-octave-change></clef>"
    line = '<direction><direction-type><octave-shift type="down"/></direction-type></direction>'
    assert only_track(file([attributes(more=clef) + line + note(60, 16)])) == [(60, 0, 4)]


def test_voices_and_parts_that_begin_later():
    back = "<backup><duration>16</duration></backup>"
    first = attributes() + note(72, 16)
    second = note(74, 16) + back + note(None, 8, voice=2) + note(64, 8, voice=2)
    third = (
        note(76, 16) + back + "<forward><duration>12</duration></forward>" + note(65, 4, voice=2)
    )
    rest = attributes() + note(None, 16).replace("<rest/>", '<rest measure="yes"/>')
    song = read.song_from_bytes(file([first, second, third], [rest, rest, note(48, 16)]), "x.xml")
    assert list(map(rows, song.tracks)) == [
        [(72, 0, 4), (74, 4, 8), (76, 8, 12)],
        [(64, 6, 8), (65, 11, 12)],
        [(48, 8, 12)],
    ]


def test_two_verses_below_a_note_count_once():
    second = '<lyric number="2"><text>lo</text></lyric></note>'
    bar = note(60, 4, lyric="la").replace("</note>", second) * 4
    song = read.song_from_bytes(file([attributes() + bar]), "x.xml")
    assert song.tracks[0].num_syllables == 4


def test_an_upbeat_before_a_repeat_with_endings():
    """The upbeat is played once; the first ending leads back with its own."""

    def under(time: int, content: str, more: str = "") -> str:
        start = f'<barline location="left"><ending number="{time}" type="start"/></barline>'
        end = f'<barline location="right"><ending number="{time}" type="stop"/>{more}</barline>'
        return start + content + end

    forward = '<barline location="left"><repeat direction="forward"/></barline>'
    back = '<repeat direction="backward"/>'
    measures = [
        attributes() + note(67, 4),
        forward + note(72, 16),
        under(1, note(74, 12) + note(67, 4), back),
        under(2, note(74, 12)),
    ]
    assert [(pitch, start) for pitch, start, _ in only_track(file(measures))] == [
        (67, 3), (72, 4), (74, 8), (67, 11), (72, 12), (74, 16),
    ]  # fmt: skip


def test_the_part_with_words_is_the_melody():
    piano = [attributes() + note(72, 4) * 4, note(74, 4) * 4]
    voice = [attributes() + note(55, 4, lyric="la") * 4, note(57, 8, lyric="la") * 2]
    song = read.song_from_bytes(file(piano, voice, names=("Lead", "Basso")), "x.musicxml")
    assert [track.num_syllables for track in song.tracks] == [0, 6]
    melody = extract(song).melody
    assert melody is not None
    assert melody.pitch.tolist() == [55, 55, 55, 55, 57, 57]


def test_voices_are_tracks_and_the_upper_one_is_the_melody():
    back = "<backup><duration>16</duration></backup>"
    measure = attributes() + note(72, 16) + back + note(64, 4, voice=2) * 4
    more = note(74, 4) * 4 + back + note(65, 16, voice=2)
    song = read.song_from_bytes(file([measure, more]), "x.musicxml")
    assert [track.pitch.tolist() for track in song.tracks] == [[72] + [74] * 4, [64] * 4 + [65]]
    melody = extract(song).melody
    assert melody is not None
    assert melody.pitch.tolist() == [72, 74, 74, 74, 74]


def test_meters_tempos_and_title():
    mark = (
        "<direction><direction-type><metronome><beat-unit>half</beat-unit>"
        "<per-minute>60</per-minute></metronome></direction-type></direction>"
    )
    sound = '<direction><sound tempo="90"/></direction>'
    measures = [
        attributes(3, 4) + note(60, 4),
        mark + note(62, 12),
        attributes(4, 4) + note(64, 8) + sound + note(65, 8),
    ]
    song = read.song_from_bytes(file(measures, title="An &amp; Ode"), "x.musicxml")
    assert song.meters == ((0, 3, 4), (6, 4, 4))
    assert song.tempos == ((0, 120), (8, 90))
    assert song.title == "An & Ode"


def test_compressed_timewise_and_other_encodings():
    data = file([attributes() + note(60, 16), note(62, 16)], title="Été")
    expected = read.song_from_bytes(data, "x.musicxml")
    timewise = (
        "<score-timewise><part-list/>"
        f'<measure number="1"><part id="P0">{attributes() + note(60, 16)}</part></measure>'
        f'<measure number="2"><part id="P0">{note(62, 16)}</part></measure></score-timewise>'
    )
    assert only_track(timewise.encode()) == rows(expected.tracks[0])
    text = data.decode()
    latin = text.replace("UTF-8", "ISO-8859-1").encode("latin-1")
    others = [archive(data), latin, text.replace("UTF-8", "UTF-16").encode("utf-16")]
    others.append(archive(data, container="<container><rootfile full-path='A & B'/></container>"))
    for other in others:
        for name in ("x.mxl", "x.xml", "x"):
            song = read.song_from_bytes(other, name)
            assert (song.title, rows(song.tracks[0])) == ("Été", rows(expected.tracks[0]))


def test_as_music21_reads_it(tmp_path):
    """Two voices, chords, triplets and transposition, of music21's own making."""
    from music21 import chord, converter, instrument, meter, stream
    from music21 import note as note21

    score = stream.Score()
    for number, player in enumerate((instrument.Clarinet(), instrument.Piano())):
        part = stream.Part([player, meter.TimeSignature("3/4")])
        for i in range(40):
            length = [1 / 3, 0.25, 1.5, 2.0][i * 7 % 4]
            if i % 9 == 4:
                part.append(note21.Rest(quarterLength=length))
            elif number and i % 3 == 0:
                part.append(chord.Chord([50 + i % 7, 57 + i % 5], quarterLength=length))
            else:
                part.append(note21.Note(60 + i * 5 % 13, quarterLength=length))
        score.insert(0, part)
    path = score.write("musicxml", tmp_path / "m.musicxml")
    song = read.read_song(path)
    theirs = converter.parse(path)
    assert len(song.tracks) == 2
    for track, part in zip(song.tracks, theirs.parts, strict=True):
        notes = part.toSoundingPitch().stripTies().flatten().notes
        expected = sorted(
            (float(n.offset), p.midi, float(n.offset + n.quarterLength))
            for n in notes
            for p in n.pitches
        )
        found = [(start, pitch, end) for pitch, start, end in rows(track)]
        assert len(found) == len(expected)
        for ours, other in zip(found, expected, strict=True):
            assert ours == pytest.approx(other, abs=0.01)


BOMB = '<!DOCTYPE x [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;">]><score-partwise>&b;'
EXTERNAL = '<!DOCTYPE x [<!ENTITY a SYSTEM "file:///etc/passwd">]><score-partwise>&a;'
GOOD = file([attributes() + note(60, 16)])


@pytest.mark.parametrize(
    ("data", "name", "message"),
    [
        (b"", "x.mxl", "empty"),
        (b"\x00\xff\x13garbage", "x.musicxml", "not well-formed"),
        (b"PK\x03\x04garbage", "x.mxl", "damaged archive"),
        (archive(GOOD)[:-40], "x.mxl", "damaged archive"),
        (GOOD[:-100], "x.musicxml", "not a readable MusicXML"),
        (BOMB.encode(), "x.xml", "declares the entity 'a'"),
        (EXTERNAL.encode(), "x.xml", "declares the entity 'a'"),
        (b'<?xml version="1.0" encoding="utf--1"?><score-partwise/>', "x.xml", "unknown encoding"),
        (b'<?xml version="1.0" encoding="hex"?><score-partwise/>', "x.xml", "hex"),
        (b"<html><body/></html>", "x.xml", "no element that music has"),
        (archive(b" " * (MAX_XML_BYTES + 1)), "x.mxl", "when unpacked"),
        (archive(b"x", "song.txt"), "x.mxl", "syntax error"),
        (b"<score-partwise>" + b"<part>" * 99, "x.xml", "more elements than any song"),
        (b"MThd garbage", "x.mxl", "syntax error"),
        (GOOD, "x.mid", "not a readable MIDI file"),
    ],
)
def test_hostile_files_are_refused_in_one_line(data, name, message):
    with pytest.raises(FileError, match=message) as caught:
        read.song_from_bytes(data, name)
    assert "\n" not in str(caught.value)
    assert str(caught.value).startswith(f"{name}: ")
    assert caught.value.kind


def test_the_worst_file_takes_seconds(monkeypatch):
    monkeypatch.setattr(xml_tree, "MAX_ELEMENTS", 100_000)  # a tenth of what is allowed
    data = b"<score-partwise><part>" + b"<measure/>" * 200_000
    start = time.process_time()
    with pytest.raises(FileError, match="more elements than any song"):
        read.song_from_bytes(data, "x.xml")
    assert time.process_time() - start < 2
