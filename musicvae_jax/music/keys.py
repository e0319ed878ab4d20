"""The key of many songs at once, by correlating their pitch classes with key profiles."""

import numpy as np

# Mean ratings of the twelve pitch classes after a major and a minor context, from
# the tonic upwards. Krumhansl & Kessler 1982, as printed in Krumhansl 1990,
# "Cognitive Foundations of Musical Pitch", table 2.1.
KRUMHANSL_MAJOR = (6.35, 2.23, 3.48, 2.33, 4.38, 4.09, 2.52, 5.19, 2.39, 3.66, 2.29, 2.88)
KRUMHANSL_MINOR = (6.33, 2.68, 3.52, 5.38, 2.60, 3.53, 2.54, 4.75, 3.98, 2.69, 3.34, 3.17)
# Shares of scale degrees in the Essen folksongs, per cent. Aarden 2003, "Dynamic
# Melodic Expectancy", Ohio State University.
AARDEN_MAJOR = (
    *(17.7661, 0.145624, 14.9265, 0.160186, 19.8049, 11.3587),
    *(0.291248, 22.062, 0.145624, 8.15494, 0.232998, 4.95122),
)
AARDEN_MINOR = (
    *(18.2648, 0.737619, 14.0499, 16.8599, 0.702494, 14.4362),
    *(0.702494, 18.6161, 4.56621, 1.93186, 7.37619, 1.75623),
)
PROFILES = {
    "krumhansl": (KRUMHANSL_MAJOR, KRUMHANSL_MINOR),
    "aarden": (AARDEN_MAJOR, AARDEN_MINOR),
}
NAMES = ("C", "C#", "D", "Eb", "E", "F", "F#", "G", "Ab", "A", "Bb", "B")
_OTHER_NAMES = ("C", "Db", "D", "D#", "E", "F", "Gb", "G", "G#", "A", "A#", "B")
TONICS = {name: number for names in (NAMES, _OTHER_NAMES) for number, name in enumerate(names)}
# Semitones above the tonic. Minor has its sixth and seventh degree both ways, as
# melodic minor does.
SCALES = {
    "major": (0, 2, 4, 5, 7, 9, 11),
    "minor": (0, 2, 3, 5, 7, 8, 9, 10, 11),
    "dorian": (0, 2, 3, 5, 7, 9, 10),
    "mixolydian": (0, 2, 4, 5, 7, 9, 10),
    "pentatonic": (0, 2, 4, 7, 9),
}


def scale_mask(tonic: int, scale: str) -> np.ndarray:
    """[12] bool, the pitch classes from C of a scale."""
    mask = np.zeros(12, bool)
    mask[(tonic + np.array(SCALES[scale])) % 12] = True
    return mask


def _standardised(rows: np.ndarray) -> np.ndarray:
    """Rows of mean 0 and length 1; a row without variation becomes zeros."""
    centred = rows - rows.mean(axis=-1, keepdims=True)
    length = np.linalg.norm(centred, axis=-1, keepdims=True)
    return centred / np.where(length == 0, 1, length)


def profile_matrix(profiles: str = "krumhansl") -> np.ndarray:
    """[24, 12]: the profile of every key, standardised; twelve major ones from C up, then minor."""
    both = np.array(PROFILES[profiles])
    rotated = np.stack([np.roll(both, tonic, axis=1) for tonic in range(12)], axis=1)
    return _standardised(rotated.reshape(24, 12))


def pitch_class_weights(pitch: np.ndarray, length: np.ndarray) -> np.ndarray:
    """How long each pitch class sounds.

    Args:
      pitch: [notes] int, MIDI.
      length: [notes], in any unit.

    Returns:
      [12] float64, from C.
    """
    return np.bincount(pitch % 12, weights=length, minlength=12)


def find_keys(
    weights: np.ndarray, profiles: str = "krumhansl"
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The best key of each song: the highest Pearson correlation of 24 profiles.

    Krumhansl & Schmuckler, in Krumhansl 1990, chapter 4.

    Args:
      weights: [songs, 12], from `pitch_class_weights`.
      profiles: a name in `PROFILES`.

    Returns:
      tonic: [songs] int, pitch class from C; is_minor: [songs] bool; correlation:
      [songs] float64, 0 for a song without notes.
    """
    correlations = _standardised(weights) @ profile_matrix(profiles).T
    best = correlations.argmax(axis=1)
    return best % 12, best >= 12, correlations.max(axis=1)


def shift_to_c_or_a(tonic: np.ndarray, is_minor: np.ndarray) -> np.ndarray:
    """The nearest transposition to C major or A minor, the 2021 notebook's `transposer`.

    Args:
      tonic: [songs] int; is_minor: [songs] bool.

    Returns:
      [songs] int, -6..5 semitones.
    """
    target = np.where(is_minor, 9, 0)
    return (target - tonic + 6) % 12 - 6


def key_name(tonic: int, is_minor: bool) -> str:
    """For people: `Eb major`."""
    return f"{NAMES[tonic]} {'minor' if is_minor else 'major'}"
