import hypothesis
import hypothesis.strategies as st
import numpy as np

from musicvae_jax.music import phrases
from musicvae_jax.music.drum_kit import CLOSED_HAT as HAT
from musicvae_jax.music.drum_kit import CRASH, SNARE
from musicvae_jax.music.drum_kit import LOW_TOM as TOM
from musicvae_jax.music.drums import Drums
from musicvae_jax.music.melody import Melody
from tests import helpers


def eighths(bars, long_bars=(), rest_bars=(), held_bars=()):
    """Eighths, in some bars with a long last note, a last rest, or a note over the bar line."""
    notes = []
    for bar in range(bars):
        line, count = 16 * bar, 8
        if bar in (*long_bars, *rest_bars):
            count = 4
        first = 1 if bar - 1 in held_bars else 0
        notes += [(60, line + 2 * n, line + 2 * n + 2) for n in range(first, count)]
        if bar in long_bars:
            notes.append((64, line + 8, line + 16))
        if bar in held_bars:
            notes[-1] = (60, line + 14, line + 18)
    return Melody.from_notes(notes, 16 * bars)


def test_phrases_end_with_long_notes_and_rests_and_after_four_bars():
    found = phrases.places(eighths(12, long_bars=[2], rest_bars=[5], held_bars=[3]))
    points = [place.points for place in found]
    assert points == [6.0, 0, 0, 4.0, -1.0, 0, 4.0, 0, 2.0, 0, 0, 0, 5.0]
    assert found[3].reasons == ("a long note",)
    assert found[6].reasons == ("a rest",)
    assert found[4].reasons == ("a note is held over it", "4 bars")
    assert found[12].reasons == ("the end", "12 bars")


def test_drums_end_phrases_with_fills_and_begin_them_with_a_crash():
    beat = [(HAT, s) for s in range(0, 128, 2)] + [(SNARE, s) for s in range(4, 128, 8)]
    fill = [(TOM, s) for s in range(2 * 16 + 8, 3 * 16, 2)] + [(CRASH, 3 * 16)]
    found = phrases.places(Drums.from_hits(beat + fill, 127))
    assert [place.points for place in found] == [6.0, 0, 0, 4.0, 1.0, 0, 0, 0, 6.0]
    assert found[3].reasons == ("a crash", "a fill")
    alike = phrases.places(Drums.from_hits(beat, 128))
    assert [place.points for place in alike] == [6.0, 0, 0, 0, 1.0, 0, 0, 0, 6.0]


@hypothesis.given(helpers.drums(), st.integers(1, 4))
def test_the_ends_of_drums_are_among_the_places(drums, most):
    assert drums.num_bars in [place.bar for place in phrases.leaving(drums, most, 4)]
    assert 0 in [place.bar for place in phrases.entering(drums, most, 4)]


def test_of_equal_places_the_one_that_keeps_more_comes_first():
    melody = eighths(16)
    assert [place.bar for place in phrases.leaving(melody, 4, 4)] == [16, 8, 12, 4]
    assert [place.bar for place in phrases.entering(melody, 4, 4)] == [0, 8, 4, 12]


@hypothesis.given(helpers.melodies(), st.integers(1, 4), st.integers(1, 8))
def test_the_ends_are_always_among_the_places(melody, most, fewest):
    left = phrases.leaving(melody, most, fewest)
    entered = phrases.entering(melody, most, fewest)
    assert melody.num_bars in [place.bar for place in left]
    assert 0 in [place.bar for place in entered]
    for found in (left, entered):
        assert 1 <= len(found) <= most
        assert (np.diff([place.points for place in found]) <= 0).all()
    assert all(place.bar >= min(fewest, melody.num_bars) for place in left)
    assert all(melody.num_bars - place.bar >= min(fewest, melody.num_bars) for place in entered)
