"""A recording as a song: one track of what was sung, whistled or played."""

import collections
import hashlib

import numpy as np

from musicvae_jax.midi.analysis import bars
from musicvae_jax.midi.read import FileError
from musicvae_jax.midi.reading import AS_FOUND, Reading
from musicvae_jax.midi.song import Song, Track, make_song
from musicvae_jax.music.melody import DEFAULT_TEMPO_BPM
from musicvae_jax.voice import pitch, sound
from musicvae_jax.voice.notes import notes
from musicvae_jax.voice.pitch import PitchTrack

# For a worker that reads one file: a recording of five minutes takes 15 s where two programs share
# a core, and the start of the worker's libraries a few.
TIMEOUT_SEC = 90.0
# What so much of a frame repeats itself has one clear pitch. Of a voice alone nearly all that is
# loud has one; of one in noise 10 decibels below it six tenths; of three equal voices mostly less
# than half, and of two about that. Voices in slow parallel chords may pass for one.
_PERIODIC = 0.9
_MIN_CONFIDENCE, _SURE = 0.5, 0.8
# In General MIDI, a voice.
_PROGRAM = 53
# The notes of the last recordings by their hashes: the studio reads a file again with what its
# user tells of it, and again to play it.
_kept: collections.OrderedDict[bytes, tuple[np.ndarray, str]] = collections.OrderedDict()
_MOST_KEPT = 8


def song_from_bytes(data: bytes, name: str, reading: Reading = AS_FOUND) -> Song:
    """The song in a recording of one voice.

    How sure its pitch is, and how its beats and bars were found, is told of in `Song.warnings`.

    Args:
      data: the file's content: WAV, FLAC, Ogg or MP3.
      name: what messages call it.
      reading: what is known of its bars and beats.

    Raises:
      FileError: as for `sound.samples`; or it is not one voice, or has no notes.
    """
    key = hashlib.sha256(data).digest()
    if key not in _kept:
        _kept[key] = _heard(data, name)
        if len(_kept) > _MOST_KEPT:
            _kept.popitem(last=False)
    found, warning = _kept[key]
    try:
        return bars.heard(song_of(found, warning), reading)
    except ValueError as error:
        unreadable = "cannot be read at that tempo"
        raise FileError(f"{name}: {unreadable} ({error})", unreadable) from error


def _heard(data: bytes, name: str) -> tuple[np.ndarray, str]:
    """The notes in a recording, and how sure they are."""
    track = pitch.track(sound.samples(data, name))
    confidence = voice_confidence(track)
    if confidence < _MIN_CONFIDENCE:
        raise FileError(
            f"{name}: only {confidence:.0%} of what is heard has one clear pitch; a recording of "
            "one voice alone, without accompaniment or loud noise, is needed",
            "not one voice",
        )
    found = notes(track)
    if not len(found):
        raise FileError(f"{name}: no notes are heard in it", "no notes")
    doubt = "" if confidence > _SURE else ", so some of them may be wrong"
    told = f"{len(found)} notes are heard; {confidence:.0%} of the sound has one clear pitch{doubt}"
    return found, told


def voice_confidence(track: PitchTrack) -> float:
    """Which share of what is loud has one clear pitch, from 0 to 1."""
    is_clear = ~np.isnan(track.pitch) & (track.periodicity > _PERIODIC)
    weight = np.where(track.is_loud, 10 ** (track.level_db / 20), 0.0)
    return float(weight[is_clear].sum() / max(weight.sum(), 1e-9))


def song_of(found: np.ndarray, warning: str) -> Song:
    """Notes in seconds as a song at the usual tempo."""
    tone, start, end, velocity = found.T
    quarters_per_sec = DEFAULT_TEMPO_BPM / 60
    voice = Track(
        name="voice",
        program=_PROGRAM,
        is_drum=False,
        pitch=tone.astype(np.int32),
        velocity=velocity.astype(np.int32),
        start=start * quarters_per_sec,
        end=end * quarters_per_sec,
    )
    return make_song([voice], [], [], [warning])
