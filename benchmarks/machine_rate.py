"""FLOP/s of the machine: the fastest large matrix product of NumPy, PyTorch and XLA.

A benchmark times the products in the rounds of its variants and divides each variant's FLOP/s by
the fastest product of the variant's precision. A training in bfloat16 may compute in float32 where
that is faster, so that its rate is that of the fastest product of both.
"""

import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import pairwise
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

SIDE = 2048
"""Side of the square matrices."""

PRECISIONS = ("float32", "bfloat16")

SLOWED_KERNELS = "OPENBLAS_CORETYPE"
"""Environment variable that selects the kernels of an older processor in NumPy's OpenBLAS."""

NUMPY_PRODUCTS = """
import sys
import numpy as np
left = np.full(2 * [int(sys.argv[1])], 0.5, np.float32)
print(flush=True)
for _ in sys.stdin:
    left @ left
    print(flush=True)
"""


@contextmanager
def products(*, side: int = SIDE, device: str = "cpu") -> Iterator[dict[str, Callable[[], Any]]]:
    """Products of square matrices as variants for `benchmarks.interleaved`.

    NumPy's product runs in a process of its own, without the environment variable that makes its
    library use the kernels of an older processor.

    Args:
        side: side of the matrices.
        device: device of PyTorch, "cpu" or "cuda"; JAX uses its default device. Without "cpu",
            NumPy is left out.

    Yields:
        Functions that compute one product, by name.
    """
    with _numpy_product(side) as numpy_product:
        variants = {_name("NumPy", "float32"): numpy_product} if device == "cpu" else {}
        for precision in PRECISIONS:
            variants[_name("PyTorch", precision)] = _pytorch_product(side, precision, device)
            variants[_name("XLA", precision)] = _xla_product(side, precision)
        yield variants


def add_shares(
    timed: Mapping[str, Mapping[str, Any]],
    operations: Mapping[str, float],
    *,
    side: int = SIDE,
    low_precision: Sequence[str] = (),
) -> dict[str, dict[str, Any]]:
    """Add to each variant its FLOP/s and their share of the machine's.

    Args:
        timed: results of `interleaved` for the variants and the products.
        operations: FLOP of one call of each variant, by name.
        side: side of the matrices of the products.
        low_precision: names of the variants in bfloat16; all others are in float32.

    Returns:
        The variants without the products, with "GFLOP/s", "machine's GFLOP/s" and "share".

    Raises:
        ValueError: if a share is above 1: the FLOP are counted wrongly, or the products were slow.
    """
    found = {name: dict(each) for name, each in timed.items() if name in operations}
    rates = machine_rates(timed, side=side)
    for name, each in found.items():
        precision = "bfloat16" if name in low_precision else "float32"
        own, rate = operations[name] / each["median"], rates[precision]
        if own > rate:
            raise ValueError(
                f"{name}: {own / 1e9:.4g} GFLOP/s are more than the {rate / 1e9:.4g} GFLOP/s of "
                f"the machine's fastest {precision} product: a share above 1 is no share"
            )
        each |= {
            "GFLOP/s": float(f"{own / 1e9:.4g}"),
            "machine's GFLOP/s": float(f"{rate / 1e9:.4g}"),
            "share": float(f"{own / rate:.3g}"),
        }
    return found


def machine_rates(timed: Mapping[str, Mapping[str, Any]], *, side: int = SIDE) -> dict[str, float]:
    """FLOP/s of the machine by precision.

    Args:
        timed: results of `interleaved` for the products, by name.
        side: side of the matrices.

    Returns:
        FLOP/s of the fastest product by its median time; for bfloat16, of both precisions.
    """
    rates = {
        precision: max(
            2 * side**3 / each["median"]
            for name, each in timed.items()
            if name.endswith(_name("", precision))
        )
        for precision in PRECISIONS
    }
    return rates | {"bfloat16": max(rates.values())}


def training_operations(sizes: Sequence[int]) -> int:
    """FLOP per row in the matrix products of a training step of a dense autoencoder.

    Args:
        sizes: layer widths of the encoder, the input first; the decoder has them in reverse.

    Returns:
        6 FLOP per weight, less 2 per weight of the first layer: the gradient of the input is not
        computed.
    """
    return 12 * sum(a * b for a, b in pairwise(sizes)) - 2 * sizes[0] * sizes[1]


def _name(package: str, precision: str) -> str:
    return f"{package}'s {precision} product"


@contextmanager
def _numpy_product(side: int) -> Iterator[Callable[[], Any]]:
    """A function that lets another process compute a product, and waits for it."""
    environment = {name: text for name, text in os.environ.items() if name != SLOWED_KERNELS}
    command = [sys.executable, "-c", NUMPY_PRODUCTS, str(side)]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    with subprocess.Popen(command, env=environment, text=True, bufsize=1, **pipes) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        requests, answers = process.stdin, process.stdout
        answers.readline()  # the matrices are ready

        def product() -> None:
            requests.write("\n")
            requests.flush()
            if not answers.readline():
                raise RuntimeError("the process that computes NumPy's products has ended")

        try:
            yield product
        finally:
            requests.close()  # ends the process


def _pytorch_product(side: int, precision: str, device: str) -> Callable[[], Any]:
    import torch

    matrix = torch.full((side, side), 0.5, dtype=getattr(torch, precision), device=device)

    def product() -> None:
        matrix @ matrix
        if device == "cuda":
            torch.cuda.synchronize()

    return product


def _xla_product(side: int, precision: str) -> Callable[[], Any]:
    matrix = jnp.full((side, side), 0.5, np.dtype(precision))
    multiply = jax.jit(jnp.matmul)
    return lambda: jax.block_until_ready(multiply(matrix, matrix))
