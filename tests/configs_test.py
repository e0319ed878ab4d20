import importlib
import json
import pathlib
import re

import jax
import pytest

from musicvae_jax import configs
from musicvae_jax.checkpoints import config_check
from musicvae_jax.configs import default
from musicvae_jax.datasets.augmentation import AUGMENTATIONS
from musicvae_jax.models.vae import abstract_params
from musicvae_jax.system.errors import UserError

# Parameters of each configuration.
COUNTS = {
    "default": 7_032_154,
    "hier": 2_860_698,
    "finetune": 2_860_698,
    "hier_mixture": 2_860_698,
    "triple": 2_860_698,
    "hier_large": 26_384_538,
    "hier_paper": 174_485_082,
    "flat": 2_855_386,
    "mel_2bar": 4_423_770,
    "small": 693_626,
    "per_bar": 1_808_010,
    "seed": 745_469,
    "tiny": 186_906,
    "drums": 4_265_536,
    "drums_flat": 4_280_976,
    "drums_2bar": 6_692_864,
}


def parameter_count(name):
    config = configs.load(name)
    return sum(leaf.size for leaf in jax.tree.leaves(abstract_params(config)))


def test_every_configuration_is_listed():
    files = {path.stem for path in pathlib.Path("configs").glob("*.py")}
    assert files - {"__init__"} == set(configs.names()) == set(COUNTS)


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

    config = configs.load(name)
    assert fields(config) == fields(default.get_config())
    assert importlib.import_module(f"musicvae_jax.configs.{name}").__doc__


@pytest.mark.parametrize("name", COUNTS)
def test_every_configuration_is_valid(name):
    config_check.check(configs.load(name))


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("model.latent", "bars", "'bars': unknown; valid are global, per_bar"),
        ("train.sampling", "sometimes", "valid are none, constant, inverse_sigmoid"),
        ("dataset.sources", (("lahk", 1.0),), "'lahk' is unknown; valid are folk, lieder, "),
        ("dataset.sources", (("folk", 0.0),), "('folk', 0.0) is not a name with a positive"),
        ("dataset.sources", (("folk", 1.0), ("folk", 2.0)), "a name occurs twice: folk, folk"),
        ("dataset.sources", (), "config.dataset.sources: empty"),
        ("train.batch_size", 0, "train.batch_size=0: must be at least 1"),
        ("train.free_bits", -1.0, "must be at least 0"),
        ("model.dropout", 1.0, "must be at least 0 and below 1"),
        ("seed", -1, "config.seed=-1: must be at least 0"),
        ("dataset.augment_share", 1.5, "augment_share=1.5: must lie in 0..1"),
        ("dataset.augment_share", 0.5, "0.5 with 0 augmentations in config.dataset.augment"),
        ("dataset.augment", (("shift", 1.0),), "augment_share=0.0 with 1 augmentations"),
        ("dataset.augment", (("shft", 1.0),), "'shft' is unknown; valid are borrow_pitches, "),
        ("dataset.augment", (("shift", 0.0),), "('shift', 0.0) is not a name with a positive"),
        ("dataset.augment", ("shift",), "'shift' is not a name with a positive weight"),
        ("dataset.augment", (("drop", 1), ("drop", 2)), "a name occurs twice: drop, drop"),
    ],
)
def test_values_that_make_no_sense_are_refused(field, value, message):
    config = default.get_config()
    section, _, name = field.rpartition(".")
    target = config[section] if section else config
    target[name] = value
    with pytest.raises(UserError, match=re.escape(message)):
        config_check.check(config)


def test_augmentations_may_come_from_a_command_line_or_from_json():
    config = default.get_config()
    config.dataset.augment, config.dataset.augment_share = (("shift", 1.0), ("drop", 2)), 1.0
    config_check.check(config)
    config_check.check(type(config)(json.loads(json.dumps(config.to_dict()))))


def test_the_default_names_every_augmentation():
    text = pathlib.Path(default.__file__).read_text()
    assert [name for name in AUGMENTATIONS if not re.search(rf"#.*\b{name}\b", text)] == []


def test_a_checkpoint_of_before_augmentation_was_trained_without():
    saved = default.get_config().to_dict()
    del saved["dataset"]["augment"], saved["dataset"]["augment_share"]
    completed = config_check.complete(saved)
    assert (list(completed["dataset"]["augment"]), completed["dataset"]["augment_share"]) == ([], 0)
