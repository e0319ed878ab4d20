import itertools
from fractions import Fraction

import pytest
from music21 import converter, repeat

from musicvae_jax.datasets.melodies import abc_notation, folk
from musicvae_jax.system.errors import UserError

HEADER = "X:1\nT:Test\nM:{meter}\nL:1/8\nK:{key}\n"


def read(body, meter="4/4", key="C"):
    return folk.read_tune(HEADER.format(meter=meter, key=key) + body + "\n", "test").melody


def pitches(body, **kwargs):
    return read(body, **kwargs).pitch.tolist()


C, D, E, F, G = 60, 62, 64, 65, 67
ONE_BAR = "CDEF GABc"


def test_golden_tune():
    melody = read("C2 D>E F/G/A z2-|c8|]")
    assert melody.notes() == [
        (60, 0, 4),
        (62, 4, 7),
        (64, 7, 8),
        (65, 8, 9),
        (67, 9, 10),
        (69, 10, 12),
        (72, 16, 32),
    ]
    assert melody.num_steps == 32


def test_key_signature_and_accidentals_hold_to_the_end_of_the_bar():
    assert pitches("F2 =F2 F2 c2|F2 c6|]", key="D") == [66, 65, 65, 73, 66, 73]


def test_ties_join_only_equal_pitches_also_over_a_bar_line():
    assert read("C4 D4-|D4-E4|]").notes() == [(60, 0, 8), (62, 8, 24), (64, 24, 32)]


def test_chords_give_their_top_note_and_grace_notes_nothing():
    assert pitches("{ag}[CEG]4 {b}C4|]") == [67, 60]


def test_triplets_round_to_the_grid():
    assert read("(3CDE F2 G4|]").notes()[:4] == [(60, 0, 1), (62, 1, 3), (64, 3, 4), (65, 4, 8)]


def test_ornaments_do_not_break_dotted_pairs():
    plain = read("C>D E>F G4|]")
    assert read('"Am"C>{d}D (E>~F) .G4|]') == plain
    assert read("C>-D HE>F TG4|]") == plain


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ("C8|D8|]", "CD"),
        ("C8:|D8|]", "CCD"),
        ("C8:|D8:|", "CCDD"),
        ("C8|:D8:|E8|]", "CDDE"),
        ("|:C8::D8:|", "CCDD"),
        ("C8|1D8:|2E8|]F8|]", "CDCEF"),
        ("|:C8|[1D8:|[2E8||F8|]", "CDCEF"),
        ("|:C8|1D8:|2E8:|:F8:|", "CDCEFF"),
    ],
)
def test_repeats_are_played_out(body, expected):
    names = {"C": C, "D": D, "E": E, "F": F}
    assert pitches(body) == [names[letter] for letter in expected]


def test_an_upbeat_stands_before_the_first_bar_line_and_in_the_last_beat_of_a_strain():
    melody = read("G2|C8|D6:|")
    assert melody.notes() == [
        (67, 12, 16),
        (60, 16, 32),
        (62, 32, 44),
        (67, 44, 48),
        (60, 48, 64),
        (62, 64, 76),
    ]


def test_an_upbeat_after_a_full_bar_shortens_its_last_note():
    assert read("C8|D8||G2|E8|F8|]").notes() == [
        (60, 0, 16),
        (62, 16, 28),
        (67, 28, 32),
        (64, 32, 48),
        (65, 48, 64),
    ]


def test_two_bars_of_2_4_make_one_bar_after_the_upbeat():
    melody = read("G|C4|D4|E4|F3|]", meter="2/4")
    assert [start for _, start, _ in melody.notes()] == [14, 16, 24, 32, 40]
    assert melody.num_bars == 3


@pytest.mark.parametrize(
    ("value", "tempo_bpm"),
    [("1/2=112", 224.0), ("1/4=80", 80.0), ("96", 96.0), ('1/4=80 "Slow"', 80.0), ("3/8=60", 90.0)],
)
def test_tempo_is_in_quarter_notes(value, tempo_bpm):
    text = f"X:1\nM:4/4\nL:1/8\nQ:{value}\nK:C\n{ONE_BAR}|]\n"
    assert folk.read_tune(text, "test").melody.tempo_bpm == tempo_bpm


@pytest.mark.parametrize(
    ("meter", "body", "reason"),
    [
        ("6/8", "CDE FGA|]", "the meter is not"),
        ("4/4", "C8|[M:3/4]D6|]", "the meter changes"),
        ("4/4", "[V:1]C8|[V:2]D8|]", "several voices"),
        ("4/4", "C8|D6|E8|F8|]", "shorter than the meter"),
        ("4/4", "C8|D10|]", "longer than the meter"),
        ("4/4", "C4|D6|]", "parts of a bar"),
        ("4/4", "C//D//E//F//G//A// B// c// d4 e2|]", "miss the grid"),
        ("4/4", "z8|]", "no notes"),
    ],
)
def test_tunes_that_do_not_fit_are_refused_with_a_reason(meter, body, reason):
    if body.startswith("C4|"):
        body = "z8|" + body  # so that the short bar is not an upbeat
    with pytest.raises(folk.TuneRejectedError, match=reason):
        read(body, meter=meter)


def test_an_unknown_collection_is_named_with_the_known_ones():
    with pytest.raises(
        UserError, match="'oneils'; valid are oneills1850, ryansMammoth, airdsAirs or"
    ):
        folk.corpus_files("oneils")


def test_tunes_agree_with_music21s_own_scores():
    """Pitches and lengths, where every repeat has both its signs and music21 plays it as we do."""
    compared = 0
    for path in folk.corpus_files("ryansMammoth")[::12]:
        text = abc_notation.split_tunes(path.read_text())[0]
        body = text.split("K:")[-1]
        if body.count(":|") != body.count("|:") or "[1" in body or "|1" in body:
            continue
        played = abc_notation.play_repeats(abc_notation.read_measures(text))
        starts = itertools.accumulate((m.length for m in played), initial=Fraction(0))
        placed = list(zip(starts, played, strict=False))
        ours = [(pitch, end - start) for pitch, start, end in folk._sounding_notes(placed)]
        plain = abc_notation._ABC_VERSION + abc_notation._without_ornaments(text)
        try:
            part = converter.parse(plain, format="abc").parts[0].expandRepeats().stripTies()
        except repeat.ExpanderException:
            continue
        theirs = [
            (max(p.midi for p in note.pitches), Fraction(note.quarterLength) * 4)
            for note in part.recurse().notes
        ]
        assert ours == theirs, path.name
        compared += 1
    assert compared >= 20
