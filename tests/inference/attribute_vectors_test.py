import numpy as np
import pytest

from musicvae_jax.commands import flags
from musicvae_jax.inference import attribute_vectors
from musicvae_jax.music.attributes import ATTRIBUTES
from musicvae_jax.system.errors import UserError

NAMES = list(ATTRIBUTES)
COUNT = len(NAMES)


def world(rng, count, z_noise=0.0):
    """Latents [count, 3, 4] that attributes [count, attributes], of one cause, decide.

    Also returns what one standard deviation of each attribute adds, [attributes, 12].
    """
    common = rng.normal(size=(count, 1))
    measured = [5, 2, 0.5, 0.1, 20] + (common + rng.normal(size=(count, COUNT))) * [2, 1, 0.1, 1, 4]
    standard = (measured - measured.mean(axis=0)) / measured.std(axis=0)
    effect = rng.normal(size=(COUNT, 12))
    z = standard @ effect + z_noise * rng.normal(size=(count, 12)) + 3.0
    return z.reshape(count, 3, 4), measured, effect


@pytest.fixture
def fitted():
    z, measured, _ = world(np.random.default_rng(0), 4000, z_noise=0.3)
    return attribute_vectors.fit(z, measured)


def test_a_vector_is_the_effect_of_one_attribute_alone():
    z, measured, effect = world(np.random.default_rng(0), 4000, z_noise=0.5)
    vectors = attribute_vectors.fit(z, measured)
    crossed = vectors.gap / vectors.deviation  # standard deviations
    np.testing.assert_allclose(vectors.vectors, crossed[:, None] * effect, atol=0.1)
    # The difference of the quarters' means has the others' effects in it: they have one cause.
    low, high = np.quantile(measured[:, 0], (0.25, 0.75))
    dense, sparse = measured[:, 0] >= high, measured[:, 0] <= low
    difference = (z[dense].mean(axis=0) - z[sparse].mean(axis=0)).ravel()
    assert np.abs(difference - vectors.vectors[0]).max() > 1.0
    expected = measured[dense].mean(axis=0) - measured[sparse].mean(axis=0)
    assert vectors.gap[0] == pytest.approx(expected[0], rel=1e-5)


def test_melodies_that_tie_are_all_counted():
    measured = np.zeros((10, COUNT))
    measured[:4, 3] = [1, 2, 3, 4]
    z = np.random.default_rng(0).normal(size=(10, 2))
    # Above three quarters of them lie those of 1 and more, below one quarter the zeros.
    assert attribute_vectors.fit(z, measured).gap[3] == pytest.approx(np.mean([2, 3, 4]))


def test_amounts_add_up(fitted):
    shift = fitted.shift({"range": 2.0, "density": -0.5})
    expected = 2 * fitted.vectors[4] - 0.5 * fitted.vectors[0]
    np.testing.assert_allclose(shift, expected, rtol=1e-5)
    assert not fitted.shift({}).any()


def test_an_attribute_that_never_varies():
    z, measured, _ = world(np.random.default_rng(2), 200)
    measured[:, 2] = 1.0
    vectors = attribute_vectors.fit(z, measured)
    assert not vectors.vectors[2].any()
    assert np.isfinite(vectors.vectors).all()
    with pytest.raises(UserError, match=r"^attribute=diatonic: the same in every melody"):
        vectors.shift({"diatonic": 1.0})
    with pytest.raises(UserError, match=r"^attribute=loud: no such attribute; valid are density"):
        vectors.shift({"loud": 1.0})


def test_a_latent_of_nothing_gives_finite_vectors():
    _, measured, _ = world(np.random.default_rng(3), 50)
    vectors = attribute_vectors.fit(np.zeros((50, 4)), measured)
    assert not vectors.vectors.any()


def test_few_melodies_and_many_dimensions():
    rng = np.random.default_rng(4)
    _, measured, _ = world(rng, 20)
    vectors = attribute_vectors.fit(rng.normal(size=(20, 100)), measured)
    assert np.isfinite(vectors.vectors).all()


def test_vectors_are_as_long_as_what_is_decoded_takes(fitted):
    """The decoder hears of the first attribute beyond a threshold, and bounds the second."""
    hears = np.linalg.pinv(fitted.vectors)  # a latent's amounts of each vector, [12, attributes]
    mu = np.zeros((6, 3, 4), np.float32)

    def decoded(z):
        amounts = z.reshape(len(z), 12) @ hears
        amounts[:, 0] = np.maximum(0, amounts[:, 0] - 2)
        amounts[:, 1] = np.minimum(amounts[:, 1], 0.5)
        amounts[:, 3] = -amounts[:, 3]
        return amounts * fitted.gap

    longer = attribute_vectors.lengthened(fitted, mu, decoded)
    factors = longer.vectors[:, 0] / fitted.vectors[:, 0]
    np.testing.assert_allclose(factors, [3.0, 0.45 / 0.5, 1.0, 1.0, 1.0], rtol=1e-3)
    np.testing.assert_allclose(longer.vectors, fitted.vectors * factors[:, None], rtol=1e-4)
    np.testing.assert_array_equal(longer.gap, fitted.gap)


def test_round_trip_and_refusals(tmp_path, fitted):
    assert attribute_vectors.load(tmp_path, 12) is None
    attribute_vectors.save(tmp_path, fitted)
    read = attribute_vectors.load(tmp_path, 12)
    np.testing.assert_array_equal(read.vectors, fitted.vectors)
    assert read.summary() == fitted.summary()
    with pytest.raises(UserError, match=r"and 12 numbers; .* and 6 are needed"):
        attribute_vectors.load(tmp_path, 6)
    (tmp_path / attribute_vectors.FILE).write_bytes(b"not a zip file")
    with pytest.raises(UserError, match="cannot be read"):
        attribute_vectors.load(tmp_path, 12)


def test_the_flag_is_read():
    assert flags.read_attributes({"attribute": "density:+1, range:-0.5"}) == {
        "density": 1.0,
        "range": -0.5,
    }
    assert flags.read_attributes({"attribute": ""}) == {}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("loud:+1", "no such attribute; valid are density, interval"),
        ("density", "a number from -10 to 10"),
        ("density:much", "a number from -10 to 10"),
        ("density:nan", "a number from -10 to 10"),
        ("density:1e9", "a number from -10 to 10"),
        ("density:1:2", "a number from -10 to 10"),
        ("range:1,density:1,range:2", "range is given twice"),
        (":1", "no such attribute"),
    ],
)
def test_what_the_flag_refuses(text, message):
    with pytest.raises(UserError, match=message):
        flags.read_attributes({"attribute": text})
