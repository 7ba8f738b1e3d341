"""A convolutional autoencoder's training by patches, by XLA's own convolutions, and by PyTorch.

An epoch of two layers of 4 × 4 kernels with stride 2 and 32 and 64 channels, and their transposes:
aejax's as it is on a processor, aejax's with every convolution left to XLA, and PyTorch's eager
loop in its faster memory format.

Command:  python -m benchmarks.convolution
Run time: about three minutes on two quiet cores, nearly all of it for XLA's convolutions.
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
    """Everything that decides the numbers."""

    sides: tuple[int, ...] = (28, 64)
    """pixels of a square image's side"""
    channels: tuple[int, ...] = (32, 64)
    """of the encoder's layers"""
    rows: tuple[int, ...] = (1024, 256)
    """images of an epoch, of each side"""
    batch_size: int = 128
    """images a step"""
    rounds: int = 5
    """epochs of each way that count"""


QUICK = Config(sides=(8,), channels=(4,), rows=(16,), batch_size=8, rounds=2)


def measure(config: Config) -> dict[str, Any]:
    """By side and way: seconds of an epoch, images a second, and ratio to PyTorch."""
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
    """Of chance, [rows, side, side, 1]."""
    rows = config.rows[config.sides.index(side)]
    return np.random.default_rng(0).uniform(size=(rows, side, side, 1)).astype(np.float32)


def main(config: Config = Config()) -> None:
    """Measure, write and print."""
    raise_malloc_thresholds()  # as the commands do; PyTorch gains by it too
    found = measure(config)
    record("convolution", asdict(config), found, peers=("torch",))
    for size, ways in found.items():
        for name, each in ways.items():
            print(size, name, each["images a second"], "images/s", each["ratio"])


def scan_epoch(config: Config, x: np.ndarray, **replaced: Any) -> Callable[[], Any]:
    """An epoch as one scan, with names of `convolution_patches` replaced while it is compiled.

    Args:
        config: the model and its batches.
        x: images, [rows, side, side, 1].
        replaced: by name.

    Returns:
        The call, which returns when the epoch is done.
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

    jax.clear_caches()  # of what was traced with other names
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
