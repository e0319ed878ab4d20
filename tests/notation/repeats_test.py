"""The order of playing, by what musicians do; letters stand for bars."""

import pytest

from musicvae_jax.notation import repeats, score
from musicvae_jax.notation.score import Bar

BEGIN, END = {"begins_repeat": True}, {"repeat_times": 2}


def ending(*times: int, **marks) -> dict:
    return {"endings": frozenset(times), **marks}


@pytest.mark.parametrize(
    ("written", "played"),
    [
        ({"A": {}, "B": {}}, "AB"),
        ({"A": {}, "B": END, "C": {}}, "ABABC"),
        ({"A": END, "B": END}, "AABB"),
        ({"A": {}, "B": BEGIN | END, "C": {}}, "ABBC"),
        ({"A": {"repeat_times": 3}, "B": {}}, "AAAB"),
        ({"A": {}, "B": ending(1, **END), "C": ending(2), "D": {}}, "ABACD"),
        ({"A": {}, "B": ending(1), "C": ending(2), "D": {}}, "ABACD"),
        ({"A": {}, "B": ending(1, **END), "C": ending(2, **END), "D": END}, "ABACDD"),
        ({"A": {}, "B": ending(1, 2, **END), "C": ending(3), "D": {}}, "ABABACD"),
        ({"A": {}, "B": ending(1, **END), "C": {}, "D": END}, "ABACDCD"),
        ({"A": END, "B": ending(2), "C": {}}, "AABC"),
        (
            {
                "A": {},
                "B": ending(1, **END),
                "C": ending(2),
                "D": BEGIN,
                "E": ending(1, **END),
                "F": ending(2),
            },
            "ABACDEDF",
        ),
        ({"A": {}, "B": {"fine": True}, "C": {"da_capo": True}}, "ABCAB"),
        ({"A": {}, "B": END | {"fine": True}, "C": {"da_capo": True}}, "ABABCAB"),
        ({"A": {}, "B": {"segno": True}, "C": {"dal_segno": True}, "D": {}}, "ABCBCD"),
        (
            {"A": {}, "B": {"to_coda": True}, "C": {"da_capo": True}, "D": {"coda": True}},
            "ABCABD",
        ),
        (
            {"A": {}, "B": ending(1, **END), "C": ending(2, fine=True), "D": {"da_capo": True}},
            "ABACDAC",
        ),
    ],
)
def test_order(written, played):
    bars = [Bar(**marks) for marks in written.values()]
    assert "".join(list(written)[i] for i in repeats.playing_order(bars)) == played


def test_jumps_without_end_are_refused():
    bars = [Bar(da_capo=True) for _ in range(2000)]
    with pytest.raises(ValueError, match=f"more than {score.MAX_BARS} bars"):
        repeats.playing_order(bars)
