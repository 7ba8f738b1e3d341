"""Altered files of a run: a bit flipped, a file truncated, deleted or exchanged, then a command.

`python -m tests.faults.alterations` alters one random file at a time and runs one command on it in
this process. The command must refuse the file by name, with exit code 2 and one or two lines, or
write results that are bit-identical to those of the unaltered files.
"""

import contextlib
import hashlib
import io
import json
import os
import shutil
import sys
import tempfile
import zipfile
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any, NamedTuple

import jax
import numpy as np
import tyro

from aejax.cli.main import main as aejax
from aejax.runs.atomic_files import write_text
from tests.faults.injections import flipped, truncated
from tests.faults.page import ALTERATIONS, write_page
from tests.faults.runs import CLOCK, make_data_folder

TRAIN = (
    "train --data rows.npy --sizes 16 6 --corruption masking --batch-size 128 --epochs 3 "
    "--schedule constant --save-every 1 --quiet"
)
COMMANDS = {
    "encode": "encode run new.npy --out out.npy",
    "reconstruct": "reconstruct run new.npy --out out.npy",
    "report": "report run --out out.html",
    "export": "export run --out out",
    "resume": "train --resume --out run --epochs 4 --quiet",
    "encode the export": "encode exported new.npy --out out.npy",
    "reconstruct by a checkpoint's name": "reconstruct run new.npy --out out.npy --checkpoint 6",
}
CACHE_CLEARING_INTERVAL = 50
"""Number of injections after which JAX's in-memory caches are cleared."""


class Found(NamedTuple):
    """An injection and its outcome: refused, same or lost."""

    alteration: str
    file: str
    command: str
    outcome: str
    stderr: str


Alteration = Callable[[Path, Random], None]


def deleted(path: Path, _: Random) -> None:
    """Delete the file."""
    path.unlink()


def exchanged(path: Path, rng: Random) -> None:
    """Replace the file, or its checkpoint, by that of another run or another step."""
    inside = path.parts.index("checkpoints") if "checkpoints" in path.parts else None
    if inside is None:
        source = Path("other", *path.parts)
        shutil.copy(source if source.exists() else next(source.parent.iterdir()), path)
        return
    step = Path(*path.parts[: inside + 2])
    others = [each for each in step.parent.iterdir() if each != step]
    source = rng.choice([Path("other", *step.parts), *others])
    shutil.rmtree(step)
    shutil.copytree(source, step)


ALTERED: tuple[Alteration, ...] = (flipped, flipped, flipped, truncated, deleted, exchanged)
"""Alterations, chosen with equal probability: half of all flip a bit."""


def prepare(folder: Path) -> None:
    """Create two runs with the same settings, their exports, and new examples in a folder."""
    make_data_folder(folder)
    with contextlib.chdir(folder):
        np.save("new.npy", np.load("rows.npy")[:20])
        for parent in (Path(), Path("other")):
            parent.mkdir(exist_ok=True)
            for line in (f"{TRAIN} --out {parent / 'run'}",
                         f"export {parent / 'run'} --out {parent / 'exported'}"):  # fmt: skip
                code, stderr = _call(line)
                assert code == 0, stderr


def injections(folder: Path, count: int, seed: int, commands: Sequence[str]) -> Iterator[Found]:
    """Alter one file at a time and run a command on it.

    Args:
        folder: folder of `prepare`, which is restored after each injection.
        count: number of injections.
        seed: seed of the random choices.
        commands: names in `COMMANDS`, used in turn.

    Yields:
        The outcome of each injection.
    """
    with contextlib.chdir(folder):
        expected = {name: _expected(name) for name in commands}
        for number in range(count):
            rng = Random(f"{seed} {number}")
            yield _inject(rng, commands[number % len(commands)], expected)
            if number % CACHE_CLEARING_INTERVAL == 0:
                jax.clear_caches()


def _inject(rng: Random, command: str, expected: dict[str, Any]) -> Found:
    run = Path("exported" if "encode exported" in COMMANDS[command] else "run")
    files = sorted(path for path in run.rglob("*") if path.is_file() and path.stat().st_size)
    kinds = sorted({_kind(path) for path in files})
    kind = rng.choice(kinds)  # otherwise most would be files of Orbax
    path = rng.choice([each for each in files if _kind(each) == kind])
    alter = rng.choice(ALTERED)

    def apply_alteration() -> None:
        alter(path, rng)

    code, stderr, results = _run(command, apply_alteration)
    folder = path.parts[
        : 3 if "checkpoints" in path.parts else None
    ]  # of a checkpoint, or the file itself
    named = path.name in stderr or str(Path(*folder)) in stderr
    if code == 2 and named and len(stderr.splitlines()) <= 2:
        outcome = "refused"
    elif code == 0 and results == expected[command]:
        outcome = "same"
    else:
        outcome = "lost"
    return Found(alter.__name__, kind, command, outcome, stderr)


