"""Codecs between melodies and token sequences, in NumPy, both ways.

`MelodyCodec` is the vocabulary of Roberts et al. 2018 (arXiv 1803.05428, section
5): events on a sixteenth grid, so a held note is one note. `RollCodec` is the
seed project's one-hot piano roll, which says only what sounds at each step.
"""

import dataclasses
from typing import Any, Protocol

import numpy as np

from musicvae_jax.music.melody import MAX_PITCH, MIN_PITCH, Melody

HOLD = 0  # nothing happens: a note goes on sounding, or silence goes on
NOTE_OFF = 1  # the sounding note ends and silence begins
FIRST_ONSET = 2  # 2..89 are onsets of MIDI 21..108
SILENCE = -1  # in place of a MIDI pitch


class Codec(Protocol):
    """What a codec offers; the names are those of the configuration field."""

    @property
    def vocab(self) -> int:
        """How many different tokens there are."""

    def encode(self, melody: Melody) -> np.ndarray:
        """Returns tokens: [steps] int32."""

    def decode(self, tokens: np.ndarray, **melody_fields: Any) -> Melody:
        """Returns the melody of tokens: [steps] int; sets `tempo_bpm`, `program`."""


def _check_tokens(tokens: np.ndarray, vocab: int) -> np.ndarray:
    tokens = np.asarray(tokens)
    if tokens.ndim != 1:
        raise ValueError(f"tokens must be [steps], got shape {tokens.shape}")
    if tokens.size and (tokens.min() < 0 or tokens.max() >= vocab):
        raise ValueError(f"tokens must lie in 0..{vocab - 1}, got {tokens.min()}..{tokens.max()}")
    return tokens.astype(np.int32)


@dataclasses.dataclass(frozen=True)
class MelodyCodec:
    """90 classes: 0 hold, 1 note off, 2..89 onset of MIDI 21..108.

    A sequence begins in silence. Silence after a note is one note-off followed by
    holds; a note that is followed at once by another needs no note-off. A note-off
    in silence says nothing and is dropped when decoded.
    """

    vocab: int = FIRST_ONSET + MAX_PITCH - MIN_PITCH + 1

    def encode(self, melody: Melody) -> np.ndarray:
        """Returns tokens: [steps] int32.

        Raises:
          ValueError: a pitch lies outside of MIDI 21..108.
        """
        if melody.pitch.size and (melody.pitch.min() < MIN_PITCH or melody.pitch.max() > MAX_PITCH):
            raise ValueError(
                f"pitches must lie in {MIN_PITCH}..{MAX_PITCH}, "
                f"got {melody.pitch.min()}..{melody.pitch.max()}"
            )
        tokens = np.full(melody.num_steps, HOLD, np.int32)
        # Note-offs first: where the next note begins at once, its onset replaces them.
        tokens[melody.end[melody.end < melody.num_steps]] = NOTE_OFF
        tokens[melody.start] = FIRST_ONSET + melody.pitch - MIN_PITCH
        return tokens

    def decode(self, tokens: np.ndarray, **melody_fields: Any) -> Melody:
        """Returns the melody of tokens: [steps] int.

        Raises:
          ValueError: a token is not in 0..89.
        """
        tokens = _check_tokens(tokens, self.vocab)
        event_step = np.flatnonzero(tokens != HOLD)
        event_end = np.append(event_step[1:], tokens.size)
        is_onset = tokens[event_step] >= FIRST_ONSET
        start = event_step[is_onset]
        return Melody(
            pitch=tokens[start] - FIRST_ONSET + MIN_PITCH,
            start=start,
            end=event_end[is_onset],
            num_steps=tokens.size,
            **melody_fields,
        )


@dataclasses.dataclass(frozen=True)
class RollCodec:
    """The seed's 61 classes: 0..59 is MIDI 48..107 sounding, 60 is silence.

    A roll cannot tell a repeated note from a held one. The seed struck every step
    again; here neighbouring steps of one pitch decode to one held note. Notes
    outside of MIDI 48..107 become silence (the seed's `chopster`).
    """

    vocab: int = 61
    min_pitch: int = 48

    @property
    def silence(self) -> int:
        return self.vocab - 1

    def encode(self, melody: Melody) -> np.ndarray:
        """Returns tokens: [steps] int32."""
        classes = melody.pitch - self.min_pitch
        classes = np.where((classes >= 0) & (classes < self.silence), classes, self.silence)
        # +class at each start, -class at each end, summed along the steps.
        change = np.zeros(melody.num_steps + 1, np.int32)
        change[0] = self.silence
        np.add.at(change, melody.start, classes - self.silence)
        np.add.at(change, melody.end, self.silence - classes)
        return np.cumsum(change[:-1], dtype=np.int32)

    def decode(self, tokens: np.ndarray, **melody_fields: Any) -> Melody:
        """Returns the melody of tokens: [steps] int.

        Raises:
          ValueError: a token is not in 0..60.
        """
        tokens = _check_tokens(tokens, self.vocab)
        changes = np.flatnonzero(np.diff(tokens, prepend=-1) != 0)
        ends = np.append(changes[1:], tokens.size)
        sounds = tokens[changes] != self.silence
        start = changes[sounds]
        return Melody(
            pitch=tokens[start] + self.min_pitch,
            start=start,
            end=ends[sounds],
            num_steps=tokens.size,
            **melody_fields,
        )


