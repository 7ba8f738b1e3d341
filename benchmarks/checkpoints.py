"""What a checkpoint after every epoch costs, written while the next epoch runs.

Epochs of as many rows as MNIST has, through 784-1000-500-250-30 and its mirror, by Adam: alone;
with a checkpoint after each; and with one that is waited for. Each way ends when its last
checkpoint is whole, which a longer training would not wait for.

Command:  python -m benchmarks.checkpoints
Run time: five minutes on two quiet cores.
"""

import tempfile
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

import jax
import numpy as np
import optax
import tyro

import aejax
from aejax import Batch, checkpoints, losses, training
from benchmarks.interleaved import interleaved, record


@dataclass(frozen=True)
class Config:
    """Everything that decides the numbers."""

    sizes: tuple[int, ...] = (784, 1000, 500, 250, 30)
    """units of the encoder's layers; the decoder mirrors them"""
    rows: int = 60_000
    """examples of an epoch"""
    batch_size: int = 1024
    """examples a step"""
    epochs: int = 3
    """of each way"""
    rounds: int = 3
    """of each way that count"""


QUICK = Config(sizes=(64, 32, 8), rows=256, batch_size=64, epochs=2, rounds=2)


def measure(config: Config) -> dict[str, Any]:
    """By way: seconds, and the share by which they exceed those without checkpoints."""
    with tempfile.TemporaryDirectory() as folder:
        found = interleaved(ways(config, Path(folder)), rounds=config.rounds)
    for each in found.values():
        each["overhead"] = round(1 / each["ratio"][0] - 1, 4)
    return found


def ways(config: Config, folder: Path) -> dict[str, Callable[[], Any]]:
    """Some epochs, with or without checkpoints."""
    objective = aejax.objective(aejax.dense(config.sizes), losses.bernoulli)
    optimizer = optax.adam(1e-3)
    start = training.init_state(objective, optimizer, jax.random.key(0))
    x = np.random.default_rng(0).uniform(size=(config.rows, config.sizes[0])).astype(np.float32)
    run = jax.jit(partial(training.epoch, objective, optimizer, batch_size=config.batch_size))
    data = Batch(jax.device_put(x))

    def train(saving: Any) -> None:
        state = start
        with saving as save:
            for _ in range(config.epochs):
                state, _ = jax.block_until_ready(run(state, data))
                save(folder, state, configuration={})

    return {
        "no checkpoints": lambda: train(nullcontext(lambda *_, **__: None)),
        "in the background": lambda: train(checkpoints.in_background()),
        "waited for": lambda: train(nullcontext(checkpoints.save)),
    }


def main(config: Config = Config()) -> None:
    """Measure, write and print."""
    found = measure(config)
    record("checkpoints", asdict(config), {f"{config.epochs} epochs": found})
    for name, each in found.items():
        print(name, each["median"], "s, overhead", each["overhead"])


if __name__ == "__main__":
    tyro.cli(main)
