"""The command line, each time in a process of its own."""

import json
import wave

import matplotlib.image
import mido
import pytest

from musicvae_jax import main, modes
from musicvae_jax.checkpoints import hashes
from musicvae_jax.evaluation import accuracy
from musicvae_jax.midi import write
from musicvae_jax.music import attributes
from musicvae_jax.music.melody import Melody
from musicvae_jax.notation import read
from musicvae_jax.transitions import strategies
from tests import command_line, helpers

TINY = (
    "--config=configs/tiny.py",
    "--config.model.bars=2",
    "--config.model.z=4",
    "--config.model.encoder_features=8",
    "--config.model.conductor_features=8",
    "--config.model.decoder_features=8",
    "--config.train.num_steps=4",
    "--config.train.eval_every=2",
    "--config.train.log_every=2",
)


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    """A place for everything that the command line writes."""
    return tmp_path_factory.mktemp("home")


@pytest.fixture(scope="module")
def trained(home):
    """A workdir with a trained model, and the output of the command that trained it."""
    folder = helpers.write_midi_folder(home / "songs", songs=24)
    workdir = home / "run"
    data = (f"--config.dataset.path={folder}", f"--config.dataset.data_dir={home / 'data'}")
    result = command_line.program(*TINY, *data, f"--workdir={workdir}")
    assert result.returncode == 0, result.stderr
    return workdir, (*TINY, *data), result


def check_error(result, *parts):
    """Exit code 2, one line, no traceback."""
    assert result.returncode == 2, result.stderr
    lines = [line for line in result.stderr.splitlines() if line.startswith("error: ")]
    assert len(lines) == 1, result.stderr
    assert "Traceback" not in result.stderr
    for part in parts:
        assert part in lines[0]


def read_notes(path):
    """Onsets that another library finds in a MIDI file."""
    messages = [m for track in mido.MidiFile(path).tracks for m in track]
    return [m.note for m in messages if m.type == "note_on" and m.velocity]


def test_training_tells_its_steps_and_writes_its_state(trained):
    workdir, _, result = trained
    assert "step 2  train" in result.stderr
    assert "step 4  validation" in result.stderr
    assert sorted(p.name for p in (workdir / "checkpoints").iterdir()) == ["2", "4"]
    assert json.loads((workdir / "config.json").read_text())["model"]["bars"] == 2


def test_the_same_command_again_has_nothing_left_to_do(trained):
    workdir, args, _ = trained
    result = command_line.run(*args, f"--workdir={workdir}")
    assert result.returncode == 0
    assert "step 4 of 4 is reached already" in result.stderr


def test_evaluate_on_other_music_says_how_well_the_model_knows_it(trained, home):
    workdir, data, _ = trained
    folder = helpers.write_midi_folder(home / "other", songs=4)
    fields = (f"--config.dataset.path={folder}", data[-1])
    result = command_line.run(
        "--mode=evaluate", f"--workdir={workdir}", *fields, f"--output={home / 'known'}"
    )
    assert result.returncode == 0, result.stderr
    written = json.loads((home / "known" / "metrics.json").read_text())
    [(name, style)] = written["sources"].items()
    assert (name, style["songs"]) == (str(folder), 4)
    assert style["windows"] == 4 * 7  # of any split
    assert 0 <= style["onsets"] <= 1
    advice, command, printed = result.stdout.splitlines()[-3:]
    assert advice.endswith("fine-tune first")
    assert command.endswith(f"--config=finetune --config.dataset.path={folder}")
    assert json.loads(printed) == {name: pytest.approx(style["onsets"], abs=1e-6)}


def test_evaluate_prints_json_last_and_writes_it(trained):
    workdir, _, _ = trained
    result = command_line.run(
        "--mode=evaluate", f"--workdir={workdir}", "--num=20", "--temperature=1"
    )
    assert result.returncode == 0, result.stderr
    printed = json.loads(result.stdout.splitlines()[-1])
    written = json.loads((workdir / "evaluate" / "metrics.json").read_text())
    assert printed.keys() <= written.keys()
    assert {
        "sampled_accuracy",
        "teacher_forced_accuracy",
        "nll_per_token",
        "kl_bits",
        "active_units",
        "unigram_nll_per_token",
        "bigram_nll_per_token",
        "sampled_accuracy_ci95",
        "teacher_forced_sounding_accuracy",
        "windows",
        "samples_similarity_lag_1",
        "test_similarity_lag_1_ci95",
        "samples_ngram_nll_best_key",
        "test_run_bars_mean",
    } <= printed.keys()
    assert "  9-gram cost, nats a token" in result.stdout
    low, high = printed["sampled_accuracy_ci95"]
    assert low <= printed["sampled_accuracy"] <= high
    assert result.stdout.splitlines()[0] == (
        f"test split of {written['data']['name']}, model of step {written['checkpoint']['step']}, "
        f"{workdir}"
    )
    samples = written["prior_samples"]
    assert (samples["count"], samples["temperature"]) == (20, 1.0)
    assert samples["prior"] == "standard normal"
    assert 0 < samples["distances_to_test"]["samples"]["pitch_class"]["overlap"] <= 1
    assert matplotlib.image.imread(workdir / "evaluate" / "evaluation.png").shape[1] > 1000
    again = accuracy.read(workdir / "evaluate" / "reconstruction.npz")
    assert accuracy.headline(again)["nll_per_token"] == written["nll_per_token"]


