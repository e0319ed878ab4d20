"""What a wheel holds, and that it works where there is no clone."""

import email
import os
import pathlib
import shutil
import subprocess
import sys
import zipfile

import pytest

from tests import helpers

pytestmark = pytest.mark.slow

ROOT = pathlib.Path(__file__).parent.parent
# Written by tools, and not part of a checkout.
NOT_SOURCE = ("__pycache__", ".*", "build", "dist", "*.egg-info", "runs", "output", "venv")


def run(command, cwd, **variables):
    environ = {k: v for k, v in os.environ.items() if not k.startswith(("JAX_", "PYTHON"))}
    return subprocess.run(
        [str(word) for word in command],
        cwd=cwd,
        env=environ | {"JAX_PLATFORMS": "cpu"} | variables,
        capture_output=True,
        text=True,
        timeout=300,
    )


@pytest.fixture(scope="module")
def source(tmp_path_factory):
    """A copy of the clone, since a build leaves files behind."""
    folder = tmp_path_factory.mktemp("source") / "clone"
    ignored = shutil.ignore_patterns(*NOT_SOURCE)
    return pathlib.Path(shutil.copytree(ROOT, folder, symlinks=True, ignore=ignored))


@pytest.fixture(scope="module")
def wheel(source, tmp_path_factory):
    folder = tmp_path_factory.mktemp("wheel")
    done = run([sys.executable, "-m", "pip", "wheel", ".", "--no-deps", "-w", folder], source)
    assert done.returncode == 0, done.stderr
    [path] = folder.glob("*.whl")
    return path


@pytest.fixture(scope="module")
def installed(wheel, tmp_path_factory):
    """A folder with what pip would install, and a command that runs it as pip's script does."""
    folder = tmp_path_factory.mktemp("installed")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(folder)
    script = folder / "musicvae"
    script.write_text(
        "import sys\n"
        "from musicvae_jax.main import main\n"
        "if __name__ == '__main__':\n"
        "    sys.exit(main())\n"
    )

    def musicvae(*args):
        cache = str(folder / "cache")
        command = [sys.executable, script, *args]
        return run(command, folder, PYTHONPATH=str(folder), XDG_CACHE_HOME=cache)

    return musicvae


def package_files(root):
    """`{name: content}` of all files of the package, through the link to configs/."""
    return {
        path.relative_to(root).as_posix(): path.read_bytes()
        for folder, _, names in os.walk(root / "musicvae_jax", followlinks=True)
        for path in (pathlib.Path(folder, name) for name in names)
    }


def test_a_wheel_holds_every_file_of_the_package(source, wheel):
    with zipfile.ZipFile(wheel) as archive:
        packed = {
            name: archive.read(name)
            for name in archive.namelist()
            if not name.split("/")[0].endswith(".dist-info")
        }
    assert packed == package_files(source)
    assert {
        "musicvae_jax/configs/hier.py",
        "musicvae_jax/models/lstm_cpu.cc",
        "musicvae_jax/pretrained/SHA256SUMS",
        "musicvae_jax/pretrained/model.json",
        "musicvae_jax/studio/page/index.html",
    } <= packed.keys()


def test_the_metadata_names_the_script_and_what_it_needs(source, wheel):
    with zipfile.ZipFile(wheel) as archive:
        [folder] = {name.split("/")[0] for name in archive.namelist()} - {"musicvae_jax"}
        entry_points = archive.read(f"{folder}/entry_points.txt").decode()
        metadata = email.message_from_bytes(archive.read(f"{folder}/METADATA"))
    assert entry_points.split() == ["[console_scripts]", "musicvae", "=", "musicvae_jax.main:main"]
    lines = (source / "requirements.txt").read_text().splitlines()
    needed = {line.split("#")[0].strip() for line in lines} - {""}
    assert {r for r in metadata.get_all("Requires-Dist") if "extra" not in r} == needed
    assert {"studio", "cuda", "tpu", "beam"} <= set(metadata.get_all("Provides-Extra"))
    assert metadata["Requires-Python"] == ">=3.11"


def test_a_configuration_elsewhere_builds_on_those_of_the_package(installed, tmp_path):
    own = tmp_path / "own.py"
    own.write_text(
        "from musicvae_jax.configs import hier\n\n\n"
        "def get_config():\n"
        "    config = hier.get_config()\n"
        "    config.model.bars = 4\n"
        "    return config\n"
    )
    done = installed(f"--config={own}", "--config.model.z=6")
    assert done.returncode == 2
    assert "--config.model.z=6: must divide by the 4 bars" in done.stderr


def test_the_script_starts_processes_that_read_files(installed, tmp_path):
    songs = helpers.write_midi_folder(tmp_path / "songs", songs=20)
    done = installed(
        "--config=tiny",
        "--mode=build_data",
        "--config.model.bars=2",
        f"--config.dataset.path={songs}",
        f"--config.dataset.data_dir={tmp_path / 'data'}",
        f"--workdir={tmp_path / 'run'}",
    )
    assert done.returncode == 0, done.stderr
    assert "melodies read 20, kept 20" in done.stdout
