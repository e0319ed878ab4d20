import matplotlib.image
import numpy as np
import pytest
from matplotlib.collections import LineCollection, PolyCollection

from musicvae_jax.midi import extraction
from musicvae_jax.midi.song import Track, make_song
from musicvae_jax.music import assembly, colors
from musicvae_jax.music.examples import example_melodies
from musicvae_jax.music.grid import GRIDS
from musicvae_jax.music.melody import Melody
from musicvae_jax.plots import lines, rolls
from musicvae_jax.plots import piece as plots_piece
from musicvae_jax.plots.picture import save_png
from tests import helpers


def test_melodies_of_different_lengths_share_their_axes(tmp_path):
    ode = example_melodies()["ode_to_joy"]
    path = tmp_path / "m.png"
    save_png(path, rolls.melodies_figure({"whole": ode, "half": ode.window(0, 8)}))
    assert {helpers.rgb(colors.BLUE), helpers.rgb(colors.GREEN)} <= helpers.colors_in(path)
    half_axes = matplotlib.image.imread(path)
    assert half_axes.shape[1] > 1000


def a_track(name, notes):
    """Notes are (pitch, start, end) in quarters."""
    pitch, start, end = (np.array(column) for column in zip(*notes, strict=True))
    return Track(name, 0, False, pitch, np.full(pitch.size, 64), start, end)


def test_each_track_of_a_song_is_drawn_as_one_collection():
    tune = [(60 + 2 * (n % 5), float(n), n + 0.5) for n in range(64)]
    bass = [(40, 0.0, 64.0), (47, 0.0, 64.0)]
    song = make_song([a_track("bass", bass), a_track("melody", tune)], [], [])
    figure = rolls.tracks_figure("a song", extraction.extract(song))
    of_tune, of_bass, of_melody = figure.axes
    boxes = {}
    for axes in figure.axes:
        [collection] = [c for c in axes.collections if isinstance(c, PolyCollection)]
        boxes[axes] = [path.get_extents().extents.tolist() for path in collection.get_paths()]
    # In bars: x from and to, half a semitone around the pitch.
    bars = [[start / 4, pitch - 0.45, end / 4, pitch + 0.45] for pitch, start, end in tune]
    np.testing.assert_allclose(boxes[of_tune], bars)
    np.testing.assert_allclose(boxes[of_melody], boxes[of_tune])
    np.testing.assert_allclose(boxes[of_bass], [[0, 39.55, 16, 40.45], [0, 46.55, 16, 47.45]])
    assert "melody" in of_tune.get_title("left") and "bass" in of_bass.get_title("left")
    for axes in (of_tune, of_bass):
        low, high = axes.get_ylim()
        assert low == min(bottom for _, bottom, _, _ in boxes[axes])
        assert high > max(top for _, _, _, top in boxes[axes])
        assert axes.get_xlim() == (0, 16)


def test_a_song_without_tracks_is_not_drawn():
    with pytest.raises(ValueError, match="no track"):
        rolls.tracks_figure("nothing", extraction.Extraction((), None, None, "no notes"))


def test_a_melody_without_notes_is_drawn(tmp_path):
    save_png(tmp_path / "m.png", rolls.melodies_figure({"silence": Melody.from_notes([], 32)}))
    assert (tmp_path / "m.png").stat().st_size > 0
    assert [p.name for p in tmp_path.iterdir()] == ["m.png"]


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("4/4", [0.25, 0.5, 0.75]),
        ("3/4", [1 / 3, 2 / 3]),
        ("6/8", [0.5]),
        ("9/8", [1 / 3, 2 / 3]),
        ("12/8", [0.25, 0.5, 0.75]),
        ("3/2", [1 / 3, 2 / 3]),
    ],
)
def test_beats_are_those_of_the_meter(name, expected):
    grid = GRIDS[name]
    np.testing.assert_allclose(lines.beats(grid, 2, 1), 2 + np.array(expected))
    melody = Melody.from_notes([(60, 0, 4)], 3 * grid.steps_per_bar, grid=grid)
    for figure in (
        rolls.melodies_figure({"": melody}),
        plots_piece.piece_figure(assembly.single(melody)),
    ):
        [drawn] = [c for c in figure.axes[0].collections if isinstance(c, LineCollection)]
        places = [segment[0][0] for segment in drawn.get_segments()]
        np.testing.assert_allclose(places, [bar + e for bar in range(3) for e in expected])


def test_beats_without_room_are_not_drawn():
    melody = Melody.from_notes([(60, 0, 4)], 100 * 16)
    [axes] = rolls.melodies_figure({"": melody}).axes
    assert not any(isinstance(each, LineCollection) for each in axes.collections)