@pytest.mark.parametrize(
    "chosen",
    [
        ("latent", "dual_combined", "crossfade"),  # which differ in the curves they follow
        pytest.param(
            strategies.possible(tuple(strategies.STRATEGIES), has_composer=False),
            marks=pytest.mark.slow,
        ),
    ],
    ids=["some", "all"],
)
def test_interpolate_writes_midi_pictures_and_a_report(trained, home, chosen):
    workdir, _, _ = trained
    inputs = [home / "songs" / f"song_00{n}.mid" for n in (1, 2)]
    output = home / f"bridge_{len(chosen)}"
    result = command_line.run(
        "--mode=interpolate",
        f"--workdir={workdir}",
        f"--input={inputs[0]},{inputs[1]}",
        f"--output={output}",
        "--seed=5",
        "--audio",
        f"--strategy={','.join(chosen)}",
    )
    assert result.returncode == 0, result.stderr
    report = json.loads((output / "interpolate.json").read_text())
    assert report["seed"] == 5
    assert report["inputs"] == [str(path) for path in inputs]
    assert report["checkpoint"]["step"] in (2, 4)
    assert len(report["checkpoint"]["sha256"]) == 64
    assert report["config"]["model"]["z"] == 4
    assert tuple(report["outputs"]) == chosen
    for strategy, [entry] in report["outputs"].items():
        assert entry["output"] == f"transition_{strategy}.mid"
        [bridge] = entry["bridges"]
        curves = {"t_latent", "t_control"} & bridge.keys()
        assert curves == set(strategies.STRATEGIES[strategy].curves)
        assert len(bridge["nll"]) == len(bridge["progress"]) == 2
        assert entry["score"] == bridge["score"]
        mido.MidiFile(output / entry["output"])
        assert matplotlib.image.imread(output / f"transition_{strategy}.png").ndim == 3
        with wave.open(str(output / f"transition_{strategy}.wav")) as file:
            assert file.getframerate() == 44_100
    scores = [entry["score"] for entry in report["ranking"]]
    assert len(scores) == len(chosen)
    assert scores == sorted(scores, reverse=True)
    first = mido.MidiFile(output / "melody_1.mid")
    [tempo] = [m.tempo for track in first.tracks for m in track if m.type == "set_tempo"]
    assert mido.tempo2bpm(tempo) == pytest.approx(100.0)


def melody_notes(path):
    """(pitch, start, end) in quarters of all channels, by another library, and the markers."""
    file, notes, markers, sounding = mido.MidiFile(path), set(), {}, {}
    for track in file.tracks:
        tick = 0
        for message in track:
            tick += message.time
            quarter = tick / file.ticks_per_beat
            if message.type == "marker":
                markers[message.text.split(":")[0]] = quarter
            elif message.type == "note_on" and message.velocity:
                sounding[message.channel, message.note] = quarter
            elif message.type in ("note_on", "note_off"):
                notes.add((message.note, sounding.pop((message.channel, message.note)), quarter))
    assert not sounding
    return sorted(notes, key=lambda note: note[1]), markers


