"""Errors of the library, in the words of the command line."""

import pickle

import pytest
from absl.testing import flagsaver

from musicvae_jax import main  # noqa: F401 - defines the flags
from musicvae_jax.commands import flags
from musicvae_jax.system.errors import UserError


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (UserError("song.mid: not a readable MIDI file"), "song.mid: not a readable MIDI file"),
        (
            UserError("checkpoint=/no/checkpoint: no checkpoint there", "checkpoint"),
            "--checkpoint=/no/checkpoint: no checkpoint there",
        ),
        (
            UserError("no model in workdir=/my/workdir/x", "workdir"),
            "no model in --workdir=/my/workdir/x",
        ),
        (
            UserError("config.model.z=5: must divide, config.model.z_2=1", "config.model.z"),
            "--config.model.z=5: must divide, config.model.z_2=1",
        ),
        (
            UserError("process_id=2: below num_processes=2", "process_id", "num_processes"),
            "--process_id=2: below --num_processes=2",
        ),
    ],
)
def test_arguments_are_flags_on_the_command_line(error, expected):
    assert flags.in_flags(error) == expected
    assert flags.in_flags(pickle.loads(pickle.dumps(error))) == expected


@pytest.mark.parametrize(
    ("text", "kept"),
    [([], ()), (["1-4", "9-10"], (0, 1, 2, 3, 8, 9)), (["2", " 5"], (1, 4)), (["7-7"], (6,))],
)
def test_bars_that_are_kept_are_counted_from_one(text, kept):
    with flagsaver.flagsaver(keep_bars=text):
        assert flags.read_kept_bars() == kept


@pytest.mark.parametrize("text", ["0", "4-1", "x", "1-", "-3", "1.5"])
def test_what_is_no_bar_is_told(text):
    with (
        flagsaver.flagsaver(keep_bars=[text]),
        pytest.raises(UserError, match="bars are counted from 1"),
    ):
        flags.read_kept_bars()
