import jax
import jax.numpy as jnp
import numpy as np
import pytest

from musicvae_jax.inference import batching
from musicvae_jax.inference.batching import Batched
from musicvae_jax.models import noise
from musicvae_jax.system import devices, processes


def function(params, rows, shared):
    numbers, keys = rows
    drawn = noise.normal(jax.random.wrap_key_data(keys), (3,))
    return {"sum": params["a"] * numbers + shared, "drawn": drawn * numbers[:, None]}


def rows_of(count):
    keys = noise.example_keys(jax.random.key(0), 0, count)
    return np.arange(1.0, count + 1, dtype=np.float32), np.asarray(jax.random.key_data(keys))


def run(count, batched=None):
    params = devices.replicate({"a": np.float32(2)}, jax.local_devices())
    return (batched or Batched(function))(params, rows_of(count), np.float32(1))


def check(made, count):
    numbers, keys = rows_of(count)
    np.testing.assert_array_equal(made["sum"], 2 * numbers + 1)
    drawn = noise.normal(jax.random.wrap_key_data(jnp.asarray(keys)), (3,))
    np.testing.assert_allclose(made["drawn"], drawn * numbers[:, None], rtol=1e-6)


@pytest.mark.parametrize("count", [1, 7, 8, 16, 17, 50])
def test_rows_are_each_as_alone_on_eight_devices(count, monkeypatch):
    assert jax.local_device_count() == 8
    monkeypatch.setattr(batching, "MAX_BATCH", 2)
    check(run(count), count)


@pytest.mark.parametrize("count", [1, 17, 50])
def test_one_device_gives_the_same(count, monkeypatch):
    monkeypatch.setattr(batching, "MAX_BATCH", 2)
    expected = run(count)
    only = jax.local_devices()[:1]
    monkeypatch.setattr(jax, "local_devices", lambda: only)
    monkeypatch.setattr(jax, "local_device_count", lambda: 1)
    jax.tree.map(np.testing.assert_array_equal, run(count), expected)


def test_parts_are_of_one_size(monkeypatch):
    """50 rows in four parts of sixteen, computed by one program."""
    monkeypatch.setattr(batching, "MAX_BATCH", 2)
    shapes = []

    def traced(params, rows, shared):
        shapes.append(rows[0].shape)
        return function(params, rows, shared)

    check(run(50, Batched(traced)), 50)
    assert set(shapes) == {(2,)}


@pytest.mark.parametrize("count", [3, 20])
@pytest.mark.parametrize("sharing", [1, 2, 5])
def test_processes_compute_parts_of_their_own(monkeypatch, sharing, count):
    """Together all rows, each once; a process that is left without a part knows the shapes."""
    monkeypatch.setattr(batching, "MAX_BATCH", 1)
    monkeypatch.setattr(jax, "process_count", lambda: sharing)
    monkeypatch.setattr(processes, "combine", lambda own: own)
    made = []
    for index in range(sharing):
        monkeypatch.setattr(jax, "process_index", lambda index=index: index)
        made.append(run(count))
    check({name: sum(part[name] for part in made) for name in made[0]}, count)
    assert sum((part["sum"] > 0).sum() for part in made) == count