def test_a_splice_holds_both_tunes_as_they_were(trained, home):
    workdir, _, _ = trained
    inputs = [home / "songs" / f"song_00{n}.mid" for n in (4, 5)]
    output = home / "splice"
    result = command_line.run(
        "--mode=interpolate",
        f"--workdir={workdir}",
        f"--input={inputs[0]},{inputs[1]}",
        f"--output={output}",
        "--splice",
        "--bars=5",
        "--strategy=combined",
        "--granularity=note",
        "--num=3",
        "--keep=all",
        "--notation",
    )
    assert result.returncode == 0, result.stderr
    report = json.loads((output / "interpolate.json").read_text())
    entries = report["outputs"]["combined"]
    assert [entry["output"] for entry in entries] == [
        f"transition_combined_{rank:02d}.mid" for rank in range(len(entries))
    ]
    assert report["plan"]["bars"] == len(entries[0]["bridges"][0]["t_latent"]) == 5
    notes, markers = melody_notes(output / entries[0]["output"])
    del markers["melody"]  # the songs' own
    assert list(markers) == ["melody 1", "bridge", "melody 2"]
    for number, path in enumerate(inputs, start=1):
        original, _ = melody_notes(path)
        start = markers[f"melody {number}"]
        assert start % 4 == 0
        moved = [(pitch, a + start, b + start) for pitch, a, b in original]
        assert set(moved) <= set(notes)
    line = read.read_song(output / entries[0]["output"].replace(".mid", ".musicxml"))
    assert len(line.tracks) == 1
    # The songs have 8 bars each.
    assert entries[0]["piece"]["whole"]["accompaniment"] == "fade"
    assert (markers["bridge"], markers["melody 2"]) == (32, 52)


def test_a_chain_that_loops(trained, home):
    workdir, _, _ = trained
    inputs = [home / "songs" / f"song_00{n}.mid" for n in (1, 2, 3)]
    output = home / "chain"
    result = command_line.run(
        "--mode=interpolate",
        f"--workdir={workdir}",
        f"--input={','.join(map(str, inputs))}",
        f"--output={output}",
        "--loop",
        "--order=latent",
        "--key_path=glide",
        "--strategy=latent",
        "--bars=3",
    )
    assert result.returncode == 0, result.stderr
    report = json.loads((output / "interpolate.json").read_text())
    assert report["order"][0] == str(inputs[0])
    assert sorted(report["order"]) == [str(path) for path in inputs]
    [entry] = report["outputs"]["latent"]
    assert entry["piece"]["bars"] == 3 * 8 + 3 * 3
    assert entry["piece"]["loops"]
    assert len(entry["bridges"]) == 3


def test_pairs_stream_through(trained, home):
    workdir, _, _ = trained
    table, output = home / "pairs.csv", home / "pairs"
    lines = [f"songs/song_{n:03d}.mid,songs/song_{n + 1:03d}.mid" for n in range(6)]
    (home / "noise.mid").write_bytes(b"MThd rubbish")
    table.write_text("\n".join(["# two songs", *lines, "noise.mid,songs/song_001.mid,bad", ""]))
    common = ("--mode=interpolate", f"--workdir={workdir}", "--strategy=latent,crossfade")
    result = command_line.run(*common, f"--pairs={table}", f"--output={output}", "--num=2")
    assert result.returncode == 0, result.stderr
    assert "pair bad is left out" in result.stderr
    report = json.loads((output / "interpolate.json").read_text())
    assert report["pairs"] == 7
    assert list(report["failures"]) == ["bad"]
    assert {"model", "midi", "disk", "total"} <= report["seconds"].keys()
    lines = [json.loads(line) for line in (output / "pairs.jsonl").read_text().splitlines()]
    assert len(lines) == 12
    for line in lines:
        mido.MidiFile(output / line["output"])
        assert line["output"] == f"{line['pair']}_{line['strategy']}.mid"
    for strategy, means in report["means"].items():
        scores = [line["score"] for line in lines if line["strategy"] == strategy]
        assert means["score"] == pytest.approx(sum(scores) / 6, abs=1e-3)
    table.write_text("noise.mid,noise.mid\n")
    check_error(
        command_line.run(*common, f"--pairs={table}", f"--output={output}"), "no pair can be read"
    )
    table.write_text("a.mid,b.mid\nc.mid\n")
    check_error(command_line.run(*common, f"--pairs={table}"), "line 2", "two music files")


def test_reconstruct_generate_and_complete(trained, home):
    workdir, _, _ = trained
    song = home / "songs" / "song_003.mid"
    for mode, extra, files in (
        ("reconstruct", ("--input", song), ["original_00.mid", "reconstruct_00.mid"]),
        ("generate", ("--num=2",), ["generate_00.mid", "generate_01.mid"]),
        ("complete", ("--num=2", "--input", song), ["complete_00.mid", "complete_01.mid"]),
    ):
        result = command_line.run(f"--mode={mode}", f"--workdir={workdir}", *extra)
        assert result.returncode == 0, result.stderr
        folder = workdir / mode
        assert sorted(p.name for p in folder.glob("*.mid")) == files
        assert (folder / f"{mode}.png").exists()
        assert json.loads((folder / f"{mode}.json").read_text())["mode"] == mode
    given = read_notes(song)
    assert read_notes(workdir / "complete" / "complete_00.mid")[: len(given)] == given


