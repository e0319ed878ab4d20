"""Eight emulated devices for every test, and nothing written outside of the temporary folder."""

import os
import tempfile

# Emulated devices wait for each other in collectives; with as few threads as this
# machine may have cores they can wait forever.
os.environ.setdefault("NPROC", "16")

import hypothesis
import jax

jax.config.update("jax_num_cpu_devices", 8)
jax.config.update("jax_platforms", "cpu")
# Several tests compile the same small programs.
jax.config.update("jax_compilation_cache_dir", tempfile.mkdtemp(prefix="musicvae_jax_xla_"))
jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.0)
jax.config.update("jax_persistent_cache_min_entry_size_bytes", -1)

import pytest  # noqa: E402

from musicvae_jax.datasets.melodies import melodies_dataset_builder as melodies  # noqa: E402

# The first call of a property compiles; how long that takes says nothing.
hypothesis.settings.register_profile("default", deadline=None)
hypothesis.settings.load_profile("default")


@pytest.fixture(scope="session")
def folk_dir(tmp_path_factory):
    """Where the folk data set is built, once for all tests."""
    return tmp_path_factory.mktemp("tensorflow_datasets")


@pytest.fixture(scope="session")
def folk(folk_dir):
    """The real folk data set of 16 bars."""
    return melodies.build(melodies.folk_config(16), str(folk_dir))
