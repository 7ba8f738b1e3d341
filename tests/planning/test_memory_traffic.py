"""Bytes read and written: programs of known traffic, loops, and XLA's own analysis."""

import jax
import jax.numpy as jnp
import pytest

from aejax.planning.hlo_text import executions
from aejax.planning.operation_counts import count_operations

SIZE, STEPS = 4096, 11
STACK = jax.ShapeDtypeStruct((STEPS, SIZE), jnp.float32)
VECTOR = jax.ShapeDtypeStruct((SIZE,), jnp.float32)
BYTES = 4 * SIZE


def compiled(function, *shapes):
    return jax.jit(function).lower(*shapes).compile()


def traffic(function, *shapes):
    return count_operations(executions(compiled(function, *shapes).as_text())).bytes


def test_a_loop_that_sums_the_rows_of_an_array_reads_each_row_once():
    def total(rows, start):
        return jax.lax.scan(lambda total, row: (jnp.sin(total) + row, None), start, rows)[0]

    each_step = 3 * BYTES  # a row and the sum are read, the sum is written
    assert traffic(total, STACK, VECTOR) == pytest.approx(STEPS * each_step, rel=0.1)


def test_a_loop_that_stacks_its_results_writes_each_row_once():
    def powers(start):
        def step(x, _):
            x = jnp.sin(x)
            return x, x

        return jax.lax.scan(step, start, length=STEPS)[1]

    # x is read, and written to itself and to its row; XLA for CPUs also copies it.
    least, copied, start = 3 * BYTES, 3 * BYTES, (STEPS + 2) * BYTES
    assert STEPS * least <= traffic(powers, VECTOR) <= (STEPS * (least + copied) + start) * 1.01


def test_rows_selected_by_index_are_read_alone():
    def select(rows, index):
        return jax.lax.dynamic_index_in_dim(rows, index, keepdims=False) * 2

    index = jax.ShapeDtypeStruct((), jnp.int32)
    assert traffic(select, STACK, index) == pytest.approx(2 * BYTES, rel=0.05)


def test_without_loops_the_count_is_xlas():
    def gradient(kernel, x):
        return jax.grad(lambda kernel: jnp.sum(jnp.tanh(x @ kernel) ** 2))(kernel)

    shapes = [jax.ShapeDtypeStruct(shape, jnp.float32) for shape in ((64, 32), (128, 64))]
    program = compiled(gradient, *shapes)
    expected = program.cost_analysis()["bytes accessed"]
    found = count_operations(executions(program.as_text())).bytes
    assert found == pytest.approx(expected, rel=0.05)


FUSED = """HloModule jit_f

%fused (p: f32[64,8], q: f32[8], i: s32[]) -> f32[64,8] {
  %p = f32[64,8]{1,0} parameter(0)
  %q = f32[8]{0:T(256)S(1)} parameter(1)
  %i = s32[] parameter(2)
  %zero = s32[] constant(0)
  %row = f32[1,8]{1,0} dynamic-slice(%p, %i, %zero), dynamic_slice_sizes={1,8}
  %flat = f32[8]{0} bitcast(%row)
  %sum = f32[8]{0} add(%flat, %q)
  %update = f32[1,8]{1,0} bitcast(%sum)
  ROOT %result = f32[64,8]{1,0} dynamic-update-slice(%p, %update, %i, %zero)
}

ENTRY %main (x: f32[64,8], y: f32[8], i: s32[]) -> f32[64,8] {
  %x = f32[64,8]{1,0} parameter(0)
  %y = f32[8]{0:T(256)S(1)} parameter(1)
  %j = s32[] parameter(2)
  %start = (f32[64,8]{1,0}, f32[64,8]{1,0}, u32[]) copy-start(%x)
  %done = f32[64,8]{1,0} copy-done(%start)
  ROOT %f = f32[64,8]{1,0} fusion(%done, %y, %j), kind=kLoop, calls=%fused
}
"""


def test_an_update_in_place_reads_and_writes_the_rows_that_it_changes():
    """The other operand is in a TPU's vector memory, S(1)."""
    row, index, copied, context = 8 * 4, 4, 2 * 64 * 8 * 4, 4
    assert count_operations(executions(FUSED)).bytes == copied + context + 2 * row + index
