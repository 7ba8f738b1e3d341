"""The run that faults disturb: its commands, its progress and its final state."""

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from PIL import Image

from tests.faults.processes import Ended, call_in_process, start, wait

EPOCHS = 10
RUN = "run"
# Corruption, optimiser moments, a schedule and clipping: all of it must be restored.
SETTINGS = (
    "train --data rows.npy --sizes 16 6 --corruption masking --clip 5 "
    f"--schedule cosine --batch-size 64 --keep 3 --save-every 1 --quiet --epochs {EPOCHS}"
)
STREAM = (
    "train --data images --stream --steps-per-epoch 2 --validation 0 --sizes 64 6 --batch-size 8 "
    "--save-every 1 --quiet --epochs 4"
)
CLOCK = ("seconds", "examples_per_second", "digest")  # the digest includes the times


class FinalState(NamedTuple):
    """Arrays, history and metrics of a finished run, equal for two runs if nothing was lost."""

    arrays: str
    history: str
    metrics: str


def make_data_folder(folder: Path) -> Path:
    """Create a folder with the training data of all runs."""
    folder.mkdir(parents=True)
    np.save(folder / "rows.npy", np.random.default_rng(0).random((500, 16), np.float32))
    return folder


def draw_images(folder: Path) -> None:
    """Write sixty small images: twelve test examples, and 48 for six steps per pass."""
    folder.mkdir()
    pixels = np.random.default_rng(0).integers(256, size=(60, 8, 8), dtype=np.uint8)
    for number, each in enumerate(pixels):
        Image.fromarray(each).save(folder / f"{number:02d}.png")


def train_command() -> list[str]:
    """Command that trains in a folder with the data."""
    return [*SETTINGS.split(), "--out", RUN]


def resume_command(*more: str) -> list[str]:
    """Command that resumes the run, with further arguments."""
    return ["train", "--resume", "--save-every", "1", "--quiet", "--out", RUN, *more]


def run_command(command: Sequence[str], folder: Path) -> Ended:
    """Run a command in a folder until it ends."""
    return wait(start(command, folder))


def started(folder: Path) -> bool:
    """Whether the run in a folder has written its settings, so that it can be resumed."""
    return (folder / RUN / "configuration.json").exists()


def final_state(folder: Path) -> FinalState:
    """Final state of a run that has ended."""
    run = folder / RUN
    history = [json.loads(line) for line in (run / "history.jsonl").read_text().splitlines()]
    without_times = [
        {name: value for name, value in record.items() if name not in CLOCK} for record in history
    ]
    arrays = call_in_process(lambda: _arrays(run), folder)
    return FinalState(arrays, json.dumps(without_times), (run / "metrics.json").read_text())


def epochs(folder: Path) -> int:
    """Number of epochs in the history of the run in a folder."""
    path = folder / RUN / "history.jsonl"
    return path.read_bytes().count(b"\n") if path.exists() else 0


def steps(folder: Path) -> list[int]:
    """Steps of the run's checkpoints in ascending order."""
    checkpoints = folder / RUN / "checkpoints"
    names = [path.name for path in checkpoints.iterdir()] if checkpoints.exists() else []
    return sorted(int(name) for name in names if name.isdigit())


def _arrays(run: Path) -> str:
    """Digest of every entry of the last checkpoint's OCDBT database."""
    import tensorstore

    base = run.absolute() / "checkpoints" / str(steps(run.parent)[-1]) / "state"
    store: Any = tensorstore.KvStore.open({"driver": "ocdbt", "base": f"file://{base}/"}).result()
    digest = hashlib.sha256()
    for name in sorted(store.list().result()):
        digest.update(name + b"\0" + store.read(name).result().value)
    return digest.hexdigest()
