import dataclasses
import itertools

import hypothesis
import numpy as np
import pytest

from musicvae_jax.music import assembly, modulation, piece, tempo
from musicvae_jax.music.examples import example_melodies
from musicvae_jax.music.melody import Melody
from tests import helpers

ODE, REEL = example_melodies().values()
FLUTE_REEL = dataclasses.replace(REEL, program=73)


def shifted(melody, bars):
    return [(pitch, start + 16 * bars, end + 16 * bars) for pitch, start, end in melody.notes()]


def notes(voice):
    table = np.stack([voice.pitch, voice.start, voice.end], axis=1)
    return [tuple(row) for row in table.tolist()]


@hypothesis.given(helpers.chains())
def test_every_melody_is_played_as_it_was(parts):
    melodies, bridges, programs = parts
    made = assembly.chain(melodies, bridges, programs=programs)
    alternating = [m for pair in itertools.zip_longest(melodies, bridges) for m in pair if m]
    bar, played = 0, []
    for section, given in zip(made.sections, alternating, strict=True):
        assert section.start_bar == bar
        assert section.melody.notes() == given.notes()
        played += shifted(given, bar)
        bar += -(-given.num_steps // 16)
    assert made.num_bars == bar
    assert made.line.notes() == played
    assert made.line.num_steps == made.num_steps == 16 * bar
    assert made.loops == (len(bridges) == len(melodies))


@hypothesis.given(helpers.chains())
def test_the_voices_together_play_the_line_and_nothing_else(parts):
    melodies, bridges, programs = parts
    made = assembly.chain(melodies, bridges, programs=programs)
    assert {note for voice in made.voices for note in notes(voice)} == set(made.line.notes())
    for voice in made.voices:
        assert (voice.start[1:] >= voice.end[:-1]).all()
        assert ((voice.velocity >= 1) & (voice.velocity <= piece.VELOCITY)).all()
    # A melody is heard from its own instrument alone, unless told otherwise.
    for section in made.sections:
        if not section.is_bridge:
            program = melodies[0].program if programs == "keep" else section.melody.program
            own = set(shifted(section.melody, section.start_bar))
            for voice in made.voices:
                expected = own if voice.program == program else set()
                assert own & set(notes(voice)) == expected


@hypothesis.given(helpers.chains())
def test_tempos_belong_to_their_melodies_and_go_one_way_between_them(parts):
    melodies, bridges, _ = parts
    made = assembly.chain(melodies, bridges)
    steps = [step for step, _ in made.tempos]
    assert steps[0] == 0
    assert steps == sorted(set(steps))
    by_step = np.array([bpm for _, bpm in made.tempos])[
        np.searchsorted(steps, np.arange(made.num_steps), side="right") - 1
    ]
    for index, section in enumerate(made.sections):
        here = by_step[section.start_step : section.start_step + section.melody.num_steps]
        if section.is_bridge:
            before = made.sections[index - 1].melody.tempo_bpm
            after = made.sections[(index + 1) % len(made.sections)].melody.tempo_bpm
            change = np.diff([before, *here, after]) * np.sign(after - before)
            assert (change >= -1e-3 * before).all()
            assert (np.abs(here - np.clip(here, *sorted((before, after)))) < 1e-3 * before).all()
        else:
            expected = tempo.microseconds_per_quarter(section.melody.tempo_bpm)
            assert {tempo.microseconds_per_quarter(bpm) for bpm in here} == {expected}
    # An independent count of the seconds: step by step.
    micros = [tempo.microseconds_per_quarter(bpm) for bpm in by_step]
    assert made.duration_sec == pytest.approx(sum(micros) / 4e6, abs=1e-9)


def test_crossing_instruments_have_equal_power():
    made = assembly.splice(ODE, ODE, FLUTE_REEL)
    piano, flute = made.voices
    assert (piano.program, flute.program) == (0, 73)
    in_piano = dict(zip(notes(piano), piano.velocity.tolist(), strict=True))
    in_flute = dict(zip(notes(flute), flute.velocity.tolist(), strict=True))
    bridge = shifted(ODE, 16)
    # Power is the square of amplitude, and amplitude that of velocity.
    power = [(in_piano[n] / 80) ** 4 + (in_flute[n] / 80) ** 4 for n in bridge]
    np.testing.assert_allclose(power, 1.0, atol=0.03)
    fading = [in_piano[n] for n in bridge]
    assert fading == sorted(fading, reverse=True)
    # The middle of the first note is at 2 of 256 steps: 80 * sqrt(sin(pi / 256)).
    assert (fading[0], in_flute[bridge[0]]) == (80, 9)


@pytest.mark.parametrize(("bars", "switch"), [(16, 8), (5, 2), (1, 0)])
def test_switching_instruments_falls_on_a_bar_line(bars, switch):
    made = assembly.splice(ODE, ODE.window(0, bars), FLUTE_REEL, programs="switch")
    piano, flute = made.voices
    assert piano.start.max() < 16 * (16 + switch) <= flute.start.min()
    assert notes(piano) + notes(flute) == made.line.notes()
    assert set(piano.velocity) == set(flute.velocity) == {80}


def test_a_program_that_returns_is_one_voice():
    made = assembly.chain([ODE, FLUTE_REEL, ODE], [ODE.window(0, 1)] * 2)
    assert [voice.program for voice in made.voices] == [0, 73]


def test_a_melody_that_does_not_fill_its_bar_is_followed_by_silence():
    short = Melody.from_notes([(60, 0, 4), (62, 16, 20)], 21)
    made = assembly.splice(short, ODE.window(0, 2), short)
    assert [section.start_bar for section in made.sections] == [0, 2, 4]
    assert made.num_bars == 6


def test_a_transposed_melody_differs_by_a_constant_and_is_reported():
    made = assembly.splice(ODE, ODE.window(0, 2), REEL, key_path="transpose", titles=["o", "r"])
    assert made.sections[2].melody.notes() == REEL.transpose(-2).notes()
    summary = made.summary()
    assert [s["key"] for s in summary["sections"]] == ["C major"] * 3
    assert [s["semitones"] for s in summary["sections"]] == [0, 0, -2]
    assert [s["start_sec"] for s in summary["sections"]][:2] == [0.0, 32.0]
    assert [s["origin"] for s in summary["sections"]] == ["melody 1", "bridge", "melody 2"]


def test_a_gliding_bridge_follows_its_curve_and_the_melodies_stay():
    [(first, second)] = modulation.plan_keys([ODE, REEL], "glide").pairs
    assert (first, second) == (ODE, REEL.transpose(-2))
    late = np.array([0.0, 0.0, 1.0, 1.0])
    bridge = first.window(0, 2)
    both = Melody.from_notes(bridge.notes() + shifted(bridge, 2), 64)
    made = assembly.splice(ODE, both, REEL, key_path="glide", curve=late)
    assert [s.key for s in made.sections] == ["C major", "C major to D major", "D major"]
    assert made.sections[1].melody.notes() == bridge.notes() + shifted(bridge.transpose(2), 2)
    assert made.sections[2].melody.notes() == REEL.notes()


@pytest.mark.parametrize(
    ("melodies", "bridges", "options", "message"),
    [
        ([], [], {}, "0 melodies need -1 bridges"),
        ([ODE, REEL], [], {}, "2 melodies need 1 bridges, or 2 to loop; got 0"),
        ([ODE, REEL], [Melody.from_notes([], 17)], {}, "1 to 64 whole bars, not 1.0625"),
        ([ODE, REEL], [Melody.from_notes([], 65 * 16)], {}, "not 65"),
        ([ODE, REEL], [ODE], {"programs": "fade"}, "unknown programs 'fade'; valid are keep"),
        ([ODE, REEL], [ODE], {"key_path": "up"}, "unknown key path 'up'; valid are keep"),
        (
            [dataclasses.replace(ODE, program=p) for p in range(16)],
            [ODE] * 15,
            {},
            "channels for 15 programs, not 16",
        ),
    ],
)
def test_what_cannot_be_made_is_said(melodies, bridges, options, message):
    with pytest.raises(ValueError, match=message):
        assembly.chain(melodies, bridges, **options)
