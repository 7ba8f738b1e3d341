"""Several ways to the same end, timed side by side: A B C A B C …, medians, ratios and spread."""

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
_PAUSE = 0.2


def interleaved(ways: Mapping[str, Callable[[], Any]], *, rounds: int) -> dict[str, dict]:
    """Call every way once, which compiles it, and then all of them in turn, round after round.

    What slows the machine for a while slows all of them, so that ratios stand where times do not.

    Args:
        ways: name -> a call that returns when its work is done.
        rounds: calls of each that count.

    Returns:
        Of each way: seconds of its "first" call, and the "median", "least" and "greatest" of the
        later ones; and "ratio", the median over rounds of the first way's seconds over its own,
        with the quartiles of that. A ratio above one is faster than the first way.
    """
    first = {name: _seconds(way) for name, way in ways.items()}
    rows = np.array([[_seconds(way) for way in ways.values()] for _ in range(rounds)])
    ratios = rows[:, :1] / rows
    return {
        name: {
            "first": round(first[name], 3),
            **{
                what: float(f"{function(rows[:, i]):.4g}")
                for what, function in (("median", np.median), ("least", min), ("greatest", max))
            },
            "ratio": [round(float(q), 3) for q in np.quantile(ratios[:, i], [0.5, 0.25, 0.75])],
        }
        for i, name in enumerate(ways)
    }


def record(
    name: str, config: Mapping[str, Any], found: Mapping[str, Any], *, peers: Sequence[str] = ()
) -> None:
    """Write benchmarks/results/<machine>/<name>.json: what was asked and found, versions and load.

    Figures of several machines stand side by side, for they need not agree on what is the faster.

    Args:
        name: of the benchmark.
        config: everything that decides the numbers.
        found: the numbers.
        peers: the packages beside which it was measured.
    """
    about = environment() | {peer: version(peer) for peer in peers} | _machine()
    what = {"config": config, "environment": about, "peers": [*peers], "found": found}
    text = json.dumps(what, indent=1)
    write_text(RESULTS / machine_name(about) / f"{name}.json", text + "\n")


def machine_name(about: Mapping[str, Any]) -> str:
    """A folder's name for a machine, `amd-epyc-2-cores` or `1-nvidia-h100`.

    Args:
        about: "device", "processor" and "cores", as recorded.
    """
    on_host = "(cpu)" in about["device"]
    what = f"{about['processor']} {about['cores']} cores" if on_host else about["device"]
    words = re.sub(r"\(.*?\)", "", what).lower()
    return re.sub("[^a-z0-9]+", "-", words).strip("-")


def _machine() -> dict[str, Any]:
    """The processor, the cores that this process may use, and how many were at work of late."""
    information = Path("/proc/cpuinfo")  # Linux's; other systems have a name of their own
    lines = information.read_text().splitlines() if information.exists() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return {
        "processor": names[0] if names else platform.processor(),
        "cores": len(os.sched_getaffinity(0)) if names else os.cpu_count(),
        "load": [round(load, 1) for load in os.getloadavg()] if hasattr(os, "getloadavg") else [],
    }


def _seconds(way: Callable[[], Any]) -> float:
    """Of a call, once the threads of what came before no longer wait for work by turning."""
    time.sleep(_PAUSE)
    begin = time.perf_counter()
    way()
    return time.perf_counter() - begin
