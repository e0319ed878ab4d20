"""The codec of drums: one token for each set of pieces that are struck together."""

import dataclasses
from typing import Any

import numpy as np

from musicvae_jax.music.drum_kit import PIECES
from musicvae_jax.music.drums import Drums

# Drummers hardly ever play a bar twice alike: 9 % of the bars of the Groove MIDI Dataset are equal
# to an earlier one of their window of 16 bars. By this share of common hits, half of them are.
_ALIKE_F1 = 0.85


def token_hits(tokens: np.ndarray) -> np.ndarray:
    """Which pieces each token strikes: [...] int -> [..., 9] bool."""
    return (np.asarray(tokens)[..., None] >> np.arange(len(PIECES)) & 1).astype(bool)


@dataclasses.dataclass(frozen=True)
class DrumCodec:
    """512 classes, one for each set of the nine pieces (Roberts et al. 2018, section 5).

    Bit i of a token says whether piece i of `drum_kit.PIECES` is struck, so 0 is silence. How
    hard and when exactly is not in it.
    """

    music: type = Drums
    vocab: int = 1 << len(PIECES)
    silence: int = 0
    hold: int | None = None
    sustains: bool = False
    has_pitches: bool = False
    dtype: type[np.unsignedinteger] = np.uint16

    @property
    def stored(self) -> "DrumCodec":
        return self

    def encode(self, drums: Drums) -> np.ndarray:
        """Returns tokens: [steps] int32."""
        tokens = np.zeros(drums.num_steps, np.int32)
        np.bitwise_or.at(tokens, drums.step, 1 << drums.piece)
        return tokens

    def decode(self, tokens: np.ndarray, **fields: Any) -> Drums:
        """Returns the drums of tokens: [steps] int, on the grid and struck alike.

        Raises:
          ValueError: a token is not in 0..511.
        """
        tokens = np.asarray(tokens)
        if tokens.ndim != 1:
            raise ValueError(f"tokens must be [steps], got shape {tokens.shape}")
        if tokens.size and (tokens.min() < 0 or tokens.max() >= self.vocab):
            raise ValueError(
                f"tokens must lie in 0..{self.vocab - 1}, got {tokens.min()}..{tokens.max()}"
            )
        step, piece = np.nonzero(token_hits(tokens))
        return Drums.from_hits(zip(piece, step, strict=True), tokens.size, **fields)

    def as_played(self, made: Drums, given: Drums, is_kept: np.ndarray) -> Drums:
        """What was made, whose kept bars are played as they were given."""
        return made.played_as(given, is_kept)

    def from_stored(self, tokens: np.ndarray) -> np.ndarray:
        """The tokens themselves."""
        return tokens

    def token_pitches(self) -> np.ndarray:
        """The number of each set of pieces, which is the token's, or -1 for silence: [512] int."""
        return np.where(np.arange(self.vocab) == self.silence, -1, np.arange(self.vocab))

    def onsets(self, tokens: np.ndarray) -> np.ndarray:
        """Where something is struck: [...] bool."""
        return tokens != self.silence

    def transpose(self, tokens: np.ndarray, semitones: np.ndarray) -> np.ndarray:
        """The tokens themselves: drums have no key."""
        return tokens

    def comparable(self, tokens: np.ndarray) -> np.ndarray:
        """The tokens themselves."""
        return tokens

    def bars(self, tokens: np.ndarray, count: int) -> np.ndarray:
        """The hits of each bar: [windows, count, steps * 9] bool."""
        return token_hits(tokens).reshape(len(tokens), count, -1)

    def are_alike(self, bars: np.ndarray, others: np.ndarray) -> np.ndarray:
        """Whether they share most hits: F1 of at least .85; [...] bool."""
        common = (bars & others).sum(axis=-1)
        both = bars.sum(axis=-1) + others.sum(axis=-1)
        return 2 * common >= _ALIKE_F1 * both
