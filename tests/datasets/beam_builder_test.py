"""The data set from Beam against the one built on this machine."""

import pytest

from musicvae_jax.datasets.melodies import melodies_dataset_builder as melodies
from tests import helpers

beam_builder = pytest.importorskip(
    "musicvae_jax.datasets.melodies.beam_builder", reason="needs the extra 'beam'"
)

DIRECT = ["--runner=DirectRunner"]
TWO_PROCESSES = [
    "--runner=DirectRunner",
    "--direct_num_workers=2",
    "--direct_running_mode=multi_processing",
]


def content(builder):
    result = {}
    for split in ("train", "validation", "test"):
        if split in builder.info.splits and builder.info.splits[split].num_examples:
            source = builder.as_data_source(split=split)
            rows = source.__getitems__(range(len(source)))
            result[split] = [
                (row["id"], row["start_bar"], row["tempo_bpm"], row["tokens"].tobytes())
                for row in rows
            ]
    return result


@pytest.fixture(scope="module")
def songs(tmp_path_factory):
    """Thirty songs with a copy, and two files that are no songs."""
    folder = tmp_path_factory.mktemp("songs")
    helpers.write_midi_folder(folder, songs=30)
    (folder / "copy.mid").write_bytes((folder / "song_007.mid").read_bytes())
    (folder / "broken.mid").write_bytes(b"no")
    (folder / "empty.mid").write_bytes(b"")
    return folder


@pytest.mark.slow
@pytest.mark.parametrize("options", [DIRECT, TWO_PROCESSES], ids=["direct", "two processes"])
def test_beam_builds_the_same_data_set(songs, tmp_path, options):
    config = helpers.folder_config(4, str(songs))
    here = melodies.build(config, str(tmp_path / "here"))
    on_beam = beam_builder.build(config, str(tmp_path / "beam"), options)
    assert content(on_beam) == content(here)
    one, two = here.info.metadata["report"], on_beam.info.metadata["report"]
    assert two == one
    assert one["windows_dropped"]["duplicate of another window"] == 5
