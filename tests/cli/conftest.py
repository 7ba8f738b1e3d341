"""Fixtures of the command line: running a command, and a finished run that many tests share."""

import importlib
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

# Noise, optimizer moments, clipping and a batch penalty: all state that a resumed run must restore.
SETTINGS = (
    "train --data digits --sizes 64 12 --corruption masking --penalty.sparsity 0.1 --clip 5 "
    "--schedule constant --batch-size 256 --save-every 1"
)
EPOCHS = 6
PROGRESS = re.compile(r"^epoch \d+/\d+: loss .*\n", re.MULTILINE)
"""Lines of epochs before a run stopped."""
CLOCK = ("seconds", "examples_per_second", "digest")  # the digest includes the times


class Outcome(NamedTuple):
    """Exit code, standard output and standard error of a command."""

    code: int
    out: str
    err: str


@pytest.fixture
def aejax(capsys) -> Callable[..., Outcome]:
    """Run a command line in this process; strings are split at blanks, paths are not."""

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
    """Share compiled programs between commands and processes."""
    settings = {
        "jax_compilation_cache_dir": str(tmp_path_factory.mktemp("compiled")),
        "jax_persistent_cache_min_compile_time_secs": 0.0,
        "jax_persistent_cache_min_entry_size_bytes": -1,
    }
    environment = {name.upper(): str(value) for name, value in settings.items()}
    before = {name: getattr(jax.config, name) for name in settings}
    for name, value in settings.items():
        jax.config.update(name, value)
    compilation_cache.reset_cache()  # JAX initialises the cache only once
    yield environment
    for name, value in before.items():
        jax.config.update(name, value)
    compilation_cache.reset_cache()


@pytest.fixture(scope="package")
def finished(tmp_path_factory) -> Path:
    """Folder of a finished run; read-only."""
    out = tmp_path_factory.mktemp("runs") / "digits"
    assert main([*SETTINGS.split(), "--epochs", str(EPOCHS), "--out", str(out)]) == 0
    return out


@pytest.fixture
def run(finished, tmp_path) -> Path:
    """Copy of the finished run, which may be damaged or resumed."""
    return Path(shutil.copytree(finished, tmp_path / "digits"))


@pytest.fixture
def small(tmp_path) -> Path:
    """Thirty examples of six features, in [0, 1]."""
    path = tmp_path / "small.npy"
    np.save(path, np.random.default_rng(0).random((30, 6)))
    return path


@pytest.fixture
def undrawn(monkeypatch) -> None:
    """Pages whose figures are made but not rendered, which takes seconds."""
    page = importlib.import_module("aejax.report.page")  # `aejax.report.page` is a function
    monkeypatch.setattr(page, "_svg", lambda figure: "<svg></svg>")


def refused(outcome: Outcome) -> str:
    """Error message of a refused command, after a check of its form."""
    assert outcome.code == 2
    message = re.sub(PROGRESS, "", outcome.err)
    first, *others = message.splitlines()
    assert re.match(r"aejax: (--)?[^-\s;]", first)
    assert len(others) <= 1
    assert "Traceback" not in message
    return message


def check(outcome: Outcome, words: str) -> None:
    """Assert that an error message contains all fragments, which are separated by ` | `."""
    complaint = refused(outcome)
    for part in words.split(" | "):
        assert part in complaint


def history_of(run: Path) -> list[dict]:
    """Records of a run without times and digests."""
    records = [json.loads(line) for line in (run / "history.jsonl").read_text().splitlines()]
    return [
        {name: value for name, value in record.items() if name not in CLOCK} for record in records
    ]


def state_of(run: Path, step: int | None = None) -> dict[str, bytes]:
    """Bytes of every array of a checkpoint by name, read with Orbax alone."""
    import orbax.checkpoint as ocp

    steps = sorted(int(path.name) for path in (run / "checkpoints").iterdir())
    with warnings.catch_warnings(), ocp.PyTreeCheckpointer() as checkpointer:
        warnings.simplefilter("ignore")  # Orbax warns that devices may differ
        tree = checkpointer.restore(run / "checkpoints" / str(step or steps[-1]) / "state")
    leaves = jax.tree_util.tree_leaves_with_path(tree)
    return {
        jax.tree_util.keystr(path): np.asarray(
            jax.random.key_data(leaf) if "'key'" in jax.tree_util.keystr(path) else leaf
        ).tobytes()
        for path, leaf in leaves
    }