def _expected(command: str) -> Any:
    """Results of a command on unaltered files."""
    code, stderr, results = _run(command)
    assert code == 0, stderr
    return results


def _kind(path: Path) -> str:
    """Kind of a file: its path, with the step number replaced and Orbax's files combined."""
    parts = ["STEP" if part.isdecimal() else part for part in path.parts]
    if "state" in parts:
        return "run/checkpoints/STEP/state"
    return "run/tensorboard" if "tensorboard" in parts else "/".join(parts)


def _run(command: str, before: Callable[[], None] = lambda: None) -> tuple[int, str, Any]:
    """Exit code, standard error and results of a command; restores the runs afterwards."""
    for name in ("run", "exported"):
        shutil.copytree(name, f"{name}.backup")
    try:
        before()
        code, stderr = _call(COMMANDS[command])
        return code, stderr, _results() if code == 0 else None
    finally:
        for name in ("run", "exported"):
            shutil.rmtree(name, ignore_errors=True)
            os.rename(f"{name}.backup", name)
        for path in Path().glob("out*"):
            shutil.rmtree(path) if path.is_dir() else path.unlink()


def _call(line: str) -> tuple[int, str]:
    """Exit code and standard error of a command; an uncaught exception is code 1.

    The command runs in a new thread, because an exported function records its call stack.
    """
    stderr = io.StringIO()
    with (
        contextlib.redirect_stderr(stderr),
        contextlib.redirect_stdout(io.StringIO()),
        ThreadPoolExecutor(1) as thread,
    ):
        try:
            return thread.submit(aejax, line.split()).result(), stderr.getvalue()
        except Exception as error:
            return 1, f"{type(error).__name__}: {error}"


def _results() -> Any:
    """Everything that the command wrote, apart from times and identities."""
    written = [path for out in Path().glob("out*") for path in (out, *out.glob("*"))]
    if written:
        return {str(path): _content(path) for path in written if path.is_file()}
    run = Path("run")
    newest = max((run / "checkpoints").iterdir(), key=lambda path: int(path.name))
    lines = [json.loads(line) for line in (run / "history.jsonl").read_text().splitlines()]
    without_times = [{name: line[name] for name in line if name not in CLOCK} for line in lines]
    return _arrays(newest / "state"), without_times, (run / "metrics.json").read_text()


def _content(path: Path) -> dict[str, str]:
    """Digest of a file, or of each member of an archive, whose header contains the time."""
    if path.suffix != ".npz":
        return {"": hashlib.sha256(path.read_bytes()).hexdigest()}
    with zipfile.ZipFile(path) as archive:
        return {name: hashlib.sha256(archive.read(name)).hexdigest() for name in archive.namelist()}


def _arrays(state: Path) -> str:
    """Digest of all entries of a checkpoint's database, read without aejax."""
    import tensorstore

    opening = {"driver": "ocdbt", "base": f"file://{state.absolute()}/"}
    store: Any = tensorstore.KvStore.open(opening).result()
    digest = hashlib.sha256()
    for name in sorted(store.list().result()):
        digest.update(name + b"\0" + store.read(name).result().value)
    return digest.hexdigest()


def summary(found: Sequence[Found], seed: int) -> dict[str, Any]:
    """Number of refused, same and lost outcomes for each file and alteration."""
    counts = Counter((each.file, each.alteration, each.outcome) for each in found)
    rows = sorted({(each.file, each.alteration) for each in found})
    outcomes = ("refused", "same", "lost")
    return {
        "seed": seed,
        "commands": list(COMMANDS),
        "rows": [
            {"file": file, "alteration": alteration}
            | {outcome: counts[file, alteration, outcome] for outcome in outcomes}
            for file, alteration in rows
        ],
    }


@dataclass(frozen=True)
class Config:
    """Options of the command."""

    count: int = 400
    """number of injections"""
    seed: int = 0
    """seed of the random choices"""


def main(config: Config) -> int:
    """Run the injections, print the lost ones and write the report.

    Returns:
        Number of lost outcomes.
    """
    jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.0)
    jax.config.update("jax_persistent_cache_min_entry_size_bytes", -1)
    with tempfile.TemporaryDirectory() as name:
        jax.config.update("jax_compilation_cache_dir", f"{name}/compiled")
        folder = Path(name) / "runs"
        prepare(folder)
        found = []
        for each in injections(folder, config.count, config.seed, list(COMMANDS)):
            found.append(each)
            if each.outcome == "lost":
                print(*each, sep=" | ", flush=True)
    write_text(ALTERATIONS, json.dumps(summary(found, config.seed), indent=1) + "\n")
    write_page()
    outcomes = Counter(each.outcome for each in found)
    print(", ".join(f"{outcomes[name]} {name}" for name in ("refused", "same", "lost")))
    return outcomes["lost"]


if __name__ == "__main__":
    sys.exit(min(main(tyro.cli(Config)), 1))
