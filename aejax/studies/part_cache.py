"""Parts of a study in files: each is computed at most once, so that a stopped study resumes."""

import hashlib
import json
import re
import sys
import time
from collections.abc import Callable, Collection, Mapping
from os import PathLike
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from aejax.data.dataset import fingerprint_arrays
from aejax.runs.atomic_files import write_array, write_text
from aejax.runs.source_digest import code_digest, package_digest

Metrics = dict[str, Any]
"""Nested mappings whose leaves are numbers, or lists with one number or curve per seed."""


class Results(NamedTuple):
    """Results of a study or of a part of it.

    metrics: values from which verdicts and tables are computed, rounded to six digits in files.
    arrays:  name -> array, such as codes and filters for a figure.
    """

    metrics: Metrics
    arrays: dict[str, Any] = {}  # noqa: RUF012  (never written to)


PartCache = Callable[[str, Callable[[], Results]], Results]
"""(name of a part, function that computes it) -> its results, computed at most once."""


def part_cache(
    folder: str | PathLike[str],
    *,
    settings: Mapping[str, Any],
    sources: Collection[str | PathLike[str]],
    arrays: Mapping[str, Any] | None = None,
    progress: bool = False,
) -> PartCache:
    """Create a cache of the parts of a study, which resumes at the first missing part.

    Parts are stored in a subfolder named by a digest of the settings, of the code of the study and
    of aejax, and of the data, so that a study that was edited is computed again. Comments,
    formatting and docstrings do not count.

    Args:
        folder: folder of the study.
        settings: JSON values that determine the results.
        sources: Python files of the study, such as `[__file__]`, and modules that it imports.
        arrays: data by name that are not determined by settings and sources (default: none).
        progress: whether to print a line on stderr for each part.

    Returns:
        The cache: (name, function) -> `Results`.

    Raises:
        ValueError: if the settings are no JSON values, or there are no sources.
        OSError: if a source cannot be read.

    Example:
        >>> import tempfile
        >>> from pathlib import Path
        >>> from aejax import studies
        >>> folder = Path(tempfile.mkdtemp())
        >>> _ = (folder / "study.py").write_text("x = 1")
        >>> cache = studies.part_cache(
        ...     folder, settings={"seeds": 2}, sources=[folder / "study.py"])
        >>> cache("errors", lambda: studies.Results({"error": [0.25, 0.5]})).metrics
        {'error': [0.25, 0.5]}
        >>> cache("errors", lambda: 1 / 0).metrics
        {'error': [0.25, 0.5]}
    """
    if isinstance(sources, str | PathLike) or not sources:
        raise ValueError(f"sources must be one or more files, such as [__file__], got {sources!r}")
    identity = {
        "settings": dict(settings),
        "study": code_digest(map(Path, sources)),
        "aejax": package_digest(),
        "data": arrays and fingerprint_arrays({n: np.asarray(a) for n, a in arrays.items()}),
    }
    try:
        text = json.dumps(identity, sort_keys=True, allow_nan=False)
    except (TypeError, ValueError) as error:
        raise ValueError(f"settings must be JSON values: {error}") from error
    digest = hashlib.sha256(text.encode()).hexdigest()
    cache, _ = cache_in(Path(folder).expanduser() / digest[:12], progress=progress)
    return cache


def cache_in(folder: Path, *, progress: bool) -> tuple[PartCache, Callable[[], float]]:
    """Create a `PartCache` that stores each part in folder/parts.

    Args:
        folder: folder of the results.
        progress: whether to print a line on stderr for each part.

    Returns:
        The cache, and a function that returns the total run time in seconds of cached parts.
    """
    saved = []

    def report(text: str) -> None:
        if progress:
            print(text, file=sys.stderr, flush=True)

    def cache(name: str, compute: Callable[[], Results]) -> Results:
        file = folder / "parts" / f"{re.sub(r'[^A-Za-z0-9.]+', '_', name)}.json"
        if file.exists():
            results, record = read_results(file)
            saved.append(record["seconds"])
            report(f"{name}: read from {file}")
            return results
        start = time.perf_counter()
        results = rounded_results(compute())
        seconds = time.perf_counter() - start
        write_results(file, results, {"part": name, "seconds": round(seconds, 1)})
        report(f"{name}: {seconds:.1f} s")
        return read_results(file)[0]  # so that cached and computed results are identical

    return cache, lambda: sum(saved)


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


def rounded_results(results: Results) -> Results:
    """Round metrics to six digits and convert arrays to NumPy, as they will be read."""
    arrays = {name: np.asarray(array) for name, array in results.arrays.items()}
    return Results(rounded(results.metrics), arrays)


def rounded(value: Any) -> Any:
    """Convert to plain mappings, lists and numbers of at most six digits."""
    if isinstance(value, dict):
        return {name: rounded(item) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [rounded(item) for item in value]
    if hasattr(value, "shape"):
        return rounded(np.asarray(value).tolist())
    return float(f"{value:.6g}") if isinstance(value, float) else value


def _on_one_line(match: re.Match[str]) -> str:
    return "[" + re.sub(r"\s*\n\s*", " ", match[1]) + "]"
