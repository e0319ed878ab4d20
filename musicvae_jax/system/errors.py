"""The ways in which a run ends early on purpose."""


class UserError(Exception):
    """Something the user gave cannot be used.

    The message is one line that names the file or value, says what was wrong and
    what is valid.

    >>> import musicvae_jax as mv
    >>> mv.load_model("no_such_folder")
    Traceback (most recent call last):
    musicvae_jax.system.errors.UserError: ...

    `main` prints it without a traceback and exits with code 2.

    Attributes:
      arguments: the words of the message that name an argument (`workdir`) or a field of
        the configuration (`config.train.batch_size`). The command line shows these as
        flags, see `commands.flags.in_flags`.
    """

    def __init__(self, message: str, *arguments: str):
        super().__init__(message)
        self.arguments = arguments


class TrainingDivergedError(Exception):
    """The loss or the gradients are no longer finite; exit code 1."""


class PreemptedError(Exception):
    """A run was told to stop, has saved its state, and goes on when run again.

    Exit code 0, or another for schedulers that start again only what failed.
    """


class CheckpointError(Exception):
    """A checkpoint could not be written; exit code 1."""
