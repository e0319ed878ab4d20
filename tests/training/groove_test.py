"""The head that plays drums as a drummer would, from performances to a file and back."""

import numpy as np
import pytest

from musicvae_jax.datasets import grooves
from musicvae_jax.evaluation import humanising
from musicvae_jax.inference import humaniser
from musicvae_jax.music.drums import Drums
from musicvae_jax.system.errors import UserError
from musicvae_jax.training import groove_loop
from musicvae_jax.training.groove_loop import GrooveRecipe

RECIPE = GrooveRecipe(
    features=16, layers=1, dropout=0.0, batch_size=8, num_steps=100, eval_every=50
)


def shuffle(rng: np.random.Generator, bars: int) -> Drums:
    """A drummer with habits: hi-hats off the beat are soft and late, kicks hard and early."""
    step = np.arange(0, bars * 16, 2)
    kick = np.flatnonzero(rng.random(bars * 16) < 0.2)
    off_beat = step % 4 == 2
    return Drums(
        np.concatenate([np.full(len(step), 2), np.zeros(len(kick))]),
        np.concatenate([step, kick]),
        np.concatenate([np.where(off_beat, 40, 90), np.full(len(kick), 120)]),
        np.concatenate([np.where(off_beat, 0.3, 0.0), np.full(len(kick), -0.1)]),
        bars * 16,
        tempo_bpm=float(rng.integers(80, 160)),
    )


@pytest.fixture(scope="module")
def performances():
    rng = np.random.default_rng(0)
    counts = {"train": 12, "validation": 3, "test": 3}
    return {split: [shuffle(rng, 5) for _ in range(n)] for split, n in counts.items()}


@pytest.fixture(scope="module")
def trained(performances):
    windows = {split: grooves.cut(drums) for split, drums in performances.items()}
    return groove_loop.train(windows, RECIPE), windows


def test_windows_hold_every_hit(performances):
    drums = performances["train"][0]
    cut = grooves.cut([drums, drums.window(0, 1)])
    assert cut.performance.tolist() == [0, 0, 1]
    velocity, offset = drums.grids()
    np.testing.assert_array_equal(cut.velocity[0], velocity[:64])
    np.testing.assert_array_equal(cut.offset[1][:48], offset[32:])
    assert not cut.hits[1][48:].any()
    assert not cut.hits[2][16:].any()
    again = grooves.from_arrays(grooves.to_arrays({s: cut for s in grooves.SPLITS}))
    np.testing.assert_array_equal(again["test"].velocity, cut.velocity)


def test_it_learns_the_habits_and_beats_what_looks_at_less(trained):
    head, windows = trained
    ways = humanising.ways(head, windows["train"], windows["test"])
    found = {name: humanising.errors(way, windows["test"]) for name, way in ways.items()}
    assert found["head"]["velocity_mae"] < 8
    for name in ("on the grid, all alike", "mean of the piece", "a random performance"):
        assert found["head"]["velocity_mae"] <= found[name]["velocity_mae"] + 8
        assert found["head"]["timing_mae_ms"] < found["on the grid, all alike"]["timing_mae_ms"]


def test_strength_goes_from_what_is_there_to_what_is_predicted(trained, tmp_path):
    head, _ = trained
    humaniser.save(tmp_path, head)
    head = humaniser.load(tmp_path)
    plain = Drums.from_hits([(2, step) for step in range(0, 32, 2)] + [(0, 5)], 32)
    assert head.humanise(plain, strength=0.0) == plain
    whole, half = head.humanise(plain), head.humanise(plain, strength=0.5)
    assert whole.hits() == plain.hits()
    np.testing.assert_allclose(half.offset, whole.offset / 2, atol=1e-6)
    np.testing.assert_allclose(half.velocity, (plain.velocity + whole.velocity) / 2, atol=0.51)
    assert head.humanise(plain, temperature=1.0, seed=1) != whole
    drawn = [head.humanise(plain, temperature=1.0, seed=seed) for seed in (1, 1, 2)]
    assert drawn[0] == drawn[1] != drawn[2]
    with pytest.raises(UserError, match="strength=3"):
        head.humanise(plain, strength=3.0)


def test_errors_by_hand():
    drums = Drums([0, 1], [0, 4], [100, 50], [0.1, -0.2], 64, tempo_bpm=150.0)
    test = grooves.cut([drums])
    velocity, offset = test.velocity + 10.0, test.offset + 0.1
    found = humanising.errors((velocity, offset), test)
    assert found["velocity_mae"] == pytest.approx(10)
    assert found["timing_mae_ms"] == pytest.approx(10)  # a tenth of a sixteenth of 100 ms
    assert found["timing_mse_steps"] == pytest.approx(0.01)


def test_the_divergence_is_of_all_hits_together():
    """Two hits whose velocities are exchanged are all wrong, and distributed as they were."""
    test = grooves.cut([Drums([0, 1], [0, 4], [100, 50], [0.1, -0.2], 64)])
    exchanged = np.where(test.hits, 150.0 - test.velocity, 0), test.offset
    found = humanising.errors(exchanged, test)
    assert found["velocity_mae"] == pytest.approx(50)
    assert found["velocity_kl_nats"] == pytest.approx(0)
    # Both at 100: of 18 counts (16 parts with one each, two hits), 2 and 2 against 3 and 1.
    alike = humanising.errors((np.full(test.velocity.shape, 100.0), test.offset), test)
    by_hand = 2 / 18 * (np.log(2 / 3) + np.log(2 / 1))
    assert alike["velocity_kl_nats"] == pytest.approx(by_hand)


def test_a_folder_without_one_says_how_to_get_it(tmp_path):
    with pytest.raises(UserError, match="mode=train_prior makes one"):
        humaniser.load(tmp_path)
