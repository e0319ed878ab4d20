"""Melodies that a composer writes, by a model and a prior that were not trained."""

import functools
import pathlib

import jax
import numpy as np
import pytest

from musicvae_jax.checkpoints.load import Checkpoint
from musicvae_jax.inference import bar_prior, composer
from musicvae_jax.inference.bar_prior import BarPrior, Outlines
from musicvae_jax.inference.composer import Composer, Sampling
from musicvae_jax.inference.melody_model import MelodyModel
from musicvae_jax.models import bar_flow, noise
from musicvae_jax.system.errors import UserError
from tests import helpers

SHARES = {"z": 8, "encoder_reads": "bars", "conductor_reads": "bars"}
PRIOR = {"features": 16, "layers": 1, "heads": 2, "dtype": "float32", "dropout": 0.0}


def random_prior(layout, seed=0) -> BarPrior:
    """Of two sources; its parameters are random, so that every input matters."""
    rng = np.random.default_rng(seed)
    shapes = bar_prior.init_params(bar_prior.create_flow(PRIOR, layout, 2), layout, 0)
    params = jax.tree.map(lambda x: 0.3 * rng.normal(size=x.shape).astype(np.float32), shapes)
    mean, unit = rng.normal(size=layout.size), rng.uniform(0.5, 2, layout.size)
    form = np.tile(np.arange(layout.bars, dtype=np.uint8), (2, 1))
    form[1] %= max(layout.bars // 2, 1)  # the second half repeats the first
    outlines = Outlines(form, np.array([1, 1], np.uint8), np.array([0, 8], np.uint8))
    return BarPrior(PRIOR, params, mean, unit, ("one", "two"), outlines, {})


@functools.cache
def composing_model(**model) -> MelodyModel:
    """The same one for all tests of a process, with what has been compiled for it."""
    config = helpers.small_config(**{"bars": 4, **model})
    params = helpers.random_params(config, scale=3)
    made = MelodyModel(Checkpoint(pathlib.Path("here"), 0, config, params))
    layout = bar_flow.layout(made.model)
    return made.with_composer(Composer(random_prior(layout), layout, Sampling(steps=3)))


@pytest.fixture(scope="module")
def model():
    return composing_model(**SHARES)


@pytest.fixture(scope="module")
def melody():
    return helpers.random_melody(np.random.default_rng(0), 6)


def sounds(melody, bar):
    """What sounds in a bar: its notes, those that are held into it struck."""
    return melody.window(bar, 1).notes()


def test_new_melodies_of_any_number_of_bars(model):
    for bars in (1, 4, 11):
        few, many = (model.generate(num, seed=1, bars=bars) for num in (2, 3))
        assert [one.num_bars for one in many] == [bars] * 3
        assert few == many[:2]
        assert many[0] != many[1]
    assert model.generate(2, seed=1) == model.generate(2, seed=1, bars=4, temperature=0.0)


@pytest.mark.parametrize("latent", [{"z": 8, "latent": "per_bar"}, {"z": 8}])
def test_new_melodies_of_other_latents(latent):
    model = composing_model(**latent)
    assert [one.num_bars for one in model.generate(2, bars=9)] == [9, 9]
    assert model.draw(2).shape == (2, *model.model.latent_shape)
    continued, *_ = model.complete(helpers.random_melody(np.random.default_rng(0), 4), bars=2)
    assert continued.melody.num_bars == 6
    if "latent" not in latent:
        with pytest.raises(UserError, match="of a model that knows single bars"):
            model.vary(continued.melody, [0])


def test_without_a_composer_a_melody_is_as_long_as_the_model(model):
    plain = model.with_composer(None)
    assert plain.temperature == 0.7
    assert plain.generate(2, bars=3)[0].num_bars == 3
    with pytest.raises(UserError, match=r"bars=5: without a bar_prior\.npz .* at most 4 bars"):
        plain.generate(2, bars=5)
    with pytest.raises(UserError, match=r"vary: needs a bar_prior\.npz"):
        plain.vary(plain.generate(1)[0], [0])


def test_known_codes_are_untouched_and_others_depend_on_them(model):
    writes, layout = model.composer, model.composer.layout
    rng = np.random.default_rng(1)
    codes = rng.normal(size=(5, 7, layout.size)).astype(np.float32)
    known = np.zeros((5, 7), bool)
    known[:, [0, 3, 4]] = True
    keys = noise.example_keys(jax.random.key(0), 0, 5)
    place = writes.anywhere(5, 7)
    made = writes.write(codes, known, keys, place)
    np.testing.assert_array_equal(made[known], codes[known])
    other = codes.copy()
    other[~known] = 9.0  # what stands in for bars that are not known is not seen
    np.testing.assert_array_equal(writes.write(other, known, keys, place), made)
    other = codes.copy()
    other[:, 0] += 1
    assert np.abs(writes.write(other, known, keys, place)[:, 1] - made[:, 1]).max() > 1e-3
    # A batch that is turned round, or a part of it, gives the same.
    some = np.array([4, 2])
    of_some = composer.Place(place.phase[some], place.source[some], place.form[some])
    again = writes.write(codes[some], known[some], keys[some], of_some)
    np.testing.assert_allclose(again, made[some], rtol=1e-4, atol=1e-5)


def test_a_level_leads_towards_what_the_codes_say(model):
    writes = model.composer
    rng = np.random.default_rng(2)
    codes = rng.normal(size=(8, 4, writes.layout.size)).astype(np.float32)
    keys, place = noise.example_keys(jax.random.key(0), 0, 8), writes.anywhere(8, 4)
    nothing = np.zeros((8, 4), bool)
    far = [
        np.abs(writes.write(codes, nothing, keys, place, level) - codes).mean()
        for level in (0.0, 0.5, 0.9, 1.0)
    ]
    assert far[0] > far[1] > far[2] > far[3] == pytest.approx(0, abs=1e-5)


@pytest.mark.parametrize("devices", [1, 8])
def test_any_number_of_devices_gives_the_same(model, monkeypatch, devices):
    keys = noise.example_keys(jax.random.key(3), 0, 6)
    empty = np.zeros((6, 4, model.composer.layout.size), np.float32)
    arguments = (empty, np.zeros((6, 4), bool), keys, model.composer.anywhere(6, 4))
    expected = model.composer.write(*arguments)
    some = jax.local_devices()[:devices]
    monkeypatch.setattr(jax, "local_devices", lambda: some)
    monkeypatch.setattr(jax, "local_device_count", lambda: len(some))
    own = Composer(model.composer.prior, model.composer.layout, model.composer.sampling)
    np.testing.assert_allclose(own.write(*arguments), expected, rtol=1e-4, atol=1e-5)


def test_beginnings_are_those_of_the_training_data(model):
    place = model.composer.beginnings(noise.example_keys(jax.random.key(0), 0, 200), 3)
    assert set(place.source) == {1}
    outlines = {
        (*phase, *form)
        for phase, form in zip(*map(np.ndarray.tolist, (place.phase, place.form)), strict=True)
    }
    assert outlines == {(0, 1, 2, 0, 1, 2), (8, 9, 10, 0, 1, 0)}


def test_bars_of_a_form_are_equal(model):
    own = model.composer  # of windows of 4 bars: the fourth bar comes with the second window
    keys = noise.example_keys(jax.random.key(0), 0, 40)
    place = own.beginnings(keys, 6)
    repeats = place.phase[:, 0] == 8
    assert 0 < repeats.sum() < 40
    made = own.write(np.zeros((40, 6, own.layout.size)), np.zeros((40, 6), bool), keys, place)
    apart = np.abs(made[:, :2] - made[:, 2:4]).max(axis=(1, 2))
    assert apart[repeats].max() < 1e-5
    assert apart[~repeats].min() > 1e-2


def test_a_continuation_begins_with_what_was_given(model, melody):
    made = model.complete(melody, bars=5, num=3, seed=1)
    assert len(made) == 3
    for one in made:
        assert one.melody.num_bars == 11
        assert one.melody.window(0, 6).notes() == melody.window(0, 6).notes()
    scores = [one.log_prob_per_token for one in made]
    assert scores == sorted(scores, reverse=True)
    assert made[0].melody != made[1].melody


def test_kept_bars_sound_as_before(model, melody):
    kept = [0, 3, 5]
    versions = model.vary(melody, kept, num=3, seed=1)
    assert len({tuple(one.notes()) for one in versions}) == 3
    for one in versions:
        assert (one.num_bars, one.program) == (6, melody.program)
        assert [sounds(one, bar) for bar in kept] == [sounds(melody, bar) for bar in kept]
        assert any(sounds(one, bar) != sounds(melody, bar) for bar in (1, 2, 4))
    assert model.vary(melody, range(6))[0].notes() == melody.window(0, 6).notes()


def test_a_bar_that_is_not_there_cannot_be_kept(model, melody):
    with pytest.raises(ValueError, match="a melody of 6 bars"):
        model.vary(melody, [6])


@pytest.mark.parametrize("bars, window", [(16, 16), (5, 16), (17, 16), (40, 16), (3, 1), (9, 6)])
def test_windows_keep_all_bars_once_and_see_what_is_near(bars, window):
    kept_bars = []
    for seen, kept in composer._windows(bars, window):
        assert seen.stop - seen.start == min(bars, window)
        assert seen.start <= kept.start < kept.stop <= seen.stop
        # What follows can be seen as well, but at the end.
        assert seen.stop == bars or seen.stop - kept.stop == window // 4
        kept_bars += range(kept.start, kept.stop)
    assert kept_bars == list(range(bars))


def test_the_flow_keeps_the_variance_of_its_codes():
    """Of codes that are normal, in each direction with its own variance, the velocity is known."""
    variance = np.array([15.0, 3.0, 1.0, 0.1, 0.01], np.float32)

    class Exact:
        def apply(self, _, codes, level, phase, source):
            t = level[..., None]
            return codes * (variance * t - (1 - t)) / (variance * t**2 + (1 - t) ** 2)

    ones = np.ones((1, 2, 5), np.float32)
    level, moves = np.array([[0.0, 0.7]]), np.ones((1, 2), bool)
    form = np.arange(2)[None]
    made = composer.integrate(
        Exact(), {}, ones, level, moves, level, level, form, steps=Sampling().steps
    )
    np.testing.assert_allclose(np.square(made[0, 0]), variance, rtol=0.06)
    # From a level of 0.7 on, what is left of the way scales it by the remaining share.
    before = variance * 0.7**2 + 0.3**2
    np.testing.assert_allclose(np.square(made[0, 1]), variance / before, rtol=0.03)
