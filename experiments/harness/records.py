"""Where results lie: written whole, found again by their configuration, and summed up.

results/<experiment>/<hash of the config, the data and the code>/ holds <experiment>.json (what was
asked, found, decided, on what), <experiment>.png, arrays/ and parts/. experiments/results/ holds
the JSON and PNG of the full setting, which are committed.
"""

import dataclasses
import hashlib
import io
import json
import re
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple

import numpy as np
from matplotlib.figure import Figure
from PIL import Image

from aejax import data
from aejax.runs.atomic_files import write_array, write_text
from aejax.runs.environment import environment
from experiments.harness.comparisons import summarise
from experiments.harness.sources import sources_digest

ROOT = Path(__file__).parents[2]
FIELDS = ("Claim", "Source", "Command", "Expected", "Run time")


class Results(NamedTuple):
    """What an experiment found.

    metrics: nested mappings whose leaves are numbers, or lists of one number a seed: the record,
             from which the verdict and every table follow. They are committed: keep them small.
    arrays:  what only figures need, by name: filters, codes, curves.
    """

    metrics: dict[str, Any]
    arrays: dict[str, Any] = {}  # noqa: RUF012  (never written to)


def over_seeds(found: Sequence[Mapping[str, Any]]) -> dict[str, list[Any]]:
    """Numbers by name, one mapping a seed, as metrics hold them: by name, a list over seeds."""
    return {name: [seed[name] for seed in found] for name in found[0]}


Remember = Callable[[str, Callable[[], Results]], Results]
"""(name of a part, what computes it) -> its results, computed once and then read."""


def forget(_: str, compute: Callable[[], Results]) -> Results:
    """A `Remember` that keeps nothing: the part is computed."""
    return compute()


def about(experiment: ModuleType) -> dict[str, str]:
    """What the docstrings of an experiment say: its title, each of `FIELDS`, and its figure."""
    title, _, rest = (experiment.__doc__ or "").partition("\n")
    fields = re.findall(r"^([A-Z][a-z ]+): +(.*?)(?=^\S|\Z)", rest, re.MULTILINE | re.DOTALL)
    (figure, *_) = experiment.plot.__doc__.splitlines()
    texts = {"title": title, **dict(fields), "figure": figure}
    return {name.lower(): " ".join(text.split()) for name, text in texts.items()}


def name_of(experiment: ModuleType) -> str:
    """An experiment's name: its file's."""
    return Path(str(experiment.__file__)).stem


def folder(experiment: ModuleType, config: Any, dataset: data.Dataset | None) -> Path:
    """Where the results of one configuration on one data set lie, computed by the code as it is."""
    identity = plain(config) | {
        "fingerprint": dataset and data.fingerprint(dataset),
        "sources": sources_digest(experiment),
    }
    digest = hashlib.sha256(json.dumps(identity, sort_keys=True).encode()).hexdigest()
    return ROOT / "results" / name_of(experiment) / digest[:12]


def summary_file(name: str) -> Path:
    """Where an experiment's committed record lies; its figure lies beside it."""
    return ROOT / "experiments" / "results" / f"{name}.json"


def plain(config: Any) -> dict[str, Any]:
    """A configuration as JSON holds it."""
    return json.loads(json.dumps(dataclasses.asdict(config)))


def record_of(
    experiment: ModuleType,
    config: Any,
    metrics: dict[str, Any],
    dataset: data.Dataset | None,
    about_run: dict[str, Any],
) -> dict[str, Any]:
    """All that is known of a finished run, as JSON holds it."""
    seen = {"name": dataset.name, "fingerprint": data.fingerprint(dataset)} if dataset else None
    return {
        "experiment": name_of(experiment),
        "about": about(experiment),
        **judged(experiment, metrics),
        "config": plain(config),
        "data": seen,
        **about_run,
        "metrics": metrics,
    }


