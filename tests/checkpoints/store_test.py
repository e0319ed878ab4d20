"""What may happen to a checkpoint on its disk, and what one may hold."""

import itertools
import json
import pickle
import resource
import shutil
import subprocess
import sys

import jax
import numpy as np
import pytest

from musicvae_jax.checkpoints import hashes as checkpoints_hashes
from musicvae_jax.checkpoints import load as checkpoints_load
from musicvae_jax.checkpoints import store
from musicvae_jax.system.errors import CheckpointError, UserError
from tests import helpers

# Where Orbax gives up, what TensorStore still reads or writes finds the event loop closed.
pytestmark = pytest.mark.filterwarnings(
    "ignore:Exception ignored in. None:pytest.PytestUnraisableExceptionWarning"
)


def tree(seed):
    rng = np.random.default_rng(seed)
    return {"a": {"w": rng.normal(size=(64, 32)).astype(np.float32)}, "b": np.float32([seed])}


def save(manager, step, metrics=None):
    config = helpers.small_config()
    store.save(manager, step, tree(step), tree(step + 100), config, metrics)
    store.wait(manager, step)


def restore(manager):
    """The step that is gone on from, after checking that it holds what was saved."""
    step, params, optimizer = store.restore_latest(
        manager, tree(0), tree(0), helpers.small_config()
    )
    for found, expected in ((params, tree(step)), (optimizer, tree(step + 100))):
        jax.tree.map(np.testing.assert_array_equal, found, expected)
    return step


@pytest.fixture
def workdir(tmp_path):
    """Two checkpoints, of steps 1 and 2."""
    with store.open_manager(tmp_path) as manager:
        save(manager, 1, {"nll_per_token": 1.0})
        save(manager, 2)
    return tmp_path


def truncate(path):
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def flip_a_bit(path):
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(bytes(data))


def fill_with_zeros(path):
    path.write_bytes(bytes(path.stat().st_size))


@pytest.mark.parametrize("item", ["params", "optimizer", "config"])
@pytest.mark.parametrize("damage", [truncate, flip_a_bit, fill_with_zeros])
def test_a_damaged_checkpoint_is_put_aside_and_the_one_before_taken(workdir, item, damage, caplog):
    files = [p for p in (workdir / "checkpoints" / "2" / item).rglob("*") if p.is_file()]
    damage(max(files, key=lambda path: path.stat().st_size))
    with store.open_manager(workdir) as manager:
        assert restore(manager) == 1
        assert "the checkpoint of step 2 cannot be used" in caplog.text
        assert (workdir / "checkpoints" / "damaged-2-0").is_dir()
        save(manager, 2)  # its step is free again
    with store.open_manager(workdir) as manager:
        assert restore(manager) == 2


def test_every_altered_file_is_noticed_or_harmless(workdir):
    folder = workdir / "checkpoints" / "2"
    noticed = 0
    for path in sorted(p for p in folder.rglob("*") if p.is_file()):
        whole = path.read_bytes()
        if not whole:
            continue
        flip_a_bit(path)
        with store.open_manager(workdir, read_only=True) as manager:
            try:
                store.restore_config(manager, 2)
                params, _ = store.restore_for_training(manager, 2, tree(0), tree(0))
                jax.tree.map(np.testing.assert_array_equal, params, tree(2))
            except (OSError, ValueError, KeyError, TypeError, AttributeError):
                noticed += 1
        path.write_bytes(whole)
    assert noticed >= 8


def test_checkpoints_that_are_all_damaged_are_an_error(workdir):
    for step in ("1", "2"):
        shutil.rmtree(workdir / "checkpoints" / step / "params")
    with (
        store.open_manager(workdir) as manager,
        pytest.raises(UserError, match=r"no checkpoint in .* can be read \(steps \[2, 1\]\)"),
    ):
        restore(manager)
    assert {p.name for p in (workdir / "checkpoints").iterdir()} == {"1", "2"}


def test_what_a_kill_left_half_written_is_removed_and_never_read(workdir):
    half = workdir / "checkpoints" / "3.orbax-checkpoint-tmp"
    shutil.copytree(workdir / "checkpoints" / "2", half)
    with store.open_manager(workdir) as manager:
        assert restore(manager) == 2
        save(manager, 3)
        assert not half.exists()
        assert restore(manager) == 3


def test_a_directory_that_vanishes_is_made_anew(workdir, caplog):
    with store.open_manager(workdir) as manager:
        shutil.rmtree(workdir / "checkpoints")
        save(manager, 3, {"nll_per_token": 2.0})
        save(manager, 4, {"nll_per_token": 1.5})
        assert "has vanished" in caplog.text
        assert sorted(manager.all_steps()) == [3, 4]
    with store.open_manager(workdir) as manager:
        assert restore(manager) == 4


def test_a_full_disk_is_one_line_and_leaves_the_checkpoints_before(workdir):
    """No file may grow beyond 3 kB, which tells a writer the same as a full disk."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    with (
        pytest.raises(CheckpointError, match=r"cannot be written .* at step 3"),
        store.open_manager(workdir) as manager,
    ):
        resource.setrlimit(resource.RLIMIT_FSIZE, (3000, before[1]))
        try:
            save(manager, 3)
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, before)
    with store.open_manager(workdir) as manager:
        assert restore(manager) == 2
        save(manager, 3)
        assert restore(manager) == 3


_LOAD = """
import pathlib, sys
from musicvae_jax.checkpoints import load
from musicvae_jax.models.vae import abstract_params
from musicvae_jax.system.errors import UserError

suspicious = []
def hook(event, args):
    if event in ("pickle.find_class", "os.system", "subprocess.Popen", "marshal.loads"):
        suspicious.append((event, args))
    if event == "import" and "planted" in str(args):
        suspicious.append((event, args))
    if event in ("exec", "compile") and "checkpoints" in str(args):
        suspicious.append((event, args))
