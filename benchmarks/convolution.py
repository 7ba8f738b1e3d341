"""Training of a convolutional autoencoder by im2col, by XLA's convolutions, and by PyTorch.

One epoch of two convolutions (4 × 4 kernels, stride 2, 32 and 64 channels) and their transposes:
aejax with im2col, its default on a CPU; aejax with XLA's convolutions; and PyTorch's eager loop in
the memory format channels_last, which is the faster one.

Command:  python -m benchmarks.convolution
Run time: about three minutes on two idle cores, most of it for XLA's convolutions.
"""

from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import asdict, dataclass
from itertools import pairwise
from typing import Any
from unittest import mock

import jax
import jax.numpy as jnp
import numpy as np
import optax
import tyro

import aejax
from aejax import Batch, losses, training
from aejax.layers import convolution_patches
from aejax.runs.malloc import raise_malloc_thresholds
from benchmarks.interleaved import interleaved, record


@dataclass(frozen=True)
class Config:
    """Settings of the benchmark."""

    sides: tuple[int, ...] = (28, 64)
    """side length of the square images in pixels"""
    channels: tuple[int, ...] = (32, 64)
    """channels of the encoder's layers"""
    rows: tuple[int, ...] = (1024, 256)
    """number of images per epoch, for each side length"""
    batch_size: int = 128
    """batch size"""
    rounds: int = 5
    """timed epochs of each variant"""


QUICK = Config(sides=(8,), channels=(4,), rows=(16,), batch_size=8, rounds=2)


def measure(config: Config) -> dict[str, Any]:
    """Seconds per epoch, images per second and ratio to PyTorch, by image size and variant."""
    found = {}
    for side in config.sides:
        x = images(config, side)
        timed = interleaved(
            {
                "PyTorch": _pytorch_epoch(config, x),
                "aejax": scan_epoch(config, x),
                "aejax by XLA's convolutions": scan_epoch(config, x, MAX_PATCH_BYTES=0),
            },
            rounds=config.rounds,
        )
        for each in timed.values():
            each["images a second"] = round(len(x) / each["median"])
        found[f"{side} × {side}"] = timed
    return found


def images(config: Config, side: int) -> np.ndarray:
    """Random images [rows, side, side, 1]."""
    rows = config.rows[config.sides.index(side)]
    return np.random.default_rng(0).uniform(size=(rows, side, side, 1)).astype(np.float32)


def main(config: Config = Config()) -> None:
    """Run the benchmark, write its results and print them."""
    raise_malloc_thresholds()  # as aejax's commands do; it makes PyTorch faster too
    found = measure(config)
    record("convolution", asdict(config), found, peers=("torch",))
    for size, variants in found.items():
        for name, each in variants.items():
            print(size, name, each["images a second"], "images/s", each["ratio"])


def scan_epoch(config: Config, x: np.ndarray, **replaced: Any) -> Callable[[], Any]:
    """Make an epoch as one scan, compiled with attributes of `convolution_patches` replaced.

    Args:
        config: settings of the model and the batches.
        x: images, [rows, side, side, 1].
        replaced: temporary replacements by name.

    Returns:
        A function that runs the epoch and returns when it is complete.
    """
    geometry = aejax.Geometry((4, 4), (2, 2), ((1, 1), (1, 1)))
    model = aejax.convolutional(x.shape[1:], config.channels, geometry=geometry)
    objective, optimizer = aejax.objective(model, losses.squared), optax.adam(1e-3)
    state, data = (
        training.init_state(objective, optimizer, jax.random.key(0)),
        Batch(jnp.asarray(x)),
    )

    def epoch(state: training.TrainState, data: Batch) -> training.TrainState:
        return training.epoch(objective, optimizer, state, data, batch_size=config.batch_size)[0]

    jax.clear_caches()  # may have been traced with other replacements
    with mock.patch.multiple(convolution_patches, **replaced) if replaced else nullcontext():
        run = jax.jit(epoch).lower(state, data).compile()
    jax.clear_caches()
    return lambda: jax.block_until_ready(run(state, data).params)


def _pytorch_epoch(config: Config, x: np.ndarray) -> Callable[[], Any]:
    import torch

    widths, layers = (1, *config.channels), []
    for inputs, outputs in pairwise(widths):
        layers += [torch.nn.Conv2d(inputs, outputs, 4, 2, 1), torch.nn.ReLU()]
    for outputs, inputs in [*pairwise(widths)][::-1]:
        layers += [torch.nn.ConvTranspose2d(inputs, outputs, 4, 2, 1), torch.nn.ReLU()]
    model = torch.nn.Sequential(*layers[:-1]).to(memory_format=torch.channels_last)
    optimizer = torch.optim.Adam(model.parameters(), 1e-3, fused=True)
    rows = torch.from_numpy(np.moveaxis(x, -1, 1)).contiguous(memory_format=torch.channels_last)

    def epoch() -> None:
        order = torch.randperm(len(rows))
        for start in range(0, len(rows), config.batch_size):
            batch = rows[order[start : start + config.batch_size]]
            optimizer.zero_grad()
            (model(batch) - batch).square().sum(dim=(1, 2, 3)).mean().backward()
            optimizer.step()

    return epoch


if __name__ == "__main__":
    tyro.cli(main)
