import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given

from musicvae_jax.system import files
from musicvae_jax.system.errors import UserError

ARRAYS = {"mean": np.arange(40, dtype=np.float32), "names": np.array(["density", "range"])}


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    path = tmp_path_factory.mktemp("arrays") / "arrays.npz"
    files.write_npz(path, ARRAYS)
    return path


def test_arrays_come_back(path):
    with files.reading_npz(path) as arrays:
        assert arrays.keys() == ARRAYS.keys()
        for name, array in arrays.items():
            np.testing.assert_array_equal(array, ARRAYS[name])


@given(st.data())
def test_a_damaged_file_is_read_as_it_was_or_refused_in_one_line(path, data):
    whole = path.read_bytes()
    if data.draw(st.booleans(), label="is cut off"):
        damaged = whole[: data.draw(st.integers(0, len(whole) - 1))]
    else:
        place = data.draw(st.integers(0, len(whole) - 1))
        other = bytes([whole[place] ^ data.draw(st.integers(1, 255))])
        damaged = whole[:place] + other + whole[place + 1 :]
    bad = path.with_name("bad.npz")
    bad.write_bytes(damaged)
    try:
        with files.reading_npz(bad) as arrays:
            for name in ARRAYS:
                np.testing.assert_array_equal(arrays[name], ARRAYS[name])
    except UserError as error:
        assert str(error).startswith(f"{bad}: cannot be read: ")
        assert "\n" not in str(error)


def test_what_is_made_of_it_belongs_to_reading(path, tmp_path):
    def read(place, name):
        with files.reading_npz(place) as arrays:
            return arrays[name]

    with pytest.raises(UserError, match=r"arrays\.npz: cannot be read: 'factor'"):
        read(path, "factor")
    with pytest.raises(UserError, match=r"no\.npz: cannot be read: .*No such file"):
        read(tmp_path / "no.npz", "mean")
