"""Eight emulated devices for every test, and nothing written outside of the temporary folder."""

import gc
import importlib.metadata
import os
import sys

import hypothesis
import pytest

# The programs that tests start would each compile the libraries, for up to ten seconds, where none
# may keep the bytecode.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
sys.dont_write_bytecode = False

# Compilation takes most of the time of most tests, far more than what it makes faster.
_FAST = os.environ.get("JAX_DISABLE_MOST_OPTIMIZATIONS", "1")
# XLA's older emitters make slower programs in half the time. JAX 0.12 has no such flag, and ends a
# process that asks for it. Programs compiled in one piece
# (--xla_cpu_parallel_codegen_split_count=1) would take half of that again, but the training of
# `evaluation.classifier` then gives NaN.
_HAS_OLDER_EMITTERS = importlib.metadata.version("jaxlib").startswith("0.10.")
_FLAGS = "--xla_cpu_use_fusion_emitters=false" if _HAS_OLDER_EMITTERS else ""
# The programs that tests start inherit these settings and no others of JAX.
for _name in [name for name in os.environ if name.startswith("JAX_")]:
    del os.environ[_name]
os.environ |= {
    "JAX_PLATFORMS": "cpu",
    "JAX_DISABLE_MOST_OPTIMIZATIONS": _FAST,
    "XLA_FLAGS": os.environ.get("XLA_FLAGS", _FLAGS),
    # Many tests compile the same small programs.
    "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0",
    "JAX_PERSISTENT_CACHE_MIN_ENTRY_SIZE_BYTES": "-1",
}
# Emulated devices wait for each other in collectives; with as few threads as this
# machine may have cores they can wait forever.
os.environ.setdefault("NPROC", "16")

import jax  # noqa: E402

jax.config.update("jax_num_cpu_devices", 8)

from musicvae_jax.datasets.melodies import folk as folk_tunes  # noqa: E402
from musicvae_jax.datasets.melodies import melodies_dataset_builder as melodies  # noqa: E402
from musicvae_jax.datasets.melodies.music_files import ReadingRules  # noqa: E402
from musicvae_jax.datasets.melodies.sources import find_source  # noqa: E402
from musicvae_jax.music.windows import WindowRules  # noqa: E402

# To trace a program makes many objects. Looking again and again through all that live, which hardly
# ever die, takes a fifth of its time.
gc.freeze()
gc.set_threshold(50_000, 20, 100)

# The first call of a property compiles; how long that takes says nothing.
hypothesis.settings.register_profile("default", deadline=None)
hypothesis.settings.load_profile("default")


# Compiled functions and initial parameters by what they are of, see `compiled_once`.
_made = {}


def pytest_xdist_auto_num_workers(config):
    """One process for a single file, and with -s: workers' output would not be seen."""
    files = {argument.partition("::")[0] for argument in config.args}
    is_one_file = len(files) == 1 and files.pop().endswith(".py")
    return 0 if is_one_file or config.option.capture == "no" else None


# Files that take longest begin first, so that no process has nothing to do at the end. While the
# first one compiles the LSTM's loop for all, the second one needs none.
_LONG = (
    *("strategies_test", "melodies_test", "browser_test", "server_test", "main_test", "step_test"),
    *("processes_test", "vae_test", "public_face_test", "maker_test", "lstm_cpu_test", "loop_test"),
    *("store_test", "quickstart_test", "keys_test", "reconstruction_test", "mixing_test"),
)


def pytest_collection_modifyitems(items):
    rank = {name: number for number, name in enumerate(_LONG)}
    items.sort(key=lambda item: rank.get(item.path.stem, len(rank)))


@pytest.fixture(scope="session")
def shared(tmp_path_factory):
    """A folder that all processes of this run of pytest share."""
    folder = tmp_path_factory.getbasetemp()
    return folder.parent if "PYTEST_XDIST_WORKER" in os.environ else folder


@pytest.fixture(scope="session", autouse=True)
def cache(shared):
    """Where compiled programs are kept, for all tests and the programs that they start."""
    os.environ["XDG_CACHE_HOME"] = str(shared / "cache")
    compiled = str(shared / "cache" / "musicvae_jax" / "xla")
    os.environ["JAX_COMPILATION_CACHE_DIR"] = compiled
    jax.config.update("jax_compilation_cache_dir", compiled)


@pytest.fixture(scope="session")
def folk_dir(shared):
    """Where the folk data set is built, once for all tests."""
    return shared / "tensorflow_datasets"


@pytest.fixture(
    scope="session",
    params=[("ryansMammoth",), pytest.param(folk_tunes.COLLECTIONS, marks=pytest.mark.slow)],
    ids=["one", "all"],
)
def folk(request, folk_dir):
    """The real folk data set of 16 bars, or of one collection, which takes a fourth of the time.

    Of several processes that want it one builds it.
    """
    source = find_source("folk", ReadingRules(WindowRules(bars=16)), "", request.param)
    return melodies.build(melodies.melodies_config(16, [source]), str(folk_dir))


@pytest.fixture(scope="module")
def compiled_once():
    """Runs of training in this process share what they compile, if it is the same program.

    A run traces and compiles for seconds before it trains for a few steps. The value holds what
    has been made so far.
    """
    from musicvae_jax.models import vae
    from musicvae_jax.training import loop, validation

    def once(key, make, *args):
        if key not in _made:
            _made[key] = make(*args)
        return _made[key]

    def initial(model, seed):
        with jax.ensure_compile_time_eval():  # a function that asks for it is being traced
            return jax.jit(lambda: vae.init_params(model, seed))()

    def shared_state(model, optimizer, seed, params=None):
        if params is None:
            params = once(("initial", str(model), seed), initial, model, seed)
        return state_of(model, optimizer, seed, params)

    def shared_step(model, optimizer, config, devices):
        fields = config.train.to_dict()
        for name in ("init_from", "num_steps", "max_minutes", "log_every", "eval_every"):
            del fields[name]  # of the loop, not of a step
        key = ("step", str(model), str(fields), config.seed, tuple(devices))
        return once(key, step_of, model, optimizer, config, devices)

    def shared_evaluator(model, config):
        devices = tuple(validation.all_devices())
        key = ("evaluator", str(model), config.model.codec, config.train.batch_size, devices)
        return once(key, evaluator_of, model, config)

    step_of, state_of = loop.parallel_train_step, loop.create_train_state
    evaluator_of = validation.Evaluator
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(loop, "parallel_train_step", shared_step)
        patch.setattr(loop, "create_train_state", shared_state)
        patch.setattr(validation, "Evaluator", shared_evaluator)
        yield _made
