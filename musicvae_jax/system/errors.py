"""The ways in which a run ends early on purpose."""


class UserError(Exception):
    """Something the user gave cannot be used.

    The message is one line that names the file or flag, says what was wrong and
    what is valid. `main` prints it without a traceback and exits with code 2.
    """


class TrainingDivergedError(Exception):
    """The loss or the gradients are no longer finite; exit code 1."""


class PreemptedError(Exception):
    """A run was told to stop, has saved its state, and goes on when run again.

    Exit code 0, or `--preemption_exit_code` for schedulers that start again only what
    failed.
    """


class CheckpointError(Exception):
    """A checkpoint could not be written; exit code 1."""
