"""ABC notation as scores: several tunes in a file, several voices in a tune.

The format is that of https://abcnotation.com/wiki/abc:standard:v2.1.
"""

import bisect
import itertools
import re
from fractions import Fraction

from musicvae_jax.notation.abc_fields import (
    clef_octave,
    count_syllables,
    default_unit,
    meter_of,
    part_order,
    property_of,
    signature_of,
    tempo_bpm,
    unit_of,
)
from musicvae_jax.notation.abc_voice import (
    TOKEN,
    Voice,
    begin_part,
    end_bar,
    end_voice,
    read_event,
    read_sign,
    rest_bars,
)
from musicvae_jax.notation.repeats import playing_order
from musicvae_jax.notation.score import MAX_BARS, Note, Score, VoiceInfo


def read_scores(text: str) -> list[Score]:
    """The tunes of a file, in order.

    Raises:
      ValueError: it has no tune.
    """
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    if sum(map(int, re.findall(r"[ZX](\d{1,3})", text))) > MAX_BARS:
        raise ValueError(f"rests of more than {MAX_BARS} bars")
    tunes = re.split(r"(?m)^(?=X:)", text)
    tunes = tunes[1:] if len(tunes) > 1 else tunes
    scores = [_Tune(tune).score() for tune in tunes if re.search(r"(?m)^K:", tune)]
    if not scores:
        raise ValueError("no tune: a line that begins with K: is needed")
    return scores


