"""Result files of experiments: atomic writes, a cache keyed by configuration, and summaries.

`results/<experiment>/<hash>/`, with a hash of configuration, data and code, contains
`<experiment>.json` (texts, settings, verdicts, metrics, environment), `<experiment>.png`, `arrays/`
and `parts/`. `experiments/results/` contains the committed JSON and PNG of the full settings.
"""

import dataclasses
import hashlib
import io
import json
import re
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from PIL import Image

from aejax import data
from aejax.report.verdicts import comparison_verdict, overall_verdict
from aejax.runs.atomic_files import write_array, write_text
from aejax.runs.environment import environment
from experiments.harness.experiment import Experiment, PrimaryComparison, Results
from experiments.harness.source_digest import sources_digest

ROOT = Path(__file__).parents[2]


def stack_seeds(found: Sequence[Mapping[str, Any]]) -> dict[str, list[Any]]:
    """Convert one mapping per seed to one mapping of lists over seeds."""
    return {name: [seed[name] for seed in found] for name in found[0]}


PartCache = Callable[[str, Callable[[], Results]], Results]
"""(name of a part, function that computes it) -> its results, computed at most once."""


def no_cache(_: str, compute: Callable[[], Results]) -> Results:
    """A `PartCache` without storage: compute the part."""
    return compute()


def results_folder(experiment: Experiment, config: Any, dataset: data.Dataset | None) -> Path:
    """Folder of the results of one configuration on one data set with the current code."""
    identity = config_as_json(config) | {
        "fingerprint": dataset and data.fingerprint(dataset),
        "sources": sources_digest(experiment.file),
    }
    digest = hashlib.sha256(json.dumps(identity, sort_keys=True).encode()).hexdigest()
    return ROOT / "results" / experiment.name / digest[:12]


def summary_file(name: str) -> Path:
    """Committed record of an experiment; the figure is the PNG beside it."""
    return ROOT / "experiments" / "results" / f"{name}.json"


def config_as_json(config: Any) -> dict[str, Any]:
    """A configuration as JSON stores it."""
    return json.loads(json.dumps(dataclasses.asdict(config)))


def make_record(
    experiment: Experiment,
    config: Any,
    metrics: dict[str, Any],
    dataset: data.Dataset | None,
    about_run: dict[str, Any],
) -> dict[str, Any]:
    """All information about a finished run, as JSON stores it."""
    seen = {"name": dataset.name, "fingerprint": data.fingerprint(dataset)} if dataset else None
    return {
        "experiment": experiment.name,
        "about": experiment.texts,
        **verdicts(experiment, metrics),
        "config": config_as_json(config),
        "data": seen,
        **about_run,
        "metrics": metrics,
    }


def code_and_machine(experiment: Experiment) -> dict[str, str]:
    """Versions, device, revision and the hash of the experiment's file; call before the run."""
    source = hashlib.sha256(experiment.file.read_bytes()).hexdigest()
    return environment() | {"source": source[:12]}


def verdicts(experiment: Experiment, metrics: dict[str, Any]) -> dict[str, Any]:
    """The primary comparison, the further comparisons, and the verdict over all of them."""
    primary = _primary(experiment.primary(metrics))
    comparisons = {
        claim: _rounded([mean, low, high, bool(holds)])
        for claim, (mean, low, high, holds) in experiment.observations(metrics).items()
    }
    words = [comparison_verdict(*numbers) for _, *numbers in comparisons.values()]
    return {
        "primary": primary,
        "verdict": overall_verdict([primary["verdict"], *words]),
        "comparisons": comparisons,
    }


def _primary(primary: PrimaryComparison) -> dict[str, Any]:
    sides = primary.subject, primary.reference
    mean, low, high, holds = primary.side(*(values for _, values in sides))
    return {
        "quantity": primary.quantity,
        "values": {name: _rounded(float(np.mean(values))) for name, values in sides},
        "difference": _rounded([mean, low, high, bool(holds)]),
        "verdict": comparison_verdict(low, high, holds),
    }


def write_results(file: Path, results: Results, about: dict[str, Any]) -> None:
    """Write arrays, then a record with metrics: an existing record implies that all files exist."""
    for name, array in results.arrays.items():
        write_array(file.parent / "arrays" / f"{file.stem}-{name}.npy", np.asarray(array))
    write_record(file, about | {"metrics": results.metrics, "arrays": [*results.arrays]})


def read_results(file: Path) -> tuple[Results, dict[str, Any]]:
    """Read the results and the record of `write_results`."""
    record = json.loads(file.read_text(encoding="utf-8"))
    arrays = {
        name: np.load(file.parent / "arrays" / f"{file.stem}-{name}.npy")
        for name in record["arrays"]
    }
    return Results(record["metrics"], arrays), record


def write_record(file: Path, record: dict[str, Any]) -> None:
    """Write a record as JSON with each list of numbers on one line."""
    text = json.dumps(record, indent=1, ensure_ascii=False)
    text = re.sub(r"\[\n\s+([^][{}]*?)\n\s+\]", _on_one_line, text)
    write_text(file, text + "\n")


def write_figure(file: Path, figure: Figure) -> None:
    """Write a figure as PNG with a palette of at most 256 colours, those of thin lines included."""
    buffer = io.BytesIO()
    figure.savefig(buffer, dpi=110, facecolor="white")
    file.parent.mkdir(parents=True, exist_ok=True)
    image = Image.open(buffer).convert("RGB")
    quantized = image.quantize(256, Image.Quantize.MAXCOVERAGE, dither=Image.Dither.NONE)
    quantized.save(file, optimize=True)


def cache_in(folder: Path) -> tuple[PartCache, Callable[[], float]]:
    """Create a `PartCache` that stores each part in folder/parts.

    Args:
        folder: folder of the results.

    Returns:
        The cache, and a function that returns the total run time in seconds of cached parts.
    """
    saved = []

    def cache(name: str, compute: Callable[[], Results]) -> Results:
        file = folder / "parts" / f"{re.sub(r'[^A-Za-z0-9.]+', '_', name)}.json"
        if file.exists():
            results, record = read_results(file)
            saved.append(record["seconds"])
            print(f"{name}: read from {file.relative_to(ROOT)}", flush=True)
            return results
        start = time.perf_counter()
        results = rounded_results(compute())
        seconds = time.perf_counter() - start
        write_results(file, results, {"part": name, "seconds": round(seconds, 1)})
        print(f"{name}: {seconds:.1f} s", flush=True)
        return read_results(file)[0]  # so that cached and computed results are identical

    return cache, lambda: sum(saved)


def rounded_results(results: Results) -> Results:
    """Round metrics to six digits and convert arrays to NumPy, as they will be read."""
    arrays = {name: np.asarray(array) for name, array in results.arrays.items()}
    return Results(_rounded(results.metrics), arrays)


def _rounded(value: Any) -> Any:
    """Convert to plain mappings, lists and numbers of at most six digits."""
    if isinstance(value, dict):
        return {name: _rounded(item) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [_rounded(item) for item in value]
    if hasattr(value, "shape"):
        return _rounded(np.asarray(value).tolist())
    return float(f"{value:.6g}") if isinstance(value, float) else value


def _on_one_line(match: re.Match[str]) -> str:
    return "[" + re.sub(r"\s*\n\s*", " ", match[1]) + "]"
