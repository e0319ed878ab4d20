"""How well melodies come back from a model, from tokens alone.

Nothing here knows a model: one that was run elsewhere is measured by the same code, from
its tokens (`read`). Two ways of decoding are measured:

  sampled          decoded freely from the latent, each step seeing the model's own
                   previous token; argmax, or whatever the model was asked for
  teacher_forced   at each step the likeliest token, given the true ones before it

For each way, over all windows of all songs, these metrics are given:

  accuracy               share of tokens that are right; not comparable between codecs:
                         a roll repeats at each step what a melody's token says once
  sounding_accuracy      share of steps at which the right pitch sounds, or silence; the
                         same for both codecs. Teacher-forced, a hold means that what
                         truly sounded before goes on
  onset_accuracy         share of true onsets at which that note begins
  onset_timing_accuracy  the same, whatever the pitch: is there an onset at all
  onset_pitch_class_accuracy  the same, its pitch class right: the octave may be another
  onset_octave_accuracy  the same, its pitch at most an octave away
  onset_f1               twice the onsets that are right over the true ones and the
                         decoded ones together: notes that should not be there count too

The roll codec has no onsets: one is where a pitch sounds that did not sound at the step
before (teacher-forced: did not truly sound). It is still compared with the onsets of the
real melody, with repeated notes, and with notes out of its range, since these are to be
heard; `ceilings` gives what perfect tokens of the codec reach.
"""

import dataclasses
import pathlib
from typing import Any, NamedTuple

import numpy as np

from musicvae_jax.evaluation import intervals as evaluation_intervals
from musicvae_jax.evaluation.intervals import Ratio
from musicvae_jax.music.melody import STEPS_PER_BAR
from musicvae_jax.music.tokens import (
    CODECS,
    FIRST_ONSET,
    SILENCE,
    Codec,
    MelodyCodec,
    has_onsets,
    sounding_pitch,
)
from musicvae_jax.system import files
from musicvae_jax.system.errors import UserError

WAYS = ("sampled", "teacher_forced")


@dataclasses.dataclass(frozen=True)
class DecodedWindows:
    """Windows that a model decoded.

    Attributes:
      codec: of the model, a name in `CODECS`.
      songs: [windows], what tells songs apart.
      truth: [windows, steps] uint8, of `MelodyCodec`, whatever the model's codec is.
      sampled, teacher_forced: [windows, steps] uint8, of the model's codec; see above.
      nll: [windows, steps] float32, nats of each true token given those before it and a
        latent drawn from the posterior; None if not known.
      steps_per_bar: of the windows.
    """

    codec: str
    songs: np.ndarray
    truth: np.ndarray
    sampled: np.ndarray
    teacher_forced: np.ndarray
    nll: np.ndarray | None = None
    steps_per_bar: int = STEPS_PER_BAR

    def of(self, windows: np.ndarray) -> "DecodedWindows":
        """Those of some windows: [chosen] numbers, or [windows] bool."""
        arrays = {name: a[windows] for name, a in vars(self).items() if isinstance(a, np.ndarray)}
        return dataclasses.replace(self, **arrays)

    @property
    def target(self) -> np.ndarray:
        """[windows, steps], the truth in the model's codec."""
        return CODECS[self.codec].from_stored(self.truth)


def write(path: pathlib.Path, reconstruction: DecodedWindows) -> None:
    """Writes a `.npz` that `read` takes."""
    arrays = {k: v for k, v in vars(reconstruction).items() if v is not None}
    files.write_npz(path, arrays)


def read(path: pathlib.Path) -> DecodedWindows:
    """Reads a `.npz` with arrays named as the attributes of `DecodedWindows`.

    Raises:
      UserError: it cannot be read, or its arrays do not fit together.
    """
    with files.reading_npz(path) as arrays:
        told = {"codec": str(arrays.pop("codec"))}
        told["steps_per_bar"] = int(arrays.pop("steps_per_bar", STEPS_PER_BAR))
        result = DecodedWindows(**arrays, **told)
    if result.codec not in CODECS:
        raise UserError(f"{path}: codec {result.codec!r}; valid are {', '.join(CODECS)}")
    _check(path, result)
    return result


