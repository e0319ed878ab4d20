"""The architecture: imports go one way, and libraries stay behind their modules."""

import ast
import graphlib
import pathlib
import subprocess
import sys

import pytest

PACKAGE = pathlib.Path("musicvae_jax")


def imports() -> dict[str, set[str]]:
    """Full names of what each module of the package imports, anywhere in it."""
    modules = {
        ".".join(path.with_suffix("").parts).removesuffix(".__init__"): path
        for path in PACKAGE.rglob("*.py")
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


def test_no_import_goes_in_a_circle():
    graph = {
        module: {name for name in names if name.startswith("musicvae_jax.")}
        for module, names in imports().items()
    }
    order = list(graphlib.TopologicalSorter(graph).static_order())
    assert order.index("musicvae_jax.music.melody") < order.index("musicvae_jax.models.vae")
    assert order.index("musicvae_jax.system.processes") < order.index("musicvae_jax.training.step")
    assert order.index("musicvae_jax.training.step") < order.index("musicvae_jax.training.loop")
    assert order[-1] == "musicvae_jax.main"


@pytest.mark.parametrize(
    ("library", "home"),
    [
        ("pretty_midi", {"musicvae_jax.midi.write"}),
        ("mido", {"musicvae_jax.midi.write"}),
        ("symusic", {"musicvae_jax.midi.read_bulk"}),
        ("apache_beam", {"musicvae_jax.datasets.melodies.beam_builder"}),
        ("orbax", {"musicvae_jax.checkpoints.store"}),
        ("fcntl", {"musicvae_jax.system.locks"}),
        (
            "matplotlib",
            {
                "musicvae_jax.plots.rolls",
                "musicvae_jax.plots.piece",
                "musicvae_jax.plots.evaluation",
            },
        ),
        ("pebble", {"musicvae_jax.system.workers"}),
        ("jinja2", {"musicvae_jax.studio.server"}),
        ("starlette", {"musicvae_jax.studio.server", "musicvae_jax.studio.guard"}),
        ("tensorflow", set()),
        ("uvicorn", {"musicvae_jax.studio.server"}),
    ],
)
def test_a_library_is_known_to_one_module(library, home):
    users = {
        module
        for module, names in imports().items()
        if any(name.split(".")[0] == library for name in names)
    }
    assert users == home


def test_the_command_line_and_the_workers_start_without_jax():
    """Reading tunes spawns processes that import `main` again; JAX would cost each seconds."""
    code = (
        "import sys, musicvae_jax.main, musicvae_jax.datasets.melodies.midi_files, "
        "musicvae_jax.datasets.melodies.folk, musicvae_jax.studio.reader; "
        "print('jax' in sys.modules)"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "False"
