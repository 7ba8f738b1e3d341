"""Altered files of a run: a flipped bit, a file cut, deleted or exchanged, then a command.

`python -m tests.faults.alterations` alters one file at a time, SEED and COUNT deciding which and
how, and runs one command on it in this process. The command must refuse the file by name,
with exit code 2 and one or two lines, or do to the bit what it does with the files as they were.
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
from tests.faults.runs import CLOCK, lay_out

TRAIN = (
    "train --data rows.npy --sizes 16 6 --corruption masking --batch-size 128 --epochs 3 --quiet"
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
CACHED_PROGRAMS = 50
"""Injections after which JAX's programs in memory are dropped."""


class Found(NamedTuple):
    """What came of an injection: which, and whether it was refused, the same, or lost."""

    alteration: str
    file: str
    command: str
    outcome: str
    said: str


Alteration = Callable[[Path, Random], None]


def deleted(path: Path, _: Random) -> None:
    """The file is gone."""
    path.unlink()


def exchanged(path: Path, chance: Random) -> None:
    """The file, or the folder of its checkpoint, is that of another run or another step."""
    inside = path.parts.index("checkpoints") if "checkpoints" in path.parts else None
    if inside is None:
        source = Path("other", *path.parts)
        shutil.copy(source if source.exists() else next(source.parent.iterdir()), path)
        return
    step = Path(*path.parts[: inside + 2])
    others = [each for each in step.parent.iterdir() if each != step]
    source = chance.choice([Path("other", *step.parts), *others])
    shutil.rmtree(step)
    shutil.copytree(source, step)


ALTERED: tuple[Alteration, ...] = (flipped, flipped, flipped, truncated, deleted, exchanged)
"""Flipped bits are half of all."""


def prepare(folder: Path) -> None:
    """Two runs of the same settings and their exports, and new examples, in a folder."""
    lay_out(folder)
    with contextlib.chdir(folder):
        np.save("new.npy", np.load("rows.npy")[:20])
        for place in (Path(), Path("other")):
            place.mkdir(exist_ok=True)
            for line in (f"{TRAIN} --out {place / 'run'}",
                         f"export {place / 'run'} --out {place / 'exported'}"):  # fmt: skip
                code, said = _call(line)
                assert code == 0, said


def injections(folder: Path, count: int, seed: int, commands: Sequence[str]) -> Iterator[Found]:
    """Alter one file after the other, and see what a command makes of it.

    Args:
        folder: as `prepare` left it; it is as before after each injection.
        count: of injections.
        seed: of all that chance decides.
        commands: names in `COMMANDS`, in turn.

    Yields:
        What came of each.
    """
    with contextlib.chdir(folder):
        whole = {name: _undisturbed(name) for name in commands}
        for number in range(count):
            chance = Random(f"{seed} {number}")
            yield _inject(chance, commands[number % len(commands)], whole)
            if number % CACHED_PROGRAMS == 0:
                jax.clear_caches()


def _inject(chance: Random, command: str, whole: dict[str, Any]) -> Found:
    run = Path("exported" if "encode exported" in COMMANDS[command] else "run")
    files = sorted(path for path in run.rglob("*") if path.is_file() and path.stat().st_size)
    kinds = sorted({_kind(path) for path in files})
    kind = chance.choice(kinds)  # else most would be files of Orbax
    path = chance.choice([each for each in files if _kind(each) == kind])
    alter = chance.choice(ALTERED)

    def altering() -> None:
        alter(path, chance)

    code, said, made = _done(command, altering)
    folder = path.parts[: 3 if "checkpoints" in path.parts else None]  # a checkpoint's, or itself
    named = path.name in said or str(Path(*folder)) in said
    if code == 2 and named and len(said.splitlines()) <= 2:
        outcome = "refused"
    elif code == 0 and made == whole[command]:
        outcome = "same"
    else:
        outcome = "lost"
    return Found(alter.__name__, kind, command, outcome, said)


def _undisturbed(command: str) -> Any:
    """What a command makes of the files as they are."""
    code, said, made = _done(command)
    assert code == 0, said
    return made


def _kind(path: Path) -> str:
    """The file's name within its checkpoint, or within the run."""
    parts = ["STEP" if part.isdecimal() else part for part in path.parts]
    if "state" in parts:
        return "run/checkpoints/STEP/state"
    return "run/tensorboard" if "tensorboard" in parts else "/".join(parts)


def _done(command: str, before: Callable[[], None] = lambda: None) -> tuple[int, str, Any]:
    """Exit code, words and results of a command, after which the runs are as they were."""
    for name in ("run", "exported"):
        shutil.copytree(name, f"{name}.whole")
    try:
        before()
        code, said = _call(COMMANDS[command])
        return code, said, _results() if code == 0 else None
    finally:
        for name in ("run", "exported"):
            shutil.rmtree(name, ignore_errors=True)
            os.rename(f"{name}.whole", name)
        for path in Path().glob("out*"):
            shutil.rmtree(path) if path.is_dir() else path.unlink()


def _call(line: str) -> tuple[int, str]:
    """Exit code and standard error of a command; a traceback is code 1.

    It has a thread of its own, for an exported function records the stack that it was made on.
    """
    said = io.StringIO()
    with (
        contextlib.redirect_stderr(said),
        contextlib.redirect_stdout(io.StringIO()),
        ThreadPoolExecutor(1) as thread,
    ):
        try:
            return thread.submit(aejax, line.split()).result(), said.getvalue()
        except Exception as error:
            return 1, f"{type(error).__name__}: {error}"


def _results() -> Any:
    """All that the command wrote, but for clocks and identities."""
    written = [path for out in Path().glob("out*") for path in (out, *out.glob("*"))]
    if written:
        return {str(path): _content(path) for path in written if path.is_file()}
    run = Path("run")
    newest = max((run / "checkpoints").iterdir(), key=lambda path: int(path.name))
    lines = [json.loads(line) for line in (run / "history.jsonl").read_text().splitlines()]
    timeless = [{name: line[name] for name in line if name not in CLOCK} for line in lines]
    return _arrays(newest / "state"), timeless, (run / "metrics.json").read_text()


def _content(path: Path) -> dict[str, str]:
    """Digests of a file, or of an archive's members, which have the time of day beside them."""
    if path.suffix != ".npz":
        return {"": hashlib.sha256(path.read_bytes()).hexdigest()}
    with zipfile.ZipFile(path) as archive:
        return {name: hashlib.sha256(archive.read(name)).hexdigest() for name in archive.namelist()}


def _arrays(state: Path) -> str:
    """Digest of all entries of a checkpoint's database, read without the code under test."""
    import tensorstore

    opening = {"driver": "ocdbt", "base": f"file://{state.absolute()}/"}
    store: Any = tensorstore.KvStore.open(opening).result()
    digest = hashlib.sha256()
    for name in sorted(store.list().result()):
        digest.update(name + b"\0" + store.read(name).result().value)
    return digest.hexdigest()


def summary(found: Sequence[Found], seed: int) -> dict[str, Any]:
    """How many of each alteration of each file were refused, the same, or lost."""
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
    """What is tried."""

    count: int = 400
    """injections"""
    seed: int = 0
    """of all that chance decides"""


def main(config: Config) -> int:
    """Try all, print those that are lost, and write the page; how many were lost."""
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
