import dataclasses

import numpy as np
import pytest

from musicvae_jax.evaluation import accuracy as metrics
from musicvae_jax.evaluation.accuracy import DecodedWindows
from musicvae_jax.music.melody import Melody
from musicvae_jax.music.tokens import MelodyCodec, RollCodec
from musicvae_jax.system.errors import UserError
from tests import helpers

C4 = 60 - 21 + 2
D4, C5, C6 = C4 + 2, C4 + 12, C4 + 24
OFF = 1


def bar(**tokens):
    """One bar of melody tokens: `_3=C4` is a C at step 3."""
    row = np.zeros((1, 16), np.uint8)
    for step, token in tokens.items():
        row[0, int(step[1:])] = token
    return row


def made(truth, sampled, teacher_forced=None, codec="melody", nll=None):
    if teacher_forced is None:
        teacher_forced = sampled
    return DecodedWindows(codec, np.arange(len(truth)), truth, sampled, teacher_forced, nll)


def random_windows(count, bars=2, seed=0):
    rng = np.random.default_rng(seed)
    melodies = [helpers.random_melody(rng, bars) for _ in range(count)]
    return np.stack([MelodyCodec().encode(melody) for melody in melodies]).astype(np.uint8)


def test_freely_decoded_by_hand():
    truth = bar(_0=C4, _4=D4, _8=OFF, _12=C5)
    # An octave too high; not struck; the silence kept; right; a note too many at the end.
    sampled = bar(_0=C5, _8=OFF, _12=C5, _14=C6)
    values = metrics.headline(made(truth, sampled))
    assert values["sampled_accuracy"] == 13 / 16
    assert values["sampled_sounding_accuracy"] == 6 / 16  # steps 8 to 11, 12 and 13
    assert values["sampled_onset_accuracy"] == 1 / 3
    assert values["sampled_onset_timing_accuracy"] == 2 / 3
    assert values["sampled_onset_pitch_class_accuracy"] == 2 / 3
    assert values["sampled_onset_octave_accuracy"] == 2 / 3
    assert values["sampled_onset_f1"] == 2 / (3 + 3)


def test_an_octave_is_a_distance_and_a_pitch_class_is_not():
    truth = bar(_0=C4, _4=C4, _8=C4)
    values = metrics.headline(made(truth, bar(_0=C6, _4=D4, _8=C4)))
    assert values["sampled_onset_pitch_class_accuracy"] == 2 / 3
    assert values["sampled_onset_octave_accuracy"] == 2 / 3
    assert values["sampled_onset_timing_accuracy"] == 1


def test_a_hold_that_is_forced_goes_on_with_the_truth():
    truth = bar(_0=C4, _4=D4, _8=OFF)
    forced = bar(_0=D4, _4=D4)  # the first note is wrong, the silence does not begin
    values = metrics.headline(made(truth, truth, forced))
    assert values["teacher_forced_accuracy"] == 14 / 16
    # Only steps 0 and 8: at 1 the true C goes on, and at 9 the true silence.
    assert values["teacher_forced_sounding_accuracy"] == 14 / 16
    freely = metrics.headline(made(truth, forced))
    assert freely["sampled_sounding_accuracy"] == 4 / 16


def test_forced_steps_equal_those_of_a_melody_with_one_token_changed():
    """The oracle puts one token at a time into the truth, and decodes it whole."""
    truth = random_windows(3)
    forced = helpers.random_tokens(3, 32, seed=1, vocab=90).astype(np.uint8)
    forced[::2, ::3] = 0
    right = []
    for row, guesses in zip(truth, forced, strict=True):
        for step in range(32):
            melodies = []
            for token in (row[step], guesses[step]):
                start = np.append(row[:step], token)
                melodies.append(MelodyCodec().decode(start))
            right.append(_sounding(melodies[0], step) == _sounding(melodies[1], step))
    values = metrics.headline(made(truth, truth, forced))
    assert values["teacher_forced_sounding_accuracy"] == pytest.approx(np.mean(right))


def _sounding(melody: Melody, step: int) -> int | None:
    found = [p for p, start, end in melody.notes() if start <= step < end]
    return found[0] if found else None


def test_both_codecs_are_asked_for_the_same_sound():
    """A roll that says what the melody tokens say gets what they get, where it can."""
    truth = random_windows(20)
    sampled = random_windows(20, seed=5)
    melody = metrics.headline(made(truth, sampled))
    roll = metrics.headline(made(truth, RollCodec().from_stored(sampled), codec="roll"))
    assert roll["sampled_sounding_accuracy"] == melody["sampled_sounding_accuracy"]
    assert roll["sampled_accuracy"] == melody["sampled_sounding_accuracy"]
    assert roll["sampled_onset_accuracy"] <= melody["sampled_onset_accuracy"]


def test_a_roll_strikes_no_note_twice_and_knows_no_low_ones():
    truth = bar(_0=C4, _4=C4, _8=D4, _12=40 - 21 + 2)
    roll = RollCodec().from_stored(truth)
    values = metrics.headline(made(truth, roll, codec="roll"))
    assert values["sampled_accuracy"] == values["teacher_forced_accuracy"] == 1
    assert values["sampled_onset_accuracy"] == 2 / 4
    assert values["teacher_forced_onset_accuracy"] == 2 / 4
    assert values["sampled_onset_f1"] == 4 / (4 + 2)
    assert values["sampled_sounding_accuracy"] == 12 / 16
    ceilings = metrics.ceilings(made(truth, roll, codec="roll"))
    assert ceilings["onset_accuracy"] == 2 / 4
    assert ceilings["sounding_accuracy"] == 12 / 16