def test_build_data_reports_what_went_in(trained):
    _, args, _ = trained
    result = command_line.run(*args, "--mode=build_data")
    assert result.returncode == 0, result.stderr
    assert "melodies read 24, kept 24" in result.stdout
    assert "train " in result.stdout


def test_help_explains_every_mode():
    result = command_line.program("--help")
    for mode in modes.MODES:
        assert f"  {mode} " in result.stdout
    everything = command_line.program("--helpfull")
    for flag in ("temperature", "strategy", "attribute"):
        assert f"  --{flag}:" in everything.stdout


def test_the_modes_that_can_be_chosen_are_those_that_exist():
    assert main.flags.FLAGS["mode"].parser.enum_values == list(modes.MODES)


@pytest.mark.parametrize(
    ("args", "parts"),
    [
        ((), ["--mode=train needs a --config"]),
        (("--config=configs/no.py",), ["configs/no.py", "no such", "hier"]),
        (
            ("--config=no",),
            ["--config=no: no such configuration", "flat, hier, hier_large, hier_mixture"],
        ),
        (("--config=/",), ["--config=/: no such configuration", "hier"]),
        (
            ("--config=configs/tiny.py", "--config.model.zz=3"),
            ["--config.model.zz: no such field; those of config.model are bars, codec, "],
        ),
        (
            ("--config=configs/tiny.py", "--config.modl.z=3"),
            ["--config.modl.z: no such field; those of config are dataset, model, "],
        ),
        (
            ("--config=configs/tiny.py", "--config.seed.z=3"),
            ["--config.seed.z: no such field; config.seed is a value"],
        ),
        (("--config=configs/tiny.py", "--config.model.z=x"), ["config.model.z", "x"]),
        (
            ("--config=configs/tiny.py", "--config.dataset.sources=(('lakh2', 1.0),)"),
            ["lakh2", "valid are folk, lieder", "a path"],
        ),
        (
            ("--config=configs/tiny.py", "--config.dataset.path=/x/lmd_full"),
            ["/x/lmd_full", ".mid"],
        ),
        (
            (
                "--config=configs/tiny.py",
                "--config.dataset.sources=(('lieder', 1.0),)",
                "--config.dataset.folder=/x",
            ),
            ["'lieder'", "CC0", "git clone https://github.com/OpenScore/Lieder /x/lieder"],
        ),
        (("--config.dataset.path=x",), ["--mode=train needs a --config"]),
        (
            ("--mode=interpolate", "--config.dataset.path=x"),
            ["--config.dataset.path without --config", "--mode=train_prior, evaluate, export"],
        ),
        (
            ("--mode=evaluate", "--config.dataset.transpose_semitones=-1"),
            ["config.dataset.transpose_semitones=-1", "at least 0"],
        ),
        (("--mode=transition",), ["transition", "interpolate"]),
        (("--colour=red",), ["colour"]),
        (("interpolate",), ["unexpected argument 'interpolate'"]),
        (("--mode=generate", "--num=0"), ["num", "0"]),
        (("--mode=interpolate", "--strategy=later"), ["later", "latent, teacher_forcing"]),
        (("--mode=interpolate", "--curve=wavy"), ["--curve=wavy", "smoothstep", "numbers"]),
        (("--mode=interpolate", "--control_curve=0,2"), ["--control_curve=0,2", "from 0 to 1"]),
        (("--mode=interpolate", "--scale=H_major"), ["H_major", "auto", "dorian"]),
        (("--mode=interpolate", "--pitch_range=60,64"), ["60,64", "at least 11"]),
        (("--mode=interpolate", "--bars=65"), ["bars", "65"]),
        (("--mode=interpolate", "--loop"), ["--loop", "--splice"]),
        (("--mode=interpolate", "--splice", "--from=0"), ["--from=0", "counted from 1, or auto"]),
        (("--mode=interpolate", "--to=3"), ["--to", "needs --splice"]),
        (("--mode=interpolate", "--pairs=no.csv"), ["--pairs=no.csv", "No such file"]),
        (("--mode=interpolate", "--pairs=x.csv", "--loop"), ["--loop", "--pairs"]),
        (("--mode=generate", "--checkpoint=/nowhere"), ["--checkpoint=/nowhere", "no checkpoint"]),
        (("--mode=interpolate", "--input=a.mid"), ["--input", "two music files or more", "got 1"]),
        (("--mode=inspect",), ["--mode=inspect needs --input"]),
        (("--config=configs/tiny.py", "--profile=9:3"), ["--profile=9:3", "START:STOP"]),
        (
            ("--config=configs/tiny.py", "--coordinator=localhost:1"),
            ["--num_processes and --process_id missing"],
        ),
        (("--mode=reconstruct", "--input=missing.mid"), ["missing.mid", "no such file"]),
        (("--mode=generate", "--attribute=loud:+1"), ["--attribute=loud:+1", "density", "range"]),
        (("--mode=generate", "--attribute=density:x"), ["--attribute=density:x", "a number"]),
    ],
)
def test_bad_input_is_one_line_and_exit_code_2(args, parts):
    check_error(command_line.run(*args), *parts)


