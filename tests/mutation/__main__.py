"""Mutation testing of the whole package but pages and figures, by `make mutation`.

A commit's code is copied into folders of its own and changed there, one mutant after the other.
Every outcome is stored, so that a run that was stopped, or is asked for another sample, resumes.
"""

import os
from collections import Counter
from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import Path

import tyro

from tests.compiler_flags import quick_compilation
from tests.mutation import page, suite, workers
from tests.mutation.mutants import Mutant, mutants, sample
from tests.mutation.run import Record, readable, repeated, summary, survived, try_all

ENVIRONMENT = {
    "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0",
    "JAX_PERSISTENT_CACHE_MIN_ENTRY_SIZE_BYTES": "0",
    "JAX_PLATFORMS": "cpu",
    "OPENBLAS_NUM_THREADS": "1",  # others would be lost in a fork
}
"""Of all processes of tests: programs are compiled once, and kept beside the code."""

SCOPE = "the package but pages and figures"


@dataclass(frozen=True)
class Config:
    """The sample and its tests."""

    sample: int = 200
    """number of mutants, from all modules in proportion; 0 for all"""
    seed: int = 0
    """of the sample"""
    commit: str = "HEAD"
    """whose code and tests"""
    later: str = ""
    """a commit with further tests, to which the survivors are put again"""
    budget: float = 60.0
    """seconds of computing by the tests for a mutant"""
    processes: int = 2
    """mutants tried at once"""
    only: str = ""
    """pattern of modules, such as 'training/*', to try their mutants alone; no page is written"""


def main(config: Config) -> None:
    """Try the sample, then write docs/results/mutation.json and docs/mutation.md."""
    commit, package = _package(config.commit)
    population = {
        module: some
        for module, some in mutants(package).items()
        if not config.only or fnmatch(module, config.only)
    }
    drawn = sample(population, config.sample or None, config.seed, readable)
    records = _try(commit, drawn, config)
    print(*sorted(Counter(record.outcome for record in records).items()))
    if config.only:
        return
    settings = {"scope": SCOPE, "commit": commit, "seed": config.seed, "budget": config.budget}
    found: list[Record] = []
    if config.later:
        settings["later"], package = _package(config.later)
        survivors = list(filter(survived, records))
        found = _try(settings["later"], repeated(survivors, mutants(package)), config)
    page.write(summary(population, records, found, settings))


def _package(revision: str) -> tuple[str, Path]:
    """A commit's name, and the folder of its unchanged package."""
    commit, folder = workers.folder_of(revision)
    return commit, workers.checkout(commit, folder / "unchanged") / "aejax"


def _try(commit: str, drawn: list[Mutant], config: Config) -> list[Record]:
    _, folder = workers.folder_of(commit)
    copies = [
        workers.checkout(commit, folder / f"worker-{index}") for index in range(config.processes)
    ]
    cache = {"JAX_COMPILATION_CACHE_DIR": str(folder / "compiled")}
    os.environ.update(ENVIRONMENT | cache, XLA_FLAGS=quick_compilation())
    tests, failing = suite.measure(copies, folder / "suite.jsonl")
    print(f"{len(tests)} tests; left out, since they fail or skip without a mutant: {len(failing)}")
    return try_all(copies, tests, drawn, config.budget, folder / "records.jsonl")


if __name__ == "__main__":
    main(tyro.cli(Config))
