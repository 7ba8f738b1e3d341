"""Own model with checkpoint, resume, history, early stopping and best weights in three frameworks.

The scripts of `docs/own_model` train a dense autoencoder 64-32-8-32-64 of digits, with a
checkpoint after each epoch, resumption when the script is started again, a history in a file, early
stopping, and at the end the reconstructions of the validation examples by the best parameters. Each
uses what the documentation of its framework (aejax, Keras, Lightning) offers for this.

Each is run to its end twice, which shows whether a run is reproducible, and twice more with a
`kill -9`: once in the middle, and once two epochs before early stopping ends the training. The
killed script is started again, unchanged, as a user does. Its results are compared with those of
the undisturbed run.

Command:  python -m benchmarks.peers_own_model
Run time: ten minutes on one idle core; needs keras and lightning.
"""

import csv
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from importlib import metadata, util
from itertools import takewhile
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from sklearn.datasets import load_digits

from aejax.runs.atomic_files import write_text
from aejax.runs.environment import environment

ROOT = Path(__file__).parents[1]
SCRIPTS = ROOT / "docs" / "own_model"
RESULTS = ROOT / "docs" / "results" / "peers_own_model.json"
PATHS = (str(ROOT), os.environ.get("PYTHONPATH", ""))
ENVIRONMENT = {"PYTHONPATH": os.pathsep.join(filter(None, PATHS)), "KERAS_BACKEND": "jax"}
"""Environment variables of the scripts: this checkout, and the backend of Keras."""

ATTEMPTS = 5
"""Maximum number of runs for one kill, which misses a run that ends before."""

EPOCHS_LEFT = 2
"""Number of epochs before the end at which the late kill comes."""


class Row(NamedTuple):
    """An epoch in a history.

    epoch: index, counted from one.
    loss:  validation loss.
    text:  line of the file.
    """

    epoch: int
    loss: float
    text: str


History = list[Row]
"""Epochs in the order in which they were written."""


class Peer(NamedTuple):
    """A framework.

    name:     name of the package.
    history:  reader of the history from the folder of a run.
    per_unit: factor of the recorded loss that makes it a mean over features.
    """

    name: str
    history: Callable[[Path], History]
    per_unit: float = 1.0

    @property
    def script(self) -> Path:
        """The user's script."""
        return SCRIPTS / f"with_{self.name}.py"


def _aejax_history(folder: Path) -> History:
    lines = _complete_lines(folder / "history.jsonl")
    records = [(json.loads(line), line) for line in lines]
    return [Row(record["epoch"], record["validation"]["loss"], line) for record, line in records]


def _keras_history(folder: Path) -> History:
    return _rows(folder / "history.csv")


def _lightning_history(folder: Path) -> History:
    files = (folder / "history").glob("version_*/metrics.csv")
    ordered = sorted(files, key=lambda path: int(path.parent.name.partition("_")[2]))
    return [row for path in ordered for row in _rows(path)]


def _rows(path: Path) -> History:
    """Rows of a CSV file with a validation loss."""
    lines = _complete_lines(path)
    rows = zip(csv.DictReader(lines), lines[1:], strict=True)
    return [
        Row(int(row["epoch"]) + 1, float(row["val_loss"]), line)
        for row, line in rows
        if row["val_loss"]
    ]


def _complete_lines(path: Path) -> list[str]:
    if not path.exists():
        return []
    return [line for line in path.read_text("utf-8").splitlines(keepends=True) if line[-1] == "\n"]


PEERS = (
    Peer("aejax", _aejax_history, 1 / 64),
    Peer("keras", _keras_history),
    Peer("lightning", _lightning_history),
)


def missing(names: Sequence[str] = ("keras", "lightning")) -> str | None:
    """Reason to skip the comparison: the packages that are not installed, or None."""
    absent = [name for name in names if util.find_spec(name) is None]
    return f"not installed: {', '.join(absent)}; see `make comparisons`" if absent else None


def number_of_lines(script: Path) -> int:
    """Lines of a script without blank lines, comments and its docstring."""
    lines = [line.strip() for line in script.read_text(encoding="utf-8").splitlines()]
    return sum(bool(line) and not line.startswith(("#", '"""')) for line in lines)


