"""Reads of the window of a convolution against enumeration, and against XLA's analysis."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from aejax.planning.hlo_text import executions
from aejax.planning.operation_counts import count_operations
from aejax.planning.window_reads import window_reads


def enumerated(inputs, size, outputs, stride, before, dilation, spacing):
    places = range(0, inputs * dilation, dilation)
    return sum(
        output * stride + position * spacing - before in places
        for output, position in itertools.product(range(outputs), range(size))
    )


def test_reads_match_an_enumeration_of_the_window():
    draw = np.random.default_rng(0).integers
    for _ in range(300):
        inputs, size, outputs, stride, dilation, spacing = map(int, draw(1, 8, 6))
        before = int(draw(-3, 8))
        attributes = (
            f"window={{size={size} stride={stride} pad={before}_2 lhs_dilate={dilation} "
            f"rhs_dilate={spacing}}}, dim_labels=0bf_0io->0bf"
        )
        expected = enumerated(inputs, size, outputs, stride, before, dilation, spacing)
        assert window_reads(attributes, [inputs], [size], [outputs]) == expected


def test_a_batch_of_products_as_a_convolution_has_their_operations():
    """As XLA writes it for TPUs: each window position but one reads padding or a gap."""
    attributes = "window={size=64 stride=63 lhs_dilate=64}, dim_labels=0bf_0io->0bf"
    assert window_reads(attributes, [64], [64], [64]) == 64
    assert window_reads("dim_labels=bf_io->bf", [], [], []) == 1


@pytest.mark.parametrize("dilations", [(1, 1), (2, 1), (1, 2), (3, 2)])
def test_operations_of_a_padded_convolution_match_xlas_analysis(dilations):
    x, kernel = jnp.ones((2, 9, 3)), jnp.ones((4, 3, 5))

    def run(x, kernel):
        return jax.lax.conv_general_dilated(
            x,
            kernel,
            (2,),
            [(3, 1)],
            lhs_dilation=dilations[:1],
            rhs_dilation=dilations[1:],
            dimension_numbers=("NWC", "WIO", "NWC"),
        )

    program = jax.jit(run).lower(x, kernel).compile()
    counts = count_operations(executions(program.as_text()))
    assert counts.operations == program.cost_analysis()["flops"]