CODECS: dict[str, Codec] = {"melody": MelodyCodec(), "roll": RollCodec()}


def transpose_tokens(tokens: np.ndarray, semitones: np.ndarray) -> np.ndarray:
    """Transposes melody tokens, as far as the piano reaches.

    Args:
      tokens: [batch, steps] int, of `MelodyCodec`.
      semitones: [batch] int. A shift that would leave MIDI 21..108 is shortened to
        the largest that does not.

    Returns:
      [batch, steps], of the dtype of `tokens`.
    """
    onset = tokens >= FIRST_ONSET
    last = FIRST_ONSET + MAX_PITCH - MIN_PITCH
    low = np.where(onset, tokens, last).min(axis=1).astype(np.int32)
    high = np.where(onset, tokens, FIRST_ONSET).max(axis=1).astype(np.int32)
    shift = np.clip(semitones, FIRST_ONSET - low, last - high)
    return np.where(onset, tokens + shift[:, None], tokens).astype(tokens.dtype)


def previous_onset(onset: np.ndarray) -> np.ndarray:
    """The step of the latest onset before each step, -1 where there is none: [batch, steps] int.

    Args:
      onset: [batch, steps] bool.
    """
    latest = np.maximum.accumulate(np.where(onset, np.arange(onset.shape[1]), -1), axis=1)
    return np.pad(latest[:, :-1], ((0, 0), (1, 0)), constant_values=-1)


def sounding_pitch(tokens: np.ndarray, codec: str = "melody") -> np.ndarray:
    """What sounds at each step, the same for every codec.

    Args:
      tokens: [batch, steps] int.
      codec: a name in `CODECS`.

    Returns:
      [batch, steps] int16, MIDI, or `SILENCE`.
    """
    if codec == "roll":
        roll = RollCodec()
        pitch = np.where(tokens == roll.silence, SILENCE, tokens.astype(np.int16) + roll.min_pitch)
        return pitch.astype(np.int16)
    # The latest event at or before each step decides what sounds there.
    event_step = np.where(tokens != HOLD, np.arange(tokens.shape[1]), 0)
    latest = np.take_along_axis(tokens, np.maximum.accumulate(event_step, axis=1), axis=1)
    pitch = latest.astype(np.int16) - FIRST_ONSET + MIN_PITCH
    return np.where(latest >= FIRST_ONSET, pitch, SILENCE).astype(np.int16)


def melody_to_roll(tokens: np.ndarray) -> np.ndarray:
    """Converts melody tokens to roll tokens, a whole batch at once.

    Args:
      tokens: [batch, steps] int, of `MelodyCodec`.

    Returns:
      [batch, steps] uint8, what `RollCodec` gives for the same melodies.
    """
    roll = RollCodec()
    classes = sounding_pitch(tokens) - roll.min_pitch
    is_known = (classes >= 0) & (classes < roll.silence)
    return np.where(is_known, classes, roll.silence).astype(np.uint8)


def without_key(tokens: np.ndarray) -> np.ndarray:
    """The same for two windows that differ by a transposition, and only then.

    Args:
      tokens: [windows, steps] uint8, of `MelodyCodec`, each with an onset.

    Returns:
      [windows, steps] int16: onsets as intervals from the first one, out of the way
      of the other tokens.
    """
    onset = tokens >= FIRST_ONSET
    first = np.take_along_axis(tokens, onset.argmax(axis=1)[:, None], axis=1).astype(np.int16)
    return np.where(onset, tokens - first + 256, tokens)


def content_hashes(tokens: np.ndarray) -> np.ndarray:
    """64 bits of `without_key` for each window: a sum of random multiples.

    Multilinear hashing (Carter & Wegman 1979): two windows collide with odds of at
    most 2**-55, so any two of 10 million with less than 0.002.

    Args:
      tokens: [windows, steps] uint8.

    Returns:
      [windows] uint64.
    """
    multipliers = np.random.default_rng(0).integers(0, 2**64, tokens.shape[1], np.uint64)
    return (without_key(tokens).astype(np.uint64) * multipliers).sum(axis=1, dtype=np.uint64)