def _check(path: pathlib.Path, reconstruction: DecodedWindows) -> None:
    shape, per_bar = reconstruction.truth.shape, reconstruction.steps_per_bar
    if (
        len(shape) != 2
        or per_bar < 1
        or shape[1] % per_bar
        or reconstruction.songs.shape != shape[:1]
    ):
        raise UserError(
            f"{path}: truth of shape {shape} and songs of {reconstruction.songs.shape}; windows of "
            f"whole bars of {per_bar} steps are needed, and a song for each"
        )
    vocab = CODECS[reconstruction.codec].vocab
    limits = {"truth": CODECS[reconstruction.codec].stored.vocab, **dict.fromkeys(WAYS, vocab)}
    for name, limit in limits.items():
        tokens = getattr(reconstruction, name)
        if tokens.shape != shape or tokens.dtype.kind not in "iu":
            raise UserError(
                f"{path}: {name} is {tokens.dtype} of shape {tokens.shape}; integers of {shape} "
                "are needed"
            )
        if tokens.size and (tokens.min() < 0 or tokens.max() >= limit):
            raise UserError(f"{path}: {name} holds tokens outside of 0..{limit - 1}")
    if reconstruction.nll is not None and reconstruction.nll.shape != shape:
        raise UserError(f"{path}: nll of shape {reconstruction.nll.shape}; {shape} is needed")


class _Heard(NamedTuple):
    """The pitch of each step, or `SILENCE`, and where notes begin: [windows, steps] each."""

    pitch: np.ndarray
    onset: np.ndarray


def _before(pitch: np.ndarray) -> np.ndarray:
    return np.pad(pitch[:, :-1], ((0, 0), (1, 0)), constant_values=SILENCE)


def _onsets(said: np.ndarray, before: np.ndarray, codec: Codec) -> np.ndarray:
    """Where notes begin: [windows, steps] bool.

    Args:
      said: [windows, steps], the pitch that each token stands for.
      before: [windows, steps], what sounds before it.
      codec: of the tokens.
    """
    sounds = said != SILENCE
    return sounds if has_onsets(codec) else sounds & (said != before)


def _heard(tokens: np.ndarray, codec: Codec) -> _Heard:
    """What tokens [windows, steps] sound like."""
    pitch = sounding_pitch(tokens, codec)
    said = codec.token_pitches().astype(np.int16)[tokens]
    return _Heard(pitch, _onsets(said, _before(pitch), codec))


def _heard_one_by_one(tokens: np.ndarray, target: np.ndarray, codec: Codec) -> _Heard:
    """What each token sounds like after the true ones before it."""
    before = _before(sounding_pitch(target, codec))
    said = codec.token_pitches().astype(np.int16)[tokens]
    pitch = np.where(tokens == codec.hold, before, said) if has_onsets(codec) else said
    return _Heard(pitch, _onsets(said, before, codec))


def _matches(tokens: np.ndarray, heard: _Heard, r: DecodedWindows) -> dict[str, np.ndarray]:
    """Which steps are right, [windows, steps] bool, by metric."""
    truth = _heard(r.truth, MelodyCodec())
    both = truth.onset & heard.onset
    distance = np.abs(truth.pitch - heard.pitch)
    return {
        "accuracy": tokens == r.target,
        "sounding_accuracy": heard.pitch == truth.pitch,
        "onset_accuracy": both & (distance == 0),
        "onset_timing_accuracy": both,
        "onset_pitch_class_accuracy": both & (distance % 12 == 0),
        "onset_octave_accuracy": both & (distance <= 12),
    }


def _all_heard(r: DecodedWindows) -> dict[str, tuple[np.ndarray, _Heard]]:
    forced = _heard_one_by_one(r.teacher_forced, r.target, CODECS[r.codec])
    heard = (_heard(r.sampled, CODECS[r.codec]), forced)
    return {way: (getattr(r, way), sound) for way, sound in zip(WAYS, heard, strict=True)}


