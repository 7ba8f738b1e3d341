"""Training throughput of a deep autoencoder in float32 and mixed precision, and PyTorch's.

An epoch of an autoencoder 784-1000-500-250-30 (decoder reversed) with logistic units, squared error
and Adam: one scan in aejax, and a loop of steps with fused Adam in PyTorch, eager and compiled.
*share* is the FLOP/s in the layers' matrix products divided by that of the machine: the fastest
large product of NumPy, PyTorch and XLA in the same precision, measured in the same rounds.
*products alone* are only the epoch's float32 matrix products, which take most of the time of every
variant.

Command:  python -m benchmarks.throughput
Run time: about five minutes on two idle cores, including PyTorch's compilation.
"""

from collections.abc import Callable
from dataclasses import asdict, dataclass
from itertools import pairwise
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
import tyro

import aejax
from aejax import losses
from aejax.runs.malloc import raise_malloc_thresholds
from benchmarks.epochs import one_scan
from benchmarks.interleaved import interleaved, record
from benchmarks.machine_rate import SIDE, add_shares, products, training_operations
from benchmarks.pytorch_epochs import pytorch_epoch


@dataclass(frozen=True)
class Config:
    """Settings of the benchmark."""

    sizes: tuple[int, ...] = (784, 1000, 500, 250, 30)
    """layer widths of the encoder, the input first; the decoder has them in reverse"""
    rows: int = 8192
    """number of examples per epoch"""
    batch_sizes: tuple[int, ...] = (128, 1024, 4096)
    """batch sizes"""
    rounds: int = 7
    """timed epochs of each variant"""
    compiled: bool = True
    """whether torch.compile, which needs a C++ compiler, is measured too"""
    product: int = SIDE
    """side of the square matrices whose product gives the machine's FLOP/s"""


QUICK = Config(
    sizes=(64, 32, 8), rows=256, batch_sizes=(64,), rounds=2, compiled=False, product=512
)


def measure(config: Config) -> dict[str, Any]:
    """Seconds, rows per second, share and ratio to PyTorch by batch size and variant."""
    x = np.random.default_rng(0).uniform(size=(config.rows, config.sizes[0])).astype(np.float32)
    operations = config.rows * training_operations(config.sizes)
    found = {}
    for size in config.batch_sizes:
        variants = pytorch_variants(config, x, size) | aejax_variants(config, x, size)
        variants |= products_alone(config, x, size)
        with products(side=config.product) as large:
            timed = interleaved(variants | large, rounds=config.rounds)
        for name in variants:
            timed[name]["rows a second"] = round(config.rows / timed[name]["median"])
        found[f"batch {size}"] = add_shares(
            timed,
            dict.fromkeys(variants, operations),
            side=config.product,
            low_precision=[each for each in variants if "bfloat16" in each or "mixed" in each],
        )
    return found


def aejax_variants(config: Config, x: np.ndarray, batch_size: int) -> dict[str, Callable[[], Any]]:
    """Make the variants of aejax: float32 and mixed precision."""
    model = aejax.dense(config.sizes, code_activation=jax.nn.identity)
    models = {"aejax": model, "aejax, mixed precision": aejax.mixed_precision(model)}
    optimizer, rows = optax.adam(1e-3), jnp.asarray(x)
    return {
        name: one_scan(aejax.objective(model, losses.squared), optimizer, rows, batch_size)
        for name, model in models.items()
    }


def pytorch_variants(
    config: Config, x: np.ndarray, batch_size: int
) -> dict[str, Callable[[], Any]]:
    """Make the variants of PyTorch: float32 and bfloat16 autocast, eager and compiled."""
    variants = {}
    for compiled in (False, True)[: 1 + config.compiled]:
        for low_precision in (False, True):
            name = (
                f"PyTorch{', bfloat16' if low_precision else ''}{', compiled' if compiled else ''}"
            )
            settings = {"low_precision": low_precision, "compiled": "default" if compiled else None}
            variants[name] = pytorch_epoch(config.sizes, x, batch_size, **settings)
    return variants


def products_alone(config: Config, x: np.ndarray, batch_size: int) -> dict[str, Callable[[], Any]]:
    """Make the matrix products of a forward and a backward pass, by PyTorch and by XLA."""
    import torch

    shapes = list(pairwise([*config.sizes, *config.sizes[-2::-1]]))
    kernels = [np.full(shape, 1e-3, np.float32) for shape in shapes]
    batches = x[: len(x) // batch_size * batch_size].reshape(-1, batch_size, x.shape[1])

    def step_products(kernels: list, batch: Any) -> list:
        inputs = [batch]
        for kernel in kernels:
            inputs.append(inputs[-1] @ kernel)
        cotangent, found = inputs[-1], []
        for i in reversed(range(len(kernels))):
            found.append(inputs[i].T @ cotangent)
            cotangent = cotangent @ kernels[i].T if i else cotangent
        return found[::-1]

    def step(kernels: list, batch: jax.Array) -> tuple[list, None]:
        pairs = zip(kernels, step_products(kernels, batch), strict=True)
        return [
            kernel + 0 * change for kernel, change in pairs
        ], None  # keeps XLA from removing the products

    run = jax.jit(lambda kernels, batches: jax.lax.scan(step, kernels, batches)[0])
    on_device = jax.tree.map(jnp.asarray, (kernels, batches))
    rows, theirs = torch.from_numpy(batches), [torch.from_numpy(kernel) for kernel in kernels]
    return {
        "PyTorch's products alone": lambda: [step_products(theirs, batch) for batch in rows],
        "XLA's products alone": lambda: jax.block_until_ready(run(*on_device)),
    }


def main(config: Config = Config()) -> None:
    """Run the benchmark, write its results and print them."""
    raise_malloc_thresholds()  # as aejax's commands do; it makes PyTorch faster too
    found = measure(config)
    record("throughput", asdict(config), found, peers=("torch",))
    for size, variants in found.items():
        for name, each in variants.items():
            print(size, name, each["rows a second"], "rows/s, share", each["share"], each["ratio"])


if __name__ == "__main__":
    tyro.cli(main)
