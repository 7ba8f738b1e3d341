"""Results of the support matrix and of weak scaling as JSON files, one per target."""

import json
from collections.abc import Sequence
from importlib import metadata
from pathlib import Path
from typing import Any

from aejax.runs.atomic_files import write_text
from aejax.runs.environment import environment
from aejax.runs.json_files import read_json
from tests.accelerators import programs
from tests.accelerators.covering import Choice, parts
from tests.accelerators.matrix import Exclusion, groups

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "docs" / "results" / "accelerators"
WEAK_SCALING = "weak_scaling"
"""Name of the file of weak scaling."""

COMPILERS = ("libtpu", "jax-cuda12-plugin", "jax-cuda13-plugin", "nvidia-cuda-nvcc-cu12")
"""Packages with the compilers of the targets."""


def write_matrix(
    target: str,
    rows: Sequence[dict[str, Any]],
    chosen: Sequence[Choice],
    excluded: Sequence[Exclusion],
    *,
    kept: int = 0,
) -> None:
    """Write the support matrix of a target.

    Args:
        target: name of the target.
        rows: programs with their metrics.
        chosen: all programs of the matrix, of which these are the first.
        excluded: components that cannot be combined.
        kept: number of first rows that are those of the matrix that was stored before.
    """
    compiled, every = (combinations_of(each) for each in (chosen[: len(rows)], chosen))
    record = {
        "target": target,
        "environment": versions(),
        "axes": list(programs.axes()),
        "settings": settings(),
        "programs": len(chosen),
        "kept": kept,
        "combinations": [len(compiled), len(every)],
        "rows": list(rows),
        "exclusions": [each._asdict() for each in excluded],
    }
    write(_matrix_file(target), record)


def stored_rows(target: str) -> list[dict[str, Any]]:
    """Rows of the stored matrix of a target.

    Args:
        target: name of the target.

    Returns:
        The rows.

    Raises:
        ValueError: if there is no matrix, or another compiler, version or size made it.
    """
    file = _matrix_file(target)
    if not file.exists():
        raise ValueError(f"there is no matrix of {target} to add programs to: leave out --add")
    record = read_json(file)
    now, then = versions(), record["environment"]
    names = ("jax", "jaxlib", "xla flags", *COMPILERS)
    changed = [name for name in names if now.get(name) != then.get(name)]
    if changed or record["target"] != target or record["settings"] != settings():
        raise ValueError(
            f"the matrix of {target} was compiled with other sizes or versions "
            f"({', '.join(changed) or 'settings'}): leave out --add, which compiles all again"
        )
    return record["rows"]


def settings() -> dict[str, int]:
    """Sizes that all programs of the matrix share."""
    return {
        "size": programs.SIZE,
        "batch_size": programs.BATCH_SIZE,
        "divided": programs.DIVIDED_UNITS,
    }


def combinations_of(chosen: Sequence[Choice]) -> set[frozenset[tuple[str, str]]]:
    """All combinations of the matrix's groups of axes that programs contain."""
    return set().union(*(parts(choice, groups()) for choice in chosen))


def write_scaling(rows: Sequence[dict[str, Any]], environment: dict[str, str]) -> None:
    """Write the rows of `weak_scaling`, with the versions that planned them."""
    write(FOLDER / f"{WEAK_SCALING}.json", {"environment": environment, "rows": list(rows)})


def write(file: Path, record: dict[str, Any]) -> None:
    """Write a record with one list item a line."""
    lines = [f" {json.dumps(name)}: {_item(value)}" for name, value in record.items()]
    write_text(file, "{\n" + ",\n".join(lines) + "\n}\n")


def versions() -> dict[str, str]:
    """Environment with the versions of the installed compilers."""
    found = {each.metadata["Name"]: each.version for each in metadata.distributions()}
    return environment() | {name: found[name] for name in COMPILERS if name in found}


def _matrix_file(target: str) -> Path:
    return FOLDER / f"matrix_{target.partition(':')[0]}.json"


def _item(value: Any) -> str:
    if not isinstance(value, list):
        return json.dumps(value, ensure_ascii=False)
    lines = (f"  {json.dumps(each, ensure_ascii=False)}" for each in value)
    return "[\n" + ",\n".join(lines) + "\n ]"
