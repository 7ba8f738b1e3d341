"""Deep autoencoders and wide dictionaries on a GPU, in float32, tf32 and bfloat16.

Autoencoders 784-1000-500-250-30 and 4096-65536 (decoders reversed) with logistic units, squared
error and Adam, with batches of 1024 to 65 536 rows. An epoch of aejax is one `lax.scan`. An epoch
of PyTorch is a loop of compiled steps that replay CUDA graphs, with fused Adam, or a loop that
replays one CUDA graph per step, which contains the gradient and Adam. *share* is the FLOP/s in the
layers' matrix products divided by that of the device, of whatever precision: the fastest large
product of PyTorch and XLA in float32 or bfloat16, measured in the same rounds.

Command:  python -m benchmarks.accelerator
Run time: unknown: it has not run yet. It needs a GPU and a PyTorch build for it.
"""

import gc
import os
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import asdict, dataclass
from functools import partial
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
from benchmarks.machine_rate import add_shares, products, training_operations
from benchmarks.pytorch_epochs import pytorch_epoch, pytorch_graph_epoch

PRECISIONS = {"float32": "highest", "tf32": "tensorfloat32", "bfloat16": "default"}
"""JAX's matmul precision for float32 operands, by name."""


@dataclass(frozen=True)
class Config:
    """Settings of the benchmark."""

    models: tuple[tuple[int, ...], ...] = ((784, 1000, 500, 250, 30), (4096, 65536))
    """layer widths of each encoder, the input first; the decoders have them in reverse"""
    rows: tuple[int, ...] = (262_144, 16_384)
    """number of examples per epoch of each model, at least one batch"""
    batch_sizes: tuple[int, ...] = (1024, 8192, 65536)
    """batch sizes"""
    product: int = 8192
    """side of the square matrices whose product gives the device's FLOP/s"""
    rounds: int = 5
    """timed epochs of each variant"""
    device: str = "cuda"
    """device of PyTorch; JAX uses its default device"""


QUICK = Config(
    models=((16, 8),), rows=(64,), batch_sizes=(32,), product=512, rounds=2, device="cpu"
)


def measure(config: Config) -> dict[str, Any]:
    """Seconds, rows per second, share and ratios by model, batch size and precision."""
    return {
        f"{'-'.join(map(str, sizes))}, batch {batch_size}, {precision}": _case(
            config, sizes, max(rows, batch_size), batch_size, precision
        )
        for sizes, rows in zip(config.models, config.rows, strict=True)
        for batch_size in config.batch_sizes
        for precision in PRECISIONS
    }


def main(config: Config = Config()) -> None:
    """Run the benchmark, write its results and print them."""
    os.environ.setdefault("XLA_PYTHON_CLIENT_PREALLOCATE", "false")  # PyTorch needs memory too
    found = measure(config)
    record("accelerator", asdict(config), found, peers=("torch",))
    for case, variants in found.items():
        for name, each in variants.items():
            print(case, name, each["rows a second"], "rows/s, share", each["share"], each["ratio"])


def _case(
    config: Config, sizes: tuple[int, ...], rows: int, batch_size: int, precision: str
) -> dict[str, dict]:
    """Time all variants of one model in one precision, then free their device memory."""
    x = np.random.default_rng(0).uniform(size=(rows, sizes[0])).astype(np.float32)
    low_precision, graphs = precision == "bfloat16", config.device == "cuda"
    theirs = {"sizes": sizes, "x": x, "batch_size": batch_size, "low_precision": low_precision}
    variants = {
        "PyTorch, compiled": pytorch_epoch(
            **theirs, compiled="reduce-overhead" if graphs else None, device=config.device
        )
    }
    if graphs:
        variants["PyTorch, one graph a step"] = pytorch_graph_epoch(**theirs)
    model = aejax.dense(sizes, code_activation=jax.nn.identity)
    objective = aejax.objective(
        aejax.mixed_precision(model) if low_precision else model, losses.squared
    )
    variants["aejax"] = one_scan(objective, optax.adam(1e-3), jnp.asarray(x), batch_size)
    context = partial(_matmul_precision, precision)
    variants = {name: partial(_within, context, variant) for name, variant in variants.items()}
    with products(side=config.product, device=config.device) as large:
        timed = interleaved(variants | large, rounds=config.rounds)
    for name in variants:
        timed[name]["rows a second"] = round(rows / timed[name]["median"])
    operations = dict.fromkeys(variants, rows * training_operations(sizes))
    found = add_shares(timed, operations, side=config.product, low_precision=[*variants])
    del variants, theirs, large
    _free(config.device)
    return found


def _within(context: Callable[[], AbstractContextManager], variant: Callable[[], Any]) -> None:
    with context():
        variant()


@contextmanager
def _matmul_precision(precision: str) -> Iterator[None]:
    """Set the precision of float32 matrix products in JAX and in PyTorch."""
    import torch

    before = torch.get_float32_matmul_precision()
    torch.set_float32_matmul_precision("highest" if precision == "float32" else "high")
    try:
        with jax.default_matmul_precision(PRECISIONS[precision]):
            yield
    finally:
        torch.set_float32_matmul_precision(before)


def _free(device: str) -> None:
    """Free the compiled steps, CUDA graphs and device memory of a case."""
    import torch

    jax.clear_caches()
    torch.compiler.reset()
    gc.collect()
    if device == "cuda":
        torch.cuda.empty_cache()


if __name__ == "__main__":
    tyro.cli(main)
