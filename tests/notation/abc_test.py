"""ABC tunes written by hand, and music21's reading of real ones."""

import pathlib

import pytest

from musicvae_jax.midi.extraction import extract
from musicvae_jax.midi.read import FileError
from musicvae_jax.notation import read
from musicvae_jax.notation.score import MAX_BARS


def tracks(text: str, name: str = "x.abc") -> list[list[tuple[int, float, float]]]:
    """`(pitch, start, end)` of each note of each track, in quarter notes."""
    return [
        list(zip(t.pitch.tolist(), t.start.tolist(), t.end.tolist(), strict=True))
        for t in read.song_from_bytes(text.encode(), name).tracks
    ]


def pitches(body: str, key: str = "C", length: str = "1/4") -> list[int]:
    [track] = tracks(f"X:1\nM:4/4\nL:{length}\nK:{key}\n{body}\n")
    return [pitch for pitch, _, _ in track]


def lengths(body: str) -> list[float]:
    [track] = tracks(f"X:1\nM:4/4\nL:1/4\nK:C\n{body}\n")
    return [end - start for _, start, end in track]


@pytest.mark.parametrize(
    ("key", "body", "expected"),
    [
        ("C", "C,, C, C c c' c''", [36, 48, 60, 72, 84, 96]),
        ("D", "F C f", [66, 61, 78]),
        ("C clef=treble-8", "C c", [48, 60]),
        ("C treble+8", "C", [72]),
        ("Bb", "B E _E =B B", [70, 63, 63, 71, 71]),
        ("Ador", "F c", [66, 72]),
        ("F# minor", "F C G D", [66, 61, 68, 62]),
        ("E phrygian", "F B", [65, 71]),
        ("HP", "f c g", [78, 73, 79]),
        ("D exp ^a", "A", [70]),
        ("C octave=1", "C", [72]),
        ("C transpose=-2", "D", [60]),
        ("C", "^F F | F", [66, 66, 65]),
        ("C", "^F f |", [66, 78]),
        ("C", "^F- | F F", [66, 65]),
        ("C", '"Am"A !trill!B {cd}e (fg) "^slow"a', [69, 71, 76, 77, 79, 81]),
        ("C", "[K:D] F [K:C] F", [66, 65]),
    ],
)
def test_pitches(key, body, expected):
    assert pitches(body, key) == expected


def test_chords_sound_together():
    [track] = tracks("X:1\nM:4/4\nL:1/8\nK:C\n[CEG]4 [C4E4]\n")
    assert track == [(60, 0, 2), (64, 0, 2), (67, 0, 2), (60, 2, 4), (64, 2, 4)]


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ("C C2 C/ C// C3/2", [1, 2, 0.5, 0.25, 1.5]),
        ("C>C C<C C>>C", [1.5, 0.5, 0.5, 1.5, 1.75, 0.25]),
        ("C-C C", [2, 1]),
        ("(3CDE F2", [2 / 3, 2 / 3, 2 / 3, 2]),
        ("(3:2:2C2D F", [4 / 3, 2 / 3, 1]),
        ("C- | C", [2]),
        ("[L:1/8]C C", [0.5, 0.5]),
    ],
)
def test_lengths(body, expected):
    assert lengths(body) == pytest.approx(expected, abs=1e-4)


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ("C4 | D4 :| E4 :|", "CDCDEE"),
        ("|: C4 :: D4 :|", "CCDD"),
        ("|: C4 |1 D4 :|2 E4 || F4 |]", "CDCEF"),
        ("C4 |[1 D4 :|[2 E4 ] F4", "CDCEF"),
        ("|: C4 |1,2 D4 :|3 E4 |]", "CDCDCE"),
        ("|:: C4 ::| D4", "CCCD"),
        ("[|]|: C4 [|] D4 [|]:|", "CDCD"),
    ],
)
def test_repeats(body, expected):
    names = {60: "C", 62: "D", 64: "E", 65: "F"}
    assert "".join(names[pitch] for pitch in pitches(body)) == expected


