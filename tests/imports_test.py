"""The architecture: imports go down, and libraries stay behind their modules."""

import ast
import functools
import graphlib
import pathlib
import re
import subprocess
import sys

import pytest

from musicvae_jax import main

PACKAGE = pathlib.Path("musicvae_jax")
# Bottom up: a package imports only those before it; `modes` and `main` are modules.
LAYERS = (
    "configs",
    "system",
    "music",
    "midi",
    "voice",
    "notation",
    "models",
    "datasets",
    "checkpoints",
    "inference",
    "training",
    "transitions",
    "evaluation",
    "plots",
    "commands",
    "studio",
    "static_page",
    "modes",
    "main",
)


def files() -> list[pathlib.Path]:
    """All modules of the package; rglob does not follow the link to the configurations."""
    return [*PACKAGE.rglob("*.py"), *(PACKAGE / "configs").glob("*.py")]


@functools.cache
def imports() -> dict[str, set[str]]:
    """Full names of what each module of the package imports, anywhere in it."""
    modules = {
        ".".join(path.with_suffix("").parts).removesuffix(".__init__"): path for path in files()
    }
    result: dict[str, set[str]] = {}
    for module, path in modules.items():
        names = result.setdefault(module, set())
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Import):
                names |= {alias.name for alias in node.names}
            elif isinstance(node, ast.ImportFrom):
                members = {f"{node.module}.{alias.name}" for alias in node.names}
                names |= {m if m in modules else node.module for m in members}
    return result


def layer(module: str) -> int:
    return LAYERS.index(module.split(".")[1])


def test_every_package_has_its_layer():
    found = {path.relative_to(PACKAGE).parts[0].removesuffix(".py") for path in files()}
    assert found - {"__init__"} == set(LAYERS)


def test_a_package_imports_only_those_below():
    upward = [
        (module, name)
        for module, names in imports().items()
        if module != "musicvae_jax"
        for name in names
        if name.startswith("musicvae_jax.") and layer(name) > layer(module)
    ]
    assert upward == []


def test_no_import_goes_in_a_circle():
    graph = {
        module: {name for name in names if name.startswith("musicvae_jax.")}
        for module, names in imports().items()
    }
    order = list(graphlib.TopologicalSorter(graph).static_order())
    assert order[-1] == "musicvae_jax.main"


@pytest.mark.parametrize(
    ("library", "home"),
    [
        ("pretty_midi", {"midi.audio", "midi.convert", "midi.encode", "midi.musicxml"}),
        ("mido", {"midi.audio", "midi.encode"}),
        ("symusic", {"midi.read"}),
        ("music21", {"midi.convert", "datasets.melodies.abc_notation", "datasets.melodies.folk"}),
        ("apache_beam", {"datasets.melodies.beam_builder"}),
        ("orbax", {"checkpoints.store"}),
        ("fcntl", {"system.locks"}),
        (
            "matplotlib",
            {
                f"plots.{name}"
                for name in (
                    "notes",
                    "picture",
                    "rolls",
                    "piece",
                    "lines",
                    "evaluation",
                    "drum_grid",
                )
            },
        ),
        ("onnx", {"static_page.onnx_graph", "static_page.onnx_operators"}),
        ("pebble", {"system.workers"}),
        ("soundfile", {"voice.sound"}),
        ("jinja2", {"studio.handlers"}),
        (
            "starlette",
            {f"studio.{name}" for name in ("server", "handlers", "guard", "requests", "events")},
        ),
        ("tensorflow", set()),
        ("uvicorn", {"studio.server"}),
    ],
)
def test_a_library_is_known_to_one_module(library, home):
    users = {
        module.removeprefix("musicvae_jax.")
        for module, names in imports().items()
        if any(name.split(".")[0] == library for name in names)
    }
    assert users == home


@pytest.mark.parametrize("library", ["jax", "os", "pathlib", "io"])
def test_music_knows_numbers_alone(library):
    users = {
        module
        for module, names in imports().items()
        if module.startswith("musicvae_jax.music")
        and any(name.split(".")[0] == library for name in names)
    }
    assert users == set()


def test_the_command_line_and_the_workers_start_without_jax():
    """Reading tunes spawns processes that import `main` again; JAX would cost each seconds."""
    code = (
        "import sys, musicvae_jax.main, musicvae_jax.datasets.melodies.music_files, "
        "musicvae_jax.datasets.melodies.folk, musicvae_jax.midi.write; "
        "print('jax' in sys.modules)"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "False"


def test_a_library_knows_no_flags():
    """What is wrong with a value is said of the argument; only the command line has flags."""
    flag = re.compile(rf"--({'|'.join(map(re.escape, main.flags.FLAGS))})\\b")
    found = [
        (str(path), node.value)
        for name in LAYERS[: LAYERS.index("commands")]
        for path in (PACKAGE / name).rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Constant)
        and isinstance(node.value, str)
        and flag.search(node.value)
    ]
    assert found == []


@pytest.mark.parametrize("folder", ["benchmarks", "launch"])
def test_scripts_can_be_run_from_any_folder(folder):
    """Of what is not installed, they import only what lies beside them, by its own name."""
    for path in sorted(pathlib.Path(folder).glob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            roots = {name.partition(".")[0] for name in names}
            assert not roots & {"benchmarks", "launch", "tests"}, path
