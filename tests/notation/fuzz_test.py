"""Damaged files of notation: whatever the bytes, songs or a typed error, and soon."""

import time

import numpy as np
import pytest

from musicvae_jax.midi import musicxml
from musicvae_jax.midi.extraction import extract, stretches
from musicvae_jax.music import assembly
from musicvae_jax.music.examples import example_melodies
from musicvae_jax.notation import read
from musicvae_jax.system.errors import UserError
from tests.notation import abc_test, kern_test, musicxml_test

# What means something in one of the formats.
WORDS = {
    "musicxml": b'<note> </measure> <chord/> <backup> " <divisions>0 &amp;'.split(),
    "abc": b"|: :| [1 [2 [V:2] [M: (3 [ ] & K: Z w:".split(),
    "krn": [b"\t", *b"*^ *v *- *+ *x **kern =:|! *>[A,A] *>A 00c".split()],
    "mxl": [b"PK", b"\x00\x00"],
}
NUMBERS = (b"0", b"-1", b"1", b"7", b"999999999", b"00000", b"1.5", b"", b"/")


def seeds() -> list[tuple[str, bytes]]:
    """Small valid files and their suffixes."""
    xml = musicxml.to_musicxml(assembly.single(example_melodies()["reel"].window(0, 2)))
    kern = kern_test.HYMN.replace(" ", "\t").encode()
    repeats = b"X:1\nT:x\nM:2/4\nL:1/8\nQ:1/4=90\nK:Ador\nA|:[CE]2(3DEF|1G>A B-:|2B4||Z2&c2|]\n"
    return [
        ("musicxml", xml),
        ("mxl", musicxml_test.archive(xml)),
        ("abc", abc_test.VOICES.encode()),
        ("abc", repeats),
        ("krn", kern),
    ]


def damaged(rng: np.random.Generator, suffix: str, valid: bytes) -> bytes:
    """A valid file, cut off or with some pieces changed, dropped, repeated or added."""
    data = bytearray(valid)
    if rng.random() < 0.1:
        data = data[: rng.integers(len(data) + 1)]
    for _ in range(rng.integers(1, 4)):
        if not data:
            break
        place = int(rng.integers(len(data)))
        length = int(rng.integers(1, 80))
        words = WORDS[suffix]
        kind = rng.integers(6)
        if kind == 0:
            data[place] = rng.integers(256)
        elif kind == 1:
            data[place:place] = words[rng.integers(len(words))]
        elif kind == 2:
            del data[place : place + length]
        elif kind == 3:
            data[place:place] = data[place : place + length] * int(rng.integers(1, 9))
        elif kind == 4:
            digits = [i for i, byte in enumerate(data) if 48 <= byte < 58] or [place]
            digit = digits[rng.integers(len(digits))]
            data[digit : digit + 1] = NUMBERS[rng.integers(len(NUMBERS))]
        else:
            other = int(rng.integers(len(data)))
            data[place : place + length] = data[other : other + length]
    return bytes(data)


def fuzz(count: int) -> None:
    rng = np.random.default_rng(0)
    valid = seeds()
    outcomes = {suffix: [0, 0, 0] for suffix, _ in valid}  # files, songs, melodies
    longest = 0.0
    for number in range(count):
        suffix, data = valid[number % len(valid)]
        outcome = outcomes[suffix]
        outcome[0] += 1
        start = time.process_time()
        try:
            songs = read.songs_from_bytes(damaged(rng, suffix, data), f"x.{suffix}")
            outcome[1] += 1
            for song in songs:
                outcome[2] += any(extract(song, stretch).melody for stretch in stretches(song))
        except UserError as error:
            assert "\n" not in str(error)
        longest = max(longest, time.process_time() - start)
    print(f"{count} files, the slowest {1e3 * longest:.0f} ms; {outcomes}")
    for suffix, (files, songs, _) in outcomes.items():
        assert songs > 0.02 * files or suffix == "mxl"  # hardly any damaged archive unpacks
    assert longest < 5


def test_damaged_files():
    fuzz(1_000)


@pytest.mark.slow
def test_a_hundred_thousand_damaged_files():
    fuzz(100_000)
