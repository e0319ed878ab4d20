"""Recordings as samples: WAV, FLAC, Ogg and MP3, by libsndfile.

The library is in the extra `audio`, and is imported when the first sound is read.
"""

import fractions
import importlib.util
import io
import types

import numpy as np

from musicvae_jax.midi.read import FileError

# In lower case.
SUFFIXES = (".wav", ".flac", ".ogg", ".mp3")
# A high whistle, at 3 kHz, still has eight samples in each period.
SAMPLE_RATE_HZ = 24_000
MAX_SEC = 300.0
# Five minutes of one channel, uncompressed, are 28 MiB.
MAX_BYTES = 32 << 20
# Where the pitch of a voice is: noise and rumble outside of it only hide it.
_RANGE_HZ = (55.0, 3600.0)
# Samples of all channels: eight at 48 kHz, or two at 192.
_MOST_A_SEC = 384_000
# Softer than this nothing was recorded: of full scale, 70 decibels below it.
_SILENCE = 10 ** (-70 / 20)
_INSTALL = "sound is read with libraries that are missing: pip install 'musicvae-jax[audio]'"


def is_installed() -> bool:
    """Whether the libraries that read sound are there."""
    return all(importlib.util.find_spec(name) for name in ("scipy", "soundfile"))


def samples(data: bytes, name: str) -> np.ndarray:
    """The sound of a file, all of its channels mixed.

    Args:
      data: the file's content.
      name: what messages call it.

    Returns:
      [samples] float32 at `SAMPLE_RATE_HZ`.

    Raises:
      FileError: it is too large, not sound, longer than `MAX_SEC`, silent, or the libraries that
        read sound are not installed.
    """
    if len(data) > MAX_BYTES:
        too_large = f"larger than {MAX_BYTES >> 20} MiB"
        raise FileError(
            f"{name}: {too_large}, which five minutes of one channel are not", too_large
        )
    soundfile = _soundfile(name)
    try:
        mixed, rate_hz = _decoded(soundfile, data, name)
    except (soundfile.SoundFileError, ValueError) as error:
        reason = " ".join(str(error).split())[:200]
        unreadable = "not a readable sound file"
        raise FileError(f"{name}: {unreadable} ({reason})", unreadable) from error
    if not np.isfinite(mixed).all():
        raise FileError(f"{name}: it has samples that are not numbers", "not a readable sound file")
    if not mixed.size or np.abs(mixed).max() < _SILENCE:
        raise FileError(f"{name}: nothing is heard in it", "silent")
    return in_range(_resampled(mixed, rate_hz))


def _soundfile(name: str) -> types.ModuleType:
    try:
        import scipy.signal  # noqa: F401
        import soundfile
    except (ImportError, OSError) as error:  # OSError: it is there, and its libsndfile is not
        raise FileError(f"{name}: {_INSTALL}", "the extra `audio` is not installed") from error
    return soundfile


def _decoded(soundfile: types.ModuleType, data: bytes, name: str) -> tuple[np.ndarray, int]:
    """The samples and their rate; a file may say of its length what it likes."""
    with soundfile.SoundFile(io.BytesIO(data)) as file:
        rate_hz = file.samplerate
        if not 0 < rate_hz * file.channels <= _MOST_A_SEC:
            raise ValueError(f"{file.channels} channels of {rate_hz} samples a second")
        # At once: between two pieces of MP3 the library seeks, which leaves holes.
        most = int(MAX_SEC * rate_hz)
        channels = file.read(most + 1, dtype="float32", always_2d=True)
        if len(channels) > most:
            too_long = f"longer than {MAX_SEC / 60:g} minutes"
            raise FileError(f"{name}: {too_long}, which is as much as is listened to", too_long)
        return channels.mean(axis=1), rate_hz


def _resampled(mixed: np.ndarray, rate_hz: int) -> np.ndarray:
    from scipy import signal

    # Rates such as 44,099 would need filters of a million taps.
    ratio = fractions.Fraction(SAMPLE_RATE_HZ, rate_hz).limit_denominator(1000)
    return signal.resample_poly(mixed, ratio.numerator, ratio.denominator).astype(np.float32)


def in_range(sound: np.ndarray) -> np.ndarray:
    """Sound without what is below and above the pitch of any voice."""
    from scipy import signal

    filters = signal.butter(4, _RANGE_HZ, "bandpass", fs=SAMPLE_RATE_HZ, output="sos")
    return signal.sosfiltfilt(filters, sound, padtype=None).astype(np.float32)
