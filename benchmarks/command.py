"""What `aejax train` costs beyond its epochs: start, data, history, checkpoints, evaluation.

As many examples as MNIST has, bytes in a NumPy archive, through 784-1000-500-250-30 and its mirror
by Adam: the command in a process of its own, from its start to its end, with its defaults but for
validation, which it measures on none; and its epochs alone, one compiled scan each, from arrays
that are there.

Command:  python -m benchmarks.command
Run time: six minutes on two quiet cores.
"""

import subprocess
import sys
import tempfile
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import jax.numpy as jnp
import numpy as np
import optax
import tyro

import aejax
from aejax import losses
from benchmarks.epochs import one_scan
from benchmarks.interleaved import interleaved, record

MAIN = "from aejax.cli import main; raise SystemExit(main())"


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
    rounds: int = 2
    """trainings of each way that count"""


QUICK = Config(sizes=(16, 8), rows=256, test_rows=64, batch_size=64, epochs=2, rounds=1)


def measure(config: Config) -> dict[str, Any]:
    """By way: seconds, and the share by which they exceed those of the epochs alone."""
    with tempfile.TemporaryDirectory() as folder:
        found = interleaved(ways(config, Path(folder)), rounds=config.rounds)
    alone, _ = (each["median"] for each in found.values())
    for each in found.values():
        each["overhead"] = round(each["median"] / alone - 1, 4)
    return found


def ways(config: Config, folder: Path) -> dict[str, Callable[[], Any]]:
    """The epochs alone, and the command."""
    draw = np.random.default_rng(0).integers
    x_train, x_test = (
        draw(0, 256, (rows, config.sizes[0]), np.uint8) for rows in (config.rows, config.test_rows)
    )
    np.savez(folder / "data.npz", x_train=x_train, x_test=x_test)
    objective = aejax.objective(
        aejax.dense(config.sizes, code_activation=lambda z: z), losses.bernoulli
    )
    rows = jnp.asarray(x_train / np.float32(255))
    epoch = one_scan(objective, optax.adam(1e-3), rows, config.batch_size)
    words = ["--data", folder / "data.npz", "--sizes", *config.sizes, "--loss", "bernoulli"]
    words += ["--code-activation", "identity", "--validation", 0, "--epochs", config.epochs]
    words += ["--batch-size", config.batch_size, "--quiet"]
    runs = iter(range(sys.maxsize))

    def command() -> None:
        out = folder / f"run{next(runs)}"
        line = [sys.executable, "-c", MAIN, "train", *map(str, words), "--out", out]
        subprocess.run(line, check=True, capture_output=True)

    return {
        "epochs alone": lambda: [epoch() for _ in range(config.epochs)],
        "aejax train": command,
    }


def main(config: Config = Config()) -> None:
    """Measure, write and print."""
    found = measure(config)
    record("command", asdict(config), {f"{config.epochs} epochs": found})
    for name, each in found.items():
        print(name, each["median"], "s, overhead", each["overhead"])


if __name__ == "__main__":
    tyro.cli(main)
