"""Codecs between music and token sequences, in NumPy, both ways.

`MelodyCodec` is the vocabulary of Roberts et al. 2018 (arXiv 1803.05428, section
5): events on a sixteenth grid, so a held note is one note. `RollCodec` is the
2021 project's one-hot piano roll, which says only what sounds at each step. `DrumCodec`, in
`music.drum_codec`, is that of drums.
"""

import dataclasses
import functools
from typing import Any, Protocol

import numpy as np

from musicvae_jax.music.drum_codec import DrumCodec
from musicvae_jax.music.melody import MAX_PITCH, MIN_PITCH, Melody

HOLD = 0  # nothing happens: a note goes on sounding, or silence goes on
NOTE_OFF = 1  # the sounding note ends and silence begins
FIRST_ONSET = 2  # 2..89 are onsets of MIDI 21..108
SILENCE = -1  # in place of a MIDI pitch


class Codec(Protocol):
    """What a codec provides; it must be hashable, so that compiled functions can use it.

    Attributes:
      music: the class that it encodes from and decodes to.
      vocab: number of tokens.
      silence: the token with which silence begins.
      hold: the token that lets a note or silence go on; None for a codec that says at each
        step what sounds.
      sustains: whether what sounds goes on until something else does. If it does and there is
        no `hold`, tokens have no onsets: a note begins where another pitch sounds. If it does
        not, every token that is not silent strikes.
      has_pitches: whether what sounds has a pitch, and so a key and a range.
      stored: the codec in which data sets store the same music, often the codec itself.
    """

    @property
    def music(self) -> type: ...

    @property
    def vocab(self) -> int: ...

    @property
    def silence(self) -> int: ...

    @property
    def hold(self) -> int | None: ...

    @property
    def sustains(self) -> bool: ...

    @property
    def has_pitches(self) -> bool: ...

    @property
    def stored(self) -> "StoredCodec": ...

    def __hash__(self) -> int: ...

    def encode(self, music: Any) -> np.ndarray:
        """Returns tokens: [steps] int32."""

    def decode(self, tokens: np.ndarray, **fields: Any) -> Any:
        """Returns the music of tokens: [steps] int; sets `tempo_bpm`, `program`."""

    def as_played(self, made: Any, given: Any, is_kept: np.ndarray) -> Any:
        """What was decoded, with what tokens do not tell of the bars that are as they were given.

        Args:
          made: what was decoded, as long as what was given.
          given: of which bars were kept.
          is_kept: [bars] bool.
        """

    def from_stored(self, tokens: np.ndarray) -> np.ndarray:
        """Converts tokens of `stored`: [batch, steps] int."""

    def token_pitches(self) -> np.ndarray:
        """What each token stands for, or `SILENCE`: [vocab] int.

        That is a MIDI pitch, or without pitches any number, another one for each sound.
        """


class StoredCodec(Codec, Protocol):
    """A codec in which data sets store tokens.

    Attributes:
      dtype: in which they are stored.
    """

    @property
    def dtype(self) -> type[np.unsignedinteger]: ...

    def onsets(self, tokens: np.ndarray) -> np.ndarray:
        """Where something is struck: [...] bool of tokens [...]."""

    def transpose(self, tokens: np.ndarray, semitones: np.ndarray) -> np.ndarray:
        """Tokens [batch, steps] transposed by [batch] int semitones, as far as it makes sense."""

    def comparable(self, tokens: np.ndarray) -> np.ndarray:
        """The same [windows, steps] int for windows that count as the same, and only then."""

    def bars(self, tokens: np.ndarray, count: int) -> np.ndarray:
        """What sounds in each bar of windows [windows, steps]: [windows, count, numbers]."""

    def are_alike(self, bars: np.ndarray, others: np.ndarray) -> np.ndarray:
        """Whether bars [..., numbers] are one bar, played again: [...] bool."""


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

    music: type = Melody
    vocab: int = FIRST_ONSET + MAX_PITCH - MIN_PITCH + 1
    silence: int = NOTE_OFF
    hold: int | None = HOLD
    sustains: bool = True
    has_pitches: bool = True
    dtype: type[np.unsignedinteger] = np.uint8

    @property
    def stored(self) -> "MelodyCodec":
        return self

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

    def as_played(self, made: Melody, given: Melody, is_kept: np.ndarray) -> Melody:
        """What was made: tokens tell all of a melody."""
        return made

    def from_stored(self, tokens: np.ndarray) -> np.ndarray:
        """The tokens themselves."""
        return tokens

    def token_pitches(self) -> np.ndarray:
        """The MIDI pitch that each token strikes, or `SILENCE`: [90] int."""
        token = np.arange(self.vocab)
        return np.where(token >= FIRST_ONSET, token - FIRST_ONSET + MIN_PITCH, SILENCE)

    def onsets(self, tokens: np.ndarray) -> np.ndarray:
        """Where notes begin: [...] bool."""
        return tokens >= FIRST_ONSET

    def transpose(self, tokens: np.ndarray, semitones: np.ndarray) -> np.ndarray:
        """See `transpose_tokens`."""
        return transpose_tokens(tokens, semitones)

    def comparable(self, tokens: np.ndarray) -> np.ndarray:
        """See `without_key`."""
        return without_key(tokens)

    def bars(self, tokens: np.ndarray, count: int) -> np.ndarray:
        """The pitch of each step, and whether it begins there: [windows, count, numbers]."""
        heard = np.stack([sounding_pitch(tokens), self.onsets(tokens)], axis=-1)
        return heard.reshape(len(tokens), count, -1)

    def are_alike(self, bars: np.ndarray, others: np.ndarray) -> np.ndarray:
        """Whether they are equal: [...] bool."""
        return (bars == others).all(axis=-1)


