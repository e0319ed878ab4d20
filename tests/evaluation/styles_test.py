import numpy as np
import pytest

from musicvae_jax.evaluation import styles
from musicvae_jax.evaluation.accuracy import DecodedWindows
from musicvae_jax.music.tokens import FIRST_ONSET, MelodyCodec
from tests import helpers


@pytest.fixture
def decoded():
    """Eight windows of four songs; in the last four every second note is a semitone off."""
    rng = np.random.default_rng(0)
    truth = np.stack([MelodyCodec().encode(helpers.random_melody(rng, 2)) for _ in range(8)])
    truth = truth.astype(np.uint8)
    sampled = truth.copy()
    for window in range(4, 8):
        onsets = np.flatnonzero(truth[window] >= FIRST_ONSET)
        sampled[window, onsets[::2]] += 1
    songs = np.repeat(["a", "b", "c", "d"], 2)
    return DecodedWindows("melody", songs, truth, sampled, truth)


def test_each_source_has_the_figures_of_its_windows(decoded):
    found = styles.by_source(decoded, np.repeat([0, 2], 4), ("right", "nothing", "wrong"))
    assert list(found) == ["right", "wrong"]
    right, wrong = found.values()
    assert (right.songs, right.windows, right.tokens, right.onsets) == (2, 4, 1.0, 1.0)
    onsets = decoded.truth[4:] >= FIRST_ONSET
    off = decoded.sampled[4:] != decoded.truth[4:]
    assert wrong.onsets == pytest.approx(1 - off.sum() / onsets.sum())
    assert wrong.tokens == pytest.approx(1 - off.mean())
    low, high = wrong.intervals["onsets"]
    assert low <= wrong.onsets <= high


def test_one_song_says_nothing_of_others(decoded):
    alone = styles.of_windows(decoded.of(np.arange(2)))
    assert alone.songs == 1
    assert alone.intervals == {}


@pytest.mark.parametrize(
    ("onsets", "advice"),
    [(1.0, "use"), (0.87, "use"), (0.86, "usable"), (0.67, "usable"), (0.66, "fine-tune first")],
)
def test_the_advice_goes_by_the_notes_that_come_back(onsets, advice):
    assert styles.Style(1, 1, 0.0, onsets, {}).advice.startswith(advice)


def test_the_table_has_a_line_for_each_source(decoded):
    found = styles.by_source(decoded, np.repeat([0, 1], 4), ("first", "a longer name"))
    header, first, second = styles.lines(found)
    assert header.split() == ["source", "songs", "windows", "tokens", "notes"]
    assert first.split()[:4] == ["first", "2", "4", "1.000"]
    assert second.split("  ")[1] == "a longer name"
