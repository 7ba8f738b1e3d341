"""What experiments share: a mean with its interval over seeds, and the folder of their results."""

import dataclasses
import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from scipy import stats

from aejax.cli.environment import environment
from aejax.cli.files import write_text

ROOT = Path(__file__).parents[1]


def interval(values: np.ndarray, confidence: float = 0.95) -> list[float]:
    """Mean over seeds, and the ends of its interval by Student's t.

    Args:
        values: one a seed, two or more.
        confidence: of the interval.

    Returns:
        [mean, low, high].
    """
    mean, error = values.mean(), stats.sem(values)
    reach = error * stats.t.ppf((1 + confidence) / 2, len(values) - 1)
    return [float(mean), float(mean - reach), float(mean + reach)]


def publish(
    name: str, config: Any, metrics: dict[str, Any], figure: Figure, *, summary: bool
) -> None:
    """Write and print results/<name>/<hash of the config>/: what was asked, found, drawn, on what.

    Args:
        name: of the experiment.
        config: its dataclass.
        metrics: plain numbers, strings and lists by name.
        figure: its figure.
        summary: also write docs/results/<name>.json and .png, which are committed: the numbers
            that the documentation quotes.
    """
    settings = dataclasses.asdict(config)
    digest = hashlib.sha256(json.dumps(settings, sort_keys=True).encode()).hexdigest()[:12]
    record = {"config": settings, "metrics": metrics, "environment": environment()}
    text = json.dumps(record, indent=2, ensure_ascii=False) + "\n"
    places = [ROOT / "results" / name / digest / name]
    places += [ROOT / "docs" / "results" / name] * summary
    for place in places:
        write_text(place.with_suffix(".json"), text)
        figure.savefig(place.with_suffix(".png"), dpi=120, facecolor="white")
    print(text, *places, sep="\n")
