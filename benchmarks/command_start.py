"""Start of the command: seconds of `aejax --help`, and of commands on one example.

Each command runs in a process of its own, from start to exit, with a stored compilation cache; the
run is that of a small autoencoder of the digits. *processor seconds* is the time of the CPU.

Command:  python -m benchmarks.command_start
Run time: two minutes on two idle cores.
"""

import resource
import subprocess
import sys
import tempfile
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import tyro
from sklearn.datasets import load_digits

from benchmarks.interleaved import interleaved, record


@dataclass(frozen=True)
class Config:
    """Settings of the benchmark."""

    epochs: int = 5
    """epochs of the run"""
    rounds: int = 7
    """timed starts of each command"""


QUICK = Config(epochs=1, rounds=1)


def measure(config: Config) -> dict[str, Any]:
    """Seconds of each command, and of an interpreter that imports JAX, which comes first."""
    with tempfile.TemporaryDirectory() as folder:
        variants = commands(Path(folder), config.epochs)
        spent = dict.fromkeys(variants, 0.0)
        timed = interleaved(
            {name: _counted(name, call, spent) for name, call in variants.items()},
            rounds=config.rounds,
        )
    for name, each in timed.items():
        each["processor seconds"] = float(f"{spent[name] / (config.rounds + 1):.3g}")
    return {"start": timed}


def commands(folder: Path, epochs: int) -> dict[str, Callable[[], Any]]:
    """Make the commands, which read a run and one example in a folder."""
    data, run = folder / "one.npy", folder / "run"
    np.save(data, load_digits().data[:1].reshape(1, 8, 8))
    train = ["train", "--data", "digits", "--epochs", epochs, "--out", run, "--quiet"]
    _run("-m", "aejax", *train)
    lines = {
        "aejax --help": ["--help"],
        "aejax train --help": ["train", "--help"],
        "aejax runs": ["runs", folder],
        "aejax encode": ["encode", run, data, "--out", folder / "codes.npy"],
        "aejax reconstruct": ["reconstruct", run, data, "--out", folder / "x_hat.npy"],
        "aejax score": ["score", run, data, "--out", folder / "scores.csv"],
    }
    return {"import jax": lambda: _run("-c", "import jax")} | {
        name: lambda words=words: _run("-m", "aejax", *words) for name, words in lines.items()
    }


def main(config: Config = Config()) -> None:
    """Run the benchmark, write its results and print them."""
    found = measure(config)
    record("command_start", asdict(config), found)
    for name, each in found["start"].items():
        print(name, each["median"], "s, of the CPU", each["processor seconds"])


def _run(*arguments: Any) -> None:
    subprocess.run([sys.executable, *map(str, arguments)], check=True, capture_output=True)


def _counted(name: str, call: Callable[[], Any], spent: dict[str, float]) -> Callable[[], None]:
    """The same call, which adds the CPU time of its process to `spent`."""

    def counted() -> None:
        before = _processor_seconds()
        call()
        spent[name] += _processor_seconds() - before

    return counted


def _processor_seconds() -> float:
    """CPU time of all ended child processes."""
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


if __name__ == "__main__":
    tyro.cli(main)
