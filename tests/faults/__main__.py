"""Fault injection: `make faults` for all faults, `python -m tests.faults --quick` for a few.

The outcome of each injection is stored in `.faults/`, so that an interrupted command resumes.
"""

import sys
from dataclasses import dataclass

import tyro

from tests.faults import disks, matrix, page
from tests.faults.processes import prepare


@dataclass(frozen=True)
class Config:
    """Options of the command."""

    tries: int = 12
    """number of signals per moment, three to a run; other faults are injected once per such run"""
    seed: int = 0
    """seed of the random choices"""
    quick: bool = False
    """inject a few faults only"""
    fresh: bool = False
    """ignore stored outcomes, and write no report"""


QUICK = (
    ("kill -9", "saving"),
    ("full disk", "training"),
)
"""Faults and moments of the quick mode: three signals, and a full disk.

The default suite tests a signal during training, a damaged checkpoint and data with NaN by faster
tests: tests/cli/test_resume.py and tests/cli/test_errors.py.
"""


def main(config: Config) -> int:
    """Inject the faults, print the outcomes and write the report.

    Returns:
        Number of lost runs.
    """
    if not sys.platform.startswith("linux"):
        raise SystemExit(
            "tests.faults needs Linux (fork, mount and /proc); tests.faults.alterations does not"
        )
    prepare()
    chosen = matrix.cells(config.tries)
    folder = page.ROOT / ".faults"
    store = folder / f"{config.seed}.jsonl"
    if config.quick:
        chosen = [(fault, at, tries[:1]) for fault, at, tries in chosen if (fault, at) in QUICK]
    if config.fresh:
        store = store.with_name("fresh.jsonl")
        store.unlink(missing_ok=True)
    folder.mkdir(exist_ok=True)
    store.touch()
    records = []
    for record in matrix.run_all(chosen, config.seed, store):
        print(*record, sep=" | ", flush=True)
        records.append(record)
    if not config.quick and not config.fresh:
        page.write(records, config.seed)
    return sum(record.outcome == "lost" for record in records)


if __name__ == "__main__":
    disks.restart_in_mount_namespace()
    raise SystemExit(main(tyro.cli(Config)))
