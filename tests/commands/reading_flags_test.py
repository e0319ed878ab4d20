import pytest
from absl import flags

from musicvae_jax.commands import reading_flags
from musicvae_jax.midi.reading import Reading
from musicvae_jax.system.errors import UserError


def test_files_are_named_with_commas_or_by_the_flag_again(tmp_path, monkeypatch):
    (tmp_path / "a, b.mid").write_bytes(b"")
    monkeypatch.chdir(tmp_path)
    parse = reading_flags.FilesParser().parse
    assert parse("a, b.mid") == ["a, b.mid"]
    assert parse("c.mid,d.mid") == ["c.mid", "d.mid"]
    assert parse('"x, y.mid",d.mid') == ["x, y.mid", "d.mid"]
    values = flags.FlagValues()
    flags.DEFINE_multi(
        reading_flags.FilesParser(), flags.ListSerializer(","), "input", [], "", flag_values=values
    )
    values(["x", "--input=a, b.mid", "--input=c.mid,d.mid"])
    monkeypatch.setattr(reading_flags, "_INPUT", values["input"])
    assert reading_flags.read_inputs() == ("a, b.mid", "c.mid", "d.mid")


def told(monkeypatch, **values):
    for name, text in values.items():
        monkeypatch.setattr(flags.FLAGS[name], "value", text)


def test_each_input_may_be_known_by_itself(monkeypatch):
    assert reading_flags.read_readings(3) == (Reading(),) * 3
    told(monkeypatch, bar_one=["1"], meter=["4/4", ""])
    assert reading_flags.read_readings(2) == (
        Reading(bar_one=1.0, meter=(4, 4)),
        Reading(bar_one=1.0),
    )
    told(monkeypatch, track=["Vocals", "2"])
    assert [reading.track for reading in reading_flags.read_readings(2)] == ["Vocals", "2"]
    told(monkeypatch, track=[])
    with pytest.raises(UserError, match="--meter=4/4,: 2 values for 3 inputs"):
        reading_flags.read_readings(3)
    told(monkeypatch, bar_one=["one"], meter=[])
    with pytest.raises(UserError, match="--bar_one=one: a number is needed"):
        reading_flags.read_readings(1)
