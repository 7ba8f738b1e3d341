"""Every fault at every moment, by `make faults`; a dozen, by `python -m tests.faults --quick`.

What came of each injection is kept in `.faults/`, so that a command that was stopped goes on.
"""

import sys
from dataclasses import dataclass

import tyro

from tests.faults import disks, matrix, page
from tests.faults.processes import prepare


@dataclass(frozen=True)
class Config:
    """What is tried."""

    tries: int = 12
    """signals at each moment, three to a run; of all else, as many injections as such runs"""
    seed: int = 0
    """of all that chance decides"""
    quick: bool = False
    """a dozen instead"""
    fresh: bool = False
    """all anew, printed as they come, and no page written"""


QUICK = (
    ("kill -9", "saving"),
    ("SIGTERM", "training"),
    ("SIGINT", "starting"),
    ("full disk", "training"),
    ("checkpoint's file flipped", "resuming"),
    ("NaN in the data", "starting"),
)
"""Three signals to a run each, and one of the others: a dozen."""


def main(config: Config) -> int:
    """Try all, print each, and write the page; the number of runs that were lost."""
    if not sys.platform.startswith("linux"):
        raise SystemExit(
            "faults need Linux: fork, mounts and /proc; tests.faults.alterations does not"
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
    disks.alone()
    raise SystemExit(main(tyro.cli(Config)))
