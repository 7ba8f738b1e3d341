"""Interleaved timing of variants (A B C A B C …): medians, extremes and ratios."""

import json
import os
import platform
import re
import time
from collections.abc import Callable, Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

from aejax.runs.atomic_files import write_text
from aejax.runs.environment import environment

RESULTS = Path(__file__).parent / "results"
PAUSE_SECONDS = 0.2


def interleaved(variants: Mapping[str, Callable[[], Any]], *, rounds: int) -> dict[str, dict]:
    """Call every variant once, which compiles it, and then all variants in turn in each round.

    Other load on the machine slows all variants of a round, so ratios are more reliable than times.

    Args:
        variants: functions that return when their work is complete, by name.
        rounds: number of timed calls of each variant.

    Returns:
        For each variant, the seconds of its "first" call; the "median", "least" and "greatest"
        seconds of the later calls; and "ratio", the first variant's seconds divided by its own:
        the median over rounds and the quartiles. A ratio above one is faster than the first
        variant.
    """
    first = {name: _seconds(variant) for name, variant in variants.items()}
    rows = np.array([[_seconds(variant) for variant in variants.values()] for _ in range(rounds)])
    ratios = rows[:, :1] / rows
    return {
        name: {
            "first": round(first[name], 3),
            **{
                statistic: float(f"{function(rows[:, i]):.4g}")
                for statistic, function in (
                    ("median", np.median),
                    ("least", min),
                    ("greatest", max),
                )
            },
            "ratio": [round(float(q), 3) for q in np.quantile(ratios[:, i], [0.5, 0.25, 0.75])],
        }
        for i, name in enumerate(variants)
    }


def record(
    name: str, config: Mapping[str, Any], found: Mapping[str, Any], *, peers: Sequence[str] = ()
) -> None:
    """Write settings, results, versions and load to benchmarks/results/<machine>/<name>.json.

    Each machine has a folder, because machines may disagree on which variant is faster.

    Args:
        name: name of the benchmark.
        config: settings of the benchmark.
        found: results.
        peers: packages that were compared, whose versions are recorded.
    """
    about = environment() | {peer: version(peer) for peer in peers} | _machine()
    content = {"config": config, "environment": about, "peers": [*peers], "found": found}
    text = json.dumps(content, indent=1)
    write_text(RESULTS / machine_name(about) / f"{name}.json", text + "\n")


def machine_name(about: Mapping[str, Any]) -> str:
    """Folder name of a machine, such as `amd-epyc-2-cores` or `1-nvidia-h100`.

    Args:
        about: recorded environment with "device", "processor" and "cores".
    """
    on_host = "(cpu)" in about["device"]
    text = f"{about['processor']} {about['cores']} cores" if on_host else about["device"]
    name = re.sub(r"\(.*?\)", "", text).lower()
    return re.sub("[^a-z0-9]+", "-", name).strip("-")


def _machine() -> dict[str, Any]:
    """Processor name, cores available to this process, and load averages."""
    information = Path("/proc/cpuinfo")  # Linux only
    lines = information.read_text().splitlines() if information.exists() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return {
        "processor": names[0] if names else platform.processor(),
        "cores": len(os.sched_getaffinity(0)) if names else os.cpu_count(),
        "load": [round(load, 1) for load in os.getloadavg()] if hasattr(os, "getloadavg") else [],
    }


def _seconds(variant: Callable[[], Any]) -> float:
    """Seconds of one call, after a pause in which idle threads of earlier calls stop spinning."""
    time.sleep(PAUSE_SECONDS)
    begin = time.perf_counter()
    variant()
    return time.perf_counter() - begin
