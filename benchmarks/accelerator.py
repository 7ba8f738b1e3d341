"""Deep autoencoders and wide dictionaries on a GPU, in float32, tf32 and bfloat16.

784-1000-500-250-30 and its mirror, and 4096-65536 and back, logistic units, squared error, Adam,
at batches from a thousand to 65 536 rows. aejax's epoch is one scan. PyTorch's is a loop of
compiled steps that replay CUDA graphs, with fused Adam; and a loop of one CUDA graph a step, which
holds gradient and Adam too. The share is of the device's rate of bfloat16 products, measured in the
same rounds: 6 operations a parameter and row.

Command:  python -m benchmarks.accelerator
Run time: not known; it has not run on a GPU yet. It needs one, and PyTorch built for it.
"""

import gc
import os
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import asdict, dataclass
from functools import partial
from itertools import pairwise
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
import tyro

import aejax
from aejax import losses
from benchmarks.epochs import one_scan
from benchmarks.interleaved import interleaved, record
from benchmarks.pytorch_epochs import pytorch_epoch, pytorch_graph_epoch

PRECISIONS = {"float32": "highest", "tf32": "tensorfloat32", "bfloat16": "default"}
"""By name: how JAX multiplies float32."""


@dataclass(frozen=True)
class Config:
    """Everything that decides the numbers."""

    models: tuple[tuple[int, ...], ...] = ((784, 1000, 500, 250, 30), (4096, 65536))
    """units of the encoders' layers; the decoders mirror them"""
    rows: tuple[int, ...] = (262_144, 16_384)
    """examples of an epoch of each model, where that is a batch at least"""
    batch_sizes: tuple[int, ...] = (1024, 8192, 65536)
    """examples a step"""
    product: int = 8192
    """side of the matrices whose product is the device's rate"""
    rounds: int = 5
    """epochs of each way that count"""
    device: str = "cuda"
    """PyTorch's name of the device; JAX takes its default"""


QUICK = Config(models=((16, 8),), rows=(64,), batch_sizes=(32,), product=64, rounds=2, device="cpu")


def measure(config: Config) -> dict[str, Any]:
    """By model, batch and precision: seconds, rows a second, share of the rate, ratios."""
    return {
        f"{'-'.join(map(str, sizes))}, batch {batch_size}, {precision}": _case(
            config, sizes, max(rows, batch_size), batch_size, precision
        )
        for sizes, rows in zip(config.models, config.rows, strict=True)
        for batch_size in config.batch_sizes
        for precision in PRECISIONS
    }


def main(config: Config = Config()) -> None:
    """Measure, write and print."""
    os.environ.setdefault("XLA_PYTHON_CLIENT_PREALLOCATE", "false")  # PyTorch needs room beside it
    found = measure(config)
    record("accelerator", asdict(config), found, peers=("torch",))
    for case, ways in found.items():
        for name, each in ways.items():
            print(case, name, each["rows a second"], "rows/s, share", each["share"], each["ratio"])


def _case(
    config: Config, sizes: tuple[int, ...], rows: int, batch_size: int, precision: str
) -> dict[str, dict]:
    """All ways of one training in one precision. What they hold on the device goes with them."""
    x = np.random.default_rng(0).uniform(size=(rows, sizes[0])).astype(np.float32)
    few_bits, graphs = precision == "bfloat16", config.device == "cuda"
    theirs = {"sizes": sizes, "x": x, "batch_size": batch_size, "few_bits": few_bits}
    ways = {
        "PyTorch, compiled": pytorch_epoch(
            **theirs, compiled="reduce-overhead" if graphs else None, device=config.device
        )
    }
    if graphs:
        ways["PyTorch, one graph a step"] = pytorch_graph_epoch(**theirs)
    model = aejax.dense(sizes, code_activation=jax.nn.identity)
    objective = aejax.objective(aejax.mixed_precision(model) if few_bits else model, losses.squared)
    ways["aejax"] = one_scan(objective, optax.adam(1e-3), jnp.asarray(x), batch_size)
    multiplied = partial(_multiplied, precision)
    ways = {name: partial(_within, multiplied, way) for name, way in ways.items()}
    timed = interleaved(ways | {"a product": _product(config.product)}, rounds=config.rounds)
    rate = 2 * config.product**3 / timed.pop("a product")["median"]
    operations = 12 * sum(a * b for a, b in pairwise(sizes)) * rows
    for each in timed.values():
        each["rows a second"] = round(rows / each["median"])
        each["share"] = round(operations / each["median"] / rate, 3)
    del ways, theirs
    _free(config.device)
    return timed


def _within(context: Callable[[], AbstractContextManager], way: Callable[[], Any]) -> None:
    with context():
        way()


@contextmanager
def _multiplied(precision: str) -> Iterator[None]:
    """Products of float32 as asked, in JAX and in PyTorch."""
    import torch

    before = torch.get_float32_matmul_precision()
    torch.set_float32_matmul_precision("highest" if precision == "float32" else "high")
    try:
        with jax.default_matmul_precision(PRECISIONS[precision]):
            yield
    finally:
        torch.set_float32_matmul_precision(before)


def _product(side: int) -> Callable[[], Any]:
    matrix = jax.random.normal(jax.random.key(0), (side, side), jnp.bfloat16)
    multiply = jax.jit(jnp.matmul)
    return lambda: jax.block_until_ready(multiply(matrix, matrix))


def _free(device: str) -> None:
    """Give back what a case had: its compiled steps, their graphs and their memory."""
    import torch

    jax.clear_caches()
    torch.compiler.reset()
    gc.collect()
    if device == "cuda":
        torch.cuda.empty_cache()


if __name__ == "__main__":
    tyro.cli(main)
