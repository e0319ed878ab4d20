import numpy as np
import pytest

from musicvae_jax import attribute_flags, attribute_vectors
from musicvae_jax.attributes import ATTRIBUTES
from musicvae_jax.errors import UserError

NAMES = list(ATTRIBUTES)
COUNT = len(NAMES)


def world(rng, count, z_noise=0.0):
    """Latents [count, 3, 4] that attributes [count, attributes], of one cause, decide."""
    common = rng.normal(size=(count, 1))
    measured = [5, 2, 0.5, 0.1, 20] + (common + rng.normal(size=(count, COUNT))) * [2, 1, 0.1, 1, 4]
    place = rng.normal(size=(COUNT, 12))
    standard = (measured - measured.mean(axis=0)) / measured.std(axis=0)
    z = standard @ place + z_noise * rng.normal(size=(count, 12))
    return z.reshape(count, 3, 4).astype(np.float32), measured


@pytest.fixture
def fitted():
    return attribute_vectors.fit(*world(np.random.default_rng(0), 4000, z_noise=0.3))


def test_a_vector_changes_its_attribute_by_the_gap_and_no_other():
    z, measured = world(np.random.default_rng(0), 4000, z_noise=0.3)
    vectors = attribute_vectors.fit(z, measured)
    # An independent reading: ordinary least squares, attributes of the latent.
    flat = np.hstack([z.reshape(len(z), -1), np.ones((len(z), 1))])
    reading = np.linalg.lstsq(flat, measured, rcond=None)[0][:-1]
    changes = vectors.vectors @ reading / vectors.deviation
    gap = np.diag(vectors.gap / vectors.deviation)
    np.testing.assert_allclose(changes, gap, atol=0.1)
    # Differences of the quarters' means would change the others too: they have one cause.
    dense = measured[:, 0] >= np.quantile(measured[:, 0], 0.75)
    sparse = measured[:, 0] <= np.quantile(measured[:, 0], 0.25)
    expected = measured[dense].mean(axis=0) - measured[sparse].mean(axis=0)
    assert vectors.gap[0] == pytest.approx(expected[0], rel=1e-5)
    assert expected[1] / vectors.deviation[1] > 0.9
    assert np.all((vectors.explained > 0.9) & (vectors.explained <= 1.0))


def test_what_the_latent_tells_vaguely_needs_a_longer_vector():
    rng = np.random.default_rng(1)
    z, measured = world(rng, 4000)
    clear = attribute_vectors.fit(z, measured)
    measured[:, 4] += rng.normal(size=len(z)) * 3 * measured[:, 4].std()
    vague = attribute_vectors.fit(z, measured)
    assert vague.explained[4] == pytest.approx(0.1, abs=0.03)
    assert clear.explained[4] > 0.9
    # The noise has widened the gap, and it is the gap that the reading is to cross. The
    # difference of the quarters' means would be shorter, by the same factor.
    ratio = np.linalg.norm(vague.vectors[4]) / np.linalg.norm(clear.vectors[4])
    assert ratio == pytest.approx(np.sqrt(10), rel=0.15)


def test_amounts_add_up(fitted):
    shift = fitted.shift({"range": 2.0, "density": -0.5})
    expected = 2 * fitted.vectors[4] - 0.5 * fitted.vectors[0]
    np.testing.assert_allclose(shift, expected, rtol=1e-5)
    assert not fitted.shift({}).any()


def test_an_attribute_that_never_varies():
    z, measured = world(np.random.default_rng(2), 200)
    measured[:, 2] = 1.0
    vectors = attribute_vectors.fit(z, measured)
    assert not vectors.vectors[2].any()
    assert np.isfinite(vectors.vectors).all()
    with pytest.raises(UserError, match="--attribute=diatonic: the same in every melody"):
        vectors.shift({"diatonic": 1.0})


def test_a_latent_of_nothing_gives_finite_vectors():
    _, measured = world(np.random.default_rng(3), 50)
    vectors = attribute_vectors.fit(np.zeros((50, 4)), measured)
    assert not vectors.vectors.any()


def test_few_melodies_and_many_dimensions():
    rng = np.random.default_rng(4)
    _, measured = world(rng, 20)
    vectors = attribute_vectors.fit(rng.normal(size=(20, 100)), measured)
    assert np.isfinite(vectors.vectors).all()


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
    assert attribute_flags.read({"attribute": "density:+1, range:-0.5"}) == {
        "density": 1.0,
        "range": -0.5,
    }
    assert attribute_flags.read({"attribute": ""}) == {}


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
        attribute_flags.read({"attribute": text})
