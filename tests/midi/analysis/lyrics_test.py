import numpy as np
import pytest

from musicvae_jax.midi.analysis import lyrics
from musicvae_jax.notation import read
from tests.midi.fuzz_test import END, chunk, header


def text(kind, words, delta=96):
    """A chunk's events: a word each quarter note."""
    return b"".join(
        bytes([delta, 0xFF, kind, len(word.encode())]) + word.encode() for word in words
    )


WORDS = ["Twin", "kle ", "twin", "kle ", "lit", "tle ", "star", "how ", "I"]
NOTES = b"".join(bytes([0, 0x90, 60 + i, 80, 96, 60 + i, 0]) for i in range(9))


@pytest.mark.parametrize(
    "words",
    [text(5, WORDS), text(1, ["@KMIDI KARAOKE", "/Twin", *WORDS[1:]])],
    ids=["lyric", "kar"],
)
def test_words_are_read_with_their_places(words):
    data = header(1, 2, 96) + chunk(b"MTrk", words + END) + chunk(b"MTrk", NOTES + END)
    places = read.song_from_bytes(data, "x.kar").syllables
    assert len(places) == 9
    assert np.diff(places).tolist() == [1.0] * 8


def test_words_among_notes_with_running_status():
    events = b"".join(
        bytes([0, 0xFF, 5, 1]) + b"a" + bytes([0, 0x90, 60, 80, 96, 60, 0]) for _ in range(8)
    )
    assert lyrics.syllable_ticks([events + END]) == [96 * i for i in range(8)]


@pytest.mark.parametrize(
    "events",
    [
        text(5, WORDS[:7]),  # too few
        text(5, [" ", "\r", "/", "\\"] * 4),
        text(1, ["Am", "F", "C", "G"] * 4),  # chords
        text(1, ["@T title"] * 9),
        text(6, WORDS),  # markers
        text(5, WORDS)[:20],
        b"\xff\x05" * 30,
        b"",
    ],
)
def test_what_is_not_words(events):
    assert lyrics.syllable_ticks([events]) == []
