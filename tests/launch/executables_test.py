import executables
import jax
import jax.numpy as jnp
import numpy as np


def test_a_saved_function_gives_the_same_after_loading(tmp_path):
    devices = jax.devices()[:1]
    mapped = jax.pmap(lambda x, y: {"sum": x["a"] + y, "sine": jnp.sin(y)}, devices=devices)
    x = np.arange(6, dtype=np.float32).reshape(1, 2, 3)
    arguments = ({"a": x}, x + 1)
    path = tmp_path / "v1" / "f.executable"
    executables.save(path, mapped.lower(*arguments).compile())
    assert [file.name for file in path.parent.iterdir()] == ["f.executable"]
    results = jax.eval_shape(mapped, *arguments)
    loaded = executables.load(path, arguments, results, devices)
    jax.tree.map(np.testing.assert_array_equal, loaded(*arguments), mapped(*arguments))
