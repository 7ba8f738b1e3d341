"""Deep autoencoders and wide dictionaries on a GPU, in float32, tf32 and bfloat16.

784-1000-500-250-30 and its mirror, and 4096-65536 and back, at batches from a thousand to 65 536
rows: aejax's epoch as one scan beside PyTorch's compiled loop, which replays CUDA graphs where
there is a GPU. The share is of the device's rate of bfloat16 products, measured in the same rounds:
6 operations a parameter and row.

Command:  python -m benchmarks.accelerator
Run time: not known; it has not run on a GPU yet. It needs one, and PyTorch built for it.
"""

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
from benchmarks.pytorch_epochs import pytorch_epoch

PRECISIONS = {"float32": "highest", "tf32": "tensorfloat32", "bfloat16": "default"}
"""By name: how JAX multiplies float32."""


@dataclass(frozen=True)
class Config:
    """Everything that decides the numbers."""

    models: tuple[tuple[int, ...], ...] = ((784, 1000, 500, 250, 30), (4096, 65536))
    """units of the encoders' layers; the decoders mirror them"""
    batch_sizes: tuple[int, ...] = (1024, 8192, 65536)
    """examples a step"""
    rows: int = 65_536
    """examples of an epoch"""
    product: int = 8192
    """side of the matrices whose product is the device's rate"""
    rounds: int = 5
    """epochs of each way that count"""
    device: str = "cuda"
    """PyTorch's name of the device; JAX takes its default"""
    compiled: str | None = "reduce-overhead"
    """mode of torch.compile"""


QUICK = Config(
    models=((16, 8),),
    batch_sizes=(32,),
    rows=64,
    product=64,
    rounds=2,
    device="cpu",
    compiled=None,
)


def measure(config: Config) -> dict[str, Any]:
    """By model and batch size: seconds, rows a second, share of the device's rate, ratios."""
    found = {}
    for sizes in config.models:
        x = np.random.default_rng(0).uniform(size=(config.rows, sizes[0])).astype(np.float32)
        operations = 12 * sum(a * b for a, b in pairwise(sizes)) * config.rows
        for batch_size in config.batch_sizes:
            ways = ways_of(config, sizes, x, batch_size)
            timed = interleaved(ways | {"a product": _product(config)}, rounds=config.rounds)
            rate = 2 * config.product**3 / timed.pop("a product")["median"]
            for each in timed.values():
                each["rows a second"] = round(config.rows / each["median"])
                each["share"] = round(operations / each["median"] / rate, 3)
            found[f"{'-'.join(map(str, sizes))}, batch {batch_size}"] = timed
    return found


def ways_of(
    config: Config, sizes: tuple[int, ...], x: np.ndarray, batch_size: int
) -> dict[str, Callable[[], Any]]:
    """PyTorch's loop and aejax's scan, in each precision."""
    ways: dict[str, Callable[[], Any]] = {}
    for name, precision in PRECISIONS.items():
        few_bits = name == "bfloat16"
        model = aejax.dense(sizes, code_activation=jax.nn.identity)
        objective = aejax.objective(
            aejax.mixed_precision(model) if few_bits else model, losses.squared
        )
        theirs = pytorch_epoch(
            sizes,
            x,
            batch_size,
            few_bits=few_bits,
            compiled=config.compiled,
            device=config.device,
        )
        ours = one_scan(objective, optax.adam(1e-3), jnp.asarray(x), batch_size)
        ways[f"PyTorch, {name}"] = partial(_within, partial(_tf32, name != "float32"), theirs)
        ways[f"aejax, {name}"] = partial(
            _within, partial(jax.default_matmul_precision, precision), ours
        )
    return ways


def main(config: Config = Config()) -> None:
    """Measure, write and print."""
    found = measure(config)
    record("accelerator", asdict(config), found, peers=("torch",))
    for case, ways in found.items():
        for name, each in ways.items():
            print(case, name, each["rows a second"], "rows/s, share", each["share"], each["ratio"])


def _within(context: Callable[[], AbstractContextManager], way: Callable[[], Any]) -> None:
    with context():
        way()


@contextmanager
def _tf32(allowed: bool) -> Iterator[None]:
    """PyTorch's products of float32 by tf32, or not."""
    import torch

    before = torch.get_float32_matmul_precision()
    torch.set_float32_matmul_precision("high" if allowed else "highest")
    try:
        yield
    finally:
        torch.set_float32_matmul_precision(before)


def _product(config: Config) -> Callable[[], Any]:
    side = jnp.ones((config.product, config.product), jnp.bfloat16)
    multiply = jax.jit(jnp.matmul)
    return lambda: jax.block_until_ready(multiply(side, side))


if __name__ == "__main__":
    tyro.cli(main)
