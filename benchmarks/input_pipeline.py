"""What reading costs: an epoch on a memory-mapped file, beside the same epoch on data in memory.

In memory an epoch is one scan over data that lie on the device. The stream is a file of bytes that
threads map, read in random order, normalise and put on the device while steps run; each of its
epochs starts its readers anew. Both measure what `fit` records of every step. Reading alone is the
same without steps: its seconds as a share of a way's own are the pipeline's share of a step.

Command:  python -m benchmarks.input_pipeline
Run time: two minutes on two quiet cores.
"""

import tempfile
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any, cast

import jax
import jax.numpy as jnp
import numpy as np
import optax
import tyro

import aejax
from aejax import Batch, data, losses, training
from aejax.data.streams import memory_mapped
from aejax.runs.malloc import raise_malloc_thresholds
from aejax.training import (
    ONE_DEVICE,
    Stream,
    place_state,
    steps_per_pass,
    stream_batches,
    streaming,
)
from benchmarks.interleaved import interleaved, record


@dataclass(frozen=True)
class Config:
    """Everything that decides the numbers."""

    sizes: tuple[int, ...] = (784, 1000, 500, 250, 30)
    """units of the encoder's layers; the decoder mirrors them"""
    rows: int = 16384
    """examples of an epoch"""
    batch_sizes: tuple[int, ...] = (128, 1024)
    """examples a step"""
    rounds: int = 7
    """epochs of each way that count"""


QUICK = Config(sizes=(64, 32, 8), rows=256, batch_sizes=(64,), rounds=2)


def measure(config: Config) -> dict[str, Any]:
    """By batch size and way: seconds, and the ratio of the time in memory to them."""
    raise_malloc_thresholds()  # as every command of aejax does
    pixels = np.random.default_rng(0).integers(
        256, size=(config.rows, config.sizes[0]), dtype=np.uint8
    )
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "x.npy"
        np.save(path, pixels)
        return {
            f"batch {size}": with_shares(
                interleaved(ways(config, path, size), rounds=config.rounds),
                steps=-(-config.rows // size),
            )
            for size in config.batch_sizes
        }


def with_shares(found: dict[str, dict], *, steps: int) -> dict[str, dict]:
    """The same, with each way's seconds a step, and the share of them that reading alone takes."""
    reading = found["reading alone"]["median"]
    for each in found.values():
        each["seconds a step"] = float(f"{each['median'] / steps:.4g}")
        each["reading's share"] = float(f"{reading / each['median']:.3g}")
    return found


def ways(config: Config, path: Path, batch_size: int) -> dict[str, Callable[[], Any]]:
    """An epoch in memory and on the file, and the file read alone."""
    objective = aejax.objective(aejax.dense(config.sizes), losses.bernoulli)
    optimizer = optax.adam(1e-3)
    state = training.init_state(objective, optimizer, jax.random.key(0))
    x, scale = memory_mapped(path), data.unit_range(np.zeros((1, 1), np.uint8), low=0, high=255)
    stream = Stream(
        lambda rows: Batch(cast(jax.Array, data.normalise(scale, x[rows]))), len(x), batch_size
    )
    length = steps_per_pass(stream)
    batch = stream.read(stream_batches.sequential_indices(stream, range(1)))
    together = streaming.steps_per_group(stream, batch, length, ONE_DEVICE)
    steps = streaming.compile_steps(objective, optimizer, state, stream, together=together)

    def read() -> Iterator[Batch]:
        groups = stream_batches.group_steps(stream, range(length), epoch=length, together=together)
        return streaming.prefetch(
            stream, groups, partial(stream_batches.shuffled_indices, stream, 0), ONE_DEVICE
        )

    def epoch() -> Any:
        return streaming.run_epoch(steps, place_state(ONE_DEVICE, state), read(), length)

    in_memory = Batch(jnp.asarray(data.normalise(scale, x[:])))
    run = jax.jit(partial(training.epoch, objective, optimizer, batch_size=batch_size))
    return {
        "in memory": lambda: jax.block_until_ready(run(state, in_memory)),
        "memory-mapped": epoch,
        "reading alone": lambda: deque(read(), maxlen=0),
    }


def main(config: Config = Config()) -> None:
    """Measure, write and print."""
    found = measure(config)
    record("input_pipeline", asdict(config), found)
    for size, timed in found.items():
        for name, each in timed.items():
            shares = each["seconds a step"], "s a step, of which reading", each["reading's share"]
            print(size, name, each["median"], "s, ratio", each["ratio"], *shares)


if __name__ == "__main__":
    tyro.cli(main)
