"""Mutation testing of the package, reports and figures excepted: `make mutation`.

The code of a commit is copied into worker folders and changed there, one mutant at a time. Every
outcome is stored, so that an interrupted run resumes and a larger sample reuses outcomes.
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
    "OPENBLAS_NUM_THREADS": "1",  # threads do not survive a fork
}
"""Environment of the test processes, which share a compilation cache."""

SCOPE = "the package, reports and figures excepted"


@dataclass(frozen=True)
class Config:
    """Options of the command."""

    sample: int = 200
    """number of mutants, proportional to the size of each module; 0 for all"""
    seed: int = 0
    """seed of the sample"""
    commit: str = "HEAD"
    """commit of the code and the tests"""
    later: str = ""
    """later commit, whose tests the survivors are tried on again"""
    budget: float = 60.0
    """CPU seconds of tests per mutant"""
    processes: int = 2
    """number of parallel processes"""
    only: str = ""
    """pattern of modules to mutate, such as 'training/*'; no report is written"""


def main(config: Config) -> None:
    """Run the sample, then write docs/results/mutation.json and docs/mutation.md."""
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
    """Abbreviated hash of a revision, and the folder of its unchanged package."""
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
    print(
        f"{len(tests)} tests; excluded, because they fail or skip without a mutant: {len(failing)}"
    )
    return try_all(copies, tests, drawn, config.budget, folder / "records.jsonl")


if __name__ == "__main__":
    main(tyro.cli(Config))
