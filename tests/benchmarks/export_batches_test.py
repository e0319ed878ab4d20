import numpy as np

from benchmarks import export_batches
from musicvae_jax.configs import hier
from musicvae_jax.datasets import input_pipeline
from musicvae_jax.music.tokens import CODECS


def test_a_peer_gets_the_batches_and_windows_of_a_run(folk):
    config = hier.get_config()
    arrays = export_batches.export(config, folk, steps=3)
    train = input_pipeline.load_split(folk, "train")
    batches = input_pipeline.TrainBatches(train, config)
    assert arrays["train"].dtype == np.uint8
    assert arrays["train"].max() < CODECS["melody"].vocab
    np.testing.assert_array_equal(arrays["train"], [batches(step) for step in range(3)])
    assert str(arrays["data_sha256"]) == train.sha256()


def test_each_window_has_its_own_id(folk):
    arrays = export_batches.export(hier.get_config(), folk, steps=1)
    for split in ("validation", "test"):
        source = folk.as_data_source(split=split)
        assert len(set(arrays[f"{split}_ids"])) == len(arrays[split]) == len(source)
        for index in (0, 7, len(source) - 1):
            example = source[index]
            song, first_bar = arrays[f"{split}_ids"][index].rsplit("@", 1)
            assert example["id"].decode() == song
            assert example["start_bar"] == int(first_bar)
            np.testing.assert_array_equal(example["tokens"], arrays[split][index])