sys.addaudithook(hook)
for path in sys.argv[1:]:
    try:
        load.load(pathlib.Path(path), abstract_params)
        print("loaded")
    except UserError as error:
        print("refused")
hooked = [s for s in suspicious if "planted" in str(s) or s[0] != "marshal.loads"]
print(hooked)
"""


class _Bomb:
    """Unpickled, it leaves a file behind."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return open, (str(self.path), "w")


def test_nothing_in_a_checkpoint_is_executed(tmp_path):
    """Pickles and modules are planted in the place of, and beside, every file."""

    config = helpers.small_config()
    params = helpers.random_params(config)
    run, bombed = tmp_path / "run", tmp_path / "exploded"
    with store.open_manager(run) as manager:
        store.save(manager, 1, params, params, config, None)
        store.wait(manager, 1)
    bomb = pickle.dumps(_Bomb(bombed))
    script = f"open({str(bombed)!r}, 'w')\n"
    for folder in [run, *(p for p in run.rglob("*") if p.is_dir())]:
        for name in ("planted.pkl", "checkpoint.pkl", "aggregate", "state.pickle"):
            (folder / name).write_bytes(bomb)
        for name in ("__init__.py", "planted.py", "sitecustomize.py", "conftest.py"):
            (folder / name).write_text(script)
    worse = shutil.copytree(run, tmp_path / "worse")
    for path in (worse / "checkpoints" / "1" / "params").rglob("*"):
        if path.is_file():
            path.write_bytes(bomb)
    command = [sys.executable, "-c", _LOAD, str(run), str(worse)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert not bombed.exists()
    assert done.stdout.splitlines()[-3:] == ["loaded", "refused", "[]"]
    pickle.loads(bomb).close()
    assert bombed.exists()  # the bomb is live


def test_a_checkpoint_whose_configuration_is_absurd_is_refused(workdir):
    from musicvae_jax.models.vae import abstract_params

    [path] = (workdir / "checkpoints" / "1" / "config").glob("metadata")
    config = json.loads(path.read_text())
    config["model"]["decoder"] = "__import__('os').system('true')"
    path.write_text(json.dumps(config))
    shutil.rmtree(workdir / "checkpoints" / "1" / "hashes")
    with pytest.raises(UserError, match=r"^config\.model\.decoder=.* unknown"):
        checkpoints_load.load(workdir, abstract_params)


@pytest.fixture
def shipped(workdir):
    checkpoints_hashes.write_hashes(workdir)
    return workdir


def test_hashes_are_those_of_sha256sum(shipped):
    if shutil.which("sha256sum") is None:
        pytest.skip("no sha256sum here")
    command = ["sha256sum", "--check", "--strict", "--quiet", checkpoints_hashes.HASHES]
    subprocess.run(command, cwd=shipped, check=True)
    checkpoints_hashes.check_hashes(shipped)


def shipped_files(folder):
    return sorted(
        p for p in folder.rglob("*") if p.is_file() and p.name != checkpoints_hashes.HASHES
    )


def test_a_shipped_model_is_refused_if_any_file_is_altered_missing_or_new(shipped):
    for number, path in enumerate(shipped_files(shipped)):
        whole = path.read_bytes()
        if number % 3 == 0 and whole:
            flip_a_bit(path)
        elif number % 3 == 1:
            path.unlink()
        else:
            path.write_bytes(whole + b"x")
        with pytest.raises(UserError, match="not the file that was shipped"):
            checkpoints_hashes.check_hashes(shipped)
        path.write_bytes(whole)
    (shipped / "new.py").write_text("")
    with pytest.raises(UserError, match=r"new\.py: not the file that was shipped"):
        checkpoints_hashes.check_hashes(shipped)
    (shipped / "new.py").unlink()
    checkpoints_hashes.check_hashes(shipped)


def test_a_shipped_model_may_not_link_out_of_its_folder(shipped, tmp_path_factory):
    path = shipped_files(shipped)[0]
    elsewhere = tmp_path_factory.mktemp("elsewhere") / "same"
    elsewhere.write_bytes(path.read_bytes())
    path.unlink()
    path.symlink_to(elsewhere)
    with pytest.raises(UserError, match="not the file that was shipped"):
        checkpoints_hashes.check_hashes(shipped)


def test_pretrained_is_verified_before_it_is_read(shipped, monkeypatch, tmp_path):
    monkeypatch.setitem(checkpoints_load.SHIPPED, checkpoints_load.PRETRAINED, shipped)
    nowhere = tmp_path / "nowhere"
    for asked in ("", checkpoints_load.PRETRAINED):
        assert checkpoints_load.find(asked, nowhere) == shipped
    truncate(max(shipped_files(shipped), key=lambda path: path.stat().st_size))
    for asked in ("", checkpoints_load.PRETRAINED):
        with pytest.raises(UserError, match="not the file that was shipped"):
            checkpoints_load.find(asked, nowhere)
    (shipped / checkpoints_hashes.HASHES).unlink()
    with pytest.raises(UserError, match="no SHA256SUMS"):
        checkpoints_load.find(checkpoints_load.PRETRAINED, nowhere)


def test_the_hash_of_a_tree_knows_names_shapes_types_and_values():
    trees = [
        {"w": np.zeros((2, 3), np.float32)},
        {"v": np.zeros((2, 3), np.float32)},
        {"w": np.zeros((3, 2), np.float32)},
        {"w": np.zeros((2, 3), np.int32)},
        {"w": np.eye(2, 3, dtype=np.float32)},
    ]
    hashes = [checkpoints_hashes.tree_sha256(t) for t in trees]
    assert all(a != b for a, b in itertools.combinations(hashes, 2))
