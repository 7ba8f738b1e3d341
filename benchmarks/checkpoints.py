"""What the norm of every gradient and a checkpoint after every epoch cost.

Epochs of as many rows as MNIST has, through 784-1000-500-250-30 and its mirror, by Adam: with the
loss of every step alone; with all that `training.epoch` measures, the norm of the gradient too;
then with a checkpoint after each epoch, while the next one runs and waited for. Each way ends when
its last checkpoint is whole, which a longer training would not wait for.

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
from aejax.runs.malloc import raise_malloc_thresholds
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
    rounds: int = 4
    """of each way that count"""


QUICK = Config(sizes=(64, 32, 8), rows=256, batch_size=64, epochs=2, rounds=2)


def measure(config: Config) -> dict[str, Any]:
    """By way: seconds, and the share by which they exceed those of the loss alone."""
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
    epoch = partial(training.epoch, objective, optimizer, batch_size=config.batch_size)
    data = Batch(jax.device_put(x))

    @jax.jit
    def loss_alone(state: training.TrainState, data: Batch) -> tuple[training.TrainState, Any]:
        state, measurements = epoch(state, data)
        return state, measurements["loss"]

    def train(run: Callable[..., Any], saving: Any) -> None:
        state = start
        with saving as save:
            for _ in range(config.epochs):
                state, _ = jax.block_until_ready(run(state, data))
                save(folder, state, configuration={})

    everything, not_saved = jax.jit(epoch), nullcontext(lambda *_, **__: None)
    return {
        "the loss alone": lambda: train(loss_alone, not_saved),
        "the norm too": lambda: train(everything, not_saved),
        "checkpoints too, meanwhile": lambda: train(everything, checkpoints.in_background()),
        "checkpoints too, waited for": lambda: train(everything, nullcontext(checkpoints.save)),
    }


def main(config: Config = Config()) -> None:
    """Measure, write and print."""
    raise_malloc_thresholds()  # as the commands do
    found = measure(config)
    record("checkpoints", asdict(config), {f"{config.epochs} epochs": found})
    for name, each in found.items():
        print(name, each["median"], "s, overhead", each["overhead"])


if __name__ == "__main__":
    tyro.cli(main)
