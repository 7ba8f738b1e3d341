"""Operations and bytes read from HLO: against hand counts, and against XLA's own analysis."""

import jax
import jax.numpy as jnp
import pytest

from aejax.planning.hlo_text import executions
from aejax.planning.operation_counts import count_operations
from aejax.sharding.hlo_types import arrays_of, type_bytes

LOOP = """HloModule jit_f, num_partitions=1

%body (arg: (s32[], f32[4,8])) -> (s32[], f32[4,8]) {
  %arg = (s32[], f32[4,8]{1,0}) parameter(0)
  %i = s32[] get-tuple-element(%arg), index=0
  %x = f32[4,8]{1,0:T(8,128)(2,1)S(1)} get-tuple-element(%arg), index=1
  %w = bf16[8,8]{1,0} constant({...})
  %h = bf16[4,8]{1,0} convert(%x)
  %y = f32[4,8]{1,0} dot(%h, %w), lhs_contracting_dims={1}, rhs_contracting_dims={0}
  ROOT %out = (s32[], /*index=1*/f32[4,8]{1,0}) tuple(%i, %y)
}

%condition (arg: (s32[], f32[4,8])) -> pred[] {
  %arg.1 = (s32[], f32[4,8]{1,0}) parameter(0)
  ROOT %less = pred[] constant(true)
}

%fused (p: f32[4,8]) -> f32[8,4] {
  %p = f32[4,8]{1,0} parameter(0)
  ROOT %t = f32[8,4]{1,0} transpose(%p), dimensions={1,0}
}

ENTRY %main (x: f32[4,8]) -> f32[8,4] {
  %x.1 = f32[4,8]{1,0} parameter(0)
  %zero = s32[] constant(0)
  %start = (s32[], f32[4,8]{1,0}) tuple(%zero, %x.1)
  %loop = (s32[], f32[4,8]{1,0}) while(%start), condition=%condition, body=%body, backend_config={"known_trip_count":{"n":"3"}}
  %x.2 = f32[4,8]{1,0} get-tuple-element(%loop), index=1
  %kernel = f32[3,3,8,5]{3,2,1,0} constant({...})
  %image = f32[2,6,6,8]{3,2,1,0} constant({...})
  %conv = f32[2,4,4,5]{3,2,1,0} convolution(%image, %kernel), window={size=3x3}, dim_labels=b01f_01io->b01f
  ROOT %f = f32[8,4]{1,0} fusion(%x.2), kind=kLoop, calls=%fused
}
"""  # noqa: E501


def test_loops_fusions_and_low_precision_are_counted():
    counts = count_operations(executions(LOOP))
    products, convolution = 3 * 2 * 4 * 8 * 8, 2 * (2 * 4 * 4 * 5) * (3 * 3 * 8)
    assert counts.operations == products + convolution
    assert counts.low_precision == products
    assert (counts.products, counts.fusions, counts.transposes, counts.loops) == (4, 1, 1, 1)
    # The conversion reads x from a TPU's vector memory, S(1).
    each_pass = 2 * 32 + (2 * 32 + 2 * 64 + 4 * 32)  # convert, dot
    once = 4 * (32 + 32) + 4 * (2 * 4 * 4 * 5 + 3 * 3 * 8 * 5 + 2 * 6 * 6 * 8)
    assert counts.bytes == 3 * each_pass + once


def test_types_of_arrays_and_tuples():
    assert arrays_of("(f32[2,3]{1,0:T(8,128)}, pred[], u4[6])") == [
        ("f32", (2, 3)),
        ("pred", ()),
        ("u4", (6,)),
    ]
    assert type_bytes("(f32[2,3]{1,0}, pred[4], bf16[])") == 24 + 4 + 2


@pytest.mark.parametrize("steps", [1, 7])
def test_operations_of_a_compiled_scan_match_a_hand_count(steps):
    x, kernel = jnp.ones((16, 32)), jnp.ones((32, 32))

    def run(x, kernel):
        return jax.lax.scan(lambda x, _: (jnp.tanh(x @ kernel), None), x, length=steps)[0]

    text = jax.jit(run).lower(x, kernel).compile().as_text()
    counts = count_operations(executions(text))
    assert counts.operations == steps * 2 * 16 * 32 * 32
    assert counts.products == steps


@pytest.mark.parametrize(
    ("strides", "padding", "dilation"),
    [((1, 1), "VALID", (1, 1)), ((2, 1), "SAME", (1, 1)), ((1, 1), ((2, 1), (0, 3)), (2, 3))],
)
def test_operations_of_a_convolution_match_xlas_analysis(strides, padding, dilation):
    x, kernel = jnp.ones((2, 9, 8, 3)), jnp.ones((3, 2, 3, 4))

    def run(x, kernel):
        return jax.lax.conv_general_dilated(
            x, kernel, strides, padding, dilation, dimension_numbers=("NHWC", "HWIO", "NHWC")
        )

    program = jax.jit(run).lower(x, kernel).compile()
    counts = count_operations(executions(program.as_text()))
    assert counts.operations == program.cost_analysis()["flops"]
    assert counts.host_transfers == 0


COUNTED = LOOP.replace(', backend_config={"known_trip_count":{"n":"3"}}', "").replace(
    "  ROOT %out = (s32[], /*index=1*/f32[4,8]{1,0}) tuple(%i, %y)",
    """  %two = s32[] constant(2)
  %next = s32[] add(%i, %two)
  ROOT %out = (s32[], /*index=1*/f32[4,8]{1,0}) tuple(%next, %y)""",
)
LIMIT = """  %i.1 = s32[] get-tuple-element(%arg.1), index=0
  %limit = s32[] constant(5)
  ROOT %less = pred[] compare(%i.1, %limit), direction=LT"""


@pytest.mark.parametrize("copies", [False, True])
def test_iterations_of_a_counted_loop_are_those_of_its_counter(copies):
    counted = COUNTED.replace("  ROOT %less = pred[] constant(true)", LIMIT)
    if copies:  # as XLA writes loops for TPUs
        counted = counted.replace("add(%i, %two)", "add(%i.2, %two)").replace(
            "  %two =", "  %i.2 = s32[] copy(%i)\n  %two ="
        )
    found, expected = (count_operations(executions(text)) for text in (counted, LOOP))
    assert found._replace(bytes=0, copies=0) == expected._replace(bytes=0, copies=0)


def test_a_loop_of_unknown_length_counts_once():
    once = count_operations(executions(COUNTED))
    assert once.low_precision == 2 * 4 * 8 * 8
