"""What `aejax train` costs beyond its epochs: start, data, history, checkpoints, evaluation.

As many examples as MNIST has, bytes in a NumPy archive, through 784-1000-500-250-30 and its mirror
by Adam, each way in a process of its own, from its start to its end: a script that reads the
archive, compiles one scan, runs it an epoch and prints the loss; and the command with its defaults
but for validation, which it measures on none. Both keep what they compile.

Command:  python -m benchmarks.command
Run time: fifteen to twenty minutes on two quiet cores.
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
    """Everything that decides the numbers."""

    sizes: tuple[int, ...] = (784, 1000, 500, 250, 30)
    """units of the encoder's layers; the decoder mirrors them"""
    rows: int = 60_000
    """examples of an epoch"""
    test_rows: int = 10_000
    """examples that the command is evaluated on"""
    batch_size: int = 1024
    """examples a step"""
    epochs: int = 20
    """of a training"""
    rounds: int = 4
    """trainings of each way that count"""


QUICK = Config(sizes=(16, 8), rows=256, test_rows=64, batch_size=64, epochs=2, rounds=1)


def measure(config: Config) -> dict[str, Any]:
    """By way: seconds, and the share by which they exceed those of the script."""
    with tempfile.TemporaryDirectory() as folder:
        found = interleaved(ways(config, Path(folder)), rounds=config.rounds)
    alone, _ = (each["median"] for each in found.values())
    for each in found.values():
        each["overhead"] = round(each["median"] / alone - 1, 4)
    return found


def ways(config: Config, folder: Path) -> dict[str, Callable[[], Any]]:
    """The script, and the command."""
    draw = np.random.default_rng(0).integers
    x_train, x_test = (
        draw(0, 256, (rows, config.sizes[0]), np.uint8) for rows in (config.rows, config.test_rows)
    )
    archive = folder / "data.npz"
    np.savez(archive, x_train=x_train, x_test=x_test)
    sizes = [*map(str, config.sizes)]
    words = ["--data", archive, "--sizes", *sizes, "--loss", "bernoulli"]
    words += ["--code-activation", "identity", "--validation", 0, "--epochs", config.epochs]
    words += ["--batch-size", config.batch_size, "--quiet"]
    runs = iter(range(sys.maxsize))

    def process(*words: Any) -> None:
        subprocess.run([sys.executable, *map(str, words)], check=True, capture_output=True)

    return {
        "a script of scans": lambda: process(
            "-c", SCRIPT, archive, " ".join(sizes), config.batch_size, config.epochs
        ),
        "aejax train": lambda: process(
            "-m", "aejax", "train", *words, "--out", folder / f"{next(runs)}"
        ),
    }


def script(archive: str, sizes: str, batch_size: str, epochs: str) -> None:
    """Only what must be: data, one program, its calls, and the loss that they end with."""
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
    """Measure, write and print."""
    found = measure(config)
    record("command", asdict(config), {f"{config.epochs} epochs": found})
    for name, each in found.items():
        print(name, each["median"], "s, overhead", each["overhead"])


if __name__ == "__main__":
    tyro.cli(main)
