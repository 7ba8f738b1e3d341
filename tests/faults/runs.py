"""The run that is disturbed, and all that must be of it in the end."""

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from PIL import Image

from tests.faults.processes import Ended, answer, start, wait

EPOCHS = 10
RUN = "run"
# Noise, moments, a schedule and clipping: all that must be carried on.
SETTINGS = (
    "train --data rows.npy --sizes 16 6 --corruption masking --clip 5 "
    f"--schedule cosine --batch-size 64 --keep 3 --quiet --epochs {EPOCHS}"
)
STREAM = (
    "train --data images --stream --steps-per-epoch 2 --validation 0 --sizes 64 6 --batch-size 8 "
    "--quiet --epochs 4"
)
CLOCK = ("seconds", "examples_per_second", "digest")  # the digest covers the clock


class Remains(NamedTuple):
    """What two runs have in common where nothing was lost: arrays, records and figures."""

    arrays: str
    history: str
    metrics: str


def lay_out(folder: Path) -> Path:
    """A folder with the data that all runs are trained on."""
    folder.mkdir(parents=True)
    np.save(folder / "rows.npy", np.random.default_rng(0).random((500, 16), np.float32))
    return folder


def draw_images(folder: Path) -> None:
    """Sixty small images, of which twelve are for tests and the others make six steps of a pass."""
    folder.mkdir()
    pixels = np.random.default_rng(0).integers(256, size=(60, 8, 8), dtype=np.uint8)
    for number, each in enumerate(pixels):
        Image.fromarray(each).save(folder / f"{number:02d}.png")


def words() -> list[str]:
    """Of the command that trains, in a folder that holds the data."""
    return [*SETTINGS.split(), "--out", RUN]


def resuming(*more: str) -> list[str]:
    """Words of the command that goes on."""
    return ["train", "--resume", "--quiet", "--out", RUN, *more]


def run_to_end(line: Sequence[str], folder: Path) -> Ended:
    """A command in a folder, from start to end."""
    return wait(start(line, folder))


def started(folder: Path) -> bool:
    """Whether the run in a folder has written its settings, so that it can be resumed."""
    return (folder / RUN / "configuration.json").exists()


def remains(folder: Path) -> Remains:
    """What there is of a run that has ended."""
    run = folder / RUN
    history = [json.loads(line) for line in (run / "history.jsonl").read_text().splitlines()]
    timeless = [
        {name: value for name, value in record.items() if name not in CLOCK} for record in history
    ]
    arrays = answer(lambda: _arrays(run), folder)
    return Remains(arrays, json.dumps(timeless), (run / "metrics.json").read_text())


def epochs(folder: Path) -> int:
    """Epochs in the history of the run in a folder."""
    path = folder / RUN / "history.jsonl"
    return path.read_bytes().count(b"\n") if path.exists() else 0


def steps(folder: Path) -> list[int]:
    """Steps of the checkpoints of the run in a folder."""
    checkpoints = folder / RUN / "checkpoints"
    names = [path.name for path in checkpoints.iterdir()] if checkpoints.exists() else []
    return sorted(int(name) for name in names if name.isdigit())


def _arrays(run: Path) -> str:
    """Digest of all that the last checkpoint holds, entry by entry, as Orbax's database has it."""
    import tensorstore

    base = run.absolute() / "checkpoints" / str(steps(run.parent)[-1]) / "state"
    store: Any = tensorstore.KvStore.open({"driver": "ocdbt", "base": f"file://{base}/"}).result()
    digest = hashlib.sha256()
    for name in sorted(store.list().result()):
        digest.update(name + b"\0" + store.read(name).result().value)
    return digest.hexdigest()
