import pathlib

import numpy as np

from musicvae_jax.evaluation import measure
from musicvae_jax.midi.extraction import extract_melody
from musicvae_jax.music.windows import WindowRules, melody_windows
from musicvae_jax.notation import read
from tests import helpers


def test_each_window_knows_its_song(tmp_path):
    config = helpers.small_config()
    config.dataset.path = str(helpers.write_midi_folder(tmp_path / "songs", songs=30))
    config.dataset.data_dir = str(tmp_path / "data")
    data = measure.load_data(config)
    assert len(data.songs) == len(data.splits["test"]) == data.facts()["windows"]["test"]
    assert len(set(data.songs)) > 1
    for song, tokens in zip(data.songs, data.splits["test"].tokens, strict=True):
        [path] = pathlib.Path(config.dataset.path).rglob(f"{pathlib.Path(song).stem}.mid")
        melody = extract_melody(read.read_song(path), song)
        windows = melody_windows(melody, WindowRules(bars=2)).tokens
        assert (windows == tokens).all(axis=1).any()
    assert np.unique(data.songs).size < len(data.songs)
