"""Programs written by hand, of which it is plain what they do."""

import pytest

from launch import hlo_counts

# Three turns of a loop, whose body is a fusion and a loop of four turns of two launches.
LOOPS = """\
HloModule jit_f, is_scheduled=true, entry_computation_layout={(f32[8,4]{1,0})->f32[8,4]{1,0}}

FileNames
1 "f.py"

%fused_tanh (param_0: f32[8,4]) -> f32[8,4] {
  %param_0 = f32[8,4]{1,0} parameter(0)
  ROOT %tanh = f32[8,4]{1,0} tanh(%param_0), metadata={op_name="jit(f)/tanh"}
}

%inner_condition (state: (s32[], f32[8,4])) -> pred[] {
  %state = (s32[], f32[8,4]{1,0}) parameter(0)
  %limit = s32[]{:T(128)} constant(4)
  %counter = s32[] get-tuple-element(%state), index=0
  ROOT %less = pred[] compare(%counter, %limit), direction=LT
}

%inner_body (state: (s32[], f32[8,4])) -> (s32[], f32[8,4]) {
  %state = (s32[], f32[8,4]{1,0:T(8,128)S(1)}) parameter(0)
  %counter = s32[] get-tuple-element(%state), index=0
  %one = s32[] constant(1)
  %next = s32[] add(%counter, %one)
  %x = f32[8,4]{1,0:T(8,128)S(1)} get-tuple-element(%state), index=1
  %y = f32[8,4]{1,0} fusion(%x), kind=kLoop, calls=%fused_tanh
  %copy-start = (f32[8,4]{1,0}, f32[8,4]{1,0}, u32[]) copy-start(%y)
  %copy-done = f32[8,4]{1,0} copy-done(%copy-start)
  %z = f32[8,4]{1,0} dot(%copy-done, %x), lhs_contracting_dims={1}, rhs_contracting_dims={1}
  ROOT %tuple = (s32[], f32[8,4]{1,0}) tuple(%next, %z)
}

%fused_less (param_0.1: s32[], param_1: s32[]) -> pred[] {
  %param_1 = s32[] parameter(1)
  %limit.1 = s32[] constant(5)
  ROOT %less.1 = pred[] compare(%param_1, %limit.1), direction=LT
}

%outer_condition (state: (f32[8,4], s32[])) -> pred[] {
  %state = (f32[8,4]{1,0}, s32[]) parameter(0)
  %counter = s32[] get-tuple-element(%state), index=1
  %other = s32[] constant(77)
  ROOT %compare_fusion = pred[] fusion(%other, %counter), kind=kLoop, calls=%fused_less
}

%outer_body (state: (f32[8,4], s32[])) -> (f32[8,4], s32[]) {
  %state = (f32[8,4]{1,0}, s32[]) parameter(0)
  %x = f32[8,4]{1,0} get-tuple-element(%state), index=0
  %counter = s32[] get-tuple-element(%state), index=1
  %zero = s32[] constant(0)
  %start = (s32[], f32[8,4]{1,0}) tuple(%zero, %x)
  %loop = (s32[], f32[8,4]{1,0}) while(%start), condition=%inner_condition, body=%inner_body, \
metadata={op_name="jit(f)/outer/inner/while"}
  %y = f32[8,4]{1,0} get-tuple-element(%loop), index=1
  %z = f32[8,4]{1,0} fusion(%y), kind=kLoop, calls=%fused_tanh
  %one = s32[] constant(1)
  ROOT %tuple = (f32[8,4]{1,0}, s32[]) tuple(%z, %one)
}

ENTRY %main (x: f32[8,4]) -> f32[8,4] {
  %x = f32[8,4]{1,0} parameter(0), metadata={op_name="x"}
  %room = f32[8,4]{1,0} custom-call(), custom_call_target="AllocateBuffer"
  %two = s32[] constant(2)
  %copied = s32[]{:T(128)S(6)} copy(%two)
  %start = (f32[8,4]{1,0}, /*index=1*/s32[]) tuple(%x, %copied)
  %loop = (f32[8,4]{1,0}, s32[]) while(%start), condition=%outer_condition, body=%outer_body, \
metadata={op_name="jit(f)/outer/while"}LOOP_CONFIG
  ROOT %y = f32[8,4]{1,0} get-tuple-element(%loop), index=0
}
"""

