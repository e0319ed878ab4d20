"""Music files read for the studio, in a process of its own that a file may bring down."""

import functools
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

from musicvae_jax.midi import write
from musicvae_jax.midi.read import TIMEOUT_SEC
from musicvae_jax.midi.reading import AS_FOUND, Reading
from musicvae_jax.midi.whole import arrangement
from musicvae_jax.midi.whole.arrangement import Source
from musicvae_jax.music.drums import Drums
from musicvae_jax.music.melody import Melody
from musicvae_jax.music.windows import WindowRules
from musicvae_jax.notation import read
from musicvae_jax.studio import requests
from musicvae_jax.studio.jobs import Tell
from musicvae_jax.studio.kinds import Kind
from musicvae_jax.studio.requests import Upload
from musicvae_jax.system.errors import UserError
from musicvae_jax.system.workers import SafePool, WorkerFailure

T = TypeVar("T")


class Reader:
    """Reads files, one at a time; what has a `tell` is the work of a job, see `Jobs`."""

    def __init__(self, kind: Kind, bars: int):
        """Args: what is read, and how many bars the model knows, for what is said of a file."""
        self._kind = kind
        self._rules = WindowRules(bars=bars)
        self._pool = SafePool(1, TIMEOUT_SEC)
        self._examples: dict[str, dict[str, Any]] = {}

    def close(self) -> None:
        """Ends the process."""
        self._pool.close()

    def example(self, name: str, tell: Tell) -> dict[str, Any]:
        """An example, as it is read from a file."""
        if name not in self._examples:
            piece = self._kind.single(self._kind.examples[name], name)
            content = write.midi_bytes(piece, name, "")
            self._examples[name] = self.music(content, name, AS_FOUND, tell)
        return self._examples[name]

    def music(self, content: bytes, name: str, reading: Reading, tell: Tell) -> dict[str, Any]:
        """What the page shows of a file.

        Raises:
          UserError: the file cannot be read, or has nothing of the kind that is wanted.
        """
        return self._kind.view_file(self._parsed, content, name, reading, self._rules)

    def sources(
        self,
        inputs: Mapping[str, Melody],
        uploads: Sequence[Upload],
        drums: Mapping[str, Drums],
        tell: Tell,
    ) -> dict[str, Source]:
        """The songs whole, by their titles; examples with their `drums`, by their names.

        Raises:
          UserError: a file cannot be read.
        """
        result = {}
        for (title, melody), upload in zip(inputs.items(), uploads, strict=True):
            if upload.content is None:
                result[title] = arrangement.from_melody(melody, drums.get(upload.name))
                continue
            whole = (upload.content, upload.name, upload.reading)
            result[title] = self._parsed(read.whole_from_bytes, *whole)
            requests.check_length(upload.name, result[title].melody)
        return result

    def _parsed(self, parse: Callable[..., T], content: bytes, name: str, reading: Reading) -> T:
        """What is made of a file in the process."""
        [parsed] = self._pool.map(
            functools.partial(parse, name=name, reading=reading),
            [content],
            1,
            read.timeout_sec(name),
        )
        if isinstance(parsed, WorkerFailure):
            raise UserError(f"{name}: {parsed.reason}")
        return parsed
