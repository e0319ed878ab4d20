"""Each augmentation against a plain restatement: notes in lists, one after the other."""

import hashlib

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from musicvae_jax.datasets import augmentation
from musicvae_jax.datasets.augmentation import AUGMENTATIONS
from musicvae_jax.datasets.input_pipeline import Split, TrainBatches
from musicvae_jax.music.melody import Melody
from musicvae_jax.music.tokens import MelodyCodec
from tests import helpers

CODEC = MelodyCodec()
EVERY_NAME = pytest.mark.parametrize("name", AUGMENTATIONS)
ALL = tuple((name, 1.0) for name in AUGMENTATIONS)


def encode(melodies):
    return np.stack([CODEC.encode(melody) for melody in melodies]).astype(np.uint8)


def cut(notes, first, last):
    """The notes that sound in first..last, from there."""
    clipped = [(p, max(s, first) - first, min(e, last) - first) for p, s, e in notes]
    return [(p, s, e) for p, s, e in clipped if s < e]


def inside(pitch):
    return 21 <= pitch <= 108


def plain_borrow_pitches(notes, others, number, steps):
    if not others:
        return notes
    return [(others[i % len(others)][0], s, e) for i, (_, s, e) in enumerate(notes)]


def plain_half_speed(notes, others, number, steps):
    firsts = range(0, steps // 2 + 1, 16)
    first = firsts[int(number[0] * len(firsts))]
    return [(p, 2 * s, 2 * e) for p, s, e in cut(notes, first, first + steps // 2)]


def plain_double_speed(notes, others, number, steps):
    if not notes:
        return []
    result = []
    for part, offset in ((notes, 0), (others, steps // 2)):
        for p, s, e in part:
            start = offset + s // 2
            end = offset + -(-e // 2)
            if result and result[-1][1] == start:
                continue
            if result and result[-1][2] > start:
                result[-1] = (*result[-1][:2], start)
            result.append((p, start, end))
    return result


def plain_shift(notes, others, number, steps):
    later = 1 + int(number[0] * 15)
    twice = notes + [(p, s + steps, e + steps) for p, s, e in notes]
    return cut(twice, steps - later, 2 * steps - later)


def plain_scatter(notes, others, number, steps):
    result = []
    for first in range(0, steps, 16):
        own = [note for note in notes if first <= note[1] < first + 16]
        places = sorted(range(first, first + 16), key=lambda step: number[step])[: len(own)]
        for (p, s, e), place in zip(own, sorted(places), strict=True):
            if result:
                result[-1] = (*result[-1][:2], min(result[-1][2], place))
            result.append((p, place, min(place + e - s, steps)))
    return result


def plain_drop(notes, others, number, steps):
    return [note for note in notes if not number[note[1]] < 0.15]


def plain_shorten(notes, others, number, steps):
    result = []
    for p, s, e in notes:
        length = e - s
        if number[s] < 0.3 and length > 1:
            length = 1 + int(number[s] / 0.3 * (length - 1))
        result.append((p, s, s + length))
    return result


def plain_nudge(notes, others, number, steps):
    starts = []
    for i, (_, s, e) in enumerate(notes):
        if number[s] < 0.1:
            starts.append(s + 1 if e - s > 1 else s)
        elif number[s] < 0.2:
            is_taken = i > 0 and s - 1 in (notes[i - 1][1], starts[i - 1])
            starts.append(s if s == 0 or is_taken else s - 1)
        else:
            starts.append(s)
    result = []
    for i, (p, _, e) in enumerate(notes):
        if i + 1 < len(notes):
            is_held_until_next = e == notes[i + 1][1]
            e = starts[i + 1] if is_held_until_next else min(e, starts[i + 1])
        result.append((p, starts[i], e))
    return result


def plain_move_pitches(notes, others, number, steps):
    result = []
    for p, s, e in notes:
        if number[s] < 0.15:
            by = (-2, -1, 1, 2)[int(number[s] / 0.15 * 4)]
            p = p + by if inside(p + by) else p - by
        result.append((p, s, e))
    return result


def plain_octave(notes, others, number, steps):
    for by in (12, -12) if number[0] < 0.5 else (-12, 12):
        if all(inside(p + by) for p, _, _ in notes):
            return [(p + by, s, e) for p, s, e in notes]
    return notes


def plain_transpose(notes, others, number, steps):
    by = (-7, -6, -5, -4, -3, -2, -1, 1, 2, 3, 4, 5, 6, 7)[int(number[0] * 14)]
    while not all(inside(p + by) for p, _, _ in notes):
        by -= 1 if by > 0 else -1
    return [(p + by, s, e) for p, s, e in notes]


def restate(name, melody, other, number):
    """What an augmentation makes of one window, given its row of random numbers."""
    plain = globals()[f"plain_{name}"]
    notes = plain(melody.notes(), other.notes(), number.tolist(), melody.num_steps)
    return Melody.from_notes(notes or melody.notes(), melody.num_steps)


@st.composite
def windows(draw, steps):
    """A window with notes close together: one after the other, some of them silent."""
    pitches = st.one_of(st.none(), st.integers(21, 108), st.sampled_from([21, 108]))
    notes, start = [], 0
    for length, pitch in draw(st.lists(st.tuples(st.integers(1, 5), pitches), max_size=steps)):
        end = min(start + length, steps)
        if pitch is not None and start < end:
            notes.append((pitch, start, end))
        start = end
    return Melody.from_notes(notes, steps)


@st.composite
def batches(draw):
    """Windows of a length, as many others, and random numbers."""
    steps = 16 * draw(st.integers(1, 3))
    pairs = draw(st.lists(st.tuples(windows(steps), windows(steps)), min_size=1, max_size=3))
    own, others = zip(*pairs, strict=True)
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    # Small numbers change many notes, which then meet.
    uniform = rng.random((len(own), steps)) * draw(st.sampled_from([1.0, 0.3, 0.2]))
    return own, others, uniform


@given(batch=batches())
def test_as_restated_with_loops_over_notes(batch):
    own, others, uniform = batch
    given_arrays = encode(own), encode(others), uniform
    kept = [array.copy() for array in given_arrays]
    for name, augment in AUGMENTATIONS.items():
        changed = augment(*given_arrays)
        assert changed.dtype == np.uint8
        expected = encode([restate(name, *window) for window in zip(*batch, strict=True)])
        np.testing.assert_array_equal(changed, expected, err_msg=name)
    for array, before in zip(given_arrays, kept, strict=True):
        np.testing.assert_array_equal(array, before)


@pytest.fixture(scope="module")
def folk_like():
    """Tokens of 400 windows of 4 bars with many notes."""
    rng = np.random.default_rng(1)
    return encode([helpers.random_melody(rng, 4) for _ in range(400)])


def random_numbers(tokens, seed=2):
    return np.random.default_rng(seed).random(tokens.shape)


@EVERY_NAME
def test_it_changes_most_windows_into_valid_ones(name, folk_like):
    others = folk_like[::-1]
    changed = AUGMENTATIONS[name](folk_like, others, random_numbers(folk_like))
    assert (changed != folk_like).any(axis=1).mean() > 0.75
    np.testing.assert_array_equal(encode([CODEC.decode(row) for row in changed]), changed)


@EVERY_NAME
def test_a_window_without_a_note_stays(name, folk_like):
    silent = np.zeros_like(folk_like)
    numbers = random_numbers(silent)
    assert not AUGMENTATIONS[name](silent, folk_like, numbers).any()
    nothing = np.zeros((0, 64), np.uint8)
    assert AUGMENTATIONS[name](nothing, nothing, np.zeros((0, 64))).shape == (0, 64)


@EVERY_NAME
def test_the_largest_random_number_there_is(name, folk_like):
    """Rounding must not take it to a choice that does not exist."""
    largest = np.nextafter(1, 0)
    for number in (largest, np.nextafter(0.15, 0), np.nextafter(0.3, 0)):
        changed = AUGMENTATIONS[name](folk_like, folk_like, np.full(folk_like.shape, number))
        np.testing.assert_array_equal(encode([CODEC.decode(row) for row in changed]), changed)


def changed_by(name, notes, numbers, others=(), steps=16):
    tokens, second = encode([Melody.from_notes(part, steps) for part in (notes, others)])[:, None]
    uniform = np.full((1, steps), 0.99)
    for step, number in numbers.items():
        uniform[0, step] = number
    return CODEC.decode(AUGMENTATIONS[name](tokens, second, uniform)[0]).notes()


def test_golden_changes():
    notes = [(60, 0, 2), (62, 2, 3), (64, 4, 9), (65, 13, 16)]
    other = [(72, 1, 8), (74, 8, 16)]
    assert changed_by("borrow_pitches", notes, {}, other) == [
        *((72, 0, 2), (74, 2, 3), (72, 4, 9), (74, 13, 16)),
    ]
    assert changed_by("half_speed", notes, {}) == [(60, 0, 4), (62, 4, 6), (64, 8, 16)]
    assert changed_by("double_speed", notes, {}, other) == [
        *((60, 0, 1), (62, 1, 2), (64, 2, 5), (65, 6, 8), (72, 8, 12), (74, 12, 16)),
    ]
    assert changed_by("shift", notes, {0: 0.07}) == [
        *((65, 0, 2), (60, 2, 4), (62, 4, 5), (64, 6, 11), (65, 15, 16)),
    ]
    assert changed_by("drop", notes, {2: 0.1}) == [notes[0], *notes[2:]]
    assert changed_by("shorten", notes, {4: 0.16, 2: 0.0}) == [
        *((60, 0, 2), (62, 2, 3), (64, 4, 7), (65, 13, 16)),
    ]
    assert changed_by("nudge", notes, {0: 0.05, 2: 0.15, 4: 0.15, 13: 0.05}) == [
        *((60, 1, 2), (62, 2, 3), (64, 3, 9), (65, 14, 16)),
    ]
    assert changed_by("move_pitches", notes, {2: 0.14, 4: 0.0}) == [
        *((60, 0, 2), (64, 2, 3), (62, 4, 9), (65, 13, 16)),
    ]
    assert changed_by("octave", [(100, 0, 4)], {0: 0.2}) == [(88, 0, 4)]
    assert changed_by("octave", [(30, 0, 4), (100, 4, 9)], {}) == [(30, 0, 4), (100, 4, 9)]
    assert changed_by("transpose", [(105, 0, 4)], {}) == [(108, 0, 4)]


def test_dropping_every_note_changes_nothing():
    assert changed_by("drop", [(60, 0, 2), (62, 3, 4)], {0: 0.0, 3: 0.1}) == [
        *((60, 0, 2), (62, 3, 4)),
    ]


def draws_of(weights, share, batch=4000, seed=0, steps=16):
    return augmentation.draw(np.random.default_rng(seed), weights, share, batch, steps)


def test_share_number_and_weights_of_what_is_drawn():
    draws = draws_of((("shift", 1.0), ("octave", 2.0), ("drop", 1.0), ("nudge", 4.0)), 0.6)
    assert draws.names == ("shift", "drop", "nudge", "octave")
    count = draws.is_chosen.sum(axis=1)
    np.testing.assert_allclose(np.bincount(count) / 4000, [0.4, 0.2, 0.2, 0.2], atol=0.025)
    only_one = draws.is_chosen[count == 1].mean(axis=0)
    np.testing.assert_allclose(only_one, np.array([1, 1, 4, 2]) / 8, atol=0.05)
    # The second of two, where the first was the likeliest: by the weights of the others.
    with_nudge = draws.is_chosen[(count == 2) & draws.is_chosen[:, 2]]
    expected = [0.5 / 4 + 1 / 8 * 4 / 7, 0.5 / 4 + 1 / 8 * 4 / 7, 0.5 / 2 + 1 / 4 * 4 / 6]
    np.testing.assert_allclose(
        with_nudge.mean(axis=0)[[0, 1, 3]], np.array(expected) / sum(expected), atol=0.05
    )


def test_one_augmentation_alone_and_the_extreme_shares():
    assert draws_of((("shift", 0.1),), 1.0).is_chosen.all()
    assert not draws_of((("shift", 0.1),), 0.0).is_chosen.any()


def test_draws_do_not_depend_on_the_order_of_the_weights():
    weights = (("shift", 1.0), ("drop", 2.0), ("octave", 3.0))
    first, second = draws_of(weights, 0.5), draws_of(weights[::-1], 0.5)
    assert first.names == second.names
    np.testing.assert_array_equal(first.is_chosen, second.is_chosen)
    np.testing.assert_array_equal(first.uniform, second.uniform)


def test_a_window_gets_its_augmentations_one_after_the_other(folk_like):
    draws = draws_of(ALL, 0.7, len(folk_like), steps=64)
    others = folk_like[::-1]
    before = folk_like.copy()
    made = augmentation.augment(folk_like, others, draws)
    np.testing.assert_array_equal(folk_like, before)
    for window in range(0, len(folk_like), 9):
        melody, other = CODEC.decode(folk_like[window]), CODEC.decode(others[window])
        names = [
            n for n, chosen in zip(draws.names, draws.is_chosen[window], strict=True) if chosen
        ]
        for name, number in zip(names, draws.uniform[window], strict=False):
            melody = restate(name, melody, other, number)
        assert CODEC.decode(made[window]) == melody
    np.testing.assert_array_equal(encode([CODEC.decode(row) for row in made]), made)


def augmented_config(share=0.6, **model):
    config = helpers.small_config(**model)
    config.dataset.augment = ALL
    config.dataset.augment_share = share
    return config


@pytest.fixture(scope="module")
def split():
    rng = np.random.default_rng(0)
    return Split(encode([helpers.random_melody(rng, 2) for _ in range(40)]))


@pytest.mark.parametrize(
    ("process", "digest"), [((0, 1), "e6fd84db26e19d3e"), ((1, 2), "3485bd01d2123f2d")]
)
def test_batches_without_augmentation_are_those_of_before_there_was_any(split, process, digest):
    batches = TrainBatches(split, helpers.small_config(), *process)
    tokens = b"".join(batches(step).tobytes() for step in range(5))
    assert hashlib.sha256(tokens).hexdigest()[:16] == digest


def test_the_given_share_of_windows_is_augmented(split):
    plain = TrainBatches(split, helpers.small_config())
    augmented = TrainBatches(split, augmented_config())
    changed = [(plain(step) != augmented(step)).any(axis=1).mean() for step in range(40)]
    assert 0.5 < np.mean(changed) < 0.6
    assert all(np.array_equal(CODEC.encode(CODEC.decode(row)), row) for row in augmented(3))


def test_augmented_batches_depend_on_seed_and_step_only(split):
    config = augmented_config()
    straight = [TrainBatches(split, config)(step) for step in range(9)]
    batches = TrainBatches(split, config)
    for step in (8, 2, 5, 0):
        np.testing.assert_array_equal(batches(step), straight[step])
    config.seed = 1
    assert not np.array_equal(TrainBatches(split, config)(0), straight[0])


@pytest.mark.parametrize("process_count", [2, 4])
def test_processes_share_the_augmented_batch(split, process_count):
    config = augmented_config()
    whole = TrainBatches(split, config)(3)
    parts = [TrainBatches(split, config, i, process_count)(3) for i in range(process_count)]
    np.testing.assert_array_equal(np.concatenate(parts), whole)


def test_the_roll_codec_gets_augmented_melodies_too(split):
    plain = TrainBatches(split, helpers.small_config(codec="roll"))(0)
    augmented = TrainBatches(split, augmented_config(1.0, codec="roll"))(0)
    assert augmented.max() <= 60
    assert (plain != augmented).any(axis=1).mean() > 0.8
