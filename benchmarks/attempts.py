"""What was tried to make training in float32 faster on a processor, beside training as it is.

784-1000-500-250-30 and its mirror, squared error, Adam, an epoch as one scan: with all of XLA's
products by Eigen, where YNNPACK has most of them; with wider vectors; with the scheduler that looks
for what can run at once; and with Adam on one vector of all parameters. Then the convolutional
autoencoder of `benchmarks.convolution`: without the barriers that keep XLA from joining products to
what surrounds them, with patches of single pixels where blocks of stride × stride are taken whole,
and with patches of the input alone.

Command:  python -m benchmarks.attempts
Run time: about two minutes on two quiet cores.
"""

from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
import tyro

import aejax
from aejax import losses
from aejax.layers.low_precision import matmul
from aejax.types import Array
from benchmarks import convolution
from benchmarks.epochs import one_scan
from benchmarks.interleaved import interleaved, record

OPTIONS: dict[str, dict[str, Any]] = {
    "products by Eigen": {"xla_cpu_experimental_ynn_fusion_type": ""},
    "vectors of 512 bits": {"xla_cpu_prefer_vector_width": 512},
    "another scheduler": {"xla_cpu_enable_concurrency_optimized_scheduler": True},
}
"""By name: options of XLA."""


@dataclass(frozen=True)
class Config:
    """Everything that decides the numbers."""

    sizes: tuple[int, ...] = (784, 1000, 500, 250, 30)
    """units of the encoder's layers; the decoder mirrors them"""
    rows: int = 8192
    """examples of an epoch"""
    batch_sizes: tuple[int, ...] = (128, 1024, 4096)
    """examples a step"""
    images: convolution.Config = field(default_factory=convolution.Config)
    """the convolutional autoencoder's"""
    rounds: int = 7
    """epochs of each way that count"""


QUICK = Config(sizes=(16, 8), rows=64, batch_sizes=(32,), images=convolution.QUICK, rounds=2)


def measure(config: Config) -> dict[str, Any]:
    """By what is trained and by way: seconds of an epoch, and ratio to training as it is."""
    dense = {f"dense, batch {size}": dense_ways(config, size) for size in config.batch_sizes}
    convolutional = {
        f"convolutional, {side} × {side}": convolutional_ways(config.images, side)
        for side in config.images.sides
    }
    return {
        case: interleaved(ways, rounds=config.rounds)
        for case, ways in (dense | convolutional).items()
    }


def dense_ways(config: Config, batch_size: int) -> dict[str, Callable[[], Any]]:
    """An epoch of a dense autoencoder in each way."""
    x = np.random.default_rng(0).uniform(size=(config.rows, config.sizes[0])).astype(np.float32)
    model = aejax.dense(config.sizes, code_activation=jax.nn.identity)
    objective, adam, rows = aejax.objective(model, losses.squared), optax.adam(1e-3), jnp.asarray(x)
    return {
        "as it is": one_scan(objective, adam, rows, batch_size),
        **{
            name: one_scan(objective, adam, rows, batch_size, compiler_options=options)
            for name, options in OPTIONS.items()
        },
        "Adam on one vector": one_scan(objective, optax.flatten(adam), rows, batch_size),
    }


def convolutional_ways(config: convolution.Config, side: int) -> dict[str, Callable[[], Any]]:
    """An epoch of a convolutional autoencoder in each way."""
    x = convolution.images(config, side)

    def without_barriers(rows: Array, matrix: Array) -> Array:
        return matmul(rows, matrix)

    return {
        "as it is": convolution.scan_epoch(config, x),
        "without barriers": convolution.scan_epoch(
            config, x, _matmul_with_barriers=without_barriers
        ),
        "patches of single pixels": convolution.scan_epoch(
            config, x, _strides_tile_window=lambda _: False
        ),
        "patches of the input alone": convolution.scan_epoch(
            config, x, _outputs_are_narrower=lambda *_: False
        ),
    }


def main(config: Config = Config()) -> None:
    """Measure, write and print."""
    found = measure(config)
    record("attempts", asdict(config), found)
    for case, ways in found.items():
        for name, each in ways.items():
            print(case, name, each["median"], "s", each["ratio"])


if __name__ == "__main__":
    tyro.cli(main)
