"""How a piece gets from one melody's key to the next one's."""

import dataclasses
from collections.abc import Sequence

import numpy as np

from musicvae_jax.music.keys import SCALES, find_keys, key_name, pitch_class_weights
from musicvae_jax.music.melody import MAX_PITCH, MIN_PITCH, Melody

# keep: every melody as it is; a bridge goes between two keys as the model sees fit.
# transpose: the later melodies are moved to the first one's key.
# glide: every melody as it is; a bridge is made in the key of the melody before it and
#   then walks, bar by bar, to the key of the melody after it.
KEY_PATHS = ("keep", "transpose", "glide")
_MAJOR = np.array(SCALES["major"])


@dataclasses.dataclass(frozen=True)
class Key:
    """The key found for a melody.

    Attributes:
      tonic: pitch class from C.
      is_minor: whether it is minor.
      correlation: with the key's profile, at most 1; 0 for a melody without notes.
    """

    tonic: int
    is_minor: bool
    correlation: float

    @property
    def name(self) -> str:
        """`Eb major`, or `no key` without notes."""
        return key_name(self.tonic, self.is_minor) if self.correlation > 0 else "no key"

    @property
    def scale_root(self) -> int:
        """The tonic of the major scale that has this key's notes, from C."""
        return (self.tonic + 3 * self.is_minor) % 12

    def transpose(self, semitones: int) -> "Key":
        return dataclasses.replace(self, tonic=(self.tonic + semitones) % 12)


@dataclasses.dataclass(frozen=True)
class KeyPlan:
    """How a key path moves melodies and bridges.

    Attributes:
      path: one of `KEY_PATHS`.
      keys: the key found for each melody, as it was given.
      shifts: semitones by which the piece moves each melody.
      pairs: for each bridge, the two melodies that it is to be made from.
      glides: for each bridge, the semitones by which it moves on its way.
    """

    path: str
    keys: tuple[Key, ...]
    shifts: tuple[int, ...]
    pairs: tuple[tuple[Melody, Melody], ...]
    glides: tuple[int, ...]


def find_key(melody: Melody) -> Key:
    """The key of a melody, by the notes' lengths."""
    weights = pitch_class_weights(melody.pitch, melody.end - melody.start)
    tonic, is_minor, correlation = find_keys(weights[None])
    return Key(int(tonic[0]), bool(is_minor[0]), float(correlation[0]))


def shift_to_key(melody: Melody, key: Key, target: Key) -> int:
    """The nearest transposition that gives a melody the notes of another key.

    Between major and minor that is the relative key, not the parallel one: the same
    seven notes are what makes two melodies sound as one. An octave more or less is
    taken if the melody would leave the piano.

    Returns:
      Semitones; 0 if either melody has no notes.
    """
    if not melody.pitch.size or target.correlation <= 0 or key.correlation <= 0:
        return 0
    nearest = (target.scale_root - key.scale_root + 6) % 12 - 6
    low, high = int(melody.pitch.min()), int(melody.pitch.max())
    candidates = sorted((nearest, nearest - 12, nearest + 12), key=abs)
    for lowest, highest in ((MIN_PITCH, MAX_PITCH), (0, 127)):
        for shift in candidates:
            if lowest <= low + shift and high + shift <= highest:
                return shift
    return 0  # all of MIDI's range is used, and the melody stays where it is


def plan_keys(melodies: Sequence[Melody], path: str = "keep", loop: bool = False) -> KeyPlan:
    """Finds the keys, and what is to be moved.

    Args:
      melodies: in the order of the piece.
      path: one of `KEY_PATHS`.
      loop: whether a last bridge leads from the last melody to the first.

    Raises:
      ValueError: the path is unknown.
    """
    if path not in KEY_PATHS:
        raise ValueError(f"unknown key path {path!r}; valid are {', '.join(KEY_PATHS)}")
    keys = tuple(find_key(melody) for melody in melodies)
    shifts = [0] * len(melodies)
    if path == "transpose":
        pairs = zip(melodies, keys, strict=True)
        shifts = [shift_to_key(melody, key, keys[0]) for melody, key in pairs]
    moved = [melody.transpose(shift) for melody, shift in zip(melodies, shifts, strict=True)]
    glides, ends = [], []
    for index in range(len(melodies) if loop else len(melodies) - 1):
        after = (index + 1) % len(melodies)
        away = 0
        if path == "glide":
            away = shift_to_key(melodies[after], keys[after], keys[index])
        glides.append(-away)
        ends.append((moved[index], moved[after].transpose(away)))
    return KeyPlan(path, keys, tuple(shifts), tuple(ends), tuple(glides))


def glide(bridge: Melody, key: Key, semitones: int, curve: np.ndarray | None = None) -> Melody:
    """Walks a melody from its key to the one `semitones` away.

    The scale goes along the circle of fifths, where neighbours share six of seven
    notes, while the register moves evenly: in each bar the melody is transposed
    diatonically, by as many steps of the bar's scale as come nearest to its share of
    the way. So there are neither leaps of a fifth nor chromatic steps, the contour is
    kept, and a chromatic note stays a raised degree. A bar at t = 0 is as it was; one
    at t = 1 is moved by `semitones` exactly.

    Args:
      bridge: a melody in `key`.
      key: where it begins.
      semitones: where it ends.
      curve: [bars] float, how far each bar is, 0 to 1; by default evenly between the
        melodies, so that the first bar has already left and the last has not arrived.
    """
    if not semitones or not bridge.pitch.size:
        return bridge
    if curve is None:
        curve = np.arange(1, bridge.num_bars + 1) / (bridge.num_bars + 1)
    t = np.asarray(curve, np.float64)[bridge.start // bridge.grid.steps_per_bar]
    gone = glide_pitches(bridge.pitch, t, key, semitones)
    return dataclasses.replace(bridge, pitch=np.clip(gone, 0, 127))


def fifths_on_the_way(t: np.ndarray, semitones: int) -> np.ndarray:
    """How many fifths the scale has moved up, in whole numbers, where t of the way is gone."""
    # A fifth is 7 semitones, and 7 * 7 = 1 modulo 12.
    return np.rint(t * ((7 * semitones + 6) % 12 - 6)).astype(int)


def glide_pitches(pitch: np.ndarray, t: np.ndarray, key: Key, semitones: int) -> np.ndarray:
    """Pitches on the way of `glide`.

    Args:
      pitch: [notes] int, in `key`.
      t: [notes] float, how far each note is.
      key: where the way begins.
      semitones: where it ends.

    Returns:
      [notes] int, possibly outside of MIDI's range.
    """
    if not semitones:
        return pitch
    fifths = fifths_on_the_way(t, semitones)
    octave, pitch_class = np.divmod(pitch - key.scale_root, 12)
    degree = np.searchsorted(_MAJOR, pitch_class, side="right") - 1
    raised = pitch_class - _MAJOR[degree]
    # The scale's root has moved by 7 * fifths; the steps bring the notes back to where
    # the register should be. A step is 12 / 7 semitones on average.
    steps = np.rint((t * semitones - 7 * fifths) * 7 / 12).astype(int)
    octave, degree = np.divmod(7 * octave + degree + steps, 7)
    return key.scale_root + 7 * fifths + 12 * octave + _MAJOR[degree] + raised