def measure(peer: Peer) -> dict[str, Any]:
    """Lines of the script of a framework, and what is left of its runs after a kill."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        whole = _finish(peer, folder / "whole")
        again = _finish(peer, folder / "again")
        epochs = peer.history(folder / "whole" / "run")[-1].epoch
        moments = {"in the middle": epochs // 2, "two epochs before the end": epochs - EPOCHS_LEFT}
        killed = {
            moment: _killed(peer, folder, whole, number) for moment, number in moments.items()
        }
        return {
            "lines": number_of_lines(peer.script),
            "epochs": epochs,
            "reproducible": bool(np.array_equal(whole, again)),
            "kept loss": _loss(whole),
            "lowest loss": _lowest(peer, folder / "whole"),
            "killed": killed,
        }


def _killed(peer: Peer, folder: Path, whole: np.ndarray, epoch: int) -> dict[str, Any]:
    """Kill a run that has recorded an epoch, start it again, and compare it with the whole run."""
    for attempt in range(ATTEMPTS):
        out = folder / f"killed at {epoch}, {attempt}"
        if _kill(peer, out, epoch):
            break
    else:
        raise RuntimeError(f"{peer.name}: all runs ended before they could be killed")
    before = peer.history(out / "run")
    x_hat = _finish(peer, out)
    after = peer.history(out / "run")
    epochs = [row.epoch for row in after]
    return {
        "recorded epochs at the kill": len(before),
        "first epoch after the restart": first_new_epoch(before, after),
        "bit-identical": bool(np.array_equal(whole, x_hat)),
        "difference": float(np.abs(whole - x_hat).max()),
        "last epoch": epochs[-1],
        "missing epochs": sorted(set(range(1, max(epochs) + 1)) - set(epochs)),
        "repeated epochs": sorted({number for number in epochs if epochs.count(number) > 1}),
        "kept loss": _loss(x_hat),
        "lowest loss": _lowest(peer, out),
    }


def first_new_epoch(before: History, after: History) -> int | None:
    """First epoch of a history that an earlier state of it lacks; None if there is none.

    An epoch that was trained again counts: its line differs in its duration, or is repeated.
    """
    pairs = zip(before, after, strict=False)
    unchanged = sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], pairs))
    return after[unchanged].epoch if unchanged < len(after) else None


def _start(peer: Peer, out: Path) -> subprocess.Popen:
    out.mkdir(exist_ok=True)
    with (out / "log.txt").open("a") as log:
        return subprocess.Popen(
            [sys.executable, peer.script],
            cwd=out,
            env=os.environ | ENVIRONMENT,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )


def _finish(peer: Peer, out: Path) -> np.ndarray:
    """Run the script to its end; reconstructions of the validation examples."""
    if _start(peer, out).wait() != 0:
        raise RuntimeError((out / "log.txt").read_text(errors="replace")[-2000:])
    return np.load(out / "x_hat.npy")


def _kill(peer: Peer, out: Path, epoch: int) -> bool:
    """Kill the script when it has recorded an epoch; False if it has ended before."""
    process = _start(peer, out)
    while process.poll() is None:
        history = peer.history(out / "run")
        if history and history[-1].epoch >= epoch:
            os.killpg(process.pid, signal.SIGKILL)
            return process.wait() == -signal.SIGKILL
        time.sleep(0.002)
    return False


def _loss(x_hat: np.ndarray) -> float:
    """Mean squared error of the validation examples, as the scripts draw them."""
    x = np.random.default_rng(0).permutation(load_digits().data / 16).astype(np.float32)
    return float(np.mean(np.square(x_hat - x[1200:1500], dtype=np.float64)))


def _lowest(peer: Peer, out: Path) -> float:
    """Lowest recorded validation loss per feature."""
    return peer.per_unit * min(row.loss for row in peer.history(out / "run"))


def main() -> None:
    """Run the comparison and write its results."""
    reason = missing()
    if reason:
        print(f"skipped: {reason}")
        return
    packages = ("aejax", "keras", "lightning", "torch")
    record = {
        "environment": environment() | {name: metadata.version(name) for name in packages},
        "found": {peer.name: measure(peer) for peer in PEERS},
    }
    text = json.dumps(record, indent=1) + "\n"
    write_text(RESULTS, text)
    print(text)


if __name__ == "__main__":
    main()
