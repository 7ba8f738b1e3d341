"""Attempts to make float32 training faster on a CPU, compared with the current code.

An autoencoder 784-1000-500-250-30 (decoder reversed), squared error, Adam, an epoch as one scan:
with Eigen for all of XLA's matrix products, instead of YNNPACK for most; with 512-bit vectors; with
the concurrency-optimised scheduler; and with Adam on one flattened vector of all parameters. Then
the convolutional autoencoder of `benchmarks.convolution`: without the optimisation barriers that
keep XLA from fusing matrix products with their neighbours, with im2col of single pixels instead of
stride × stride blocks, and with im2col of the input only.

Command:  python -m benchmarks.attempts
Run time: about two minutes on two idle cores.
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
"""Options of XLA by the name of the variant."""


@dataclass(frozen=True)
class Config:
    """Settings of the benchmark."""

    sizes: tuple[int, ...] = (784, 1000, 500, 250, 30)
    """layer widths of the encoder, the input first; the decoder has them in reverse"""
    rows: int = 8192
    """number of examples per epoch"""
    batch_sizes: tuple[int, ...] = (128, 1024, 4096)
    """batch sizes"""
    images: convolution.Config = field(default_factory=convolution.Config)
    """settings of the convolutional autoencoder"""
    rounds: int = 7
    """timed epochs of each variant"""


QUICK = Config(sizes=(16, 8), rows=64, batch_sizes=(32,), images=convolution.QUICK, rounds=2)


def measure(config: Config) -> dict[str, Any]:
    """Seconds per epoch and ratios to the current code, by model and variant."""
    dense = {f"dense, batch {size}": dense_variants(config, size) for size in config.batch_sizes}
    convolutional = {
        f"convolutional, {side} × {side}": convolutional_variants(config.images, side)
        for side in config.images.sides
    }
    return {
        case: interleaved(variants, rounds=config.rounds)
        for case, variants in (dense | convolutional).items()
    }


def dense_variants(config: Config, batch_size: int) -> dict[str, Callable[[], Any]]:
    """Make the variants of one epoch of the dense autoencoder."""
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


def convolutional_variants(config: convolution.Config, side: int) -> dict[str, Callable[[], Any]]:
    """Make the variants of one epoch of the convolutional autoencoder."""
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
    """Run the benchmark, write its results and print them."""
    found = measure(config)
    record("attempts", asdict(config), found)
    for case, variants in found.items():
        for name, each in variants.items():
            print(case, name, each["median"], "s", each["ratio"])


if __name__ == "__main__":
    tyro.cli(main)
