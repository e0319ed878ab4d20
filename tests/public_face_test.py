"""What `import musicvae_jax` offers, and that it leaves everything else alone."""

import ast
import doctest
import functools
import importlib
import pathlib
import subprocess
import sys

import matplotlib.image
import pytest

import musicvae_jax as mv

SCRIPT = "docs/transition.py"
HEAVY = ("numpy", "jax", "flax", "orbax", "matplotlib", "music21", "pretty_midi", "tensorflow")


def run(code, *args):
    """The output of code in a new process, which complains of nothing."""
    command = [sys.executable, "-c", code, *map(str, args)]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "WARNING" not in done.stderr
    return done.stdout


def test_importing_the_package_loads_nothing_heavy():
    code = f"import sys, musicvae_jax; dir(musicvae_jax); print(set(sys.modules) & set({HEAVY}))"
    assert run(code).strip() == "set()"


def test_all_names_are_there_and_known_to_type_checkers():
    [block] = [
        node
        for node in ast.parse(pathlib.Path(mv.__file__).read_text()).body
        if isinstance(node, ast.If)
    ]
    typed = {
        alias.name: node.module.removeprefix("musicvae_jax.")
        for node in block.body
        for alias in node.names
    }
    assert typed == mv._HOMES
    assert sorted(typed) == sorted(mv.__all__)
    assert set(mv.__all__) <= set(dir(mv))
    for name in mv.__all__:
        value, home = getattr(mv, name), f"musicvae_jax.{mv._HOMES[name]}"
        assert value is getattr(importlib.import_module(home), name)
        if not name.isupper():  # a table does not know its name
            assert (value.__name__, value.__module__) == (name, home)


def test_a_name_that_is_not_there_is_an_attribute_error():
    with pytest.raises(AttributeError, match="no attribute 'red'"):
        _ = mv.red


# Sets the face to work, and compares what is global before and after.
STATE = """
import logging, os, runpy, sys, warnings
import absl.logging, jax, matplotlib, numpy

def state():
    loggers = [logging.root, logging.getLogger("absl"), logging.getLogger("jax")]
    return {
        "matplotlib": dict(matplotlib.rcParams.copy()),
        "backend": matplotlib.get_backend(auto_select=False),
        "jax": dict(jax.config.values),
        "loggers": [(one.level, list(one.handlers), one.propagate) for one in loggers],
        "warnings": list(warnings.filters),
        "environment": dict(os.environ),
        "numpy": (numpy.geterr(), numpy.get_printoptions(), str(numpy.random.get_state())),
        "directory": os.getcwd(),
    }

import orbax.checkpoint, music21  # what these change by themselves is theirs
before = state()
script, *sys.argv[1:] = sys.argv[1:]
runpy.run_path(script)
import musicvae_jax as mv
[getattr(mv, name) for name in mv.__all__]
after = state()
changed = [name for name in before if before[name] != after[name]]
assert not changed, changed
assert "matplotlib.pyplot" not in sys.modules
"""


def test_the_script_of_the_documents_changes_no_global_state(tmp_path):
    for name, melody in mv.example_melodies().items():
        mv.write(tmp_path / f"{name}.mid", melody)
    inputs = [tmp_path / "ode_to_joy.mid", tmp_path / "reel.mid"]
    printed = run(STATE, SCRIPT, *inputs, tmp_path / "out").splitlines()
    assert {line.split()[0] for line in printed} == {"latent", "dual_conductor"}
    scores = [float(line.split()[-1]) for line in printed]
    assert len(scores) == 6
    assert scores == sorted(scores, reverse=True)
    piece = mv.read(tmp_path / "out" / "transition.mid")
    assert piece.num_bars == 16 + 8 + 16
    assert matplotlib.image.imread(tmp_path / "out" / "transition.png").ndim == 3


@pytest.fixture(scope="module")
def names():
    """What the examples of methods begin with; all examples share one model."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(mv, "load_model", functools.cache(mv.load_model))
        model, melodies = mv.load_model(), list(mv.example_melodies().values())
        yield {"mv": mv, "model": model, "melodies": melodies}


@pytest.mark.parametrize("name", [name for name in mv.__all__ if not name.isupper()])
def test_each_name_has_an_example_that_works(name, names, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)  # examples write files
    finder = doctest.DocTestFinder(recurse=True)
    runner = doctest.DocTestRunner(optionflags=doctest.ELLIPSIS)
    tests = finder.find(getattr(mv, name), name, globs=dict(names))
    assert sum(len(test.examples) for test in tests) > 0
    for test in tests:
        runner.run(test, clear_globs=False)
    assert runner.failures == 0
