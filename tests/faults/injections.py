"""Faults: each disturbs a run, checks how the process ended, and resumes the run to its end."""

import os
import shutil
import signal
from collections.abc import Callable, Sequence
from pathlib import Path
from random import Random
from typing import NamedTuple

import numpy as np

from tests.faults import disks, moments
from tests.faults.moments import Moment
from tests.faults.processes import Ended, start, wait
from tests.faults.runs import (
    EPOCHS,
    RUN,
    STREAM,
    FinalState,
    draw_images,
    epochs,
    final_state,
    make_data_folder,
    resume_command,
    run_command,
    started,
    steps,
    train_command,
)


class Missed(Exception):  # noqa: N818 -- not an error: the injection is repeated
    """The run ended before the fault could be injected."""


class Lost(AssertionError):  # noqa: N818
    """The run did not end as expected, or cannot be resumed."""


class Trial(NamedTuple):
    """Inputs of one injection.

    folder:      folder of the data and the run.
    rng:         source of the random choices.
    interrupted: folder of a run that was stopped after several checkpoints.
    expected:    final state of an undisturbed run.
    """

    folder: Path
    rng: Random
    interrupted: Path
    expected: FinalState


Fault = Callable[[Trial], list[Ended]]
"""Disturbs a run in the trial's folder and resumes it; returns how each disturbed process ended."""


def signalled(number: signal.Signals, moment: Moment, times: int = 1) -> Fault:
    """Send a signal at a moment of a run, and again after each resumption."""

    def fault(trial: Trial) -> list[Ended]:
        found: list[Ended] = []
        while len(found) < times and all(ended.code for ended in found):
            try:
                found.append(stop(trial.folder, trial.rng, number, moment, _command(trial)))
            except Missed:
                if not found:
                    raise
                break
        _finish(trial)
        return found

    return fault


def resumed(fault: Fault) -> Fault:
    """Apply a fault to a run that resumes after an interruption."""

    def of_resumed(trial: Trial) -> list[Ended]:
        _copy_interrupted(trial)
        return fault(trial)

    return of_resumed


