"""Overhead of `aejax train` over its epochs: start, data, history, checkpoints, evaluation.

60 000 examples (the size of MNIST), uint8 in a NumPy archive, an autoencoder 784-1000-500-250-30
(decoder reversed), Adam. Each variant runs in a separate process and is timed from start to exit: a
script that reads the archive, compiles one scan, runs it for each epoch and prints the loss; and
the command with its defaults but without validation examples. Both use a persistent compilation
cache.

Command:  python -m benchmarks.command
Run time: 15 to 20 minutes on two idle cores.
"""

import subprocess
import sys
import tempfile
from collections.abc import Callable
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
import tyro

import aejax
from aejax import Batch, losses, training
from aejax.runs.compilation_cache import enable_compilation_cache
from aejax.runs.malloc import raise_malloc_thresholds
from aejax.types import Array
from benchmarks.interleaved import interleaved, record

SCRIPT = "import sys; from benchmarks.command import script; script(*sys.argv[1:])"


@dataclass(frozen=True)
class Config:
    """Settings of the benchmark."""

    sizes: tuple[int, ...] = (784, 1000, 500, 250, 30)
    """layer widths of the encoder, the input first; the decoder has them in reverse"""
    rows: int = 60_000
    """number of examples per epoch"""
    test_rows: int = 10_000
    """number of test examples, on which the command evaluates the model"""
    batch_size: int = 1024
    """batch size"""
    epochs: int = 20
    """epochs of each training run"""
    rounds: int = 4
    """timed training runs of each variant"""


QUICK = Config(sizes=(16, 8), rows=256, test_rows=64, batch_size=64, epochs=2, rounds=1)


def measure(config: Config) -> dict[str, Any]:
    """Seconds of each variant and its overhead relative to the script."""
    with tempfile.TemporaryDirectory() as folder:
        found = interleaved(variants(config, Path(folder)), rounds=config.rounds)
    alone, _ = (each["median"] for each in found.values())
    for each in found.values():
        each["overhead"] = round(each["median"] / alone - 1, 4)
    return found


def variants(config: Config, folder: Path) -> dict[str, Callable[[], Any]]:
    """Make the variants: the script and the command."""
    draw = np.random.default_rng(0).integers
    x_train, x_test = (
        draw(0, 256, (rows, config.sizes[0]), np.uint8) for rows in (config.rows, config.test_rows)
    )
    archive = folder / "data.npz"
    np.savez(archive, x_train=x_train, x_test=x_test)
    sizes = [*map(str, config.sizes)]
    options = ["--data", archive, "--sizes", *sizes, "--loss", "bernoulli"]
    options += ["--activation", "sigmoid", "--code-activation", "identity", "--validation", 0]
    options += ["--schedule", "constant", "--epochs", config.epochs, "--save-every", 1]
    options += ["--batch-size", config.batch_size, "--quiet"]
    runs = iter(range(sys.maxsize))

    def process(*arguments: Any) -> None:
        subprocess.run([sys.executable, *map(str, arguments)], check=True, capture_output=True)

    return {
        "a script of scans": lambda: process(
            "-c", SCRIPT, archive, " ".join(sizes), config.batch_size, config.epochs
        ),
        "aejax train": lambda: process(
            "-m", "aejax", "train", *options, "--out", folder / f"{next(runs)}"
        ),
    }


def script(archive: str, sizes: str, batch_size: str, epochs: str) -> None:
    """Train with one compiled epoch and print the mean loss of each, and nothing else."""
    enable_compilation_cache()
    raise_malloc_thresholds()
    with np.load(archive) as arrays:
        x = jnp.asarray(arrays["x_train"] / np.float32(255))
    model = aejax.dense([*map(int, sizes.split())], code_activation=jax.nn.identity)
    objective, optimizer = aejax.objective(model, losses.bernoulli), optax.adam(1e-3)
    state = training.init_state(objective, optimizer, jax.random.key(0))

    @partial(jax.jit, donate_argnums=0)
    def epoch(state: training.TrainState, x: Array) -> tuple[training.TrainState, Array]:
        state, measurements = training.epoch(
            objective, optimizer, state, Batch(x), batch_size=int(batch_size)
        )
        return state, jnp.mean(measurements["loss"])

    for _ in range(int(epochs)):
        state, loss = epoch(state, x)
        print(float(loss))


def main(config: Config = Config()) -> None:
    """Run the benchmark, write its results and print them."""
    found = measure(config)
    record("command", asdict(config), {f"{config.epochs} epochs": found})
    for name, each in found.items():
        print(name, each["median"], "s, overhead", each["overhead"])


if __name__ == "__main__":
    tyro.cli(main)