class _Tune:
    """Reads one tune."""

    def __init__(self, text: str):
        self._voices: dict[str, Voice] = {}
        self._title = ""
        self._meter: tuple[int, int] | None = (4, 4)
        self._unit: Fraction | None = None
        self._signature: dict[str, int] = {}
        self._program = 0
        self._tempo_text = ""
        self._key_properties = ""
        self._properties: dict[str, str] = {}
        self._voice_id = ""
        self._parts = ""
        self._has_words = self._has_overlay = False  # below this line; anywhere
        self._in_header = True
        for line in text.split("\n"):
            self._read_line(line)
        for voice in self._voices.values():
            end_voice(voice)

    def _read_line(self, line: str) -> None:
        program = re.match(r"%%MIDI\s+program\s+(?:\d+\s+)?(\d+)", line)
        if program:
            self._program = min(int(program[1][:4]), 127)
        line = re.sub(r"(?<!\\)%.*", "", line).rstrip()
        field = re.match(r"([A-Za-z+]):(?![|:])(.*)", line)
        if field:
            self._read_field(field[1], field[2].strip())
        elif not self._in_header:
            self._has_words = False
            self._read_music(line)

    def _read_field(self, letter: str, value: str) -> None:
        if letter == "T" and not self._title:
            self._title = value
        elif letter == "w" and not self._in_header and not self._has_words:
            self._has_words = True  # another verse is sung to the same notes
            self._voice().info.num_syllables += count_syllables(value)
        elif letter == "P" and self._in_header:
            self._parts = part_order(value)
        elif letter == "P" and value:
            begin_part(self._voice(), value[0])
        elif letter == "V":
            self._voice_id, *properties = value.split(None, 1) or [""]
            before = self._properties.setdefault(self._voice_id, "")
            if properties and self._voice_id not in self._voices:
                self._properties[self._voice_id] = f"{before} {properties[0]}"
        elif letter == "M":
            self._meter = meter_of(value)
            if not self._in_header:
                self._voice().meter = self._meter
        elif letter == "L":
            self._unit = unit_of(value) or self._unit
            if not self._in_header and self._unit:
                self._voice().unit = self._unit
        elif letter == "Q":
            self._set_tempo(value)
        elif letter == "K":
            self._read_key(value)

    def _set_tempo(self, value: str) -> None:
        if self._in_header:
            self._tempo_text = value
            return
        voice = self._voice()
        bpm = tempo_bpm(value, voice.unit)
        if bpm:
            position = sum(event.ticks for event in voice.current)
            voice.next_bar.tempos.append((position, bpm))

    def _read_key(self, value: str) -> None:
        signature = signature_of(value)
        if self._in_header:
            self._in_header = False
            self._signature = signature or {}
            self._key_properties = value
            self._voice_id = ""
        elif signature is not None:
            self._voice().signature = signature

    def _voice(self) -> Voice:
        """The voice that the text is in; the first one declared where none is named."""
        id = self._voice_id or next(iter(self._properties), "1")
        if id not in self._voices:
            properties = self._properties.get(id, "")
            name = re.search(r'(?:name|nm)\s*=\s*(?:"([^"]*)"|(\S+))', properties)
            shift = 0
            for text in (self._key_properties, properties):
                shift += 12 * (property_of(text, "octave") + clef_octave(text))
                shift += property_of(text, "transpose")
            info = VoiceInfo((name[1] or name[2] or "") if name else "", self._program)
            unit = self._unit or default_unit(self._meter)
            voice = Voice(info, unit, self._meter, dict(self._signature), shift)
            if self._tempo_text and not self._voices:
                bpm = tempo_bpm(self._tempo_text, unit)
                voice.next_bar.tempos += [(0, bpm)] if bpm else []
            self._voices[id] = voice
        return self._voices[id]

    def _read_music(self, line: str) -> None:
        for match in TOKEN.finditer(line):
            kind = match.lastgroup
            if match["field"]:
                self._read_field(match["field"], match["value"].strip())
            elif kind == "skipped":
                read_sign(self._voice(), match["skipped"])
            elif match["unseen"]:
                end_bar(self._voice(), "|")
            elif match["bar"]:
                end_bar(self._voice(), match["bar"], match["ending"] or "")
            elif match["bracket"]:
                end_bar(self._voice(), "", match["bracket"])
            elif match["bars_rest"]:
                rest_bars(self._voice(), int(match["bars"] or 1))
            else:
                self._has_overlay |= match["overlay"] is not None
                read_event(self._voice(), match)

    def score(self) -> Score:
        """The tune, in the bars of its first voice.

        A voice that lacks a bar line has other bars than the first one; the notes of such
        a voice are placed by their time from the beginning.
        """
        voices = {id: voice for id, voice in self._voices.items() if voice.bars}
        first = next(iter(voices.values()), None)
        if first is None:
            return Score(self._title, {}, [])
        for bar, events in zip(first.bars, first.events, strict=True):
            bar.length = sum(event.ticks for event in events)
        begins = _running_sum([bar.length for bar in first.bars])
        for id, voice in voices.items():
            own = _running_sum([sum(event.ticks for event in bar) for bar in voice.events])
            starts = begins if len(voice.bars) == len(first.bars) else own
            for start, events in zip(starts, voice.events, strict=True):
                for event in events:
                    index = max(bisect.bisect_right(begins, start) - 1, 0)
                    first.bars[index].notes.setdefault(id, []).extend(
                        Note(pitch, start - begins[index], event.ticks, pitch in event.tied)
                        for pitch in event.pitches
                        if event.ticks and 0 <= pitch < 128
                    )
                    start += event.ticks
        infos = {id: voice.info for id, voice in voices.items()}
        warnings = ["voices after an & are left out"] if self._has_overlay else []
        return Score(self._title, infos, first.bars, self._order(first), warnings)

    def _order(self, voice: Voice) -> list[int]:
        """The bars in the order of parts that the header gives; empty if it gives none."""
        if not self._parts or not voice.parts:
            return []
        starts = [start for _, start in voice.parts]
        spans = zip(starts, [*starts[1:], len(voice.bars)], strict=True)
        bars_of = {
            name: [start + index for index in playing_order(voice.bars[start:stop])]
            for (name, _), (start, stop) in zip(voice.parts, spans, strict=True)
        }
        order = list(range(starts[0]))
        for name in self._parts:
            order += bars_of.get(name, [])
            if len(order) > MAX_BARS:
                raise ValueError(f"more than {MAX_BARS} bars with its repeats")
        return order


def _running_sum(lengths: list[int]) -> list[int]:
    """Where each of some bars begins."""
    return [0, *itertools.accumulate(lengths)][: len(lengths)]