def test_a_forced_roll_strikes_what_did_not_truly_sound():
    truth = bar(_0=C4, _4=D4)
    late = RollCodec().from_stored(truth)
    late[0, 4], late[0, 5] = RollCodec().silence, 62 - 48  # D at 5 goes on, by the truth
    values = metrics.headline(made(truth, late, codec="roll"))
    assert values["teacher_forced_onset_f1"] == 2 / (2 + 1)
    assert values["sampled_onset_f1"] == 2 / (2 + 2)


def test_a_perfect_reconstruction_is_perfect():
    truth = random_windows(5)
    r = made(truth, truth)
    values = {k: v for k, v in metrics.headline(r).items() if not k.endswith("_ci95")}
    assert set(values.values()) == set(metrics.ceilings(r).values()) == {1.0}
    assert len(values) == 14


def test_positions_by_hand():
    truth = np.zeros((2, 32), np.uint8)
    sampled = truth.copy()
    sampled[0, 3] = sampled[1, 16 + 3] = sampled[1, 16 + 4] = 50
    nll = np.zeros((2, 32), np.float32)
    nll[0, 5] = 8.0
    r = made(truth, sampled, truth, nll=nll)
    positions = metrics.by_position(r)
    steps = positions["by_step_of_bar"]
    assert steps["sampled_accuracy"] == [*[1.0] * 3, 0.5, 0.75, *[1.0] * 11]
    assert steps["nll_per_token"][5] == 2.0
    assert positions["by_bar"]["sampled_accuracy"] == [31 / 32, 30 / 32]
    assert positions["by_bar"]["nll_per_token"] == [0.25, 0]
    assert positions["by_bar"]["teacher_forced_accuracy"] == [1.0, 1.0]
    values = metrics.headline(r)
    assert values["nll_per_token"] == 8 / 64
    assert values["nll_per_bar"] == 8 / 4


def test_a_file_is_read_as_it_was_written(tmp_path):
    truth = random_windows(4)
    nll = np.random.default_rng(0).random(truth.shape, np.float32)
    songs = np.array(["a/b:1", "a/b:1", "c", "d"])
    r = dataclasses.replace(made(truth, truth[::-1], nll=nll), songs=songs)
    metrics.write(tmp_path / "r.npz", r)
    again = metrics.read(tmp_path / "r.npz")
    assert metrics.headline(again) == metrics.headline(r)
    assert again.songs.tolist() == songs.tolist()
    metrics.write(tmp_path / "r.npz", dataclasses.replace(r, nll=None))
    assert metrics.read(tmp_path / "r.npz").nll is None


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"codec": "midi"}, "valid are melody, roll"),
        ({"sampled": np.zeros((4, 16), np.uint8)}, r"sampled is uint8 of shape \(4, 16\)"),
        ({"sampled": np.full((4, 32), 90)}, r"outside of 0\.\.89"),
        ({"teacher_forced": np.zeros((4, 32))}, "integers"),
        ({"truth": np.zeros((4, 20), np.uint8)}, "whole bars"),
        ({"songs": np.zeros(3)}, "a song for each"),
        ({"nll": np.zeros((4, 31))}, "nll of shape"),
    ],
)
def test_a_file_that_does_not_fit_is_refused(tmp_path, change, message):
    truth = random_windows(4)
    metrics.write(tmp_path / "r.npz", dataclasses.replace(made(truth, truth), **change))
    with pytest.raises(UserError, match=message):
        metrics.read(tmp_path / "r.npz")


def test_a_file_of_something_else_is_refused(tmp_path):
    np.savez(tmp_path / "other.npz", codec="melody", z=np.zeros(3))
    (tmp_path / "text.npz").write_text("no")
    for name in ("other.npz", "text.npz", "missing.npz"):
        with pytest.raises(UserError, match=f"{name}: cannot be read"):
            metrics.read(tmp_path / name)


def test_differences_are_paired():
    """Two models that fail on the same songs: surer of the difference than of either."""
    truth = random_windows(40)
    rng = np.random.default_rng(0)
    wrong = rng.random((40, 1)) * np.ones((1, 32)) > rng.random((40, 32))
    one = made(truth, np.where(wrong, 89, truth).astype(np.uint8))
    other = made(truth, np.where(wrong, 88, truth).astype(np.uint8))
    other.sampled[:, 0] = 87
    result = metrics.paired_differences(one, other)["sampled_accuracy"]
    values = [metrics.headline(r) for r in (one, other)]
    assert result["difference"] == pytest.approx(
        values[0]["sampled_accuracy"] - values[1]["sampled_accuracy"]
    )
    low, high = result["ci95"]
    assert 0 < low < result["difference"] < high
    assert high - low < 0.2 * np.diff(values[0]["sampled_accuracy_ci95"]).item()
    with pytest.raises(UserError, match="the same windows"):
        metrics.paired_differences(one, dataclasses.replace(other, truth=truth[::-1]))
