"""Result files of experiments: atomic writes, a cache keyed by configuration, and summaries.

`results/<experiment>/<hash>/`, with a hash of configuration, data and code, contains
`<experiment>.json` (texts, settings, verdicts, metrics, environment), `<experiment>.png`, `arrays/`
and `parts/`. `experiments/results/` contains the committed JSON and PNG of the full settings.
"""

import dataclasses
import hashlib
import io
import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from PIL import Image

from aejax import data
from aejax.checkpoints.folders import digest_of, digests
from aejax.report.verdicts import comparison_verdict, overall_verdict
from aejax.runs.environment import environment
from aejax.studies.part_cache import PartCache as PartCache
from aejax.studies.part_cache import Results, rounded
from aejax.studies.part_cache import cache_in as cache_in
from aejax.studies.part_cache import read_results as read_results
from aejax.studies.part_cache import rounded_results as rounded_results
from aejax.studies.part_cache import write_record as write_record
from aejax.studies.part_cache import write_results as write_results
from experiments.harness.experiment import Experiment, PrimaryComparison
from experiments.harness.source_digest import sources_digest

ROOT = Path(__file__).parents[2]


def stack_seeds(found: Sequence[Mapping[str, Any]]) -> dict[str, list[Any]]:
    """Convert one mapping per seed to one mapping of lists over seeds."""
    return {name: [seed[name] for seed in found] for name in found[0]}


def no_cache(_: str, compute: Callable[[], Results]) -> Results:
    """A `PartCache` without storage: compute the part."""
    return compute()


def results_folder(experiment: Experiment, config: Any, dataset: data.Dataset | None) -> Path:
    """Folder of the results of one configuration on one data set with the current code."""
    settings = config_as_json(config)
    identity = settings | {
        "fingerprint": dataset and data.fingerprint(dataset),
        "files": {
            name: digests(Path(value)) if Path(value).is_dir() else digest_of(Path(value))
            for name, value in settings.items()
            if _is_path(value)
        },
        "sources": sources_digest(experiment.file),
    }
    digest = hashlib.sha256(json.dumps(identity, sort_keys=True).encode()).hexdigest()
    return ROOT / "results" / experiment.name / digest[:12]


def _is_path(value: Any) -> bool:
    """Whether a setting names further data that exist."""
    return isinstance(value, str) and "/" in value and Path(value).exists()


def has_committed_data(record: dict[str, Any]) -> bool:
    """Whether a record is of the data of the committed record, or the first one."""
    committed = summary_file(record["experiment"])
    return (
        not committed.exists()
        or json.loads(committed.read_text(encoding="utf-8"))["data"] == record["data"]
    )


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
        claim: rounded([mean, low, high, bool(holds)])
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
        "values": {name: rounded(float(np.mean(values))) for name, values in sides},
        "difference": rounded([mean, low, high, bool(holds)]),
        "verdict": comparison_verdict(low, high, holds),
    }


def write_figure(file: Path, figure: Figure) -> None:
    """Write a figure as PNG with a palette of at most 256 colours, those of thin lines included."""
    buffer = io.BytesIO()
    figure.savefig(buffer, dpi=110, facecolor="white")
    file.parent.mkdir(parents=True, exist_ok=True)
    image = Image.open(buffer).convert("RGB")
    quantized = image.quantize(256, Image.Quantize.MAXCOVERAGE, dither=Image.Dither.NONE)
    quantized.save(file, optimize=True)
