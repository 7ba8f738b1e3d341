"""Cost of recording every gradient norm and of a checkpoint after every epoch.

Epochs of 60 000 rows (the size of MNIST), an autoencoder 784-1000-500-250-30 (decoder reversed),
Adam: recording only the loss of each step; recording all measurements of `training.epoch`, which
include the gradient norm; and writing a checkpoint after each epoch as well, in the background or
blocking. The time includes the wait for the last checkpoint, which matters less in longer runs.

Command:  python -m benchmarks.checkpoints
Run time: five minutes on two idle cores.
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
    """Settings of the benchmark."""

    sizes: tuple[int, ...] = (784, 1000, 500, 250, 30)
    """layer widths of the encoder, the input first; the decoder has them in reverse"""
    rows: int = 60_000
    """number of examples per epoch"""
    batch_size: int = 1024
    """batch size"""
    epochs: int = 3
    """epochs of each variant"""
    rounds: int = 4
    """timed calls of each variant"""


QUICK = Config(sizes=(64, 32, 8), rows=256, batch_size=64, epochs=2, rounds=2)


def measure(config: Config) -> dict[str, Any]:
    """Seconds of each variant and its overhead relative to recording the loss only."""
    with tempfile.TemporaryDirectory() as folder:
        found = interleaved(variants(config, Path(folder)), rounds=config.rounds)
    for each in found.values():
        each["overhead"] = round(1 / each["ratio"][0] - 1, 4)
    return found


def variants(config: Config, folder: Path) -> dict[str, Callable[[], Any]]:
    """Make the variants: epochs with and without checkpoints."""
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
    """Run the benchmark, write its results and print them."""
    raise_malloc_thresholds()  # as aejax's commands do
    found = measure(config)
    record("checkpoints", asdict(config), {f"{config.epochs} epochs": found})
    for name, each in found.items():
        print(name, each["median"], "s, overhead", each["overhead"])


if __name__ == "__main__":
    tyro.cli(main)
