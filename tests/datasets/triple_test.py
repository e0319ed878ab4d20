"""Data sets of twelve steps a bar."""

import collections

import numpy as np
import pytest

from musicvae_jax.checkpoints import config_check
from musicvae_jax.configs import default
from musicvae_jax.datasets.melodies import corpus, folk, music_files
from musicvae_jax.datasets.melodies.music_files import ReadingRules
from musicvae_jax.datasets.melodies.songs import Elsewhere, Refusal, SourceSong
from musicvae_jax.music.grid import GRIDS
from musicvae_jax.music.tokens import CODECS
from musicvae_jax.music.windows import WindowRules, Windows
from musicvae_jax.system.errors import UserError

RULES = ReadingRules(WindowRules(bars=4), steps_per_bar=12)
REEL = "X:1\nT:One\nM:4/4\nL:1/8\nK:C\n" + "CDEF GABc|" * 8
JIG = "X:2\nT:One\nM:6/8\nL:1/8\nK:C\n" + "CDE FGA|" * 8
SWUNG = "X:3\nT:Two\nM:4/4\nL:1/8\nK:C\n" + "(3CDE (3FGA (3GFE (3DEF|" * 8
SLIP = "X:4\nT:Three\nM:9/8\nL:1/8\nK:C\n" + "C2E FGA BAG|" * 8
FAST = "X:5\nT:Four\nM:9/8\nL:1/8\nK:C\n" + "C/D/E/F/G/A/ FGA BAG|" * 8


@pytest.mark.parametrize(
    ("text", "grid", "notes"),
    [
        (JIG, "6/8", [(60, 0, 2), (62, 2, 4), (64, 4, 6), (65, 6, 8), (67, 8, 10), (69, 10, 12)]),
        (SWUNG, "triplets", [(60, 0, 1), (62, 1, 2), (64, 2, 3), (65, 3, 4)]),
        # The last note of a bar is held through the three steps that take no time.
        (SLIP, "9/8", [*zip([60, 64, 65], [0, 2, 3], [2, 3, 4], strict=True)]),
    ],
)
def test_tunes_in_bars_of_twelve_steps(text, grid, notes):
    melody = folk.read_tune(text, "x", 12).melody
    assert melody.grid == GRIDS[grid]
    assert melody.num_bars == 8
    assert melody.notes()[: len(notes)] == notes
    assert (melody.end[:-1] == melody.start[1:]).all()


@pytest.mark.parametrize(
    ("text", "steps", "reason"),
    [
        (REEL, 12, "its notes fit 4/4 in sixteenths better"),
        (JIG, 16, "the meter is not 4/4, C, 2/2, C|, 2/4$"),
        (SLIP.replace("9/8", "5/4"), 12, "the meter is not"),
        (FAST, 12, "over 5 % of its notes miss the grid"),
    ],
)
def test_tunes_of_another_grid(text, steps, reason):
    with pytest.raises(folk.TuneRejectedError, match=reason.replace("|", r"\|")):
        folk.read_tune(text, "x", steps)


def test_what_the_usual_data_set_holds_is_told(tmp_path):
    """A reel, a jig of its name, and swung music, which is in both."""
    (tmp_path / "tunes.abc").write_text("\n\n".join([REEL, JIG, SWUNG]))
    [file] = music_files.find_music_files(str(tmp_path))
    found = music_files.read_music_file(file, RULES)
    kinds = [(type(one), one.id[-1], getattr(one, "names", ())) for one in found]
    assert kinds == [
        (Refusal, "1", ()),
        (Elsewhere, "1", ("one",)),
        (SourceSong, "2", ("one",)),
        (SourceSong, "3", ("two",)),
        (Elsewhere, "3", ("two",)),
    ]
    usual = music_files.read_music_file(file, ReadingRules(WindowRules(bars=4)))
    assert [type(one) for one in usual] == [SourceSong, Refusal, SourceSong]


def song(id, names):
    windows = Windows(np.zeros(1, np.int32), np.zeros((1, 48), np.uint8), collections.Counter())
    windows.tokens[0, :2] = 2, 3 + sum(id.encode()) % 80
    return SourceSong(id, names, 120.0, 0, 12.0, windows)


def test_songs_are_in_the_split_of_their_versions_elsewhere(tmp_path):
    """One with a version elsewhere, one through a title of another, and one with two of them."""
    name_in = {split: [] for split in corpus.SPLIT_SHARES}
    for number in range(200):
        name_in[corpus.split_of(f"tune{number}")].append(f"tune{number}")
    test, train = name_in["test"][0], name_in["train"][0]
    made = corpus.Corpus(tmp_path, 48, CODECS["melody"].stored)
    made.add_all(
        "some",
        [
            Elsewhere("reel 1", (test,)),
            Elsewhere("reel 2", (train,)),
            song("jig a", ("aaa", test)),
            song("jig b", ("aaa",)),
            song("jig c", (train, "zzz")),
            song("jig d", (test + " x", train + " x")),
            song("jig e", ("qqq", test + " y")),
            Elsewhere("reel 3", (test + " y",)),
            Elsewhere("reel 4", ("qqq",)),
        ],
    )
    ids = {
        s: [made._songs[made._columns()[0][w]].id for w in ws]
        for s, ws in made.split_windows().items()
    }
    assert ids["test"][:2] == ["jig a", "jig b"]
    assert "jig c" in ids["train"]
    e = {corpus.split_of(test + " y"), corpus.split_of("qqq")}
    assert any("jig e" in found for found in ids.values()) == (len(e) == 1)


def test_other_extractions_know_sixteenths_alone():
    config = default.get_config()
    config.model.steps_per_bar, config.dataset.extraction = 12, "arpeggio"
    with pytest.raises(
        UserError, match=r"config\.dataset\.extraction='arpeggio': is in bars of 16"
    ):
        config_check.check(config)