@pytest.mark.parametrize(
    ("args", "part"),
    [(("--mode=transition",), "transition"), (("--mode=inspect",), "--mode=inspect needs --input")],
)
def test_the_program_ends_with_that_code(args, part):
    """Of an error in the flags, and of one that is found later."""
    check_error(command_line.program(*args), part)


def test_errors_that_need_a_model(trained, home):
    workdir, args, _ = trained
    run = ("--mode=reconstruct", f"--workdir={workdir}")
    short = home / "short.mid"
    write.write(short, Melody.from_notes([(60 + n, 4 * n, 4 * n + 4) for n in range(4)], 16))
    check_error(
        command_line.run(*run, f"--input={short}"), str(short), "has 1 bars", "2 are needed"
    )
    (home / "corrupt.mid").write_bytes(b"MThd rubbish")
    check_error(
        command_line.run(*run, f"--input={home / 'corrupt.mid'}"),
        "corrupt.mid",
        "not a readable MIDI",
    )
    (home / "file").write_text("")
    check_error(
        command_line.run(*run, f"--output={home / 'file'}"), str(home / "file"), "cannot write"
    )
    asked = command_line.run(*run, "--mode=generate", "--attribute=density:+1")
    check_error(asked, "--attribute", "no attributes.npz", str(workdir), "--mode=export")
    check_error(
        command_line.run(*args, "--config.model.z=6", "--mode=generate", f"--workdir={workdir}"),
        "another model",
        "model.z is 4 there and 6 here",
    )
    check_error(
        command_line.run(*args, "--config.train.batch_size=1000", f"--workdir={home / 'big'}"),
        "fewer than one batch",
        "1000",
    )


def test_export_writes_a_checkpoint_that_other_commands_take(trained, home):
    workdir, told, _ = trained
    shared = home / "shared"
    told_all = (*told, "--mode=export", f"--workdir={workdir}", f"--output={shared}", "--num=20")
    result = command_line.run(*told_all)
    assert result.returncode == 0, result.stderr
    card = json.loads((shared / "model.json").read_text())
    assert card["test"]["windows"] == card["data"]["windows"]["test"] > 0
    assert {"sampled_accuracy", "sampled_accuracy_ci95", "active_units"} <= card["test"].keys()
    assert not list(shared.rglob("optimizer"))
    hashes.check_hashes(shared)
    generated = {}
    for name, checkpoint in (("shared", shared), ("run", workdir)):
        output = home / f"generated_{name}"
        told = (f"--checkpoint={checkpoint}", f"--output={output}", "--num=2")
        result = command_line.run("--mode=generate", *told)
        assert result.returncode == 0, result.stderr
        report = json.loads((output / "generate.json").read_text())
        assert report["checkpoint"]["sha256"] == card["sha256"]
        generated[name] = [read.read_song(output / f"generate_{n:02d}.mid") for n in range(2)]
    # The shared one draws from the fitted prior.
    assert str(generated["shared"]) != str(generated["run"])
    assert set(card["attributes"]) == set(attributes.ATTRIBUTES)
    told = ("--mode=reconstruct", f"--checkpoint={shared}", f"--output={home / 'changed'}")
    result = command_line.run(*told, "--attribute=density:+1,range:-0.5")
    assert result.returncode == 0, result.stderr
    report = json.loads((home / "changed" / "reconstruct.json").read_text())
    assert report["attribute"] == {"density": 1.0, "range": -0.5}
    for entry in report["outputs"]:
        notes = read_notes(home / "changed" / entry["output"])
        assert entry["attributes"]["density"] == len(notes) / 2
        assert entry["original_attributes"]["density"] > 0
    again = command_line.run("--mode=export", f"--workdir={workdir}", f"--output={shared}")
    check_error(again, "--output", "not empty")
