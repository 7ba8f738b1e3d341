"""Peak memory of `aejax train --stream` on much data, against little: it should not grow.

The data are memory-mapped files of zeros that take no room on the disk: what is read of them is as
large as any. Peak memory is the process's largest resident set, files that it maps included.

Command:  python -m benchmarks.memory
Run time: a minute on one core.
"""

import os
import sys
import tempfile
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import tyro

from benchmarks.interleaved import record


@dataclass(frozen=True)
class Config:
    """Everything that decides the numbers."""

    gigabytes: tuple[float, ...] = (0.5, 50.0)
    """of train examples, 10⁹ bytes each; the first is what the others are held against"""
    features: int = 784
    """bytes an example"""
    sizes: tuple[int, ...] = (784, 1000, 500, 250, 30)
    """units of the encoder's layers; the decoder mirrors them"""
    batch_size: int = 1024
    """examples a step"""
    steps: int = 100
    """that are trained"""


QUICK = Config(gigabytes=(0.01, 1.0), sizes=(784, 16), batch_size=64, steps=8)


def lay_out(folder: Path, examples: int, features: int) -> None:
    """A data set with so many train examples, all zero, which lie nowhere, and a few to test."""
    folder.mkdir()
    header = {"descr": "|u1", "fortran_order": False, "shape": (examples, features)}
    with (folder / "x_train.npy").open("wb") as file:
        np.lib.format.write_array_header_1_0(file, header)
        file.truncate(file.tell() + examples * features)
    np.save(folder / "x_test.npy", np.zeros((1000, features), np.uint8))


def peak(config: Config, folder: Path) -> int:
    """Largest resident set in bytes of a process that trains on a folder's data."""
    words = [sys.executable, "-m", "aejax", "train", "--data", str(folder), "--stream"]
    words += ["--sizes", *map(str, config.sizes), "--batch-size", str(config.batch_size)]
    words += ["--steps-per-epoch", str(config.steps), "--epochs", "1", "--validation", "0"]
    words += ["--quiet", "--out", str(folder / "run")]
    process = os.posix_spawn(sys.executable, words, os.environ)
    _, status, usage = os.wait4(process, 0)
    if status:
        raise RuntimeError(f"{' '.join(words)} ended with {os.waitstatus_to_exitcode(status)}")
    return usage.ru_maxrss * 1024


def measure(config: Config) -> dict[str, Any]:
    """Examples and peak memory by gigabytes of data, and the ratio to the first."""
    found: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as name:
        for gigabytes in config.gigabytes:
            examples = round(gigabytes * 1e9 / config.features)
            folder = Path(name) / f"{gigabytes}"
            lay_out(folder, examples, config.features)
            found[f"{gigabytes:g} GB"] = {"examples": examples, "peak": peak(config, folder)}
    first = next(iter(found.values()))["peak"]
    for each in found.values():
        each["ratio"] = round(each["peak"] / first, 4)
    return found


def main(config: Config = Config()) -> None:
    """Measure, write and print."""
    found = measure(config)
    record("memory", asdict(config), found)
    for size, each in found.items():
        print(size, f"{each['examples']} examples, {each['peak'] / 2**20:.0f} MiB,", each["ratio"])


if __name__ == "__main__":
    tyro.cli(main)
