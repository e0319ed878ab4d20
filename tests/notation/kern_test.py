"""Humdrum files written by hand, and music21's reading of those in its corpus."""

import collections
import pathlib
import re

import pytest

from musicvae_jax.midi.extraction import extract
from musicvae_jax.midi.read import FileError
from musicvae_jax.notation import read
from musicvae_jax.notation.score import MAX_BARS


def song(text: str, name: str = "x.krn"):
    """The song of a file in which spaces stand for tabs, and `,` for the space in a chord."""
    lines = [line.strip() for line in text.strip().splitlines()]
    told = (line if line.startswith("!") else re.sub(" +", "\t", line) for line in lines)
    return read.song_from_bytes("\n".join(told).replace(",", " ").encode(), name)


def rows(track) -> list[tuple[int, float, float]]:
    """`(pitch, start, end)` of each note, in quarter notes."""
    return list(zip(track.pitch.tolist(), track.start.tolist(), track.end.tolist(), strict=True))


def only_track(text: str) -> list[tuple[int, float, float]]:
    [track] = song(text).tracks
    return rows(track)


@pytest.mark.parametrize(
    ("token", "expected"),
    [
        ("4c", (60, 1)),
        ("4ccc#", (85, 1)),
        ("4CC-", (35, 1)),
        ("4B--", (57, 1)),
        ("4cn", (60, 1)),
        ("8.c/L", (60, 0.75)),
        ("4..c", (60, 1.75)),
        ("0c", (60, 8)),
        ("00c", (60, 16)),
        ("12c", (60, 1 / 3)),
        ("3%2c", (60, 8 / 3)),
        ("{(2c;)T", (60, 2)),
    ],
)
def test_pitches_and_lengths(token, expected):
    [(pitch, start, end)] = only_track(f"**kern\n*M8/2\n=1\n{token}\n==\n*-")
    assert (pitch, pytest.approx(end - start, abs=1e-4)) == expected


def test_chords_rests_ties_and_grace_notes():
    text = "**kern\n*M4/4\n=1\n4C,4E\n4r\n8qd\n[2g\n=2\n4g_\n4g]\n2g\n==\n*-"
    assert only_track(text) == [(48, 0, 1), (52, 0, 1), (67, 2, 6), (67, 6, 8)]


HYMN = """
!!!COM: Someone
!!!OTL: A hymn
**kern **kern **text
*Ibass *Isoprn *
*M4/4 *M4/4 *
*MM96 *MM96 *
4C 4c A-
=1 =1 =1
1D 2d -men
. 4e a-
. 4f .
=2 =2 =2
2E 4g men
. 4a |
[4F 2b .
=3 =3 =3
4F] 4cc so
*- *- *-
"""


def test_spines_are_parts_and_the_last_one_is_the_melody():
    """The bass lasts less long than the meter says, and lacks its rest."""
    hymn = song(HYMN)
    assert hymn.title == "A hymn"
    assert hymn.tempos == ((0, 96),)
    assert [(t.name, t.program, t.num_syllables) for t in hymn.tracks] == [
        ("soprano", 52, 5), ("bass", 52, 0),
    ]  # fmt: skip
    soprano, bass = (rows(track) for track in hymn.tracks)
    assert [row[:2] for row in soprano] == [
        (60, 3), (62, 4), (64, 6), (65, 7), (67, 8), (69, 9), (71, 10), (72, 12),
    ]  # fmt: skip
    assert bass[:3] == [(48, 3, 4), (50, 4, 8), (52, 8, 10)]
    melody = extract(hymn).melody
    assert melody is not None
    assert melody.pitch.tolist() == [60, 62, 64, 65, 67, 69, 71, 72]


def test_spines_split_join_and_exchange():
    text = """
    **kern **kern
    *M4/4 *M4/4
    =1 =1
    *^ *
    4c 2C 1cc
    4d . .
    2e 2E .
    *v *v *
    *x *x
    =2 =2
    1dd 1f
    == ==
    *- *-
    """
    upper, left, right = (rows(track) for track in song(text).tracks)
    assert upper == [(72, 0, 4), (74, 4, 8)]
    assert left == [(60, 0, 1), (62, 1, 2), (64, 2, 4), (65, 4, 8)]
    assert right == [(48, 0, 2), (52, 2, 4)]


