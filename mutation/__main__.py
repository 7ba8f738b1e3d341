"""Mutation testing of `aejax.theory`, by `make mutation`.

A commit's code is laid into a folder of its own and changed there, one mutant after the other. What
came of each is kept, so that a run that was stopped, or is asked for a larger sample, goes on.
"""

import io
import os
import subprocess
import tarfile
from dataclasses import dataclass
from pathlib import Path

import tyro

from mutation import page, suite
from mutation.mutants import Mutant, mutants, sample
from mutation.run import Record, repeated, summary, survived, try_all

ENVIRONMENT = {
    "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0",
    "JAX_PERSISTENT_CACHE_MIN_ENTRY_SIZE_BYTES": "0",
    "OPENBLAS_NUM_THREADS": "1",  # others would be lost in a fork
}
"""Of all processes of tests: programs are compiled once, and kept beside the checkout."""


@dataclass(frozen=True)
class Config:
    """What is tried."""

    sample: int = 300
    """about how many mutants, from all modules; 0 for all"""
    seed: int = 0
    """of the sample"""
    commit: str = "HEAD"
    """whose code and tests"""
    later: str = ""
    """a commit with further tests, to which the survivors are put again"""
    budget: float = 30.0
    """seconds of computing by the tests for a mutant, unless its module's own take longer"""


def main(config: Config) -> None:
    """Try the sample, then write docs/results/mutation.json and docs/mutation.md."""
    commit, checkout = _checkout(config.commit)
    population = mutants(checkout / suite.PACKAGE)
    drawn = sample(population, config.sample or None, config.seed)
    records = _try(checkout, drawn, config.budget)
    survivors = list(filter(survived, records))
    settings = {"commit": commit, "seed": config.seed, "budget": config.budget}
    found: list[Record] = []
    if config.later:
        settings["later"], checkout = _checkout(config.later)
        found = _try(
            checkout, repeated(survivors, mutants(checkout / suite.PACKAGE)), config.budget
        )
    page.write(summary(population, records, found, settings))


def _checkout(revision: str) -> tuple[str, Path]:
    """A commit's name and its files, in a folder that git ignores."""
    commit = _git("rev-parse", "--short=12", revision).decode().strip()
    checkout = page.ROOT / ".mutation" / commit / "checkout"
    with tarfile.open(fileobj=io.BytesIO(_git("archive", commit))) as archive:
        archive.extractall(checkout, filter="data")  # over what a stopped run left changed
    return commit, checkout


def _try(checkout: Path, drawn: list[Mutant], budget: float) -> list[Record]:
    os.environ.update(ENVIRONMENT, JAX_COMPILATION_CACHE_DIR=str(checkout.parent / "compiled"))
    groups = suite.measure(checkout, checkout.parent / "suite.json")
    return try_all(checkout, groups, drawn, budget, checkout.parent / "records.jsonl")


def _git(*arguments: str) -> bytes:
    command = ["git", *arguments]
    return subprocess.run(command, cwd=page.ROOT, capture_output=True, check=True).stdout


if __name__ == "__main__":
    main(tyro.cli(Config))
