"""Damaged MIDI files: whatever the bytes, a song or a typed error, soon and in little memory."""

import pathlib
import time

import numpy as np
import pytest

from benchmarks import synthetic_midi
from musicvae_jax.midi import extraction as midi_extraction
from musicvae_jax.midi import read as midi_read
from musicvae_jax.midi import write
from musicvae_jax.music.examples import example_melodies
from musicvae_jax.music.windows import WindowRules, melody_windows
from musicvae_jax.notation import read
from musicvae_jax.system.errors import UserError
from musicvae_jax.system.workers import SafePool

BATCH = 2_000  # of a process
# Bytes with a meaning: status and meta bytes, lengths with and without a following byte.
MEANINGFUL = (0x00, 0x2F, 0x51, 0x58, 0x7F, 0x80, 0x90, 0xC0, 0xF0, 0xFF)


def seeds(folder) -> list[bytes]:
    """Small valid files to damage."""
    write.write(folder / "a.mid", example_melodies()["reel"].window(0, 2))
    part = synthetic_midi.make_score(1).clip(0, 4000)
    return [(folder / "a.mid").read_bytes(), part.dumps_midi()]


def damaged(rng: np.random.Generator, valid: list[bytes]) -> bytes:
    """A valid file, cut off or with some bytes changed, dropped, repeated or added."""
    data = bytearray(valid[rng.integers(len(valid))])
    if rng.random() < 0.2:
        data = data[: rng.integers(len(data) + 1)]
    for _ in range(rng.integers(1, 4)):
        if not data:
            break
        place = int(rng.integers(len(data)))
        kind = rng.integers(5)
        if kind == 0:
            data[place] = rng.integers(256)
        elif kind == 1:
            data[place] = MEANINGFUL[rng.integers(len(MEANINGFUL))]
        elif kind == 2:
            del data[place : place + int(rng.integers(1, 40))]
        elif kind == 3:
            data[place:place] = rng.bytes(int(rng.integers(1, 9)))
        else:
            data[place:place] = data[place : place + int(rng.integers(1, 60))]
    return bytes(data)


def read_batch(item: tuple[int, list[bytes]]) -> tuple[int, int, float, int]:
    """Songs, melodies, the longest time in seconds, and the peak memory in KiB."""
    number, valid = item
    rng = np.random.default_rng(number)
    songs = melodies = 0
    longest = 0.0
    for _ in range(BATCH):
        data = damaged(rng, valid)
        start = time.perf_counter()
        try:
            song = midi_read.song_from_bytes(data, "x")
            songs += 1
            melody = midi_extraction.extract(song).melody
            if melody is not None:
                melodies += 1
                melody_windows(melody, WindowRules())
        except UserError:
            pass
        longest = max(longest, time.perf_counter() - start)
    # Not getrusage: that of a new process begins at the peak of the one that started it.
    status = pathlib.Path("/proc/self/status").read_text()
    peak_kib = int(status.split("VmHWM:")[1].split()[0])
    return songs, melodies, longest, peak_kib


def fuzz(folder, batches: int) -> list[tuple[int, int, float, int]]:
    valid = seeds(folder)
    pool = SafePool(num_workers=2, timeout_sec=120.0)
    try:
        items = [(number, valid) for number in range(batches)]
        return list(pool.map(read_batch, items, total=batches))
    finally:
        pool.close()


def check(results) -> None:
    assert all(isinstance(result, tuple) for result in results), results
    songs, melodies, longest, memory = (np.array(column) for column in zip(*results, strict=True))
    print(
        f"{BATCH * len(results)} files: {songs.sum()} songs, {melodies.sum()} melodies, longest "
        f"{1e3 * longest.max():.0f} ms, peak {memory.max() >> 10} MiB"
    )
    assert songs.sum() > 0.02 * BATCH * len(results)
    assert melodies.sum() > 0
    assert memory.max() < 1 << 20  # 1 GiB


