import importlib.metadata
import json
import pathlib
import subprocess
import sys

import accelerators
import compile_ahead
import config_arguments
import jax
import jax.numpy as jnp
import mapped_functions
import pytest
from jax.experimental import pallas as pl

from musicvae_jax.system.errors import UserError

ROOT = pathlib.Path(__file__).parents[2]


def is_installed(package):
    try:
        importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return False
    return True


def run(*arguments):
    """The command in an environment without the settings of these tests."""
    command = [sys.executable, "launch/compile_ahead.py", *arguments]
    environ = {"PYTHONPATH": str(ROOT), "HOME": "/nonexistent"}
    return subprocess.run(command, cwd=ROOT, env=environ, capture_output=True, text=True)


def test_operations_of_products_in_loops_and_branches():
    def function(x, kernel, many):
        x, _ = jax.lax.scan(lambda x, _: (jnp.tanh(x @ kernel), None), x, None, 7)
        return jax.jit(lambda x: x @ kernel)(x), jnp.einsum("bij,bkj->bik", many, many)

    x, kernel, many = jnp.zeros((2, 5)), jnp.zeros((5, 5)), jnp.zeros((3, 4, 6))
    expected = (7 + 1) * 2 * (2 * 5 * 5) + 2 * (3 * 4 * 4 * 6)
    jaxpr = jax.make_jaxpr(function)(x, kernel, many).jaxpr
    assert compile_ahead.product_operations(jaxpr) == expected


def test_operations_of_products_in_a_kernel():
    def kernel(rows, weights, product):
        product[...] = rows[...] @ weights[...]

    def by_blocks(rows, weights):
        block = pl.BlockSpec((8, 5), lambda i: (i, 0))
        whole = pl.BlockSpec((5, 5), lambda i: (0, 0))
        call = pl.pallas_call(kernel, rows, grid=3, in_specs=[block, whole], out_specs=block)
        return call(rows, weights)

    rows, weights = (jax.ShapeDtypeStruct((size, 5), jnp.float32) for size in (24, 5))
    jaxpr = jax.make_jaxpr(by_blocks)(rows, weights).jaxpr
    assert compile_ahead.product_operations(jaxpr) == 2 * (24 * 5 * 5)


def test_a_table_row():
    loops = [{"trips": 256, "launches": 9}, {"trips": None, "launches": 2}]
    figures = {
        "compile_sec": 6.0,
        "peak_mib": 2048.0,
        "product_gflop": 21.1,
        "launches": 2306,
        "host_launches": 33,
    }
    figures |= {"loops": loops, "collectives": {"all-reduce": {"count": 1, "bytes": 3 << 20}}}
    numbers, _, rest = compile_ahead.row(figures, 16.0).partition("  256x9")
    assert numbers.split() == ["6.0", "2,048", "12.5%", "21.1", "2,306", "33"]
    assert rest == " ?x2; 1 all-reduce of 3.0 MiB"


def test_an_unknown_target():
    with pytest.raises(UserError, match=r"--target=v9: unknown; known are v5e, v6e"):
        accelerators.devices("v9")


@pytest.mark.parametrize(
    ("target", "command"),
    [
        ("v5e:2x2", rf"needs libtpu: pip install 'jax\[tpu\]=={jax.__version__}'"),
        ("h100", rf"pip install --no-deps jax-cuda12-plugin=={jax.__version__} .*nvcc-cu12"),
    ],
)
def test_a_compiler_that_is_not_installed(target, command, monkeypatch):
    def version(package):
        raise importlib.metadata.PackageNotFoundError(package)

    monkeypatch.setattr(importlib.metadata, "version", version)
    with pytest.raises(UserError, match=command):
        accelerators.devices(target)


@pytest.mark.parametrize("function", ["train_prior", "write"])
@pytest.mark.parametrize("config", ["tiny", "hier", "drums"])
def test_a_prior_is_traced_for_any_device(function, config):
    """A model whose latent divides into bars, and one whose does not."""
    config = config_arguments.read(config, ["--config.prior.batch_size=4"])[config]
    mapped, arguments = mapped_functions.mapped(function, config, jax.devices()[:2], 3)
    assert mapped.lower(*arguments).out_info is not None


@pytest.mark.slow
@pytest.mark.parametrize(
    ("target", "package"), [("v5e:2x2", "libtpu"), ("h100", "jax-cuda12-plugin")]
)
def test_a_small_model_is_compiled(target, package):
    if not is_installed(package):
        pytest.skip(f"needs {package}")
    done = run(f"--target={target}", "--config=configs/tiny.py", "--functions=train,generate")
    assert done.returncode == 0, done.stderr
    functions = json.loads(done.stdout.splitlines()[-1])[target]["tiny"]
    train, generate = functions["train"], functions["generate"]
    # Forwards and backwards each: the encoder over 256 steps, and within bars the notes.
    # On a GPU 8 steps are a turn.
    short, long = (2, 32) if target == "h100" else (16, 256)
    trips = sorted(loop["trips"] for loop in train["loops"])
    assert trips == [short, short, short, short, long, long]
    # The conductor, bars, and the steps in them.
    conductor, bars, steps = generate["loops"]
    assert [loop["trips"] for loop in (conductor, bars, steps)] == [short, 16, short]
    # Of a step on a GPU, of which 8 are a turn: state, gates, logits and choice.
    assert steps["launches"] <= (32 if target == "h100" else 12)
    assert train["launches"] > 2 * 256
    assert set(train["collectives"]) == ({"all-reduce"} if target == "v5e:2x2" else set())
    assert generate["collectives"] == {}


@pytest.mark.slow
def test_with_the_kernel_for_gpus_a_step_of_the_loop_is_one_launch():
    if not is_installed("jax-cuda12-plugin"):
        pytest.skip("needs jax-cuda12-plugin")
    done = run("--target=h100", "--config=tiny", "--functions=train", "--config.model.lstm=triton")
    assert done.returncode == 0, done.stderr
    train = json.loads(done.stdout.splitlines()[-1])["h100"]["tiny"]["train"]
    # Eight steps in a turn, whose counter is the ninth launch.
    assert {loop["launches"] for loop in train["loops"]} == {9}
    assert sorted(loop["trips"] for loop in train["loops"]) == [2, 2, 2, 2, 32, 32]


@pytest.mark.slow
def test_with_the_kernel_a_step_for_tpus_has_no_loop():
    if not is_installed("libtpu"):
        pytest.skip("needs libtpu")
    done = run(
        "--target=v5e:2x2", "--config=hier", "--functions=train", "--config.model.lstm=pallas"
    )
    assert done.returncode == 0, done.stderr
    train = json.loads(done.stdout.splitlines()[-1])["v5e:2x2"]["hier"]["train"]
    assert train["loops"] == []
    assert train["launches"] < 1000