@pytest.mark.parametrize(
    ("parts", "body", "expected"),
    [
        ("ABA", "P:A\nC4 |\nP:B\nD4 |", "CDC"),
        ("A2(BA)2", "P:A\nC4 |\nP:B\nD4 |", "CCDCDC"),
        ("A.B", "[P:A] C4 :| [P:B] D4 |", "CCD"),
        ("AXB", "E4 |\nP:A\nC4 |\nP:B\nD4 |", "ECD"),
        ("", "P:A\nC4 |\nP:B\nD4 |", "CD"),
    ],
)
def test_the_order_of_parts(parts, body, expected):
    header = f"P:{parts}\n" if parts else ""
    [track] = tracks(f"X:1\nM:4/4\nL:1/4\n{header}K:C\n{body}\n")
    names = {60: "C", 62: "D", 64: "E"}
    assert "".join(names[pitch] for pitch, _, _ in track) == expected


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ('C4 | "^Fine" D4 | E4 | F4 !D.C.! |]', "CDEFCD"),
        ('C4 | D2 !fine! D2 | E4 |] "D.C. al Fine"', "CDDECDD"),
        ("C4 | !segno! D4 | E4 !D.S.! |", "CDEDE"),
        ('"Finest" C4 | "F"D4 | E4 |', "CDE"),
    ],
)
def test_da_capo_and_dal_segno(body, expected):
    names = {60: "C", 62: "D", 64: "E", 65: "F"}
    assert "".join(names[pitch] for pitch in pitches(body)) == expected


def test_an_overlay_is_left_out_with_a_warning():
    text = "X:1\nM:4/4\nL:1/4\nK:C\nc4 & C2 D2 | d4 |\n"
    [song] = read.songs_from_bytes(text.encode(), "x.abc")
    assert song.tracks[0].pitch.tolist() == [72, 74]
    assert song.warnings == ("voices after an & are left out",)


def test_verses_count_once():
    text = "X:1\nM:4/4\nL:1/4\nK:C\nCDEF|\nw:one two three four\nw:five six se-ven\nGABc|\nw:a b\n"
    [song] = read.songs_from_bytes(text.encode(), "x.abc")
    assert song.tracks[0].num_syllables == 6


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ("|: G | c4 |1 d3 :|2 d4 |]", [(67, 3), (72, 4), (74, 8), (67, 11), (72, 12), (74, 16)]),
        ("G |: c4 |1 d3 G :|2 d3 |]", [(67, 3), (72, 4), (74, 8), (67, 11), (72, 12), (74, 16)]),
        ("G | c4 | d3 :: e | f4 | g3 :|", [
            (67, 3), (72, 4), (74, 8), (67, 11), (72, 12), (74, 16),
            (76, 19), (77, 20), (79, 24), (76, 27), (77, 28), (79, 32),
        ]),
    ],
)  # fmt: skip
def test_upbeats_of_repeats_with_endings(body, expected):
    [track] = tracks(f"X:1\nM:4/4\nL:1/4\nK:C\n{body}\n")
    assert [(pitch, start) for pitch, start, _ in track] == expected


def test_rests_meters_tempos_and_an_upbeat():
    text = (
        'X:1\nT:One % two\nM:C|\nL:1/8\nQ:"Slow" 1/2=40\nK:C\nC2 | z4 x4 | Z2 | D8 | [M:3/4] E6 |\n'
    )
    song = read.song_from_bytes(text.encode(), "x.abc")
    assert tracks(text) == [[(60, 3, 4), (62, 16, 20), (64, 20, 23)]]
    assert song.meters == ((0, 2, 2), (20, 3, 4))
    assert song.tempos == ((0, 80),)
    assert song.title == "One"


VOICES = """X:1
T:Hymn
M:2/4
L:1/4
V:S name="Soprano"
V:A
V:B clef=bass
K:G
[V:S] G | B A | G F | G2 |
w: A-men a * men
[V:A] D | D C | D
[V:B] G, | G,D, | G,D, | G,2 |
[V:A] C | D2 |
"""