def test_damaged_files(tmp_path):
    check(fuzz(tmp_path, 1))


@pytest.mark.slow
def test_two_hundred_thousand_damaged_files(tmp_path):
    check(fuzz(tmp_path, 100))


def chunk(kind: bytes, body: bytes) -> bytes:
    return kind + len(body).to_bytes(4, "big") + body


def header(file_type: int, tracks: int, division: int) -> bytes:
    body = b"".join(n.to_bytes(2, "big") for n in (file_type, tracks, division))
    return chunk(b"MThd", body)


END = b"\x00\xff\x2f\x00"
NOTES = b"".join(
    b"\x00\x90" + bytes([60 + i, 64]) + b"\x60\x80" + bytes([60 + i, 0]) for i in range(8)
)
LONG = b"\xff\xff\xff\x7f"  # the largest delta time


@pytest.mark.parametrize(
    "data",
    {
        "format 0": header(0, 1, 96) + chunk(b"MTrk", NOTES + END),
        "format 2": header(2, 1, 96) + chunk(b"MTrk", NOTES + END),
        "SMPTE division": header(1, 1, 0xE728) + chunk(b"MTrk", NOTES + END),
        "division 0": header(1, 1, 0) + chunk(b"MTrk", NOTES + END),
        "tempo 0": header(1, 1, 96) + chunk(b"MTrk", b"\x00\xff\x51\x03\0\0\0" + NOTES + END),
        "meter 0/1": header(1, 1, 96)
        + chunk(b"MTrk", b"\x00\xff\x58\x04\x00\x00\x18\x08" + NOTES + END),
        "no end of track": header(1, 1, 96) + chunk(b"MTrk", NOTES),
        "fewer tracks than said": header(1, 9000, 96) + chunk(b"MTrk", NOTES + END),
        "unknown chunk": header(1, 1, 96) + chunk(b"XXXX", b"abc") + chunk(b"MTrk", NOTES + END),
        "notes years away": header(1, 1, 1)
        + chunk(b"MTrk", (LONG + b"\x90\x3c\x40" + LONG + b"\x80\x3c\x00") * 8 + END),
        "RIFF": b"RIFF" + (100).to_bytes(4, "little") + b"RMIDdata" + header(1, 1, 96),
        "notes that never end": header(1, 1, 96) + chunk(b"MTrk", b"\x00\x90\x3c\x40" * 999 + END),
        "empty track": header(1, 1, 96) + chunk(b"MTrk", END),
        "endless meta event": header(1, 1, 96) + chunk(b"MTrk", b"\x00\xff\x01" + LONG + b"a"),
    }.items(),
    ids=lambda item: item[0],
)
def test_odd_files_give_a_song_or_a_typed_error(data, tmp_path):
    _, content = data
    path = tmp_path / "x.mid"
    path.write_bytes(content)
    start = time.perf_counter()
    try:
        melody = midi_extraction.extract(read.read_song(path)).melody
        if melody is not None:
            melody_windows(melody, WindowRules(bars=1))
    except UserError as error:
        assert str(error).startswith(str(path))
        assert "\n" not in str(error)
    assert time.perf_counter() - start < 5


def test_a_very_large_file_is_read_in_bounded_time():
    """The most bytes and the most notes that a file may have."""
    sixteenths = NOTES.replace(b"\x60", b"\x18") * (midi_read.MAX_NOTES // 8)
    control = b"\x00\xb0\x07\x40"
    padding = control * ((midi_read.MAX_BYTES - len(sixteenths) - 100) // len(control))
    data = header(1, 1, 96) + chunk(b"MTrk", sixteenths + padding + END)
    assert midi_read.MAX_BYTES - 100 < len(data) <= midi_read.MAX_BYTES
    start = time.perf_counter()
    extraction = midi_extraction.extract(midi_read.song_from_bytes(data, "x"))
    assert extraction.melody.pitch.size == midi_read.MAX_NOTES
    assert time.perf_counter() - start < 20
