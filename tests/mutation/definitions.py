"""Mutants of definitions (`python -m tests.mutation.definitions`), each tried on the certificates.

The table `definitions.toml` is written by hand; the seed draws a mutant's parameter and the sample.
Each mutant is one replacement in a copy of a commit's package, which a forked process imports to
ask the theorems about one small problem: first those that the table names, and all of them where
these notice nothing.
"""

import json
import multiprocessing
import os
import random
import resource
import subprocess
import sys
import tomllib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import tyro

from tests.compiler_flags import quick_compilation
from tests.mutation import workers

TABLE = Path(__file__).with_suffix(".toml")
LIMIT = 240
"""Seconds of computing after which a mutant's process is ended; it counts as noticed."""

ENVIRONMENT = {
    "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0",
    "JAX_PERSISTENT_CACHE_MIN_ENTRY_SIZE_BYTES": "0",
    "JAX_PLATFORMS": "cpu",
}
"""Programs are compiled once and kept beside the copy."""

IMPORTED = ("flax.linen", "jaxtyping", "optax", "scipy.stats", "threadpoolctl")
"""What the package imports, loaded once before the forks; none of it computes."""


class Mutant(NamedTuple):
    """One false definition.

    name:     in words, its parameter included.
    category: of the change.
    file:     path in the package.
    before:   text that the file holds once.
    after:    text that replaces it.
    theorems: asked first.
    test:     a file of tests that kills it, where no theorem uses what it changes; or empty.
    reason:   why it is no falsity that could be noticed; or empty.
    """

    name: str
    category: str
    file: str
    before: str
    after: str
    theorems: list[str]
    test: str
    reason: str


@dataclass(frozen=True)
class Config:
    """The sample."""

    seed: int = 0
    """of the parameters and the sample"""
    sample: int = 0
    """number of mutants; 0 for the whole table"""
    commit: str = "HEAD"
    """whose package"""
    only: str = ""
    """part of the names of the mutants to try alone; no page is written"""


def main(config: Config) -> None:
    """Try the mutants, then write docs/results/definitions.json and docs/definition_mutants.md."""
    commit, folder = workers.folder_of(config.commit)
    checkout = workers.checkout(commit, folder / "definitions")
    cache = {"JAX_COMPILATION_CACHE_DIR": str(folder / "compiled")}
    os.environ.update(ENVIRONMENT | cache, XLA_FLAGS=quick_compilation())
    for module in IMPORTED:  # JAX reads its settings here
        __import__(module)
    drawn = [each for each in draw(config.seed, config.sample) if config.only in each.name]
    for mutant in drawn:  # one that cannot be made ends the run before it begins
        replaced((checkout / "aejax" / mutant.file).read_text(encoding="utf-8"), mutant)
    right = _asked(checkout, [])
    unsound = {name: answer for name, answer in right.items() if answer != "holds"}
    if unsound:
        raise RuntimeError(f"without a mutant these certificates do not hold: {unsound}")
    beyond = [mutant for mutant in drawn if mutant.test]
    with _changed(checkout, beyond):  # all at once: a theorem that uses one of them would notice
        unused = not _noticed(_asked(checkout, [])) if beyond else False
    records = [_try(checkout, mutant, unused and bool(mutant.test)) for mutant in drawn]
    if not config.only:
        _write({"commit": commit, "seed": config.seed, "mutants": records})


def draw(seed: int, sample: int = 0) -> list[Mutant]:
    """The table with a choice for every parameter, or a part of it in the table's order.

    Args:
        seed: of the choices and of the part.
        sample: size of the part; 0 for all.
    """
    table = tomllib.loads(TABLE.read_text(encoding="utf-8"))["mutant"]
    mutants = [_chosen(entry, random.Random(f"{seed} {entry['name']}")) for entry in table]
    size = min(sample, len(mutants)) or len(mutants)
    places = random.Random(seed).sample(range(len(mutants)), size)
    return [mutants[place] for place in sorted(places)]


def example() -> np.ndarray:
    """The problem: 200 skewed examples of 6 features at an offset, all eigenvalues apart."""
    generator = np.random.default_rng(0)
    scores = generator.exponential(size=(200, 6)) * np.sqrt([6.0, 4.0, 2.5, 1.5, 0.9, 0.5])
    turn, _ = np.linalg.qr(generator.normal(size=(6, 6)))
    return scores @ turn + np.arange(1.0, 7.0)


