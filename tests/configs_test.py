import importlib
import pathlib

import jax
import pytest

from configs import default
from musicvae_jax.inference import abstract_params

# Parameters of each configuration.
COUNTS = {
    "default": 7_032_154,
    "hier": 7_032_154,
    "hier_paper": 174_485_082,
    "flat": 4_407_642,
    "mel_2bar": 4_423_770,
    "small": 693_626,
    "seed": 745_469,
    "tiny": 186_906,
}


def parameter_count(name):
    config = importlib.import_module(f"configs.{name}").get_config()
    return sum(leaf.size for leaf in jax.tree.leaves(abstract_params(config)))


def test_every_configuration_is_listed():
    assert {path.stem for path in pathlib.Path("configs").glob("*.py")} == set(COUNTS)


@pytest.mark.parametrize("name", COUNTS)
def test_parameter_count(name):
    assert parameter_count(name) == COUNTS[name]


def test_seed_has_the_parameters_of_the_seeds_printed_model():
    def lstm(inputs, units):  # one bias a gate, as here; PyTorch has two
        return 4 * units * (inputs + units + 1)

    def linear(inputs, outputs):
        return inputs * outputs + outputs

    printed = (
        2 * lstm(61, 256)  # LSTM(61, 256, bidirectional)
        + linear(512, 128)
        + linear(64, 32)
        + lstm(32, 32)
        + lstm(61 + 32, 32)
        + linear(32, 61)
    )
    assert parameter_count("seed") == printed == COUNTS["seed"]


@pytest.mark.parametrize("name", COUNTS)
def test_variants_change_values_and_never_add_fields(name):
    def fields(config):
        return {section: set(dict(config[section])) for section in ("dataset", "model", "train")}

    config = importlib.import_module(f"configs.{name}").get_config()
    assert fields(config) == fields(default.get_config())
    assert importlib.import_module(f"configs.{name}").__doc__
