"""The faults. Each disturbs a run, checks how that ended, and lets it go on to its end."""

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
    Remains,
    draw_images,
    epochs,
    lay_out,
    remains,
    resuming,
    run_to_end,
    started,
    steps,
    words,
)


class Missed(Exception):  # noqa: N818 -- nothing went wrong: the moment is tried again
    """The run ended before the moment came."""


class Lost(AssertionError):  # noqa: N818
    """The run did not end as it must, or cannot be gone on with."""


class Trial(NamedTuple):
    """One injection: where, what chance decides, a run half way, an undisturbed one's end."""

    folder: Path
    chance: Random
    half_way: Path
    whole: Remains


Fault = Callable[[Trial], list[Ended]]
"""Disturb a run in the trial's folder and let it go on; how each disturbed process ended."""


def signalled(number: signal.Signals, moment: Moment, times: int = 1) -> Fault:
    """A signal at a moment of a run, and again each time that it was resumed."""

    def fault(trial: Trial) -> list[Ended]:
        found: list[Ended] = []
        while len(found) < times and all(ended.code for ended in found):
            try:
                found.append(stop(trial.folder, trial.chance, number, moment, _line(trial)))
            except Missed:
                if not found:
                    raise
                break
        _finish(trial)
        return found

    return fault


def resumed(fault: Fault) -> Fault:
    """The same of a run that was killed half way."""

    def of_resumed(trial: Trial) -> list[Ended]:
        _half_way(trial)
        return fault(trial)

    return of_resumed


