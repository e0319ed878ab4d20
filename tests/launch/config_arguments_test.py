import config_arguments
import pytest

from musicvae_jax.system.errors import UserError


def test_fields_of_a_configuration_are_changed_as_in_training():
    changes = ["--config.train.batch_size=48", "--config.model.lstm=triton"]
    config = config_arguments.read("hier", changes)["hier"]
    assert (config.train.batch_size, config.model.lstm) == (48, "triton")
    unchanged = config_arguments.read("configs/hier.py,tiny", [])
    assert [unchanged[name].train.batch_size for name in ("hier", "tiny")] == [64, 32]


def test_an_unknown_configuration():
    with pytest.raises(UserError, match="--config=no: no such file; known are default, drums"):
        config_arguments.read("tiny,no", [])


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (["--config.train.batch=48"], "--config.train.batch: no such field; those of config.train"),
        (["--config.model.z=x"], "config.model.z=x"),
        (["--config.model.z=0"], "config.model.z=0: must be at least 1"),
        (["--batch=48"], "batch"),
        (["hier"], "hier: an option has the form --NAME=VALUE"),
    ],
)
def test_changes_that_are_not_valid(changes, message):
    with pytest.raises(UserError, match=message):
        config_arguments.read("hier", changes)
