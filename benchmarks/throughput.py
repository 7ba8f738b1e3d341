"""Rows a second of a deep autoencoder's training, in float32 and mixed precision, beside PyTorch's.

An epoch of 784-1000-500-250-30 and its mirror, logistic units, squared error, Adam: aejax's is one
scan; PyTorch's is a loop of its own steps with fused Adam, eager and compiled. The share is of the
machine's rate of float32 products in NumPy, measured in the same rounds: 6 operations a parameter
and row. *Products alone* are the epoch's products of matrices in float32 and nothing else, by XLA
and by PyTorch: most of what any way must do.

Command:  python -m benchmarks.throughput
Run time: about five minutes on two quiet cores; the compiler of PyTorch takes some of it.
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
from benchmarks.pytorch_epochs import pytorch_epoch


@dataclass(frozen=True)
class Config:
    """Everything that decides the numbers."""

    sizes: tuple[int, ...] = (784, 1000, 500, 250, 30)
    """units of the encoder's layers; the decoder mirrors them"""
    rows: int = 8192
    """examples of an epoch"""
    batch_sizes: tuple[int, ...] = (128, 1024, 4096)
    """examples a step"""
    rounds: int = 7
    """epochs of each way that count"""
    compiled: bool = True
    """torch.compile too, which needs a C++ compiler"""


QUICK = Config(sizes=(64, 32, 8), rows=256, batch_sizes=(64,), rounds=2, compiled=False)


def measure(config: Config) -> dict[str, Any]:
    """By batch size and way: seconds, rows a second, share of NumPy's rate, ratio to PyTorch."""
    x = np.random.default_rng(0).uniform(size=(config.rows, config.sizes[0])).astype(np.float32)
    parameters = 2 * sum(a * b for a, b in pairwise(config.sizes))
    left, right = x[:1024], np.ones((config.sizes[0], 1000), np.float32)
    found = {}
    for size in config.batch_sizes:
        ways = pytorch_ways(config, x, size) | aejax_ways(config, x, size)
        ways |= products_alone(config, x, size) | {"NumPy's product": lambda: left @ right}
        timed = interleaved(ways, rounds=config.rounds)
        rate = 2 * left.size * right.shape[1] / timed.pop("NumPy's product")["median"]
        for each in timed.values():
            speed = config.rows / each["median"]
            each |= {
                "rows a second": round(speed),
                "share": round(6 * parameters * speed / rate, 3),
            }
        found[f"batch {size}"] = timed
    return found


def aejax_ways(config: Config, x: np.ndarray, batch_size: int) -> dict[str, Callable[[], Any]]:
    """An epoch in one scan, in float32 and in mixed precision."""
    model = aejax.dense(config.sizes, code_activation=jax.nn.identity)
    models = {"aejax": model, "aejax, mixed precision": aejax.mixed_precision(model)}
    optimizer, rows = optax.adam(1e-3), jnp.asarray(x)
    return {
        name: one_scan(aejax.objective(model, losses.squared), optimizer, rows, batch_size)
        for name, model in models.items()
    }


def pytorch_ways(config: Config, x: np.ndarray, batch_size: int) -> dict[str, Callable[[], Any]]:
    """An epoch of PyTorch's steps: float32 and bfloat16 autocast, eager and compiled."""
    ways = {}
    for compiled in (False, True)[: 1 + config.compiled]:
        for few_bits in (False, True):
            name = f"PyTorch{', bfloat16' if few_bits else ''}{', compiled' if compiled else ''}"
            settings = {"few_bits": few_bits, "compiled": "default" if compiled else None}
            ways[name] = pytorch_epoch(config.sizes, x, batch_size, **settings)
    return ways


def products_alone(config: Config, x: np.ndarray, batch_size: int) -> dict[str, Callable[[], Any]]:
    """Forwards, and back to every kernel and every layer's input but the first."""
    import torch

    shapes = list(pairwise([*config.sizes, *config.sizes[-2::-1]]))
    kernels = [np.full(shape, 1e-3, np.float32) for shape in shapes]
    batches = x[: len(x) // batch_size * batch_size].reshape(-1, batch_size, x.shape[1])

    def products(kernels: list, batch: Any) -> list:
        inputs = [batch]
        for kernel in kernels:
            inputs.append(inputs[-1] @ kernel)
        cotangent, found = inputs[-1], []
        for i in reversed(range(len(kernels))):
            found.append(inputs[i].T @ cotangent)
            cotangent = cotangent @ kernels[i].T if i else cotangent
        return found[::-1]

    def step(kernels: list, batch: jax.Array) -> tuple[list, None]:
        moved = zip(kernels, products(kernels, batch), strict=True)
        return [kernel + 0 * change for kernel, change in moved], None  # so that none is left out

    run = jax.jit(lambda kernels, batches: jax.lax.scan(step, kernels, batches)[0])
    on_device = jax.tree.map(jnp.asarray, (kernels, batches))
    rows, theirs = torch.from_numpy(batches), [torch.from_numpy(kernel) for kernel in kernels]
    return {
        "PyTorch's products alone": lambda: [products(theirs, batch) for batch in rows],
        "XLA's products alone": lambda: jax.block_until_ready(run(*on_device)),
    }


def main(config: Config = Config()) -> None:
    """Measure, write and print."""
    raise_malloc_thresholds()  # as the commands do; PyTorch gains by it too
    found = measure(config)
    record("throughput", asdict(config), found, peers=("torch",))
    for size, ways in found.items():
        for name, each in ways.items():
            print(size, name, each["rows a second"], "rows/s, share", each["share"], each["ratio"])


if __name__ == "__main__":
    tyro.cli(main)
