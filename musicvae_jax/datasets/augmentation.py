"""Melodies that the collection does not hold, made from those that it holds.

Each augmentation is a pure function of three arrays, and of the number of steps in a bar, and
works on a whole batch at once:

  tokens: [batch, steps] uint8, windows of `MelodyCodec`, of whole bars.
  others: [batch, steps] uint8, for each window another one, for those that mix two tunes.
  uniform: [batch, steps] float64 in [0, 1), random numbers. A choice for a whole window is
    made by the first number of its row, a choice for a note by the number at its first step.

It returns [batch, steps] uint8. For all of them holds:

- The result is what `MelodyCodec.encode` gives for the melody that it decodes to.
- A window without a note stays as it is, and one that would lose all of its notes too.
- Pitches stay within MIDI 21..108; each function says how.

The shares and sizes below are guesses and have not been tuned;
`benchmarks/ablation.py` measures what each augmentation brings.
"""

import dataclasses
from collections.abc import Callable, Sequence

import numpy as np

from musicvae_jax.datasets.batch_notes import read, together, write
from musicvae_jax.datasets.drum_augmentation import DRUM_AUGMENTATIONS
from musicvae_jax.music.melody import MAX_PITCH, MIN_PITCH, STEPS_PER_BAR
from musicvae_jax.music.tokens import CODECS, FIRST_ONSET, HOLD, StoredCodec, transpose_tokens

LAST_ONSET = FIRST_ONSET + MAX_PITCH - MIN_PITCH
# Shares of the notes of a window that are changed.
DROPPED = 0.15
SHORTENED = 0.3
NUDGED = 0.2
MOVED = 0.15
# Semitones by which single notes are moved, and whole windows are transposed.
MOVES = np.array([-2, -1, 1, 2])
TRANSPOSITIONS = np.array([*range(-7, 0), *range(1, 8)])
# An augmented window gets at most this many augmentations.
MAX_AT_ONCE = 3


def _has_notes(tokens: np.ndarray) -> np.ndarray:
    """Whether there is a note in each window: [batch, 1] bool."""
    return (tokens >= FIRST_ONSET).any(axis=1, keepdims=True)


def _unless_silent(tokens: np.ndarray, changed: np.ndarray) -> np.ndarray:
    """The changed windows, but those without a note, before or after, as they were."""
    return np.where(_has_notes(tokens) & _has_notes(changed), changed, tokens)


def _numbers(uniform: np.ndarray, count: int | np.ndarray) -> np.ndarray:
    """Random integers in 0..count-1 from random numbers in [0, 1)."""
    return np.minimum((uniform * count).astype(np.int64), count - 1)


def borrow_pitches(
    tokens: np.ndarray, others: np.ndarray, uniform: np.ndarray, per_bar: int = STEPS_PER_BAR
) -> np.ndarray:
    """The rhythm of a window with the pitches of the other one.

    The notes take the pitches of the other window in their order, from the beginning again
    when there are no more. If the other window has no note, the window stays as it is.
    """
    own, other = read(tokens), read(others)
    counts = np.bincount(other.window, minlength=len(tokens))[own.window]
    # The notes of a window follow each other: its first one's number tells them apart.
    place = np.arange(own.window.size) - np.searchsorted(own.window, own.window)
    first = np.searchsorted(other.window, own.window)
    has_other = counts > 0
    token = own.token.copy()
    token[has_other] = other.token[(first + place % np.maximum(counts, 1))[has_other]]
    return write(own._replace(token=token), tokens.shape)


