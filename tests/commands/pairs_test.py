"""Tables of pairs, what is read of their files, and the models that are taken for them."""

import dataclasses
import json
import types

import mido
import numpy as np
import pytest

from musicvae_jax.commands import band, flags, interpolate, pair_files, pair_kinds, pairs
from musicvae_jax.commands.options import Options
from musicvae_jax.midi.reading import AS_FOUND, Reading
from musicvae_jax.midi.whole.drum_part import drums_of_source
from musicvae_jax.midi.write import write
from musicvae_jax.music.drum_examples import example_drums
from musicvae_jax.music.examples import example_melodies
from musicvae_jax.music.grid import usual_grid
from musicvae_jax.notation.read import read_drums, read_whole
from musicvae_jax.system.errors import UserError
from musicvae_jax.transitions.maker import Bridge, Plan
from musicvae_jax.transitions.scores import BarScores, BridgeScores
from tests.songs import write_song


def test_each_pair_may_name_the_melody_tracks_of_its_files(tmp_path):
    write_song(tmp_path / "ode.mid", example_melodies()["ode_to_joy"].window(0, 4))
    table = tmp_path / "pairs.csv"
    table.write_text("ode.mid,ode.mid\node.mid,ode.mid,,3\node.mid,ode.mid,last,,bass\n")
    rows = pairs.read_table(str(table))
    assert [row.name for row in rows] == ["00001", "00002", "last"]
    # 73, 32 and 0 are the programs of the tracks Melody, Bass and Piano.
    for readings, expected in (
        ((AS_FOUND, AS_FOUND), [(73, 73), (0, 73), (73, 32)]),
        ((Reading(track="2"), AS_FOUND), [(32, 73), (0, 73), (32, 32)]),
    ):
        for reader in ("melody", "whole"):
            programs = []
            for row in rows:
                item = (row.paths, pairs.readings_of(row, readings), reader)
                done = pair_files.read_pair(item)
                programs.append(tuple(melody.program for melody in done.music))
                assert len(done.sources) == (2 if reader == "whole" else 0)
            assert programs == expected
    unknown = pair_files.read_pair((rows[0].paths, (Reading(track="Tuba"), AS_FOUND), "melody"))
    assert "track=Tuba: no such track" in unknown.error


@pytest.mark.parametrize("line", ["a.mid", "a.mid,", "a.mid,b.mid,x,1,2,3"])
def test_a_line_of_another_form_is_told(tmp_path, line):
    table = tmp_path / "pairs.csv"
    table.write_text(f"a.mid,b.mid\n{line}\n")
    with pytest.raises(UserError, match="line 2: two music files, and if wanted"):
        pairs.read_table(str(table))


class Model:
    """A model by name; its bridges are the end of the first melody in its own bars."""

    def __init__(self, steps_per_bar):
        self.grid = usual_grid(steps_per_bar)
        self.checkpoint = types.SimpleNamespace(sha256=lambda: f"{steps_per_bar}" * 32)

    def __call__(self, ends, strategy, plan, **told):
        assert all(m.grid.steps_per_bar == self.grid.steps_per_bar for pair in ends for m in pair)
        scores = BridgeScores(**{field.name: 0.5 for field in dataclasses.fields(BridgeScores)})
        t = plan.t("t_latent")
        by_bar = BarScores(**{field.name: t for field in dataclasses.fields(BarScores)})
        return [
            [Bridge(first.window(0, plan.bars), strategy, 0, scores, by_bar, t)]
            for first, _ in ends
        ]

    def mean_latents(self, melodies):
        assert all(m.grid.steps_per_bar == self.grid.steps_per_bar for m in melodies)
        return np.array([[np.mean(m.pitch), m.pitch.size] for m in melodies])


class HerePool:
    """Does in this process what workers do."""

    def __init__(self, workers, timeout_sec):
        pass

    def map(self, function, items, count):
        return map(function, items)

    def close(self):
        pass


@pytest.fixture
def written(tmp_path, monkeypatch):
    """A function that writes pairs of the examples with stubs of models."""
    monkeypatch.setattr(pairs, "SafePool", HerePool)
    monkeypatch.setattr(pairs, "maker_of", lambda model: model)
    for steps in (16, 12):
        for name, melody in example_melodies(steps).items():
            write_song(tmp_path / f"{name}.mid", dataclasses.replace(melody, tempo_bpm=100.0))

    def write(text, other, **told):
        (tmp_path / "pairs.csv").write_text(text)
        rows = pairs.read_table(str(tmp_path / "pairs.csv"))
        plan = Plan(bars=2, is_spliced=True)
        told = {"kind": pair_kinds.melodies(plan), "other": other} | told
        latent = flags.read_transition({"strategy": "latent"})
        options = Options(tmp_path, tmp_path, "", (), latent)
        return pairs.write_pairs(rows, Model(16), plan, tmp_path, options, **told)

    return write


