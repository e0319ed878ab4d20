import argparse
import json
import types

import jax
import measure_devices
import pytest

from musicvae_jax.system.errors import UserError

SMALL = ("--config.train.batch_size=8", "--config.prior.batch_size=8", "--config.prior.layers=1")


def measured(capsys, functions):
    args = argparse.Namespace(config="tiny", functions=functions, calls=2, rows=2)
    measure_devices.measure_all(args, [*SMALL, "--config.prior.steps_per_call=2"])
    return json.loads(capsys.readouterr().out.splitlines()[-1])["tiny"]


def test_functions_run_on_the_devices_that_are_here(capsys):
    """On all emulated devices; training goes on from its own state."""
    found = measured(capsys, "train,generate,train_prior")
    assert list(found) == ["train", "generate", "train_prior"]
    for figures in found.values():
        assert figures["ms"] > 0
        assert figures["launches"] > 100
        assert figures["launches_seen"] is None  # CPUs tell none


def test_an_unknown_function():
    with pytest.raises(UserError, match="--functions=tran: unknown; known are train, evaluate"):
        measure_devices.measure_all(argparse.Namespace(functions="tran"), [])


def test_launches_are_those_of_the_device_that_did_most():
    def plane(name, **lines):
        lines = [types.SimpleNamespace(name=key, events=[0] * n) for key, n in lines.items()]
        return types.SimpleNamespace(name=name, lines=lines)

    host = plane("/host:CPU", python=90)
    gpus = [
        plane("/device:GPU:0", **{"Stream #13(Compute)": 5, "Stream #14(MemcpyD2D)": 2}),
        plane("/device:GPU:1", **{"Stream #13(Compute)": 6}),
    ]
    tpu = plane("/device:TPU:0", **{"XLA Modules": 1, "XLA Ops": 8})
    for planes, expected in (([host], None), ([host, *gpus], 7), ([host, tpu], 8)):
        assert measure_devices.launches_seen(types.SimpleNamespace(planes=planes)) == expected


def test_arguments_lie_where_the_program_wants_them():
    function = jax.pmap(lambda x, n: x * n, in_axes=(0, None))
    shapes = (jax.ShapeDtypeStruct((jax.device_count(), 3), "float32"), 0)
    compiled = function.lower(*shapes).compile()
    values, number = measure_devices.arrays(compiled, shapes)
    assert compiled(values, number).shape == (jax.device_count(), 3)
    assert number == 0 and float(values[0, 0]) == pytest.approx(measure_devices.CONSTANT)
