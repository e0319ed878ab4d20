import textwrap

import pytest
import thunks

TEXT = textwrap.dedent(
    """\
    000: kCommandBuffer [source       | next=012 (1)]
        001: kCopy         [source       | next=002 (1)] kCopy
        002: kWhile        [prev=001 (1) | sink        ]
    condition:
            003: kCustomKernel [source | sink] compare grid: [1, 1, 1]
          body:
            004: kCustomKernel [source | sink] product grid: [8, 1, 1]
    005: kWhile         [prev=000 (1) | next=000 (1)]
    condition:
        006: kCustomKernel [source | sink] compare grid: [1, 1, 1]
      body:
        000: kCommandBuffer [source | sink]
            007: kCustomKernel       [source       | next=008 (1)] product grid: [8, 1, 1]
            008: kDynamicSliceFusion [prev=007 (1) | sink        ] params=1, results=1
                009: kCopy [source | sink] kCopy
        010: kDynamicSliceFusion [prev=007 (1) | sink        ] params=1, results=1
            011: kCopy [source | sink] kCopy
        012: kWhile [prev=010 (1) | sink]
    condition:
            013: kCustomKernel [source | sink] compare grid: [1, 1, 1]
          body:
            014: kCustomKernel [source | sink] product grid: [8, 1, 1]
    015: kGemm [prev=005 (1) | sink]
    """
)


# A graph; in each turn a graph, a copy and an inner loop of one kernel; a product.
@pytest.mark.parametrize(
    ("trips", "expected"), [((5, 7, 3), 1 + 7 * (1 + 1 + 3) + 1), ((5, 7, None), 1 + 7 * 3 + 1)]
)
def test_a_graph_is_one_launch_and_loops_repeat(trips, expected):
    assert thunks.host_launches(TEXT, trips) == expected


def test_the_thunks_after_the_passes_if_these_changed_them(tmp_path):
    first = tmp_path / "module_0001.f.thunk_sequence.txt"
    first.write_text("before")
    assert thunks.dumped(str(tmp_path)) == "before"
    (tmp_path / "module_0001.f.thunk_sequence_after_thunk_passes.txt").write_text("after")
    assert thunks.dumped(str(tmp_path)) == "after"
