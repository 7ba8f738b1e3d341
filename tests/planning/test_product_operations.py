"""Operations of products that NVIDIA's libraries compute, against hand counts."""

import pytest

from aejax.planning.hlo_text import executions
from aejax.planning.operation_counts import count_operations

IMAGE, KERNEL, OUTPUT = "f32[8,9,7,16]", "f32[32,3,5,16]", "f32[8,4,2,32]"
OPERATIONS = 2 * (8 * 4 * 2 * 32) * (3 * 5 * 16)
LABELS = "window={size=3x5 stride=2x2}, dim_labels=b01f_o01i->b01f"


def program(result, left, right, attributes):
    return f"""HloModule jit_f

ENTRY %main (x: {left}, y: {right}) -> {result} {{
  %x = {left}{{1,0}} parameter(0)
  %y = {right}{{1,0}} parameter(1)
  %z = ({result}{{1,0}}, u8[0]{{0}}) custom-call(%x, %y), {attributes}
  ROOT %r = {result}{{1,0}} get-tuple-element(%z), index=0
}}
"""


@pytest.mark.parametrize(
    ("name", "result", "left", "right"),
    [
        ("Forward", OUTPUT, IMAGE, KERNEL),
        ("BiasActivationForward", OUTPUT, IMAGE, KERNEL),
        ("BackwardInput", IMAGE, OUTPUT, KERNEL),
        ("BackwardFilter", KERNEL, IMAGE, OUTPUT),
    ],
)
@pytest.mark.parametrize("dtype", ["f32", "bf16"])
def test_each_pass_of_a_convolution_has_the_same_operations(name, result, left, right, dtype):
    result, left, right = (each.replace("f32", dtype) for each in (result, left, right))
    target = f'{LABELS}, custom_call_target="__cudnn$conv{name}"'
    counts = count_operations(executions(program(result, left, right, target)))
    assert counts.operations == OPERATIONS
    assert counts.low_precision == (OPERATIONS if dtype == "bf16" else 0)
    assert counts.products == 1


@pytest.mark.parametrize("target", ["__cublas$gemm", "__cublas$lt$matmul"])
def test_products_of_cublas_are_counted(target):
    dimensions = '"lhs_contracting_dimensions":["0"],"rhs_contracting_dimensions":["1"]'
    attributes = (
        f'custom_call_target="{target}", backend_config={{"gemm_backend_config":'
        f'{{"dot_dimension_numbers":{{{dimensions}}}}}}}'
    )
    text = program("f32[6,5]", "f32[7,6]", "f32[5,7]", attributes)
    assert count_operations(executions(text)).operations == 2 * 6 * 5 * 7


def test_other_calls_of_libraries_are_no_products():
    text = program("f32[6,5]", "f32[7,6]", "f32[5,7]", 'custom_call_target="__cub$DeviceRadixSort"')
    assert count_operations(executions(text)).operations == 0
