"""Support matrix and weak scaling on accelerators that are not at hand: `make accelerators`.

Each compiled program is stored in `.accelerators/`, so that an interrupted command resumes. The
compilers of the targets are needed: pip install 'aejax[plan-tpu,plan-gpu]'.
"""

from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

import jax
import tyro

from aejax.runs.environment import PLATFORMS_OPTION
from aejax.runs.json_files import read_json
from aejax.studies import part_cache
from aejax.studies.part_cache import PartCache
from tests.accelerators import matrix, page, programs, results, weak_scaling
from tests.contract import components


@dataclass(frozen=True)
class Config:
    """Options of the command."""

    targets: tuple[str, ...] = ("v5e:2x2", "h100:4")
    """targets of the support matrix"""
    programs: int | None = None
    """number of programs to compile for each target, those with the most combinations first
    (default: all)"""
    add: bool = False
    """keep the programs of the stored matrices, and compile those whose combinations they lack"""


def main(config: Config) -> None:
    """Compile all programs, then write docs/results/accelerators and docs/accelerators.md."""
    jax.config.update(PLATFORMS_OPTION, "cpu")  # the compilers are plug-ins without devices
    excluded = matrix.exclusions(_cache({}, matrix, programs, components))
    for target in config.targets:
        stored = results.stored_rows(target) if config.add else []
        kept = matrix.current_rows(stored, excluded)
        start = list(map(matrix.choice_of, kept))
        added = matrix.choices(excluded, start)
        cache = _cache({"target": target}, matrix, programs, components)
        rows = matrix.rows(target, added[: config.programs], cache)
        results.write_matrix(target, kept + rows, start + added, excluded, kept=len(kept))
    if weak_scaling.PLANS.exists():
        record = read_json(weak_scaling.PLANS)
        results.write_scaling(weak_scaling.rows(record), record["versions"])
    page.write()


def _cache(settings: dict[str, Any], *modules: ModuleType) -> PartCache:
    """Cache of compiled programs, which an edit of these modules or of aejax invalidates."""
    sources = [Path(module.__file__ or "") for module in modules]
    folder = results.ROOT / ".accelerators"
    return part_cache(folder, settings=settings, sources=sources, progress=True)


if __name__ == "__main__":
    main(tyro.cli(Config))
