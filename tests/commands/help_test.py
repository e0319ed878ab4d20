"""The text of `--help`: short, complete, and made from the flags themselves."""

import re

import pytest
from absl import flags
from absl.testing import flagsaver

from musicvae_jax import main, modes
from musicvae_jax.commands import help
from musicvae_jax.studio import fields


def printed(capsys, *args):
    """What the command line prints before it ends with 0."""
    with flagsaver.flagsaver(), pytest.raises(SystemExit) as ended:
        main._parse_flags(["musicvae", *args])
    assert ended.value.code == 0
    return capsys.readouterr().out


def own_flags():
    """The names of the flags that this package defines."""
    by_module = flags.FLAGS.flags_by_module_dict()
    return {
        flag.name
        for module, defined in by_module.items()
        if module.startswith("musicvae_jax")
        for flag in defined
        if not flag.name.startswith("config.")
    }


def listed(text):
    """The names of the flags at the beginning of lines."""
    return re.findall(r"^  --(?:\[no\])?([a-z_]+)", text, re.MULTILINE)


@pytest.mark.parametrize("flag", ["--help", "-h", "-?"])
def test_help_fits_a_screen_and_names_every_mode(capsys, flag):
    text = printed(capsys, flag)
    lines = text.splitlines()
    assert len(lines) <= 24
    assert max(map(len, lines)) <= 100
    for name, mode in modes.MODES.items():
        assert f"  {name:<12} {mode.summary}" in lines
    assert lines[2].split()[:2] == ["musicvae", "--mode=interpolate"]


def test_help_of_a_mode_lists_its_flags_by_topic(capsys):
    text = printed(capsys, "--mode=interpolate", "--help")
    topics = re.findall(r"^[A-Z].*[a-z]$", text, re.MULTILINE)
    assert topics[1:5] == ["Bars and beats of the input", "Transition", "Constraints", "Piece"]
    assert {"input", "strategy", "scale", "splice", "num", "checkpoint"} <= set(listed(text))
    assert not {"host", "attribute", "profile", "mode"} & set(listed(text))
    assert max(map(len, text.splitlines())) <= 100


@pytest.mark.parametrize("mode", modes.MODES)
def test_a_flag_is_listed_once_and_only_where_it_is_used(mode):
    names = listed(help.of_mode(mode, modes.MODES[mode]))
    assert len(set(names)) == len(names)
    assert set(names) <= own_flags()
    usual = fields.USUAL.get(mode, ()) + fields.MORE.get(mode, ())
    assert set(usual) <= set(names)


def test_every_flag_belongs_to_a_mode_that_exists():
    everywhere = {
        name for mode in modes.MODES for name in listed(help.of_mode(mode, modes.MODES[mode]))
    }
    assert everywhere == own_flags() - {"mode"}
    described = {
        mode
        for entries in help._TOPICS.values()
        for texts in entries.values()
        for mode in texts
        if mode
    }
    assert described == set(modes.MODES)


def test_help_of_a_flag_tells_its_values_and_its_default():
    text = help.of_mode("interpolate", modes.MODES["interpolate"])
    plain = " ".join(text.split())
    assert "--ends=exact|model Whether bars at 0 and 1 are copied" in plain
    assert "reconstructed by the model. Default: exact." in plain
    assert (
        "--num=N How many candidates of each strategy, ranked by their score. Default: 1." in plain
    )
    assert "--[no]loop End with" in plain


def test_a_flag_with_several_meanings_shows_that_of_the_mode():
    told = {mode: help.of_mode(mode, modes.MODES[mode]) for mode in ("generate", "evaluate")}
    assert "How many melodies to write. Default: 4." in told["generate"]
    assert "How many samples" not in told["generate"]
    assert "How many samples to compare with the data. Default: 512." in told["evaluate"]
    for text in ("generate, complete, vary: How many", "evaluate, export: How many samples"):
        assert text in flags.FLAGS["num"].help