@dataclasses.dataclass(frozen=True)
class RollCodec:
    """The 61 classes of the 2021 notebook: 0..59 is MIDI 48..107 sounding, 60 is silence.

    A roll cannot tell a repeated note from a held one. The notebook struck every step
    again; here neighbouring steps of one pitch decode to one held note. Notes
    outside of MIDI 48..107 become silence (the notebook's `chopster`).
    """

    music: type = Melody
    vocab: int = 61
    min_pitch: int = 48
    silence: int = 60
    hold: int | None = None
    sustains: bool = True
    has_pitches: bool = True

    @property
    def stored(self) -> MelodyCodec:
        return MelodyCodec()

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

    def as_played(self, made: Melody, given: Melody, is_kept: np.ndarray) -> Melody:
        """What was made: tokens tell all of a melody."""
        return made

    def from_stored(self, tokens: np.ndarray) -> np.ndarray:
        """Converts tokens of `MelodyCodec`, a whole batch at once.

        Args:
          tokens: [batch, steps] int.

        Returns:
          [batch, steps] uint8, what `encode` gives for the same melodies.
        """
        return pitch_tokens(self).astype(np.uint8)[sounding_pitch(tokens)]

    def token_pitches(self) -> np.ndarray:
        """The MIDI pitch that each token sounds, or `SILENCE`: [61] int."""
        token = np.arange(self.vocab)
        return np.where(token == self.silence, SILENCE, token + self.min_pitch)


# By their names in the configuration.
CODECS: dict[str, Codec] = {"melody": MelodyCodec(), "roll": RollCodec(), "drums": DrumCodec()}


@functools.cache
def pitch_tokens(codec: Codec) -> np.ndarray:
    """The token of a codec for each MIDI pitch: [129] int32, or without pitches for each sound.

    The silent token stands for a pitch that the codec does not know, and comes last, so that
    the pitch `SILENCE`, which is -1, has it too.
    """
    pitches = codec.token_pitches()
    tokens = np.full(max(127, pitches.max()) + 2, codec.silence, np.int32)
    sounding = np.flatnonzero(pitches != SILENCE)
    tokens[pitches[sounding]] = sounding
    return tokens


def has_onsets(codec: Codec) -> bool:
    """Whether tokens say where notes begin, so that a repeated note is not a held one."""
    return codec.hold is not None or not codec.sustains


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


def sounding_pitch(tokens: np.ndarray, codec: Codec = CODECS["melody"]) -> np.ndarray:
    """The pitch that sounds at each step, the same for every codec.

    Args:
      tokens: [batch, steps] int.
      codec: of the tokens.

    Returns:
      [batch, steps] int16, MIDI, or `SILENCE`.
    """
    pitch = codec.token_pitches().astype(np.int16)[tokens]
    if codec.hold is None:
        return pitch
    # The latest event at or before each step decides what sounds there.
    event_step = np.where(tokens != codec.hold, np.arange(tokens.shape[1]), 0)
    return np.take_along_axis(pitch, np.maximum.accumulate(event_step, axis=1), axis=1)


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


def content_hashes(tokens: np.ndarray, codec: StoredCodec = CODECS["melody"].stored) -> np.ndarray:
    """64 bits of what is comparable of each window: a sum of random multiples.

    Multilinear hashing (Carter & Wegman 1979): two windows collide with odds of at
    most 2**-55, so any two of 10 million with less than 0.002.

    Args:
      tokens: [windows, steps] int.
      codec: of the tokens.

    Returns:
      [windows] uint64.
    """
    multipliers = np.random.default_rng(0).integers(0, 2**64, tokens.shape[1], np.uint64)
    return (codec.comparable(tokens).astype(np.uint64) * multipliers).sum(axis=1, dtype=np.uint64)
