"""Matrix of faults and moments: the injections of each cell and their outcomes."""

import json
import shutil
import signal
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from random import Random
from typing import NamedTuple

from aejax.cli.process.exit_codes import SIGNALLED
from tests.faults import disks, injections, moments
from tests.faults.injections import Fault, Lost, Missed, Trial
from tests.faults.runs import FinalState, final_state, make_data_folder, run_command, train_command

ATTEMPTS = 8
"""Maximum number of runs for one injection whose moment was missed."""

TIMES = 3
"""Number of signals to one run, which resumes after each."""

MAX_FILES = 24
"""Upper bound on the number of files of a checkpoint."""

UNMOUNTABLE = (0, "skipped", 0, "cannot mount a disk here")

Cell = tuple[str, str, list[Fault]]
"""Names of a fault and a moment, and the injections."""


class Record(NamedTuple):
    """Outcome of an injection.

    fault, moment: names of the cell.
    number:        index of the injection in the cell.
    tries:         number of faults injected into the run.
    outcome:       survived, lost, skipped (impossible on this machine) or missed (never reached).
    code:          exit code of the disturbed process.
    stderr:        its first line of standard error, or the reason of the loss.
    seconds:       duration.
    """

    fault: str
    moment: str
    number: int
    tries: int
    outcome: str
    code: int
    stderr: str
    seconds: float


def cells(tries: int) -> list[Cell]:
    """Every fault and moment with its injections: one per file, or as many as `tries` requires."""
    phases = {
        "starting": moments.starting,
        "training": moments.training,
        "saving": moments.saving,
        "ending": moments.ending,
    }
    runs = -(-tries // TIMES)
    found: list[Cell] = []
    for number, name in ((9, "kill -9"), (15, "SIGTERM"), (2, "SIGINT")):
        sent = signal.Signals(number)
        for moment in ("starting", "training", "saving"):
            again = injections.signalled(sent, phases[moment], TIMES)
            found.append((name, moment, [again] * runs))
        once = injections.signalled(sent, moments.ending)
        found.append((name, "ending", [once] * runs))
        again = injections.resumed(injections.signalled(sent, moments.starting, TIMES))
        found.append((name, "resuming", [again] * runs))
    found += [
        ("full disk", "starting", [injections.full_disk((4, 24))] * runs),
        ("full disk", "training", [injections.full_disk((24, 700))] * runs),
        ("full disk", "saving", [injections.disk_filled] * runs),
        ("read-only folder", "starting", [injections.read_only(resume=False)] * runs),
        ("read-only folder", "resuming", [injections.read_only(resume=True)] * runs),
    ]
    for damage in (injections.flipped, injections.truncated, injections.missing):
        every = [injections.damaged_checkpoint(damage, number) for number in range(MAX_FILES)]
        found.append((f"checkpoint's file {damage.__name__}", "resuming", every))
    found += [
        (f"{name} {damage.__name__}", "resuming", [injections.damaged_record(damage, name)] * 2)
        for name in ("configuration.json", "history.jsonl")
        for damage in (injections.truncated, injections.missing)
    ]
    for moment in ("starting", "training", "ending"):
        second = injections.second_run(phases[moment])
        found.append(("second run in the folder", moment, [second] * runs))
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
    """Run every injection whose record is not in the store yet.

    Args:
        chosen: cells to run.
        seed: seed of the random choices.
        store: file of records, one JSON line for each.

    Yields:
        The record of each injection.
    """
    known = [Record(*json.loads(line)) for line in store.read_text().splitlines()]
    done = {record[:3]: record for record in known}
    with tempfile.TemporaryDirectory() as name:
        mounts = disks.may_mount(Path(name) / "disk")
        expected = _undisturbed(make_data_folder(Path(name) / "undisturbed"))
        interrupted = _interrupted(make_data_folder(Path(name) / "interrupted"))
        for number, fault, moment, inject in _round_robin(chosen):
            record = done.get((fault, moment, number))
            if record is None:
                begin = time.monotonic()
                rng = Random(f"{seed} {fault} {moment} {number}")
                trial = Trial(Path(name) / "trial", rng, interrupted, expected)
                possible = mounts or fault not in ("full disk", "read-only folder")
                ended = _inject(inject, trial) if possible else UNMOUNTABLE
                spent = round(time.monotonic() - begin, 1)
                record = Record(fault, moment, number, *ended, spent)
                with store.open("a") as file:
                    file.write(json.dumps(record) + "\n")
            yield record


def _round_robin(chosen: list[Cell]) -> list[tuple[int, str, str, Fault]]:
    """Round-robin order over the cells, so that an interrupted command has covered every cell."""
    numbered = [
        (number, fault, moment, inject)
        for fault, moment, injections_of_it in chosen
        for number, inject in enumerate(injections_of_it)
    ]
    return sorted(numbered, key=lambda each: each[0])


def _undisturbed(folder: Path) -> FinalState:
    """Final state of a run that is not disturbed."""
    ended = run_command(train_command(), folder)
    if ended.code:
        raise RuntimeError(ended.stderr)
    return final_state(folder)


def _interrupted(folder: Path) -> Path:
    """Folder of a run that is stopped after several checkpoints."""
    stopped = injections.stop(
        folder, Random(0), signal.SIGTERM, moments.several_checkpoints, train_command()
    )
    if stopped.code != SIGNALLED + signal.SIGTERM:
        raise RuntimeError(stopped.stderr)
    return folder


def _inject(inject: Fault, trial: Trial) -> tuple[int, str, int, str]:
    """Tries, outcome, exit code and text of an injection, repeated until its moment is reached."""
    for _ in range(ATTEMPTS):
        shutil.rmtree(trial.folder, ignore_errors=True)
        make_data_folder(trial.folder)
        try:
            ended = inject(trial)
        except Missed:
            continue
        except (Lost, ValueError, KeyError, OSError, IndexError) as lost:
            return 1, "lost", 1, repr(lost)
        line = next(
            (line for line in ended[-1].stderr.splitlines() if line.startswith("aejax")), ""
        )
        return len(ended), "survived", ended[-1].code, line
    return 0, "missed", 0, ""