COLLECTIVES = """\
HloModule jit_g

%sum (a: f32[], b: f32[]) -> f32[] {
  %a = f32[] parameter(0)
  %b = f32[] parameter(1)
  ROOT %c = f32[] add(%a, %b)
}

ENTRY main (x: f32[8,4], y: bf16[16]) -> (f32[8,4], bf16[16], bf16[64]) {
  %x = f32[8,4]{1,0} parameter(0)
  %y = bf16[16]{0} parameter(1)
  %sums = (f32[8,4]{1,0}, bf16[16]{0}) all-reduce(%x, %y), replica_groups={}, to_apply=%sum
  %first = f32[8,4]{1,0} get-tuple-element(%sums), index=0
  %second = bf16[16]{0} get-tuple-element(%sums), index=1
  %begun = (bf16[16]{0}, bf16[64]{0}) all-gather-start(%second), dimensions={0}
  %all = bf16[64]{0} all-gather-done(%begun)
  ROOT %tuple = (f32[8,4]{1,0}, bf16[16]{0}, bf16[64]{0}) tuple(%first, %second, %all)
}
"""


def loops(config=""):
    return hlo_counts.parse(LOOPS.replace("LOOP_CONFIG", config))


def test_launches_count_as_often_as_their_loops_turn():
    program = loops()
    outer, inner = program.loops()
    # The inner loop goes from 0 to 4, and has a fusion and a product.
    assert (inner.source, inner.trips, inner.launches) == ("jit(f)/outer/inner/while", 4, 2)
    # The outer one goes from 2, behind a copy, to 5, within a fusion.
    assert (outer.source, outer.trips, outer.launches) == ("jit(f)/outer/while", 3, 4 * 2 + 1)
    assert program.launches() == 3 * (4 * 2 + 1)
    assert program.collectives() == {}


def test_the_turns_that_xla_knows_are_believed():
    config = ', backend_config={"known_trip_count":{"n":"10"},"known_init_step":{"init":"0"}}'
    program = loops(config)
    assert [loop.trips for loop in program.loops()] == [10, 4]
    assert program.launches() == 10 * (4 * 2 + 1)


@pytest.mark.parametrize(
    ("known", "unknown"),
    [
        ("%two = s32[] constant(2)", "%two = s32[] parameter(1)"),
        ("compare(%param_1, %limit.1), direction=LT", "compare(%param_1, %limit.1), direction=GT"),
        ("compare(%param_1, %limit.1), direction=LT", "is-finite(%param_1)"),
    ],
)
def test_a_loop_whose_turns_are_unknown_counts_once(known, unknown):
    program = hlo_counts.parse(LOOPS.replace(known, unknown).replace("LOOP_CONFIG", ""))
    assert [loop.trips for loop in program.loops()] == [None, 4]
    assert program.launches() == 4 * 2 + 1


def test_collectives_and_their_bytes():
    program = hlo_counts.parse(COLLECTIVES)
    assert program.collectives() == {
        "all-reduce": (1, 8 * 4 * 4 + 16 * 2),
        "all-gather": (1, 16 * 2),
    }
    assert program.launches() == 2
    assert program.loops() == []


@pytest.mark.parametrize(
    ("shape", "size"),
    [
        ("f32[]", 4),
        ("pred[3]{0:T(512)}", 3),
        ("bf16[16,256]{1,0:T(8,128)(2,1)S(1)}", 2 * 16 * 256),
        ("f8e4m3fn[5]", 5),
        ("(s32[2], /*index=1*/(f64[3], u8[0]))", 8 + 24),
        ("token[]", 0),
    ],
)
def test_bytes_of_a_shape(shape, size):
    assert hlo_counts.num_bytes(shape) == size


def test_a_text_that_is_no_program():
    with pytest.raises(ValueError, match="no line that begins with ENTRY"):
        hlo_counts.parse("module @jit_f attributes {}")