def test_a_table_may_mix_meters(written, tmp_path):
    asked = []

    def other(steps):
        asked.append(steps)
        return Model(steps)

    table = "ode_to_joy.mid,reel.mid,a\njig.mid,augustin.mid,b\naugustin.mid,reel.mid,c\n"
    outcome = written(table, other)
    assert not outcome.failures and asked == [12]
    lines = [json.loads(line) for line in (tmp_path / "pairs.jsonl").read_text().splitlines()]
    assert [line["pair"] for line in lines] == ["a", "b", "c"]
    meters, hashes = {}, {}
    for name in "abc":
        first = mido.MidiFile(tmp_path / f"{name}_latent.mid").tracks[0]
        signatures = [(m.numerator, m.denominator) for m in first if m.type == "time_signature"]
        meters[name] = list(dict.fromkeys(signatures))
        [hashes[name]] = [m.text.partition("checkpoint ")[2] for m in first if m.type == "text"]
    assert meters == {"a": [(4, 4)], "b": [(6, 8), (3, 4)], "c": [(3, 4), (4, 4)]}
    assert hashes == {"a": "16" * 6, "b": "12" * 6, "c": "12" * 6 + " and " + "16" * 6}


def test_a_pair_without_a_model_is_left_out(written):
    def other(steps):
        raise UserError(f"no model of {steps}")

    outcome = written("ode_to_joy.mid,reel.mid,a\njig.mid,reel.mid,b\n", other)
    assert outcome.failures == {"b": "no model of 12"}


def test_pairs_of_songs_have_bridges_of_their_drums(written, tmp_path, monkeypatch):
    monkeypatch.setattr(band, "maker_of", lambda model: model)
    write(tmp_path / "alone.mid", example_melodies()["reel"])
    options = Options(tmp_path, tmp_path, "", (), flags.read_transition(), strength=0.0)
    plan = Plan(bars=2, is_spliced=True)
    drums = band.PairDrums(band.Drummer(Model(16), plan, options))
    kind = pair_kinds.melodies(plan, accompaniment="none", drums=drums)
    outcome = written("ode_to_joy.mid,reel.mid,a\nalone.mid,reel.mid,b\n", None, kind=kind)
    assert list(outcome.failures) == ["b"]
    assert "the first song has no drums in the last 2 bars" in outcome.failures["b"]
    [line] = map(json.loads, (tmp_path / "pairs.jsonl").read_text().splitlines())
    assert line["drums"]["candidate"] == 0
    first, made = (read_whole(tmp_path / name) for name in ("ode_to_joy.mid", "a_latent.mid"))
    line = made.melody.then(*[made.melody] * 9).window(0, 40)
    struck = drums_of_source(dataclasses.replace(made, melody=line)).window(16, 2)
    # The stub's bridge: the first of the two bars between which it lies.
    assert struck.hits() == drums_of_source(first).window(14, 2).hits()


@pytest.mark.parametrize("is_spliced", [True, False])
def test_pairs_of_drums(written, tmp_path, is_spliced):
    rock, bossa = (drums.window(0, 3) for drums in example_drums().values())
    write(tmp_path / "rock.mid", rock)
    write(tmp_path / "bossa.mid", bossa)
    write(tmp_path / "tune.mid", example_melodies()["reel"])

    def finish(made):
        return dataclasses.replace(made, velocity=np.full(made.piece.size, 33))

    plan = Plan(bars=2, is_spliced=is_spliced)
    table = "rock.mid,bossa.mid,a\ntune.mid,rock.mid,b\n"
    outcome = written(table, None, kind=pair_kinds.drums(plan, finish))
    assert list(outcome.failures) == ["b"] and "no drum track" in outcome.failures["b"]
    made = read_drums(tmp_path / "a_latent.mid")
    start = 3 if is_spliced else 0
    bridge = made.window(start, 2)
    assert set(bridge.velocity.tolist()) == {33}
    assert bridge.hits() == rock.window(0, 2).hits()  # as the stub has it
    if is_spliced:
        assert made.window(0, 3) == rock
        assert made.window(5, 3).hits() == bossa.hits()


@pytest.mark.parametrize("first", [16, 12])
def test_inputs_in_different_bars_are_ordered_by_the_first_ones_model(first):
    inputs = example_melodies(first) | example_melodies(28 - first)
    ordered = interpolate._ordered(Model(first), inputs, loop=False, keeps="beat")
    assert [*ordered][:1] == [*inputs][:1] and ordered == inputs
    assert [one.grid for one in ordered.values()] == [inputs[name].grid for name in ordered]