def replaced(source: str, mutant: Mutant) -> str:
    """The source with the mutant's change.

    Raises:
        ValueError: where the source does not hold the text exactly once.
    """
    count = source.count(mutant.before)
    if count != 1:
        raise ValueError(f"{mutant.file} holds {mutant.before!r} {count} times, not once")
    return source.replace(mutant.before, mutant.after)


def _chosen(entry: dict[str, Any], generator: random.Random) -> Mutant:
    choice = generator.choice(entry.get("choices", [""]))
    name, after = (entry[field].replace("{}", choice) for field in ("name", "after"))
    texts = (entry.get(field, "").strip() for field in ("test", "reason"))
    return Mutant(
        name, entry["category"], entry["file"], entry["before"], after,
        entry.get("theorems", []), *texts,
    )  # fmt: skip


def _try(checkout: Path, mutant: Mutant, unused: bool) -> dict[str, Any]:
    """The mutant's record: certificates that notice it, or the test that does.

    Args:
        checkout: whose package is changed, and changed back.
        mutant: the change.
        unused: whether it is known that no theorem uses what it changes.
    """
    with _changed(checkout, [mutant]):
        noticed = _noticed(_asked(checkout, mutant.theorems)) if mutant.theorems else {}
        if not noticed and not unused:
            noticed = _noticed(_asked(checkout, []))
        killed = bool(mutant.test) and not noticed and not _passes(checkout, mutant.test)
    found = noticed or ("test" if killed else "nothing")
    print(f"{mutant.file}: {mutant.name}: {found}", flush=True)
    return mutant._asdict() | {"noticed": noticed, "killed": killed}


@contextmanager
def _changed(checkout: Path, mutants: list[Mutant]) -> Iterator[None]:
    """The copy of the package with the changes of all these mutants, for a while."""
    paths = {checkout / "aejax" / mutant.file for mutant in mutants}
    sources = {path: path.read_text(encoding="utf-8") for path in paths}
    try:
        for mutant in mutants:
            path = checkout / "aejax" / mutant.file
            changed = replaced(path.read_text(encoding="utf-8"), mutant)
            path.write_text(changed, encoding="utf-8")
        yield
    finally:
        for path, source in sources.items():
            path.write_text(source, encoding="utf-8")


def _noticed(answers: dict[str, str]) -> dict[str, str]:
    return {certificate: answer for certificate, answer in answers.items() if answer != "holds"}


def _asked(checkout: Path, theorems: list[str]) -> dict[str, str]:
    """The verdict of each certificate of some theorems, or of all, in a process of its own."""
    receiver, sender = multiprocessing.Pipe(duplex=False)
    process = multiprocessing.get_context("fork").Process(
        target=_answer, args=(checkout, theorems, sender)
    )
    process.start()
    sender.close()
    try:
        answers = receiver.recv()
    except EOFError:
        answers = {"all": f"ended with exit code {_exit_code(process.join, process)}"}
    process.join()
    return answers


def _exit_code(join: Callable[[], None], process: Any) -> int:
    join()
    return process.exitcode


def _answer(checkout: Path, theorems: list[str], sender: Connection) -> None:
    resource.setrlimit(resource.RLIMIT_CPU, (LIMIT, LIMIT + 5))
    sys.dont_write_bytecode = True
    sys.path.insert(0, str(checkout))
    try:
        from aejax import theory
    except Exception as error:
        sender.send({"import": f"raises {type(error).__name__}"})
        return
    answers = {}
    for name in theorems or theory.THEOREMS:
        try:
            certificates = theory.certificates(example(), 3, theorems=[name])
        except Exception as error:
            answers[name] = f"raises {type(error).__name__}"
            continue
        for place, certificate in enumerate(certificates, 1):
            answers[f"{name} {place}"] = certificate.verdict
    sender.send(answers)


def _passes(checkout: Path, test: str) -> bool:
    command = [sys.executable, "-B", "-m", "pytest", "-x", "-q", "-p", "no:cacheprovider", test]
    environment = os.environ | {"PYTHONPATH": str(checkout)}
    return not subprocess.run(
        command, cwd=checkout, env=environment, capture_output=True, check=False
    ).returncode


def _write(found: dict[str, Any]) -> None:
    """The record and its page. What these import is loaded here: forks need the package unread."""
    from tests.mutation.definitions_page import write

    write(json.loads(json.dumps(found)))


if __name__ == "__main__":
    main(tyro.cli(Config))