def code_and_machine(experiment: ModuleType) -> dict[str, str]:
    """Versions, device, revision, and a hash of the experiment's file: ask before the run."""
    source = Path(str(experiment.__file__)).read_bytes()
    return environment() | {"source": hashlib.sha256(source).hexdigest()[:12]}


def judged(experiment: ModuleType, metrics: dict[str, Any]) -> dict[str, Any]:
    """The verdict on metrics, and the comparisons that it is made of."""
    comparisons = {
        claim: _plain([mean, low, high, bool(holds)])
        for claim, (mean, low, high, holds) in experiment.verdict(metrics).items()
    }
    return {"verdict": summarise(comparisons), "comparisons": comparisons}


def write_results(file: Path, results: Results, about: dict[str, Any]) -> None:
    """Write metrics beside what is known about them; arrays first, so that a record is whole."""
    for name, array in results.arrays.items():
        write_array(file.parent / "arrays" / f"{file.stem}-{name}.npy", np.asarray(array))
    write_record(file, about | {"metrics": results.metrics, "arrays": [*results.arrays]})


def read_results(file: Path) -> tuple[Results, dict[str, Any]]:
    """What `write_results` wrote: the results, and the record."""
    record = json.loads(file.read_text(encoding="utf-8"))
    arrays = {
        name: np.load(file.parent / "arrays" / f"{file.stem}-{name}.npy")
        for name in record["arrays"]
    }
    return Results(record["metrics"], arrays), record


def write_record(file: Path, record: dict[str, Any]) -> None:
    """Write a record as JSON, a list of numbers on one line."""
    text = json.dumps(record, indent=1, ensure_ascii=False)
    text = re.sub(r"\[\n\s+([^][{}]*?)\n\s+\]", _on_one_line, text)
    write_text(file, text + "\n")


def write_figure(file: Path, figure: Figure) -> None:
    """Write a figure as PNG, of at most 256 colours, those of thin lines among them."""
    picture = io.BytesIO()
    figure.savefig(picture, dpi=110, facecolor="white")
    file.parent.mkdir(parents=True, exist_ok=True)
    colours = Image.open(picture).convert("RGB")
    few = colours.quantize(256, Image.Quantize.MAXCOVERAGE, dither=Image.Dither.NONE)
    few.save(file, optimize=True)


def remember_in(place: Path) -> tuple[Remember, Callable[[], float]]:
    """A `Remember` that keeps each part in place/parts; and the seconds that parts read had taken.

    Args:
        place: the folder of the results.

    Returns:
        The `Remember`, and a function that gives the seconds.
    """
    saved = []

    def remember(name: str, compute: Callable[[], Results]) -> Results:
        file = place / "parts" / f"{re.sub(r'[^A-Za-z0-9.]+', '_', name)}.json"
        if file.exists():
            results, record = read_results(file)
            saved.append(record["seconds"])
            print(f"{name}: read from {file.relative_to(ROOT)}", flush=True)
            return results
        start = time.perf_counter()
        results = as_numpy(compute())
        seconds = time.perf_counter() - start
        write_results(file, results, {"part": name, "seconds": round(seconds, 1)})
        print(f"{name}: {seconds:.1f} s", flush=True)
        return read_results(file)[0]  # what is remembered and what is computed are the same

    return remember, lambda: sum(saved)


def as_numpy(results: Results) -> Results:
    """The results as they will be read: metrics plain and to six digits, arrays NumPy's."""
    arrays = {name: np.asarray(array) for name, array in results.arrays.items()}
    return Results(_plain(results.metrics), arrays)


def _plain(value: Any) -> Any:
    """Mappings in their order, lists and numbers, of no more than six digits."""
    if isinstance(value, dict):
        return {name: _plain(item) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if hasattr(value, "shape"):
        return _plain(np.asarray(value).tolist())
    return float(f"{value:.6g}") if isinstance(value, float) else value


def _on_one_line(match: re.Match[str]) -> str:
    return "[" + re.sub(r"\s*\n\s*", " ", match[1]) + "]"
