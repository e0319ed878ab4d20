"""Errors of the library, in the words of the command line."""

import pickle

import pytest

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