def test_a_spine_that_begins_later():
    text = "**kern\n*M4/4\n=1\n1c\n*+\n* **kern\n=2 =2\n1d 1dd\n*- *-"
    assert [rows(track) for track in song(text).tracks] == [[(74, 4, 8)], [(60, 0, 4), (62, 4, 8)]]


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ("1c\n=2:|!\n1d\n==", "CCD"),
        ("1c\n=2!|:\n1d\n=3:|!|:\n1e\n==:|!", "CDDEE"),
        ("*>[A,A,B]\n*>norep[A,B]\n*>A\n1c\n=2:|!\n*>B\n1d\n==", "CCD"),
        ("*>[A,A1,A,A2]\n*>A\n1c\n=2\n*>A1\n1d\n=3:|!\n*>A2\n1e\n==", "CDCE"),
        ("*>[B,A,X]\n*>A\n1c\n=2\n*>B\n1d\n==", "DC"),
    ],
)
def test_repeats_and_lists_of_sections(body, expected):
    names = {60: "C", 62: "D", 64: "E"}
    text = f"**kern\n*M4/4\n=1\n{body}\n*-"
    lines = [line.replace(",", ";") if line.startswith("*>") else line for line in text.split("\n")]
    data = "\n".join(lines).replace(";", ",").encode()
    [track] = read.song_from_bytes(data, "x.krn").tracks
    assert "".join(names[pitch] for pitch in track.pitch.tolist()) == expected
    assert track.start.tolist() == [4 * n for n in range(len(expected))]


def test_a_section_may_begin_within_a_bar():
    text = "**kern\n*M4/4\n*>[A,A,B]\n*>A\n4c\n=1\n2.d\n*>B\n4e\n=2\n1f\n==\n*-"
    [track] = read.song_from_bytes(text.encode(), "x.krn").tracks
    assert rows(track) == [
        (60, 3, 4), (62, 4, 7), (60, 7, 8), (62, 8, 11), (64, 11, 12), (65, 12, 16),
    ]  # fmt: skip


def test_notes_over_bar_lines_and_music_without_a_meter():
    text = "**kern **kern\n*M4/4 *M4/4\n=1 =1\n1C 2c\n. 1d\n=2 =2\n1D .\n. 2e\n=3 =3\n*- *-"
    upper, lower = (rows(track) for track in song(text).tracks)
    assert upper == [(60, 0, 2), (62, 2, 6), (64, 6, 8)]
    assert lower == [(48, 0, 4), (50, 4, 8)]
    free = "**kern\n*M?\n=1\n2c\n=2\n1d\n==\n*-"
    assert only_track(free) == [(60, 0, 2), (62, 2, 6)]


def test_several_songs_in_a_file():
    one = "!!!OTL: One\n**kern\n4c\n*-\n"
    two = "!!!OTL: Two\n**kern\n4d\n*-\n"
    songs = read.songs_from_bytes((one + two).encode(), "x.krn")
    assert [song.title for song in songs] == ["One", "Two"]
    assert [song.tracks[0].pitch.tolist() for song in songs] == [[60], [62]]


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "empty"),
        (b"\x00\xff\x13garbage", "line 1: no line that begins with"),
        (b"!! only a comment", r"no \*\*kern spine"),
        (b"**dynam\np\n*-", r"no \*\*kern spine"),
        (b"**kern\t**kern\n4c\n", "line 2: 1 columns instead of 2"),
        (b"**kern\n" + b"1c\n=\n" * (MAX_BARS + 1), f"more than {MAX_BARS} bars"),
        (b"**kern\n*>[" + b"A," * 9000 + b"]\n*>A\n" + b"1c\n=\n" * 9, "bars with its repeats"),
        (b"**kern\n" + b"4c" + b" 4d" * 100_000, "more than the 100000"),
        (b"**kern\n" + b"000c\n" * 2000, "notes beyond"),
        (b"**kern" + b"\t**kern" * 1001 + b"\n" + b"4c\t" * 1001 + b"4c", "more than the 1000"),
        (b"!" * ((2 << 20) + 1), "larger than 2 MiB"),
    ],
)
def test_hostile_files_are_refused_in_one_line(data, message):
    with pytest.raises(FileError, match=message) as caught:
        read.songs_from_bytes(data, "x.krn")
    assert "\n" not in str(caught.value)


def test_as_music21_reads_the_files_of_its_corpus():
    """Pitches and lengths as written, without repeats: four voices, spines that split."""
    import music21

    corpus = pathlib.Path(music21.__file__).parent / "corpus"
    names = ["bach/bwv277", "bach/bwv281", "chopin/mazurka06-2", "palestrina/Gloria_74_g"]
    for name in names:
        text = (corpus / f"{name}.krn").read_text(encoding="latin-1")
        text = re.sub(r":\||\|:", "|", re.sub(r"\*>\S*", "*", text))
        ours = collections.Counter(
            (pitch, round(end - start, 2))
            for track in read.song_from_bytes(text.encode(), name + ".krn").tracks
            for pitch, start, end in rows(track)
        )
        theirs = music21.converter.parseData(text, format="humdrum").stripTies()
        assert ours == collections.Counter(
            (pitch.midi, round(float(note.quarterLength), 2))
            for note in theirs.recurse().notes
            if not note.duration.isGrace
            for pitch in note.pitches
        )
