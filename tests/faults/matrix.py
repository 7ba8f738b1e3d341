"""Fault by moment: what is tried, how often, and what came of each try."""

import json
import shutil
import signal
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from random import Random
from typing import NamedTuple

from aejax.cli.main import SIGNALLED
from tests.faults import disks, injections, moments
from tests.faults.injections import Fault, Lost, Missed, Trial
from tests.faults.runs import Remains, lay_out, remains, run_to_end, words

ATTEMPTS = 8
"""Runs for one injection, where the moment was missed."""

TIMES = 3
"""Signals to one run, which is resumed after each."""

FILES = 24
"""At least as many as a checkpoint has."""

UNMOUNTABLE = (0, "skipped", 0, "no disk can be mounted here")

Cell = tuple[str, str, list[Fault]]
"""Fault, moment, and every injection of it."""


class Record(NamedTuple):
    """What came of an injection.

    fault, moment, number: which.
    tries:    of how many injections in one run.
    outcome:  survived, lost, skipped (the machine cannot) or missed (no such moment).
    code:     how the disturbed process ended.
    said:     its first line, or why the run is lost.
    seconds:  that all took.
    """

    fault: str
    moment: str
    number: int
    tries: int
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
    runs = -(-tries // TIMES)
    found: list[Cell] = []
    for number, name in ((9, "kill -9"), (15, "SIGTERM"), (2, "SIGINT")):
        sent = signal.Signals(number)
        for time_of_it in ("starting", "training", "saving"):
            again = injections.signalled(sent, times[time_of_it], TIMES)
            found.append((name, time_of_it, [again] * runs))
        once = injections.signalled(sent, moments.ending)
        found.append((name, "ending", [once] * runs))
        again = injections.resumed(injections.signalled(sent, moments.starting, TIMES))
        found.append((name, "resuming", [again] * runs))
    found += [
        ("full disk", "starting", [injections.full_disk((4, 24))] * runs),
        ("full disk", "training", [injections.full_disk((24, 700))] * runs),
        ("full disk", "saving", [injections.disk_filled] * runs),
        ("read-only folder", "starting", [injections.read_only(half_way=False)] * runs),
        ("read-only folder", "resuming", [injections.read_only(half_way=True)] * runs),
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
        found.append(("second run in the folder", time_of_it, [second] * runs))
    found += [
        ("stream raises", "training", [injections.spoiled_stream(injections.halved)] * runs),
        (
            "stream raises, may skip",
            "training",
            [injections.spoiled_stream(injections.halved, skipped=True)] * runs,
        ),
        ("NaN in the data", "starting", [injections.not_a_number] * runs),
        ("out of memory", "training", [injections.out_of_memory] * min(runs, 3)),
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
        whole = _whole(lay_out(Path(name) / "undisturbed"))
        half_way = _half_way(lay_out(Path(name) / "half-way"))
        for number, fault, moment, inject in _in_turn(chosen):
            record = done.get((fault, moment, number))
            if record is None:
                begin = time.monotonic()
                chance = Random(f"{seed} {fault} {moment} {number}")
                trial = Trial(Path(name) / "trial", chance, half_way, whole)
                possible = mounts or fault not in ("full disk", "read-only folder")
                ended = _inject(inject, trial) if possible else UNMOUNTABLE
                spent = round(time.monotonic() - begin, 1)
                record = Record(fault, moment, number, *ended, spent)
                with store.open("a") as file:
                    file.write(json.dumps(record) + "\n")
            yield record


def _in_turn(chosen: list[Cell]) -> list[tuple[int, str, str, Fault]]:
    """The first injection of every cell, then the second, and so on: a command may be stopped."""
    numbered = [
        (number, fault, moment, inject)
        for fault, moment, injections_of_it in chosen
        for number, inject in enumerate(injections_of_it)
    ]
    return sorted(numbered, key=lambda each: each[0])


def _whole(folder: Path) -> Remains:
    """What there is of a run that is not disturbed."""
    ended = run_to_end(words(), folder)
    if ended.code:
        raise RuntimeError(ended.said)
    return remains(folder)


def _half_way(folder: Path) -> Path:
    """The folder of a run that was stopped when it had several checkpoints."""
    stopped = injections.stop(folder, Random(0), signal.SIGTERM, moments.half_way, words())
    if stopped.code != SIGNALLED + signal.SIGTERM:
        raise RuntimeError(stopped.said)
    return folder


def _inject(inject: Fault, trial: Trial) -> tuple[int, str, int, str]:
    """Tries, outcome, code and words of an injection, attempted until its moment is met."""
    for _ in range(ATTEMPTS):
        shutil.rmtree(trial.folder, ignore_errors=True)
        lay_out(trial.folder)
        try:
            ended = inject(trial)
        except Missed:
            continue
        except (Lost, ValueError, KeyError, OSError, IndexError) as lost:
            return 1, "lost", 1, repr(lost)
        said = next((line for line in ended[-1].said.splitlines() if line.startswith("aejax")), "")
        return len(ended), "survived", ended[-1].code, said
    return 0, "missed", 0, ""