def _ratios(tokens: np.ndarray, heard: _Heard, r: DecodedWindows) -> dict[str, Ratio]:
    onsets = (r.truth >= FIRST_ONSET).sum(axis=1)
    steps = np.full(len(r.truth), r.truth.shape[1])
    right = {name: match.sum(axis=1) for name, match in _matches(tokens, heard, r).items()}
    ratios = {
        name: Ratio(count, onsets if name.startswith("onset") else steps)
        for name, count in right.items()
    }
    decoded = heard.onset.sum(axis=1)
    return {**ratios, "onset_f1": Ratio(2 * right["onset_accuracy"], onsets + decoded)}


def ratios(r: DecodedWindows) -> dict[str, Ratio]:
    """The metrics by window: `sampled_accuracy` and so on, with `nll_per_token` (nats)."""
    result = {
        f"{way}_{name}": ratio
        for way, (tokens, heard) in _all_heard(r).items()
        for name, ratio in _ratios(tokens, heard, r).items()
    }
    if r.nll is not None:
        bars = r.nll.shape[1] // r.steps_per_bar
        nats = r.nll.sum(axis=1, dtype=np.float64)
        result["nll_per_token"] = Ratio(nats, np.full(len(nats), r.nll.shape[1]))
        result["nll_per_bar"] = Ratio(nats, np.full(len(nats), bars))
    return result


def headline(r: DecodedWindows) -> dict[str, float | list[float]]:
    """The value of each metric, and `METRIC_ci95` with its interval over songs."""
    by_window = ratios(r)
    values = {name: ratio.value for name, ratio in by_window.items()}
    intervals = evaluation_intervals.intervals_95(by_window, r.songs)
    return values | {f"{name}_ci95": interval for name, interval in intervals.items()}


def by_position(r: DecodedWindows) -> dict[str, dict[str, list[float]]]:
    """Accuracies and nats where they are: `by_step_of_bar` and `by_bar`, then by metric."""
    per_step = {}
    for way, (tokens, heard) in _all_heard(r).items():
        matches = _matches(tokens, heard, r)
        for name in ("accuracy", "sounding_accuracy"):
            per_step[f"{way}_{name}"] = matches[name]
    if r.nll is not None:
        per_step["nll_per_token"] = r.nll
    windows, steps = r.truth.shape
    shape = (windows, steps // r.steps_per_bar, r.steps_per_bar)
    return {
        title: {
            name: values.reshape(shape).mean(axis=axes, dtype=np.float64).tolist()
            for name, values in per_step.items()
        }
        for title, axes in (("by_step_of_bar", (0, 1)), ("by_bar", (0, 2)))
    }


def ceilings(r: DecodedWindows) -> dict[str, float]:
    """The metrics that the true tokens of the codec would reach; 1 for melody tokens."""
    tokens = r.target
    return {
        name: ratio.value
        for name, ratio in _ratios(tokens, _heard(tokens, CODECS[r.codec]), r).items()
    }


def paired_differences(one: DecodedWindows, other: DecodedWindows) -> dict[str, dict[str, Any]]:
    """How much higher each metric of one model is than that of another, on the same windows.

    Returns:
      By metric, `difference` and its `ci95` over songs.

    Raises:
      UserError: the windows or their order differ.
    """
    if one.truth.shape != other.truth.shape or (one.truth != other.truth).any():
        raise UserError("two models can be compared only on the same windows in the same order")
    sides = ratios(one), ratios(other)
    drawn = [evaluation_intervals.resample(side, one.songs) for side in sides]
    return {
        name: {
            "difference": sides[0][name].value - sides[1][name].value,
            "ci95": evaluation_intervals.interval_95(drawn[0][name] - drawn[1][name]),
        }
        for name in sides[0]
        if name in sides[1]
    }
