"""False definitions, each checked by the theorems' certificates.

`python -m tests.mutation.definitions` reads the hand-written table `definitions.toml`; the seed
draws the parameters and the sample. Each mutant is one replacement in a copy of a commit's package.
A forked process imports the copy and computes certificates for one small problem: first those of
the theorems that the table names, then all of them if these certificates all hold.
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
CPU_SECONDS_LIMIT = 240
"""CPU time after which a mutant's process is ended; the mutant then counts as noticed."""

ENVIRONMENT = {
    "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0",
    "JAX_PERSISTENT_CACHE_MIN_ENTRY_SIZE_BYTES": "0",
    "JAX_PLATFORMS": "cpu",
}
"""Environment of all processes, which share a compilation cache."""

PRELOADED_MODULES = ("flax.linen", "jaxtyping", "optax", "scipy.stats", "threadpoolctl")
"""Dependencies of the package, imported once before the forks; importing them runs nothing."""


class Mutant(NamedTuple):
    """One false definition.

    name:     description, with its parameter.
    category: category of the change.
    file:     path of the file in the package.
    before:   text that occurs exactly once in the file.
    after:    replacement.
    theorems: names of the theorems to check first.
    test:     test file that detects the change if no theorem depends on it, or "".
    reason:   why the change cannot be noticed, or "".
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
    """Options of the command."""

    seed: int = 0
    """seed of the parameters and the sample"""
    sample: int = 0
    """number of mutants; 0 for all"""
    commit: str = "HEAD"
    """commit of the package"""
    only: str = ""
    """substring of the names of the mutants to try; no report is written"""


def main(config: Config) -> None:
    """Try the mutants, then write docs/results/definitions.json and docs/definition_mutants.md."""
    commit, folder = workers.folder_of(config.commit)
    checkout = workers.checkout(commit, folder / "definitions")
    cache = {"JAX_COMPILATION_CACHE_DIR": str(folder / "compiled")}
    os.environ.update(ENVIRONMENT | cache, XLA_FLAGS=quick_compilation())
    for module in PRELOADED_MODULES:  # JAX reads its environment here
        __import__(module)
    drawn = [each for each in draw(config.seed, config.sample) if config.only in each.name]
    for mutant in drawn:  # fail early if a replacement is impossible
        replaced((checkout / "aejax" / mutant.file).read_text(encoding="utf-8"), mutant)
    verdicts = _verdicts(checkout, [])
    not_holding = {name: answer for name, answer in verdicts.items() if answer != "holds"}
    if not_holding:
        raise RuntimeError(f"without a mutant these certificates do not hold: {not_holding}")
    tested = [mutant for mutant in drawn if mutant.test]
    with _changed(checkout, tested):  # all at once: certificates notice if they depend on any
        unused = not _noticed(_verdicts(checkout, [])) if tested else False
    records = [_try(checkout, mutant, unused and bool(mutant.test)) for mutant in drawn]
    if not config.only:
        _write({"commit": commit, "seed": config.seed, "mutants": records})


def draw(seed: int, sample: int = 0) -> list[Mutant]:
    """Mutants of the table with drawn parameters, or a sample of them in the order of the table.

    Args:
        seed: seed of the parameters and of the sample.
        sample: size of the sample; 0 for all.
    """
    table = tomllib.loads(TABLE.read_text(encoding="utf-8"))["mutant"]
    mutants = [_chosen(entry, random.Random(f"{seed} {entry['name']}")) for entry in table]
    size = min(sample, len(mutants)) or len(mutants)
    indices = random.Random(seed).sample(range(len(mutants)), size)
    return [mutants[index] for index in sorted(indices)]


def example() -> np.ndarray:
    """Data: 200 skewed examples of 6 features with an offset and distinct eigenvalues."""
    generator = np.random.default_rng(0)
    scores = generator.exponential(size=(200, 6)) * np.sqrt([6.0, 4.0, 2.5, 1.5, 0.9, 0.5])
    rotation, _ = np.linalg.qr(generator.normal(size=(6, 6)))
    return scores @ rotation + np.arange(1.0, 7.0)


def replaced(source: str, mutant: Mutant) -> str:
    """Apply a mutant to a source.

    Raises:
        ValueError: if the source does not contain the text exactly once.
    """
    count = source.count(mutant.before)
    if count != 1:
        raise ValueError(f"{mutant.file} contains {mutant.before!r} {count} times, not once")
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
    """Record of a mutant with the certificates that notice it, or whether its test does.

    Args:
        checkout: copy of the commit, changed temporarily.
        mutant: change to apply.
        unused: whether no theorem is known to depend on the changed code.
    """
    with _changed(checkout, [mutant]):
        noticed = _noticed(_verdicts(checkout, mutant.theorems)) if mutant.theorems else {}
        if not noticed and not unused:
            noticed = _noticed(_verdicts(checkout, []))
        killed = bool(mutant.test) and not noticed and not _passes(checkout, mutant.test)
    found = noticed or ("test" if killed else "nothing")
    print(f"{mutant.file}: {mutant.name}: {found}", flush=True)
    return mutant._asdict() | {"noticed": noticed, "killed": killed}


@contextmanager
def _changed(checkout: Path, mutants: list[Mutant]) -> Iterator[None]:
    """Apply mutants to the copy of the package for the duration of the context."""
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


def _verdicts(checkout: Path, theorems: list[str]) -> dict[str, str]:
    """Verdict of each certificate of some theorems, or of all, from a forked process."""
    receiver, sender = multiprocessing.Pipe(duplex=False)
    process = multiprocessing.get_context("fork").Process(
        target=_answer, args=(checkout, theorems, sender)
    )
    process.start()
    sender.close()
    try:
        answers = receiver.recv()
    except EOFError:
        answers = {"all": f"exited with code {_exit_code(process.join, process)}"}
    process.join()
    return answers


def _exit_code(join: Callable[[], None], process: Any) -> int:
    join()
    return process.exitcode


def _answer(checkout: Path, theorems: list[str], sender: Connection) -> None:
    resource.setrlimit(resource.RLIMIT_CPU, (CPU_SECONDS_LIMIT, CPU_SECONDS_LIMIT + 5))
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
        for position, certificate in enumerate(certificates, 1):
            answers[f"{name} {position}"] = certificate.verdict
    sender.send(answers)


def _passes(checkout: Path, test: str) -> bool:
    command = [sys.executable, "-B", "-m", "pytest", "-x", "-q", "-p", "no:cacheprovider", test]
    environment = os.environ | {"PYTHONPATH": str(checkout)}
    return not subprocess.run(
        command, cwd=checkout, env=environment, capture_output=True, check=False
    ).returncode


def _write(found: dict[str, Any]) -> None:
    """Write record and report; imported late, because the forks must import aejax themselves."""
    from tests.mutation.definitions_page import write

    write(json.loads(json.dumps(found)))


if __name__ == "__main__":
    main(tyro.cli(Config))
