"""Cost of reading: an epoch on a memory-mapped file, compared with data in memory.

In memory, an epoch is one scan over data on the device. The stream is a uint8 file: threads read
its memory-mapped rows in random order, normalise them and put them on the device while the steps
run; every epoch starts the reader threads again. Both record the measurements of `fit` at each
step. *reading alone* reads the stream without training; *reading's share* is its time divided by
the time of a variant.

Command:  python -m benchmarks.input_pipeline
Run time: two minutes on two idle cores.
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
    """Settings of the benchmark."""

    sizes: tuple[int, ...] = (784, 1000, 500, 250, 30)
    """layer widths of the encoder, the input first; the decoder has them in reverse"""
    rows: int = 16384
    """number of examples per epoch"""
    batch_sizes: tuple[int, ...] = (128, 1024)
    """batch sizes"""
    rounds: int = 7
    """timed epochs of each variant"""


QUICK = Config(sizes=(64, 32, 8), rows=256, batch_sizes=(64,), rounds=2)


def measure(config: Config) -> dict[str, Any]:
    """Seconds and ratio to training in memory, by batch size and variant."""
    raise_malloc_thresholds()  # as aejax's commands do
    pixels = np.random.default_rng(0).integers(
        256, size=(config.rows, config.sizes[0]), dtype=np.uint8
    )
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "x.npy"
        np.save(path, pixels)
        return {
            f"batch {size}": with_shares(
                interleaved(variants(config, path, size), rounds=config.rounds),
                steps=-(-config.rows // size),
            )
            for size in config.batch_sizes
        }


def with_shares(found: dict[str, dict], *, steps: int) -> dict[str, dict]:
    """Add the seconds per step of each variant, and the share of reading in them."""
    reading = found["reading alone"]["median"]
    for each in found.values():
        each["seconds a step"] = float(f"{each['median'] / steps:.4g}")
        each["reading's share"] = float(f"{reading / each['median']:.3g}")
    return found


def variants(config: Config, path: Path, batch_size: int) -> dict[str, Callable[[], Any]]:
    """Make the variants: an epoch in memory, an epoch on the file, and reading alone."""
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
    """Run the benchmark, write its results and print them."""
    found = measure(config)
    record("input_pipeline", asdict(config), found)
    for size, timed in found.items():
        for name, each in timed.items():
            shares = each["seconds a step"], "s per step, share of reading", each["reading's share"]
            print(size, name, each["median"], "s, ratio", each["ratio"], *shares)


if __name__ == "__main__":
    tyro.cli(main)