def full_disk(kilobytes: tuple[int, int]) -> Fault:
    """A disk of some size between these, on which the run finds no room."""

    def fault(trial: Trial) -> list[Ended]:
        run = trial.folder / RUN
        with disks.disk(run, 4 * trial.chance.randrange(*(size // 4 for size in kilobytes))):
            ended = run_to_end(words(), trial.folder)
            if ended.code == 0:
                raise Missed
            _check(ended, 2, "No space left on device", "Make room, and ")
            disks.change(run, f"size={disks.ROOM}k")
            _finish(trial)
        return [ended]

    return fault


def disk_filled(trial: Trial) -> list[Ended]:
    """A disk that is filled by others while a checkpoint is written on it."""
    run = trial.folder / RUN
    with disks.disk(run, 4096):
        child = start(words(), trial.folder)
        if not moments.saving(child, trial.folder, trial.chance):
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


def read_only(*, half_way: bool) -> Fault:
    """A folder that cannot be written to, before a run or before it is resumed."""

    def fault(trial: Trial) -> list[Ended]:
        run = trial.folder / RUN
        with disks.disk(run, disks.ROOM):
            if half_way:
                _half_way(trial)
            disks.change(run, "ro")
            ended = run_to_end(_line(trial), trial.folder)
            _check(ended, 2, "Read-only file system; choose another --out")
            disks.change(run, "rw")
            _finish(trial)
        return [ended]

    return fault


def flipped(path: Path, chance: Random) -> None:
    """One bit of a file is another."""
    content = bytearray(path.read_bytes())
    content[chance.randrange(len(content))] ^= 1 << chance.randrange(8)
    path.write_bytes(content)


def truncated(path: Path, chance: Random) -> None:
    """A file ends early."""
    content = path.read_bytes()
    path.write_bytes(content[: chance.randrange(len(content))])


def halved(path: Path, chance: Random) -> None:
    """A file ends in its first half: an image without its last bytes, which are sums, is whole."""
    content = path.read_bytes()
    path.write_bytes(content[: chance.randrange(len(content) // 2)])


def missing(path: Path, _: Random) -> None:
    """A file is gone."""
    path.unlink()


Damage = Callable[[Path, Random], None]


def damaged_checkpoint(damage: Damage, number: int) -> Fault:
    """One file of the newest checkpoint is damaged: the run goes on from the one offered."""

    def fault(trial: Trial) -> list[Ended]:
        newest = _half_way(trial)
        files = sorted(path for path in newest.rglob("*") if path.is_file())
        if number >= len(files):
            raise Missed
        damage(files[number], trial.chance)
        ended = run_to_end(resuming(), trial.folder)
        whole = f"--checkpoint {steps(trial.folder)[-2]}"
        _check(ended, 2, f"{newest.relative_to(trial.folder)} is damaged: ", f"({whole})")
        _finish(trial, ended=run_to_end(resuming(*whole.split()), trial.folder))
        return [ended]

    return fault


def damaged_record(damage: Damage, name: str) -> Fault:
    """A file beside the checkpoints is damaged: refused by name, or not needed; then put back."""

    def fault(trial: Trial) -> list[Ended]:
        _half_way(trial)
        path = trial.folder / RUN / name
        before = path.read_bytes()
        damage(path, trial.chance)
        ended = run_to_end(resuming(), trial.folder)
        if ended.code != 0:
            _check(ended, 2, name)
            path.write_bytes(before)
        _finish(trial)
        return [ended]

    return fault


def second_run(moment: Moment) -> Fault:
    """Another run is started in the same folder: it is refused, and the first ends as alone."""

    def fault(trial: Trial) -> list[Ended]:
        first = start(words(), trial.folder)
        if not moment(first, trial.folder, trial.chance):
            wait(first)
            raise Missed
        line = trial.chance.choice([words(), resuming()])
        second, first_ended = run_to_end(line, trial.folder), wait(first)
        if first_ended.code == 0 and second.code == 0 and line != words():
            raise Missed  # the first had ended when the second began
        refused = second if first_ended.code == 0 else first_ended  # both may have just begun
        _check(refused, 2, RUN)
        _finish(trial, ended=first_ended if refused is second else second)
        return [refused]

    return fault


def not_a_number(trial: Trial) -> list[Ended]:
    """One value of the data is NaN: refused with its place, before the run's folder exists."""
    path = trial.folder / "rows.npy"
    rows = np.load(path)
    place = trial.chance.randrange(len(rows)), trial.chance.randrange(rows.shape[1])
    value, rows[place] = rows[place], np.nan
    np.save(path, rows)
    ended = run_to_end(words(), trial.folder)
    _check(ended, 2, "NaN or infinity: 1 of")
    if (trial.folder / RUN).exists():
        raise Lost("data were refused, but the run's folder is there")
    rows[place] = value
    np.save(path, rows)
    _finish(trial)
    return [ended]


def spoiled_stream(spoil: Damage, *, skipped: bool = False) -> Fault:
    """An example of a stream is spoiled: named as it is read; repaired, or left out if asked."""

    def fault(trial: Trial) -> list[Ended]:
        folder, line = trial.folder, [*STREAM.split(), "--out", RUN]
        undisturbed = lay_out(folder / "undisturbed")
        for each in (undisturbed, folder):
            draw_images(each / "images")
        row = 5 * trial.chance.randrange(12) + trial.chance.randrange(4)  # every fifth is for tests
        path = sorted((folder / "images").iterdir())[row]
        before = path.read_bytes()
        spoil(path, trial.chance)
        ended = run_to_end([*line, "--skip", str(int(skipped))], folder)
        if skipped:
            _check(ended, 0, f"left out, as they cannot be read: examples {row}")
            return [ended]
        _check(ended, 2, f"example {row} of images cannot be read: ", "say --skip N")
        path.write_bytes(before)
        _check(run_to_end(line, undisturbed), 0)
        again = run_to_end(resuming() if started(folder) else line, folder)
        _finish(trial._replace(whole=remains(undisturbed)), ended=again)
        return [ended]

    return fault


def out_of_memory(trial: Trial) -> list[Ended]:
    """A step that needs more memory than there is; where there is more, the run goes on."""
    width = str(2**17 + 2**14 * trial.chance.randrange(8))
    wide = [*words(), "--sizes", "16", width, "6", "--batch-size", "360", "--epochs", "2"]
    whole = lay_out(trial.folder / "undisturbed")
    _check(run_to_end(wide, whole), 0)  # and its program is kept: to compile takes memory too
    ended = wait(start(wide, trial.folder, before=_limit_memory))
    _check(ended, 2, "out of memory with a batch size of 360: a step needs about ", " GiB")
    _finish(trial._replace(whole=remains(whole)))
    return [ended]


def _limit_memory() -> None:
    import resource  # which Windows lacks

    import jax

    jax.devices()  # its threads take room of their own
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    limit = pages * os.sysconf("SC_PAGE_SIZE") + 2**29
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))


def stop(
    folder: Path, chance: Random, number: signal.Signals, moment: Moment, line: Sequence[str]
) -> Ended:
    """Send a signal to a run at a moment; it ends by it, and says how to go on."""
    child = start(line, folder)
    if not moment(child, folder, chance):
        wait(child)
        raise Missed
    last = epochs(folder) >= EPOCHS - 1
    os.kill(child.pid, number)
    ended = wait(child)
    if ended.code == 0 and number == signal.SIGKILL:
        raise Missed  # it had ended
    if number == signal.SIGKILL:
        _check(ended, -number)
    elif ended.code == 0 and last:  # the epoch in hand was the last
        return ended
    elif ended.code != -number:  # it had begun to listen
        how = f"resume with: aejax train --resume --out {RUN}"
        told = how in ended.said or not epochs(folder) or ended.said == "aejax: interrupted\n"
        _check(ended, 128 + number, "" if told else how)
    return ended


def _half_way(trial: Trial) -> Path:
    """Bring the trial's run to where it was stopped half way; its newest checkpoint."""
    shutil.copytree(trial.half_way / RUN, trial.folder / RUN, dirs_exist_ok=True)
    return trial.folder / RUN / "checkpoints" / str(steps(trial.folder)[-1])


def _line(trial: Trial) -> list[str]:
    """Words that start the run, or go on with it."""
    return resuming() if started(trial.folder) else words()


def _finish(trial: Trial, *, ended: Ended | None = None) -> None:
    """Let the run go on, unless it has ended; what is then of it is what was undisturbed."""
    _check(run_to_end(_line(trial), trial.folder) if ended is None else ended, 0)
    found = remains(trial.folder)
    differing = [
        name for name, value in found._asdict().items() if value != getattr(trial.whole, name)
    ]
    if differing:
        raise Lost(f"the run has other {', '.join(differing)} than the undisturbed one")


def _check(ended: Ended, code: int, *parts: str) -> None:
    """The process ended with this code; it said these things, and no more than two lines."""
    lines = ended.said.splitlines()
    if ended.code != code or not all(part in ended.said for part in parts):
        raise Lost(f"expected {code} and {parts}, got {ended.code}: {ended.said[-2000:]}")
    if code == 2 and len(lines) > 2:
        raise Lost(f"more than two lines were said: {ended.said[:2000]}")
