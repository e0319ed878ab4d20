"""Tables of pairs, and what is read of their files."""

import pytest

from musicvae_jax.commands import pair_files, pairs
from musicvae_jax.midi.reading import AS_FOUND, Reading
from musicvae_jax.music.examples import example_melodies
from musicvae_jax.system.errors import UserError
from tests.songs import write_song


def test_each_pair_may_name_the_melody_tracks_of_its_files(tmp_path):
    write_song(tmp_path / "ode.mid", example_melodies()["ode_to_joy"].window(0, 4))
    table = tmp_path / "pairs.csv"
    table.write_text("ode.mid,ode.mid\node.mid,ode.mid,,3\node.mid,ode.mid,last,,bass\n")
    rows = pairs.read_table(str(table))
    assert [row.name for row in rows] == ["00001", "00002", "last"]
    # 73, 32 and 0 are the programs of the tracks Melody, Bass and Piano.
    for readings, expected in (
        ((AS_FOUND, AS_FOUND), [(73, 73), (0, 73), (73, 32)]),
        ((Reading(track="2"), AS_FOUND), [(32, 73), (0, 73), (32, 32)]),
    ):
        for is_whole in (False, True):
            programs = []
            for row in rows:
                item = (row.paths, pairs.readings_of(row, readings), is_whole)
                done = pair_files.read_pair(item)
                programs.append(tuple(melody.program for melody in done.melodies))
                assert len(done.sources) == (2 if is_whole else 0)
            assert programs == expected
    unknown = pair_files.read_pair((rows[0].paths, (Reading(track="Tuba"), AS_FOUND), False))
    assert "track=Tuba: no such track" in unknown.error


@pytest.mark.parametrize("line", ["a.mid", "a.mid,", "a.mid,b.mid,x,1,2,3"])
def test_a_line_of_another_form_is_told(tmp_path, line):
    table = tmp_path / "pairs.csv"
    table.write_text(f"a.mid,b.mid\n{line}\n")
    with pytest.raises(UserError, match="line 2: two music files, and if wanted"):
        pairs.read_table(str(table))
