"""When the words of a MIDI file are sung.

Words are lyric events (`FF 05`), one for each syllable, or text events (`FF 01`) as karaoke
files have them (`.kar`): there a syllable that begins a line has a slash before it, and what
begins with `@` says something of the file. Chords and names of sections, which some files
write as text too, are not taken for words.
"""

from collections.abc import Sequence

_LYRIC, _TEXT = 0x05, 0x01
# With fewer words nothing can be told of a melody.
MIN_SYLLABLES = 8
# A chunk with the words of a long song and its melody has a fifth of it.
_MOST_BYTES = 1 << 18
# Data bytes after a status byte, by its upper half.
_DATA_BYTES = {0x8: 2, 0x9: 2, 0xA: 2, 0xB: 2, 0xC: 1, 0xD: 1, 0xE: 2}


def syllable_ticks(chunks: Sequence[bytes]) -> list[int]:
    """The ticks at which syllables begin, of the chunk with most of them; possibly none.

    Args:
      chunks: the events of each track of the file.
    """
    found: list[list[int]] = [[]]
    for chunk in chunks:
        num_marks = chunk.count(b"\xff\x05") + chunk.count(b"\xff\x01")
        if num_marks < MIN_SYLLABLES or len(chunk) > _MOST_BYTES:
            continue
        texts = _texts(chunk)
        for kind in (_LYRIC, _TEXT):
            words = [(tick, text) for tick, which, text in texts if which == kind]
            if kind == _LYRIC or any(text[:1] in (b"\\", b"/", b"@") for _, text in words):
                found.append(sorted({tick for tick, text in words if _is_syllable(text)}))
    best = max(found, key=len)
    return best if len(best) >= MIN_SYLLABLES else []


def _is_syllable(text: bytes) -> bool:
    return bool(text.strip(b"\\/ \r\n\t\x00")) and not text.startswith((b"@", b"%"))


def _texts(chunk: bytes) -> list[tuple[int, int, bytes]]:
    """`(tick, kind, text)` of the texts of a chunk, up to its first damage."""
    texts = []
    place = tick = status = 0
    while place < len(chunk):
        delta, place = _number(chunk, place)
        tick += delta
        if place >= len(chunk):
            break
        if chunk[place] >= 0x80:
            status = chunk[place]
            place += 1
        if status == 0xFF or status in (0xF0, 0xF7):
            kind = chunk[place] if status == 0xFF and place < len(chunk) else -1
            size, place = _number(chunk, place + (status == 0xFF))
            if kind in (_LYRIC, _TEXT):
                texts.append((tick, kind, chunk[place : place + size]))
            place += size
            status = 0  # such an event ends the running status
        elif (count := _DATA_BYTES.get(status >> 4)) is not None:
            place += count
        else:
            break
    return texts


def _number(data: bytes, place: int) -> tuple[int, int]:
    """A number of variable length, and where it ends."""
    value = 0
    for at in range(place, min(place + 4, len(data))):
        value = value << 7 | data[at] & 0x7F
        if data[at] < 0x80:
            return value, at + 1
    return value, len(data)
