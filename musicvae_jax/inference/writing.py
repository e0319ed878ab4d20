"""Melodies of any number of bars, some of them given and the others written by the composer."""

import dataclasses
from collections.abc import Sequence

import jax
import numpy as np

from musicvae_jax.inference.composer import Composer
from musicvae_jax.inference.network import Network
from musicvae_jax.inference.results import Continuation
from musicvae_jax.models import noise
from musicvae_jax.models.bar_flow import PHASES
from musicvae_jax.music.melody import Melody
from musicvae_jax.music.windows import play_round


class Writer:
    """Writes bars and decodes them."""

    def __init__(self, network: Network, composer: Composer):
        self._network = network
        self._composer = composer

    @property
    def knows_bars(self) -> bool:
        """Whether some bars can be given; not if nothing in a latent belongs to a bar."""
        return self._composer.layout.bars == self._network.bars

    def new_latents(self, num: int, key: jax.Array, bars: int) -> np.ndarray:
        """Latents of new melodies: [num, windows, ...] float32.

        Args:
          num: how many; more of them leave the first ones as they are.
          key: of all noise.
          bars: of each; the last window may go on after them.
        """
        layout = self._composer.layout
        keys = noise.example_keys(key, 0, num)
        count = bars if self.knows_bars else -(-bars // self._network.bars)
        codes = np.zeros((num, count, layout.size), np.float32)
        place = self._composer.beginnings(keys, count)
        is_known = np.zeros((num, count), bool)
        return self.windows(self._composer.write(codes, is_known, keys, place))

    def windows(self, codes: np.ndarray) -> np.ndarray:
        """Codes [batch, bars, size] as latents [batch, windows, ...]; the last one is repeated."""
        layout = self._composer.layout
        batch, bars, size = codes.shape
        windows = -(-bars // layout.bars)
        padding = ((0, 0), (0, windows * layout.bars - bars), (0, 0))
        whole = np.pad(codes, padding, mode="edge")
        z = layout.latents(whole.reshape(batch * windows, layout.bars, size))
        return z.reshape(batch, windows, *layout.latent_shape)

    def codes(self, melodies: Sequence[Melody]) -> np.ndarray:
        """The codes of the bars of melodies of equal length: [melodies, bars, size] float32.

        The model hears windows of its own length. The last one ends with the melody; a melody
        that is shorter goes round.
        """
        bars, length = self._composer.layout.bars, melodies[0].num_bars
        firsts = [min(first, max(length - bars, 0)) for first in range(0, length, bars)]
        windows = [play_round(melody, first, bars) for first in firsts for melody in melodies]
        tokens = self._network.tokens(windows)
        codes = self._composer.layout.codes(self._network.encode(tokens).mu)
        found = np.zeros((len(melodies), firsts[-1] + bars, codes.shape[-1]), np.float32)
        for first, of_windows in zip(firsts, np.split(codes, len(firsts)), strict=True):
            found[:, first : first + bars] = of_windows
        return found[:, :length]

    def fill(
        self,
        melodies: Sequence[Melody],
        is_kept: np.ndarray,
        *,
        num: int,
        key: jax.Array,
        temperature: float,
        first_bar: int | None = 0,
    ) -> tuple[np.ndarray, np.ndarray]:
        """Writes the bars of melodies that are not kept, several times.

        Args:
          melodies: of the same number of whole bars; what is not kept is a draft, whose bars
            the encoder hears beside those that are kept.
          is_kept: [bars] bool.
          num: how many versions of each.
          key: of all noise.
          temperature: of decoding.
          first_bar: the number of their first bar in their songs; None if it is not known.

        Returns:
          tokens [melodies * num, steps] int32, the versions of a melody in a row, and the
          natural logarithms of their probabilities. The kept bars sound as they are; what is
          held into one from a bar that is not kept is struck.
        """
        count, bars = len(melodies) * num, len(is_kept)
        place = self._composer.anywhere(count, bars)
        if first_bar is not None:
            phase = (first_bar + np.arange(bars)) % PHASES
            phase = np.tile(phase.astype(np.int32), (count, 1))
            place = dataclasses.replace(place, phase=phase)
        codes = np.repeat(self.codes(melodies), num, axis=0)
        known = np.tile(is_kept, (count, 1))
        keys = noise.example_keys(key, 0, count)
        z = self.windows(self._composer.write(codes, known, keys, place))
        given = np.stack([self._given(melody, is_kept) for melody in melodies])
        is_given = np.repeat(known, self._network.model.steps_per_bar, axis=1)
        return self._network.decode(z, key, temperature, np.repeat(given, num, axis=0), is_given)

    def _given(self, melody: Melody, is_kept: np.ndarray) -> np.ndarray:
        """The tokens of a melody [steps] with each run of kept bars as if it began there."""
        codec = self._network.codec
        tokens = codec.encode(melody)
        starts = np.flatnonzero(is_kept & ~np.concatenate([[False], is_kept[:-1]]))
        for bar in starts:
            first = int(bar) * melody.grid.steps_per_bar
            alone = codec.encode(melody.window(int(bar), 1))
            silent = codec.hold is not None and alone[0] == codec.hold
            tokens[first] = codec.silence if silent else alone[0]
        return tokens

    def continue_melody(
        self, melody: Melody, *, bars: int | None, num: int, key: jax.Array, temperature: float
    ) -> list[Continuation]:
        """Continuations of a melody, the likeliest first; see `MelodyModel.complete`."""
        context = min(melody.num_bars, self._network.bars // 2)
        bars = self._network.bars - context if bars is None else bars
        heard = melody.window(melody.num_bars - context, context)
        draft = play_round(heard, 0, context + bars)
        is_kept = np.arange(context + bars) < context
        first_bar = melody.num_bars - context
        tokens, probs = self.fill(
            [draft], is_kept, num=num, key=key, temperature=temperature, first_bar=first_bar
        )
        scores = probs[:, heard.num_steps :].mean(axis=1)
        return [
            Continuation(
                melody.then(self._network.melody(tokens[index], melody).window(context, bars)),
                float(scores[index]),
            )
            for index in np.argsort(-scores)
        ]

    def vary(
        self,
        melody: Melody,
        kept_bars: Sequence[int],
        *,
        num: int,
        key: jax.Array,
        temperature: float,
    ) -> list[Melody]:
        """Versions of a melody in which the other bars are written anew.

        Args:
          melody: of whole bars.
          kept_bars: the numbers of bars that stay as they are, from 0.
          num: how many versions.
          key: of all noise.
          temperature: of decoding.
        """
        is_kept = np.isin(np.arange(melody.num_bars), kept_bars)
        tokens, _ = self.fill([melody], is_kept, num=num, key=key, temperature=temperature)
        made = [self._network.melody(row, melody) for row in tokens]
        return [self._network.codec.as_played(one, melody, is_kept) for one in made]
