"""Peak memory of `aejax train --stream` as the data set grows; it should stay constant.

The data are memory-mapped sparse files of zeros, which take no disk space. Peak memory is the
maximum resident set size of the process, memory-mapped files included.

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
    """Settings of the benchmark."""

    gigabytes: tuple[float, ...] = (0.5, 50.0)
    """sizes of the training data in units of 10⁹ bytes; ratios are to the first"""
    features: int = 784
    """bytes per example"""
    sizes: tuple[int, ...] = (784, 1000, 500, 250, 30)
    """layer widths of the encoder, the input first; the decoder has them in reverse"""
    batch_size: int = 1024
    """batch size"""
    steps: int = 100
    """number of training steps"""


QUICK = Config(gigabytes=(0.01, 1.0), sizes=(784, 16), batch_size=64, steps=8)


def write_data(folder: Path, examples: int, features: int) -> None:
    """Write a data set: a sparse file of zero training examples, and a few test examples."""
    folder.mkdir()
    header = {"descr": "|u1", "fortran_order": False, "shape": (examples, features)}
    with (folder / "x_train.npy").open("wb") as file:
        np.lib.format.write_array_header_1_0(file, header)
        file.truncate(file.tell() + examples * features)
    np.save(folder / "x_test.npy", np.zeros((1000, features), np.uint8))


def peak(config: Config, folder: Path) -> int:
    """Maximum resident set size, in bytes, of a process that trains on a folder's data."""
    command = [sys.executable, "-m", "aejax", "train", "--data", str(folder), "--stream"]
    command += ["--sizes", *map(str, config.sizes), "--batch-size", str(config.batch_size)]
    command += ["--steps-per-epoch", str(config.steps), "--epochs", "1", "--validation", "0"]
    command += ["--quiet", "--out", str(folder / "run")]
    process = os.posix_spawn(sys.executable, command, os.environ)
    _, status, usage = os.wait4(process, 0)
    if status:
        raise RuntimeError(f"{' '.join(command)} exited with {os.waitstatus_to_exitcode(status)}")
    return usage.ru_maxrss * 1024


def measure(config: Config) -> dict[str, Any]:
    """Number of examples, peak memory and ratio to the first, by size of the data."""
    found: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as name:
        for gigabytes in config.gigabytes:
            examples = round(gigabytes * 1e9 / config.features)
            folder = Path(name) / f"{gigabytes}"
            write_data(folder, examples, config.features)
            found[f"{gigabytes:g} GB"] = {"examples": examples, "peak": peak(config, folder)}
    first = next(iter(found.values()))["peak"]
    for each in found.values():
        each["ratio"] = round(each["peak"] / first, 4)
    return found


def main(config: Config = Config()) -> None:
    """Run the benchmark, write its results and print them."""
    found = measure(config)
    record("memory", asdict(config), found)
    for size, each in found.items():
        print(size, f"{each['examples']} examples, {each['peak'] / 2**20:.0f} MiB,", each["ratio"])


if __name__ == "__main__":
    tyro.cli(main)
