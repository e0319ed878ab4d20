"""Short sounds whose notes are known."""

import io

import numpy as np

from musicvae_jax.voice.sound import SAMPLE_RATE_HZ


def melody(
    notes: list[tuple[float, float, float]],
    rate_hz: int = SAMPLE_RATE_HZ,
    vibrato: float = 0.0,
    gap_sec: float = 0.03,
) -> np.ndarray:
    """Sine waves.

    Args:
      notes: pitch, start and end in seconds; each ends `gap_sec` before its end.
      rate_hz: samples a second.
      vibrato: in semitones, 5.5 a second.
      gap_sec: of silence.

    Returns:
      [samples] float32, half a second longer than the notes.
    """
    sound = np.zeros(int((notes[-1][2] + 0.5) * rate_hz), np.float32)
    for pitch, start, end in notes:
        first, size = int(start * rate_hz), int((end - gap_sec - start) * rate_hz)
        time = np.arange(size) / rate_hz
        bent = pitch + vibrato * np.sin(2 * np.pi * 5.5 * time)
        phase = 2 * np.pi * np.cumsum(440 * 2 ** ((bent - 69) / 12)) / rate_hz
        fade = np.clip(np.minimum(time, time[-1] - time) / 0.01, 0, 1)
        sound[first : first + size] = 0.3 * fade * np.sin(phase)
    return sound


def file(samples: np.ndarray, kind: str = "WAV", rate_hz: int = SAMPLE_RATE_HZ) -> bytes:
    """A sound file, of 16 bits where the format has bits."""
    import soundfile

    content = io.BytesIO()
    soundfile.write(content, samples, rate_hz, format=kind)
    return content.getvalue()
