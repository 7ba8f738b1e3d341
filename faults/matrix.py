"""Fault by moment: what is tried, how often, and what came of each try."""

import json
import os
import shutil
import signal
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from random import Random
from typing import NamedTuple

from faults import disks, injections, moments
from faults.injections import Fault, Lost, Missed, Trial
from faults.processes import Ended
from faults.runs import Remains, lay_out, remains, run_to_end, words

ATTEMPTS = 8
"""Runs for one injection, where the moment was missed."""

FILES = 24
"""At least as many as a checkpoint has."""

Cell = tuple[str, str, list[Fault]]
"""Fault, moment, and every injection of it."""


class Record(NamedTuple):
    """What came of an injection.

    fault, moment, number: which.
    outcome:  survived, lost, skipped (the machine cannot) or missed (no such moment).
    code:     how the disturbed process ended.
    said:     its first line, or why the run is lost.
    seconds:  that all took.
    """

    fault: str
    moment: str
    number: int
    outcome: str
    code: int
    said: str
    seconds: float


def cells(tries: int) -> list[Cell]:
    """Every fault and moment, with as many injections as files, or as tries."""
    times = {
        "starting": moments.starting,
        "training": moments.training,
        "saving": moments.saving,
        "ending": moments.ending,
    }
    found: list[Cell] = []
    for number, name in ((9, "kill -9"), (15, "SIGTERM"), (2, "SIGINT")):
        sent = signal.Signals(number)
        for time_of_it, moment in times.items():
            found.append((name, time_of_it, [injections.signalled(sent, moment)] * tries))
        resumed = injections.signalled(sent, moments.starting, again=True)
        found.append((name, "resuming", [resumed] * tries))
    found += [
        ("full disk", "starting", [injections.full_disk((4, 24))] * tries),
        ("full disk", "training", [injections.full_disk((24, 700))] * tries),
        ("full disk", "saving", [injections.disk_filled] * tries),
        ("read-only folder", "starting", [injections.read_only(resumed=False)] * tries),
        ("read-only folder", "resuming", [injections.read_only(resumed=True)] * tries),
    ]
    for damage in (injections.flipped, injections.truncated, injections.missing):
        every = [injections.damaged_checkpoint(damage, number) for number in range(FILES)]
        found.append((f"checkpoint's file {damage.__name__}", "resuming", every))
    found += [
        (f"{name} {damage.__name__}", "resuming", [injections.damaged_record(damage, name)] * 2)
        for name in ("configuration.json", "history.jsonl")
        for damage in (injections.truncated, injections.missing)
    ]
    for time_of_it in ("starting", "training", "ending"):
        second = injections.second_run(times[time_of_it])
        found.append(("second run in the folder", time_of_it, [second] * tries))
    found += [
        ("NaN in the data", "starting", [injections.not_a_number] * tries),
        ("out of memory", "training", [injections.out_of_memory] * min(tries, 3)),
    ]
    return found


def run_all(chosen: list[Cell], seed: int, store: Path) -> Iterator[Record]:
    """Every injection, one after the other; those in the store are not done again.

    Args:
        chosen: what is tried.
        seed: of all that chance decides.
        store: a file of records, a line each.
    """
    known = [Record(*json.loads(line)) for line in store.read_text().splitlines()]
    done = {record[:3]: record for record in known}
    with tempfile.TemporaryDirectory() as name:
        mounts = disks.may_mount(Path(name) / "disk")
        undisturbed = lay_out(Path(name) / "undisturbed")
        if run_to_end(words(), undisturbed).code:
            raise RuntimeError("the undisturbed run has failed")
        whole = remains(undisturbed)
        for fault, moment, tries in chosen:
            for number, inject in enumerate(tries):
                record = done.get((fault, moment, number))
                if record is None:
                    begin, folder = time.monotonic(), Path(name) / "trial"
                    disk = fault in ("full disk", "read-only folder")
                    chance = f"{seed} {fault} {moment} {number}"
                    ended = (
                        ("skipped", 0, "no disk can be mounted here")
                        if disk and not mounts
                        else _inject(inject, folder, chance, whole)
                    )
                    spent = round(time.monotonic() - begin, 1)
                    record = Record(fault, moment, number, *ended, spent)
                    with store.open("a") as file:
                        file.write(json.dumps(record) + "\n")
                yield record


def _inject(inject: Fault, folder: Path, chance: str, whole: Remains) -> tuple[str, int, str]:
    """Outcome, code and words of one injection, tried until its moment is met."""
    for attempt in range(ATTEMPTS):
        shutil.rmtree(folder, ignore_errors=True)
        trial = Trial(lay_out(folder), Random(f"{chance} {attempt}"), whole)
        try:
            ended: Ended = inject(trial)
        except Missed:
            continue
        except Lost as lost:
            return "lost", 1, str(lost)
        except (ValueError, KeyError, OSError, IndexError) as error:
            return "lost", 1, repr(error)
        said = next(iter(ended.said.splitlines()), "")
        return "survived", ended.code, said.replace(os.fspath(folder), "")
    return "missed", 0, ""
