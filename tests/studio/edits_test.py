"""Lines that were edited by hand, as the studio's server takes them."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from musicvae_jax.commands import edits
from musicvae_jax.commands.compose import Composition, Output
from musicvae_jax.music.examples import example_melodies
from musicvae_jax.music.melody import Melody
from musicvae_jax.studio import requests
from musicvae_jax.system.errors import UserError
from musicvae_jax.transitions.maker import Bridge

ODE, REEL = example_melodies().values()


def bridge(bars):
    melody = Melody.from_notes([(60, 0, 4)], 16 * bars, tempo_bpm=90.0)
    return Bridge(melody, "latent", 0, scores=None, by_bar=None, t_latent=np.zeros(bars))


@settings(max_examples=30)
@given(st.lists(st.integers(1, 4), min_size=1, max_size=4), st.integers(0, 1))
def test_each_bridge_gets_its_bars_of_the_line(lengths, extra):
    """`extra`: whether the last bridge leads back to the first melody."""
    melodies = [ODE.window(0, n % 3 + 1) for n in range(len(lengths) + 1 - extra)]
    bridges = [bridge(bars) for bars in lengths]
    every = [REEL.window(index, bars) for index, bars in enumerate(lengths)]
    parts = [melodies[0]]
    for index, made in enumerate(every):
        parts.append(made)
        parts += melodies[index + 1 : index + 2]
    changed = edits.bridges_of(parts[0].then(*parts[1:]), bridges, melodies)
    assert [each.melody.notes() for each in changed] == [each.notes() for each in every]
    assert all(each.melody.tempo_bpm == 90 for each in changed)
    alone = edits.bridges_of(every[0], bridges[:1], [])
    assert alone[0].melody.notes() == every[0].notes()
    with pytest.raises(UserError, match="an edited line of"):
        edits.bridges_of(ODE.window(0, 1).then(*parts), bridges, melodies)


def test_what_is_known_of_an_edited_melody_is_what_it_was_made_from():
    outputs = [
        Output(f"vary_{n:02d}", ODE, "", scores={"log_prob": 1.0}, source="a.mid") for n in (0, 1)
    ]
    made = edits.composition(Composition(tuple(outputs), 0.0), {"vary_01": ODE.transpose(1)})
    assert made.outputs[0] == outputs[0]
    assert made.melodies["vary_01"] == ODE.transpose(1)
    assert made.outputs[1].report() == {"input": "a.mid", "output": "vary_01.mid"}
    with pytest.raises(UserError, match="an edited line of 1 bars: 16 are needed"):
        edits.composition(Composition(tuple(outputs), 0.0), {"vary_00": ODE.window(0, 1)})


@pytest.mark.parametrize(
    ("told", "part"),
    [
        ([], "lines by name"),
        ({"a": []}, "a: not an edited line"),
        ({"a": {"notes": [[60, 0, 4]]}}, "num_steps"),
        ({"a": {"notes": [[60, 0, 4], [60, 2, 5]], "num_steps": 16}}, "overlap"),
        ({"a": {"notes": [[20, 0, 4]], "num_steps": 16}}, "outside of the piano"),
        ({"a": {"notes": [[60, 0, 40]], "num_steps": 16}}, "steps 0..16"),
    ],
)
def test_other_things_are_no_lines(told, part):
    with pytest.raises(UserError, match=part):
        requests.edits({"edits": told})


def test_a_line_may_be_silent():
    assert requests.edits({"edits": {"a": {"notes": [], "num_steps": 32}}})["a"].num_bars == 2
    assert requests.edits({}) == {}