def half_speed(
    tokens: np.ndarray, others: np.ndarray, uniform: np.ndarray, per_bar: int = STEPS_PER_BAR
) -> np.ndarray:
    """Half of the window, played half as fast: each step becomes two.

    The half begins with a random bar. A note that is held into it is struck again at its
    first step, as by `Melody.window`.
    """
    half = tokens.shape[1] // 2
    notes = read(tokens)
    first = per_bar * _numbers(uniform[:, 0], half // per_bar + 1)[notes.window]
    start, end = (2 * np.clip(edge - first, 0, half) for edge in (notes.start, notes.end))
    inside = notes._replace(start=start, end=end).where(end > start)
    return _unless_silent(tokens, write(inside, tokens.shape))


def double_speed(
    tokens: np.ndarray, others: np.ndarray, uniform: np.ndarray, per_bar: int = STEPS_PER_BAR
) -> np.ndarray:
    """The window and then the other one, both twice as fast: two steps become one.

    Starts are rounded down and ends up. Of two notes that would begin at the same step, the
    first one stays.
    """
    half = tokens.shape[1] // 2
    first, second = (
        notes._replace(start=offset + notes.start // 2, end=offset + (notes.end + 1) // 2)
        for notes, offset in ((read(tokens), 0), (read(others), half))
    )
    notes = together(first, second, tokens.shape[1])
    return _unless_silent(tokens, write(notes, tokens.shape))


def shift(
    tokens: np.ndarray, others: np.ndarray, uniform: np.ndarray, per_bar: int = STEPS_PER_BAR
) -> np.ndarray:
    """Everything later by less than a bar; what leaves the window comes back at its beginning.

    A note that is held over the end of the window is struck again at its first step.
    """
    steps = tokens.shape[1]
    notes = read(tokens)
    later = 1 + _numbers(uniform[:, 0], per_bar - 1)[notes.window]
    start, end = notes.start + later, notes.end + later
    stays = notes._replace(end=np.minimum(end, steps), start=start).where(start < steps)
    returns = notes._replace(start=np.maximum(start - steps, 0), end=end - steps).where(end > steps)
    return write(together(returns, stays, steps), tokens.shape)


def scatter(
    tokens: np.ndarray, others: np.ndarray, uniform: np.ndarray, per_bar: int = STEPS_PER_BAR
) -> np.ndarray:
    """The notes of each bar begin at random steps of the bar, in their order.

    All choices of that many steps are equally likely. A note is as long as before, but ends
    at the latest where the next one begins.
    """
    notes = read(tokens)
    bars = (len(tokens), tokens.shape[1] // per_bar, per_bar)
    count = (tokens >= FIRST_ONSET).reshape(bars).sum(axis=2, keepdims=True)
    rank = uniform.reshape(bars).argsort(axis=2, kind="stable").argsort(axis=2)
    # As many steps in each bar as it has notes, thus one for each note, in their order.
    _, start = np.nonzero((rank < count).reshape(tokens.shape))
    scattered = notes._replace(start=start, end=start + notes.end - notes.start)
    return write(scattered.cut_at_next(tokens.shape[1]), tokens.shape)


def drop(
    tokens: np.ndarray, others: np.ndarray, uniform: np.ndarray, per_bar: int = STEPS_PER_BAR
) -> np.ndarray:
    """About one note in seven becomes silence."""
    notes = read(tokens)
    kept = uniform[notes.window, notes.start] >= DROPPED
    return _unless_silent(tokens, write(notes.where(kept), tokens.shape))


def shorten(
    tokens: np.ndarray, others: np.ndarray, uniform: np.ndarray, per_bar: int = STEPS_PER_BAR
) -> np.ndarray:
    """About three notes in ten end early and are followed by silence.

    A note of n steps keeps 1 to n - 1 of them, each length equally likely; a note of one
    step stays as it is.
    """
    notes = read(tokens)
    number = uniform[notes.window, notes.start]
    length = notes.end - notes.start
    shortened = (number < SHORTENED) & (length > 1)
    length[shortened] = 1 + _numbers(number[shortened] / SHORTENED, length[shortened] - 1)
    return write(notes._replace(end=notes.start + length), tokens.shape)


def nudge(
    tokens: np.ndarray, others: np.ndarray, uniform: np.ndarray, per_bar: int = STEPS_PER_BAR
) -> np.ndarray:
    """About one note in ten begins a step early, as many a step late; ends stay.

    A note that was held until then ends where the next one now begins. A note stays where
    it is if its new step lies outside of the window, if another note begins there before
    or after the change, or if nothing would be left of it. Where two notes would meet, the
    one that comes late moves.
    """
    onset = tokens >= FIRST_ONSET
    late = onset & (uniform < NUDGED / 2)
    late[:, -1] = False
    late[:, :-1] &= tokens[:, 1:] == HOLD
    early = onset & (uniform >= NUDGED / 2) & (uniform < NUDGED)
    early[:, 0] = False
    early[:, 1:] &= ~onset[:, :-1]
    early[:, 2:] &= ~late[:, :-2]
    nudged = np.where(late | early, HOLD, tokens)
    nudged[:, 1:][late[:, :-1]] = tokens[:, :-1][late[:, :-1]]
    nudged[:, :-1][early[:, 1:]] = tokens[:, 1:][early[:, 1:]]
    return nudged


def move_pitches(
    tokens: np.ndarray, others: np.ndarray, uniform: np.ndarray, per_bar: int = STEPS_PER_BAR
) -> np.ndarray:
    """About one note in seven is 1 or 2 semitones higher or lower.

    Where that would leave the piano, it goes the other way.
    """
    moved = (tokens >= FIRST_ONSET) & (uniform < MOVED)
    semitones = MOVES[_numbers(uniform[moved] / MOVED, len(MOVES))]
    before = tokens[moved].astype(np.int64)
    after = before + semitones
    is_outside = (after < FIRST_ONSET) | (after > LAST_ONSET)
    result = tokens.copy()
    result[moved] = np.where(is_outside, before - semitones, after)
    return result


def octave(
    tokens: np.ndarray, others: np.ndarray, uniform: np.ndarray, per_bar: int = STEPS_PER_BAR
) -> np.ndarray:
    """The window an octave higher or lower.

    Where that would leave the piano, it goes the other way; if that would too, it stays.
    """
    onset = tokens >= FIRST_ONSET
    low = np.where(onset, tokens, LAST_ONSET).min(axis=1).astype(np.int64)
    high = np.where(onset, tokens, FIRST_ONSET).max(axis=1).astype(np.int64)
    fits_up, fits_down = high + 12 <= LAST_ONSET, low - 12 >= FIRST_ONSET
    is_up = np.where(uniform[:, 0] < 0.5, fits_up, fits_up & ~fits_down)
    return transpose_tokens(tokens, np.where(is_up, 12, np.where(fits_down, -12, 0)))


def transpose(
    tokens: np.ndarray, others: np.ndarray, uniform: np.ndarray, per_bar: int = STEPS_PER_BAR
) -> np.ndarray:
    """The window 1 to 7 semitones higher or lower, as far as the piano reaches.

    This comes on top of `dataset.transpose_semitones`, which every window gets.
    """
    numbers = _numbers(uniform[:, 0], len(TRANSPOSITIONS))
    return transpose_tokens(tokens, TRANSPOSITIONS[numbers])


# By name, in the order in which a window gets those that were drawn for it.
AUGMENTATIONS: dict[str, Callable[[np.ndarray, np.ndarray, np.ndarray, int], np.ndarray]] = {
    "borrow_pitches": borrow_pitches,
    "half_speed": half_speed,
    "double_speed": double_speed,
    "shift": shift,
    "scatter": scatter,
    "drop": drop,
    "shorten": shorten,
    "nudge": nudge,
    "move_pitches": move_pitches,
    "octave": octave,
    "transpose": transpose,
}
# By the codec of the windows that they change. No name occurs twice.
OF_CODEC: dict[StoredCodec, dict[str, Callable[..., np.ndarray]]] = {
    CODECS["melody"].stored: AUGMENTATIONS,
    CODECS["drums"].stored: DRUM_AUGMENTATIONS,
}
_ALL = {name: way for ways in OF_CODEC.values() for name, way in ways.items()}


@dataclasses.dataclass(frozen=True)
class Draws:
    """What chance decides for the windows of a batch.

    Attributes:
      names: of the augmentations, in the order of their table.
      is_chosen: [batch, names] bool, which of them each window gets.
      uniform: [batch, at most 3, steps] float64 in [0, 1), the random numbers of the
        first, second and third that a window gets.
    """

    names: tuple[str, ...]
    is_chosen: np.ndarray
    uniform: np.ndarray

    def of(self, windows: slice) -> "Draws":
        """Those of some windows of the batch."""
        return Draws(self.names, self.is_chosen[windows], self.uniform[windows])


def draw(
    rng: np.random.Generator,
    weights: Sequence[tuple[str, float]],
    share: float,
    batch: int,
    steps: int,
) -> Draws:
    """Decides which windows are augmented, and how.

    A window is augmented with the probability `share`. It then gets one, two or three
    different augmentations, each number equally likely, but not more than there are. They
    are drawn one after the other, each with a probability proportional to its weight among
    those that are left.

    Args:
      rng: the state decides everything, whatever the order of `weights`.
      weights: names of one of the tables, each once, with positive weights; at least one.
      share: 0..1.
      batch: windows.
      steps: of a window.
    """
    ordered = sorted(weights, key=lambda pair: list(_ALL).index(pair[0]))
    names = tuple(name for name, _ in ordered)
    is_augmented = rng.random(batch) < share
    most = min(MAX_AT_ONCE, len(names))
    count = rng.integers(1, most + 1, batch)
    # The k smallest of exponential times with these rates are k draws without replacement
    # (Efraimidis & Spirakis 2006, doi 10.1016/j.ipl.2005.11.003).
    times = rng.standard_exponential((batch, len(names))) / [weight for _, weight in ordered]
    rank = times.argsort(axis=1).argsort(axis=1)
    is_chosen = (rank < count[:, None]) & is_augmented[:, None]
    return Draws(names, is_chosen, rng.random((batch, most, steps)))


def augment(
    tokens: np.ndarray, others: np.ndarray, draws: Draws, per_bar: int = STEPS_PER_BAR
) -> np.ndarray:
    """Gives windows the augmentations that were drawn for them.

    Args:
      tokens, others: [batch, steps]; see above, or `drum_augmentation`.
      draws: for the same windows.
      per_bar: steps of a bar.

    Returns:
      [batch, steps], of the dtype of `tokens`.
    """
    result = tokens.copy()
    place = draws.is_chosen.cumsum(axis=1) - 1  # in the sequence of a window's augmentations
    for number, name in enumerate(draws.names):
        windows = np.flatnonzero(draws.is_chosen[:, number])
        uniform = draws.uniform[windows, place[windows, number]]
        result[windows] = _ALL[name](result[windows], others[windows], uniform, per_bar)
    return result