def full_disk(kilobytes: tuple[int, int]) -> Fault:
    """Run on a disk whose random size, within these bounds, is too small."""

    def fault(trial: Trial) -> list[Ended]:
        run = trial.folder / RUN
        with disks.disk(run, 4 * trial.rng.randrange(*(size // 4 for size in kilobytes))):
            ended = run_command(train_command(), trial.folder)
            if ended.code == 0:
                raise Missed
            _check(ended, 2, "No space left on device", "Free some space, then ")
            disks.change(run, f"size={disks.AMPLE_KILOBYTES}k")
            _finish(trial)
        return [ended]

    return fault


def disk_filled(trial: Trial) -> list[Ended]:
    """Fill the disk while a checkpoint is written."""
    run = trial.folder / RUN
    with disks.disk(run, 4096):
        child = start(train_command(), trial.folder)
        if not moments.saving(child, trial.folder, trial.rng):
            wait(child)
            raise Missed
        ballast = disks.fill(run)
        ended = wait(child)
        if ended.code == 0:
            raise Missed
        _check(ended, 2, "No space left on device", "Free some space, then resume with")
        ballast.unlink()
        _finish(trial)
    return [ended]


def read_only(*, resume: bool) -> Fault:
    """Make the folder read-only before a run starts or before it resumes."""

    def fault(trial: Trial) -> list[Ended]:
        run = trial.folder / RUN
        with disks.disk(run, disks.AMPLE_KILOBYTES):
            if resume:
                _copy_interrupted(trial)
            disks.change(run, "ro")
            ended = run_command(_command(trial), trial.folder)
            _check(ended, 2, "Read-only file system; choose another --out")
            disks.change(run, "rw")
            _finish(trial)
        return [ended]

    return fault


def flipped(path: Path, rng: Random) -> None:
    """Flip one bit of a file."""
    content = bytearray(path.read_bytes())
    content[rng.randrange(len(content))] ^= 1 << rng.randrange(8)
    path.write_bytes(content)


def truncated(path: Path, rng: Random) -> None:
    """Truncate a file at a random position."""
    content = path.read_bytes()
    path.write_bytes(content[: rng.randrange(len(content))])


def halved(path: Path, rng: Random) -> None:
    """Truncate a file within its first half, because the last bytes of a PNG are only checksums."""
    content = path.read_bytes()
    path.write_bytes(content[: rng.randrange(len(content) // 2)])


def missing(path: Path, _: Random) -> None:
    """Delete a file."""
    path.unlink()


Damage = Callable[[Path, Random], None]


def damaged_checkpoint(damage: Damage, number: int) -> Fault:
    """Damage one file of the newest checkpoint; the run resumes from the suggested one."""

    def fault(trial: Trial) -> list[Ended]:
        newest = _copy_interrupted(trial)
        files = sorted(path for path in newest.rglob("*") if path.is_file())
        if number >= len(files):
            raise Missed
        damage(files[number], trial.rng)
        ended = run_command(resume_command(), trial.folder)
        option = f"--checkpoint {steps(trial.folder)[-2]}"
        _check(ended, 2, f"{newest.relative_to(trial.folder)} is damaged: ", f"({option})")
        _finish(trial, ended=run_command(resume_command(*option.split()), trial.folder))
        return [ended]

    return fault


def damaged_record(damage: Damage, name: str) -> Fault:
    """Damage a file outside the checkpoints: refused by name, unless resuming does not need it."""

    def fault(trial: Trial) -> list[Ended]:
        _copy_interrupted(trial)
        path = trial.folder / RUN / name
        before = path.read_bytes()
        damage(path, trial.rng)
        ended = run_command(resume_command(), trial.folder)
        if ended.code != 0:
            _check(ended, 2, name)
            path.write_bytes(before)
        _finish(trial)
        return [ended]

    return fault


def second_run(moment: Moment) -> Fault:
    """Start a second run in the same folder: it is refused, and the first one is unaffected."""

    def fault(trial: Trial) -> list[Ended]:
        first = start(train_command(), trial.folder)
        if not moment(first, trial.folder, trial.rng):
            wait(first)
            raise Missed
        command = trial.rng.choice([train_command(), resume_command()])
        second, first_ended = run_command(command, trial.folder), wait(first)
        if first_ended.code == 0 and second.code == 0 and command != train_command():
            raise Missed  # the first had ended when the second began
        refused = (
            second if first_ended.code == 0 else first_ended
        )  # whichever locked the folder first continues
        _check(refused, 2, RUN)
        _finish(trial, ended=first_ended if refused is second else second)
        return [refused]

    return fault


def not_a_number(trial: Trial) -> list[Ended]:
    """Set one value of the data to NaN: refused before the run's folder is created."""
    path = trial.folder / "rows.npy"
    rows = np.load(path)
    index = trial.rng.randrange(len(rows)), trial.rng.randrange(rows.shape[1])
    value, rows[index] = rows[index], np.nan
    np.save(path, rows)
    ended = run_command(train_command(), trial.folder)
    _check(ended, 2, "NaN or infinity: 1 of")
    if (trial.folder / RUN).exists():
        raise Lost("the data were refused, but the run's folder was created")
    rows[index] = value
    np.save(path, rows)
    _finish(trial)
    return [ended]


def spoiled_stream(spoil: Damage, *, skipped: bool = False) -> Fault:
    """Damage an example of a stream: refused by its index, or skipped if `--skip` permits it."""

    def fault(trial: Trial) -> list[Ended]:
        folder, command = trial.folder, [*STREAM.split(), "--out", RUN]
        undisturbed = make_data_folder(folder / "undisturbed")
        for each in (undisturbed, folder):
            draw_images(each / "images")
        row = 5 * trial.rng.randrange(12) + trial.rng.randrange(4)  # every fifth is a test example
        path = sorted((folder / "images").iterdir())[row]
        before = path.read_bytes()
        spoil(path, trial.rng)
        ended = run_command([*command, "--skip", str(int(skipped))], folder)
        if skipped:
            _check(ended, 0, f"left out, as they cannot be read: examples {row}")
            return [ended]
        _check(ended, 2, f"example {row} of images cannot be read: ", "use --skip N")
        path.write_bytes(before)
        _check(run_command(command, undisturbed), 0)
        again = run_command(resume_command() if started(folder) else command, folder)
        _finish(trial._replace(expected=final_state(undisturbed)), ended=again)
        return [ended]

    return fault


def out_of_memory(trial: Trial) -> list[Ended]:
    """Run a step that needs more memory than is available, then resume with enough memory."""
    width = str(2**17 + 2**14 * trial.rng.randrange(8))
    wide = [*train_command(), "--sizes", "16", width, "6", "--batch-size", "360", "--epochs", "2"]
    undisturbed = make_data_folder(trial.folder / "undisturbed")
    _check(run_command(wide, undisturbed), 0)  # caches the program: compilation needs memory too
    ended = wait(start(wide, trial.folder, before=_limit_memory))
    _check(ended, 2, "out of memory with a batch size of 360: a step needs about ", " GiB")
    _finish(trial._replace(expected=final_state(undisturbed)))
    return [ended]


def _limit_memory() -> None:
    import resource  # not available on Windows

    import jax

    jax.devices()  # its threads need address space
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    limit = pages * os.sysconf("SC_PAGE_SIZE") + 2**29
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))


def stop(
    folder: Path, rng: Random, number: signal.Signals, moment: Moment, command: Sequence[str]
) -> Ended:
    """Send a signal to a run at a moment; check that it ends and says how to resume."""
    child = start(command, folder)
    if not moment(child, folder, rng):
        wait(child)
        raise Missed
    last = epochs(folder) >= EPOCHS - 1
    os.kill(child.pid, number)
    ended = wait(child)
    if ended.code == 0 and number == signal.SIGKILL:
        raise Missed  # it ended before the signal
    if number == signal.SIGKILL:
        _check(ended, -number)
    elif ended.code == 0 and last:  # it finished its last epoch
        return ended
    elif ended.code != -number:  # its signal handlers were installed
        how = f"resume with: aejax train --resume --out {RUN}"
        told = how in ended.stderr or not epochs(folder) or ended.stderr == "aejax: interrupted\n"
        _check(ended, 128 + number, "" if told else how)
    return ended


def _copy_interrupted(trial: Trial) -> Path:
    """Copy the interrupted run into the trial's folder; return its newest checkpoint."""
    shutil.copytree(trial.interrupted / RUN, trial.folder / RUN, dirs_exist_ok=True)
    return trial.folder / RUN / "checkpoints" / str(steps(trial.folder)[-1])


def _command(trial: Trial) -> list[str]:
    """Command that starts the run, or resumes it if it has started."""
    return resume_command() if started(trial.folder) else train_command()


def _finish(trial: Trial, *, ended: Ended | None = None) -> None:
    """Resume the run unless it has ended, and compare its final state with the expected one."""
    _check(run_command(_command(trial), trial.folder) if ended is None else ended, 0)
    found = final_state(trial.folder)
    differing = [
        name for name, value in found._asdict().items() if value != getattr(trial.expected, name)
    ]
    if differing:
        raise Lost(f"{', '.join(differing)} of the run and of the undisturbed run differ")


def _check(ended: Ended, code: int, *parts: str) -> None:
    """Check exit code and texts on standard error, which has at most two lines for code 2."""
    lines = ended.stderr.splitlines()
    if ended.code != code or not all(part in ended.stderr for part in parts):
        raise Lost(f"expected {code} and {parts}, got {ended.code}: {ended.stderr[-2000:]}")
    if code == 2 and len(lines) > 2:
        raise Lost(f"more than two lines on standard error: {ended.stderr[:2000]}")
