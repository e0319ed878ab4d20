"""Tunes as they are sung, whistled or played: sound whose notes are known.

`benchmarks/voice.py` has them transcribed. A performance depends on its notes and its seed alone.
"""

import dataclasses

import numpy as np

from musicvae_jax.voice.sound import SAMPLE_RATE_HZ as RATE_HZ

_FRAME = 120  # samples, 5 ms: the pitch and the loudness change smoothly between them
# Formants of an "ah" and an "oo": frequency, width in Hz, and strength.
_VOWELS = (
    ((700, 130, 1.0), (1150, 110, 0.5), (2800, 200, 0.25)),
    ((320, 80, 1.0), (800, 100, 0.25), (2500, 200, 0.1)),
)


@dataclasses.dataclass(frozen=True)
class Performer:
    """How somebody makes sound.

    Attributes:
      harmonics: how fast overtones fall, as a power of their number; None for a sine.
      has_vowels: whether formants shape them.
      vibrato: in semitones.
      glide_sec: how long the pitch takes from one note to the next.
      off_tune: the standard deviation of a note's pitch, in semitones.
      dip_db: how far the level falls before a repeated note.
      breath: its level, against the voice.
    """

    harmonics: float | None
    has_vowels: bool
    vibrato: float
    glide_sec: float
    off_tune: float
    dip_db: float
    breath: float


PERFORMERS = {
    "voice": Performer(1.0, True, 0.5, 0.06, 0.12, 14.0, 0.03),
    "whistle": Performer(None, False, 0.25, 0.05, 0.1, 12.0, 0.05),
    "fiddle": Performer(1.2, False, 0.3, 0.02, 0.06, 9.0, 0.02),
}


def perform(
    rng: np.random.Generator, notes: np.ndarray, performer: Performer, noise_db: float
) -> np.ndarray:
    """The sound of notes.

    Args:
      rng: of the performance.
      notes: [notes, 4] float64: pitch, start and end in seconds, velocity; one after another.
      performer: who makes it.
      noise_db: the level of the room's noise below the voice.

    Returns:
      [samples] float32.
    """
    pitch, level = _curves(rng, notes, performer)
    num_samples = pitch.size * _FRAME
    at, frames = np.arange(num_samples) / _FRAME, np.arange(pitch.size)
    frequency = 440 * 2 ** ((np.interp(at, frames, pitch) - 69) / 12)
    loudness = np.interp(at, frames, level)
    voice = loudness * _tone(rng, frequency, performer)
    heard = voice[loudness > 0.1]
    rms = np.sqrt(np.square(heard).mean())
    breath = _noise(rng, num_samples, 0.5) * loudness * rms * performer.breath
    room = _noise(rng, num_samples, 0.8) * rms * 10 ** (-noise_db / 20)
    sound = voice + breath + room
    return (0.5 * sound / np.abs(sound).max()).astype(np.float32)


def _curves(
    rng: np.random.Generator, notes: np.ndarray, performer: Performer
) -> tuple[np.ndarray, np.ndarray]:
    """Pitch and loudness in each frame."""
    per_sec = RATE_HZ / _FRAME
    size = int((notes[-1, 2] + 1) * per_sec)
    time = np.arange(size) / per_sec
    level = np.zeros(size)
    tones = notes[:, 0] + rng.normal(0, performer.off_tune, len(notes))
    pitch = np.full(size, tones[0])
    for index, (_, start, end, velocity) in enumerate(notes):
        glide = performer.glide_sec * rng.uniform(0.6, 1.4)
        before = tones[index - 1] if index else tones[0] - rng.uniform(0, 1.5)
        is_joined = index > 0 and start - notes[index - 1, 2] < 0.03
        is_repeated = is_joined and notes[index - 1, 0] == notes[index, 0]
        # Most of a glide is before the note.
        way = 1 / (1 + np.exp(-(time - start + 0.2 * glide) / (glide / 6)))
        after = time > start - 2 * glide
        pitch[after] = (before + (tones[index] - before) * way)[after]
        attack, release = rng.uniform(0.02, 0.05), rng.uniform(0.03, 0.06)
        if is_joined and not is_repeated:
            attack = 0.01
        shape = np.clip((time - start) / attack, 0, 1) * np.clip((end - time) / release, 0, 1)
        held = np.maximum(time - start, 0)
        shape *= (velocity / 100) * (1 - 0.25 * np.clip(held / 1.5, 0, 1))
        level = np.maximum(level, shape)
        if is_joined:
            depth = performer.dip_db if is_repeated else 2.0
            gap = np.abs(time - start + 0.01) / 0.03
            level *= 10 ** (-depth / 20 * np.clip(1.3 - gap, 0, 1))
        if end - start > 0.25:
            wave = np.sin(2 * np.pi * rng.uniform(4.8, 6.2) * held)
            grown = performer.vibrato * np.clip((held - 0.12) / 0.25, 0, 1)
            inside = (time > start) & (time < end)
            pitch[inside] += (grown * wave)[inside]
    drift = np.cumsum(rng.normal(0, 0.006, size))
    return pitch + np.clip(drift - drift.mean(), -0.4, 0.4), level


def _tone(rng: np.random.Generator, frequency: np.ndarray, performer: Performer) -> np.ndarray:
    phase = 2 * np.pi * np.cumsum(frequency) / RATE_HZ
    if performer.harmonics is None:
        return np.sin(phase) + 0.02 * np.sin(2 * phase)
    vowel = _VOWELS[rng.integers(len(_VOWELS))]
    sound = np.zeros(frequency.size)
    for number in range(1, 21):
        hz = frequency * number
        strength = number**-performer.harmonics * (hz < 0.45 * RATE_HZ)
        if not strength.any():
            break
        if performer.has_vowels:
            shape = sum(s / (1 + ((hz - center) / width) ** 2) for center, width, s in vowel)
            strength = strength * (0.15 + shape)
        sound += strength * np.sin(number * phase + rng.uniform(0, 6.28))
    return sound


def _noise(rng: np.random.Generator, size: int, color: float) -> np.ndarray:
    """Noise whose spectrum falls with this power of the frequency, of RMS 1."""
    spectrum = np.fft.rfft(rng.normal(0, 1, size))
    spectrum /= np.maximum(np.arange(spectrum.size) / size * RATE_HZ, 50.0) ** (color / 2)
    noise = np.fft.irfft(spectrum, size)
    return noise / np.sqrt(np.square(noise).mean())