def test_voices_sound_together_and_the_sung_one_is_the_melody():
    """The alto lacks no bar line; it goes on where its last line ended."""
    song = read.song_from_bytes(VOICES.encode(), "x.abc")
    assert [(track.name, track.num_syllables) for track in song.tracks] == [
        ("Soprano", 4), ("", 0), ("", 0),
    ]  # fmt: skip
    assert [track.start.tolist() for track in song.tracks] == [[3, 4, 5, 6, 7, 8]] * 3
    melody = extract(song).melody
    assert melody is not None
    assert melody.pitch.tolist() == [67, 71, 69, 67, 66, 67]


def test_a_voice_without_a_bar_line_is_placed_by_its_time():
    first, second = tracks(VOICES.replace("G,D, | G,D,", "G,D, G,D,"))[::2]
    assert [start for _, start, _ in second] == [start for _, start, _ in first]


def test_all_tunes_of_a_file():
    text = "% a book\n\nX:1\nT:One\nK:C\nCDEF\n\nX:2\nT:Two\nK:D\nFGAB\n"
    songs = read.songs_from_bytes(text.encode(), "x.abc")
    assert [song.title for song in songs] == ["One", "Two"]
    assert [song.tracks[0].pitch.tolist() for song in songs] == [[60, 62, 64, 65], [66, 67, 69, 71]]
    assert "2 tunes" in read.song_from_bytes(text.encode(), "book").warnings[0]


def test_encodings():
    text = "X:1\nT:Été\nK:C\nCDEF\n"
    for encoding in ("utf-8", "utf-8-sig", "utf-16", "latin-1"):
        assert read.song_from_bytes(text.encode(encoding), "x.abc").title == "Été"


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "empty"),
        (b"\x00\xff\x13garbage", "no tune"),
        (b"X:1\nT:x\n", "no tune"),
        (b"X:1\nK:C\n" + b"Z999|" * (MAX_BARS // 999 + 1), "rests of more than"),
        (b"X:1\nK:C\n" + b"C|" * (MAX_BARS + 1), "more than 20000 bars"),
        (b"X:1\nK:C\n" + b"C" * 100_001, "more than the 100000"),
        (b"X:1\nL:9/1\nK:C\n" + b"C9999" * 20, "notes beyond"),
        (
            b"X:1\nP:" + b"(" * 99 + b"A99" + b")99" * 99 + b"\nK:C\nP:A\nC|\n",
            "more than 20000 parts",
        ),
        (b"X:1\nP:(A16)16\nK:C\nP:A\n" + b"C|" * 100, "bars with its repeats"),
        (b"X" * (2 << 20) + b"X", "larger than 2 MiB"),
    ],
)
def test_hostile_files_are_refused_in_one_line(data, message):
    with pytest.raises(FileError, match=message) as caught:
        read.songs_from_bytes(data, "x.abc")
    assert "\n" not in str(caught.value)


def test_as_music21_reads_the_tunes_of_its_corpus():
    """Pitches and lengths as written, of tunes whose repeats are taken away."""
    import music21

    folder = pathlib.Path(music21.__file__).parent / "corpus" / "airdsAirs"
    texts = sorted(folder.glob("*.abc"))[0].read_text().split("X:")[1:25]
    compared = 0
    for text in texts:
        head, body = f"X:{text}".split("\nK:", 1)
        plain = body.replace(":|", "|").replace("|:", "|").replace("::", "|")
        if any(sign in plain for sign in ("|1", "[1", "{", "M:")):
            continue
        compared += 1
        tune = f"{head}\nK:{plain}"
        theirs = music21.converter.parse("%abc-2.1\n" + tune, format="abc").stripTies()
        [ours] = tracks(tune)
        expected = [(n.pitch.midi, float(n.quarterLength)) for n in theirs.flatten().notes]
        assert [(p, pytest.approx(e - s, abs=1e-3)) for p, s, e in ours] == expected, head
    assert compared >= 8
