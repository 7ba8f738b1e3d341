"""The command as a user types it, and one finished run that many tests look at."""

import json
import re
import shutil
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import jax
import numpy as np
import pytest
from jax.experimental.compilation_cache import compilation_cache

from aejax.cli import main

# Noise, moments, clipping and a penalty on the whole batch: all that a resumed run must carry on.
SETTINGS = (
    "train --data digits --sizes 64 12 --corruption masking --penalty.sparsity 0.1 --clip 5 "
    "--batch-size 256"
)
EPOCHS = 6
CLOCK = ("seconds", "examples_per_second", "digest")  # the digest covers the clock


class Outcome(NamedTuple):
    """What a command left: its exit code and its two streams."""

    code: int
    out: str
    err: str


@pytest.fixture
def aejax(capsys) -> Callable[..., Outcome]:
    """Run a command line in this process: a string is split at blanks, paths stay whole."""

    def run(*words: str | Path) -> Outcome:
        capsys.readouterr()
        split = [part for word in words for part in (word.split() if word is str(word) else [word])]
        try:
            code = main([str(part) for part in split])
        except SystemExit as stop:  # help
            code = int(stop.code or 0)
        return Outcome(code, *capsys.readouterr())

    return run


@pytest.fixture(scope="package", autouse=True)
def compiled_once(tmp_path_factory):
    """Commands and processes that need the same program compile it once."""
    settings = {
        "jax_compilation_cache_dir": str(tmp_path_factory.mktemp("compiled")),
        "jax_persistent_cache_min_compile_time_secs": 0.0,
        "jax_persistent_cache_min_entry_size_bytes": -1,
    }
    environment = {name.upper(): str(value) for name, value in settings.items()}
    before = {name: getattr(jax.config, name) for name in settings}
    for name, value in settings.items():
        jax.config.update(name, value)
    compilation_cache.reset_cache()  # JAX decides once whether there is a cache
    yield environment
    for name, value in before.items():
        jax.config.update(name, value)
    compilation_cache.reset_cache()


@pytest.fixture(scope="package")
def finished(tmp_path_factory) -> Path:
    """The folder of a finished run, to be read only."""
    out = tmp_path_factory.mktemp("runs") / "digits"
    assert main([*SETTINGS.split(), "--epochs", str(EPOCHS), "--out", str(out)]) == 0
    return out


@pytest.fixture
def run(finished, tmp_path) -> Path:
    """A copy of the finished run, to be damaged or gone on with."""
    return Path(shutil.copytree(finished, tmp_path / "digits"))


@pytest.fixture
def small(tmp_path) -> Path:
    """Thirty examples of six features, in [0, 1]."""
    path = tmp_path / "small.npy"
    np.save(path, np.random.default_rng(0).random((30, 6)))
    return path


def refused(outcome: Outcome) -> str:
    """The complaint, once its form is as promised."""
    assert outcome.code == 2
    first, *others = outcome.err.splitlines()
    assert re.match(r"aejax: (--)?[^-\s;]", first)
    assert len(others) <= 1
    assert "Traceback" not in outcome.err
    return outcome.err


def check(outcome: Outcome, words: str) -> None:
    """All the words, which bars divide, stand in the complaint."""
    complaint = refused(outcome)
    for part in words.split(" | "):
        assert part in complaint


def history_of(run: Path) -> list[dict]:
    """The records of a run but for its clock."""
    records = [json.loads(line) for line in (run / "history.jsonl").read_text().splitlines()]
    return [
        {name: value for name, value in record.items() if name not in CLOCK} for record in records
    ]


def state_of(run: Path, step: int | None = None) -> dict[str, bytes]:
    """Every array of a checkpoint by name, as bytes, read without the code under test."""
    import orbax.checkpoint as ocp

    steps = sorted(int(path.name) for path in (run / "checkpoints").iterdir())
    with warnings.catch_warnings(), ocp.PyTreeCheckpointer() as checkpointer:
        warnings.simplefilter("ignore")  # of Orbax, about the devices: they are the same
        tree = checkpointer.restore(run / "checkpoints" / str(step or steps[-1]) / "state")
    leaves = jax.tree_util.tree_leaves_with_path(tree)
    return {
        jax.tree_util.keystr(path): np.asarray(
            jax.random.key_data(leaf) if "'key'" in jax.tree_util.keystr(path) else leaf
        ).tobytes()
        for path, leaf in leaves
    }
