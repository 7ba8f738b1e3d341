"""Counts of a compiled program: operations, bytes, instructions that move data, fusions."""

import re
from collections import Counter
from collections.abc import Iterable
from typing import NamedTuple

from aejax.planning.hlo_text import Execution
from aejax.planning.memory_traffic import memory_traffic
from aejax.planning.product_operations import product_operations
from aejax.sharding.hlo_types import arrays_of, dtype_bits

_HOST = re.compile(r'"[^"]*(?:callback|SendToHost|RecvFromHost)[^"]*"')


class OperationCounts(NamedTuple):
    """Counts of one run of a program, on one device.

    operations:      multiplications and additions of all matrix products and convolutions.
    low_precision:   the part of them whose operands have fewer than 32 bits.
    bytes:           bytes read from and written to the memory by all instructions.
    products:        number of matrix products and convolutions.
    fusions:         number of fusions.
    transposes:      number of transposes that are stored in memory, in fusions or alone.
    copies:          number of copies outside of fusions.
    host_transfers:  number of calls to the host, and transfers from and to it.
    loops:           number of loops.
    """

    operations: int
    low_precision: int
    bytes: int
    products: int
    fusions: int
    transposes: int
    copies: int
    host_transfers: int
    loops: int


def count_operations(program: Iterable[Execution]) -> OperationCounts:
    """Count the operations of a compiled program.

    Args:
        program: instructions of the program, from `hlo_text.executions`.

    Returns:
        The counts. Elementwise operations are not counted, because products take most of the time.
    """
    kinds: Counter[str] = Counter()
    operations = low_precision = traffic = products = host = 0
    for execution in program:
        instruction, times = execution.instruction, execution.times
        kinds[instruction.kind] += times
        if instruction.kind == "copy" and not execution.is_top_level:
            kinds["copy"] -= times
        own = times * product_operations(execution)
        products += times * bool(own)
        operations += own
        low_precision += own if _is_low_precision(execution) else 0
        traffic += times * memory_traffic(execution)
        host += times * bool(
            instruction.kind in ("infeed", "outfeed")
            or (instruction.kind == "custom-call" and _HOST.search(instruction.attributes))
        )
    return OperationCounts(
        operations,
        low_precision,
        traffic,
        products,
        kinds["fusion"],
        kinds["transpose"],
        kinds["copy"],
        host,
        kinds["while"],
    )


def _is_low_precision(execution: Execution) -> bool:
    dtypes = [dtype for operand in execution.operands for dtype, _ in arrays_of(operand)]
    return bool(dtypes) and all(dtype_bits(dtype) < 32 for dtype in dtypes)
