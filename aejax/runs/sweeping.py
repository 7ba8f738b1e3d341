"""Sweep over settings and seeds in a folder, which resumes after the programs that are finished.

The folder contains `sweep.json` (the settings), `table.csv` and `table.json` (one row per member),
`programs/` (the rows of each finished program) and `runs/` (the best member of each program, as an
ordinary run).
"""

import json
import sys
from collections.abc import Collection, Mapping, Sequence
from math import prod
from os import PathLike
from pathlib import Path
from typing import Any, NamedTuple, SupportsIndex

import numpy as np

from aejax.data.data_frames import import_pandas
from aejax.hyperparameters import as_integer
from aejax.runs.array_files import write_columns
from aejax.runs.atomic_files import write_text
from aejax.runs.configuration import Options
from aejax.runs.environment import check_platform
from aejax.runs.error_messages import PYTHON, explain_errors
from aejax.runs.examples import Examples, load_in_memory
from aejax.runs.json_files import json_text
from aejax.runs.lock import locked
from aejax.runs.run import check_location, sweep_file
from aejax.runs.sweep_files import (
    Request,
    check_folder,
    finished_programs,
    program_file,
    program_files,
    read_program,
    read_request,
    run_of,
    write_program,
    write_request,
)
from aejax.runs.sweep_grid import (
    TRACED,
    Program,
    as_lists,
    check_grid,
    divide,
    trained_together,
    without_settings,
)
from aejax.runs.sweep_programs import (
    Row,
    best_member,
    check_program,
    check_replaceable,
    train_programs,
    write_member,
)

MAX_SEED = 2**32


class Sweep(NamedTuple):
    """A finished sweep.

    folder:  folder of the sweep.
    swept:   names of the settings that were swept.
    table:   one row per member: code size, swept settings, seed, and figures. `validation_error`
             and `test_error` are means over examples of the sum over features of (x̂ − x)², in
             normalised units, at the epoch with the lowest validation loss; those of PCA have as
             many components as there are code units. Figures are None for a member that has
             diverged. `run` is the folder of the run, relative to that of the sweep, of the best
             member of each program.
    best:    folder of the best run.
    shared:  data, number of seeds, and the settings that were given to all members.
    """

    folder: Path
    swept: tuple[str, ...]
    table: list[Row]
    best: Path
    shared: dict[str, Any]

    def __repr__(self) -> str:
        return (
            f"{type(self).__name__}(folder={str(self.folder)!r}, swept={self.swept}, "
            f"members={len(self.table)}, best={str(self.best)!r})"
        )

    def data_frame(self) -> Any:
        """Convert the table to pandas.

        Returns:
            The data frame, with one row per member.

        Raises:
            ImportError: if pandas is not installed.
        """
        return import_pandas().DataFrame(self.table)


def sweep(
    options: Options,
    grid: Mapping[str, Any],
    *,
    out: str | PathLike[str],
    seeds: SupportsIndex = 3,
    progress: bool = False,
) -> Sweep:
    """Train every combination of settings with several seeds, or the part of it that is missing.

    Settings that share their shapes are trained together in one vmapped program, as are
    dictionaries with several k; code sizes and other settings that change shapes become several
    programs. The same call resumes a sweep that was stopped: finished programs are read. Values of
    settings that do not share a program, such as further code sizes, can be added later.

    Args:
        options: settings that all members share, as those of `aejax train`.
        grid: name of a setting -> its values, such as {"code": [1, 2, 4], "penalty.l2": [0, 0.1]}.
        out: folder of the sweep.
        seeds: number of seeds, counted from that of the settings. Members with the same seed have
            the same initial parameters and order of examples; all share one validation split.
        progress: whether to print a line on stderr for each program.

    Returns:
        The sweep, with a row of the table for each member.

    Raises:
        ValueError: if a setting is unknown or cannot be swept, a value is out of range, the
            settings do not fit the data, or the folder holds something else.
        FloatingPointError: if all members have diverged.
        OSError: if the folder cannot be written.
    """
    check_platform()
    out, lists, count = Path(out).expanduser(), as_lists(grid), as_integer("seeds", seeds)
    check_location(out)
    if not 1 <= count <= MAX_SEED - options.seed:
        raise ValueError(f"seeds must be from 1 to {MAX_SEED - options.seed}, got {count}")
    check_grid(options, lists)
    programs, seed_list = divide(lists), range(options.seed, options.seed + count)
    check_folder(out, [program.name for program in programs])
    examples = load_in_memory(options)
    for program in programs:
        check_program(options, program, examples, seed_list)
    if progress:
        _report_large_codes(lists, examples)
    with explain_errors(out, PYTHON), locked(out, option=PYTHON.out):
        request = write_request(out, _request(options, lists, count, examples))
        finished = finished_programs(out, request)
        for program in programs:
            if program.name not in finished:
                run = out / run_of(program.name)
                check_replaceable(run, options, program, examples, seed_list)
        for group in trained_together(programs, options):
            if progress:
                for program in group:
                    number, state = programs.index(program) + 1, _state_of(program, finished, count)
                    label = f"aejax: program {number} of {len(programs)}, {program.name}"
                    print(f"{label}: {state}", file=sys.stderr, flush=True)
            missing = [program for program in group if program.name not in finished]
            if missing:
                _train_programs(out, request, options, missing, examples, seed_list)
        files = [program_file(out, program.name) for program in programs]
        rows = [row for file in files for row in read_program(file, request)]
        found = _sweep(out, request, rows)
        write_table(open_sweep(out))
    return found


def open_sweep(folder: str | PathLike[str]) -> Sweep:
    """Read the finished programs of a sweep, also of one that was stopped or is still running.

    Args:
        folder: folder of the sweep.

    Returns:
        The sweep, with a row of the table for each member of a finished program, in ascending order
        of the settings.

    Raises:
        FileNotFoundError: if the folder is not a sweep.
        ValueError: if no program is finished, or a file is damaged.
        FloatingPointError: if all members have diverged.
    """
    out = Path(folder).expanduser()
    if not sweep_file(out).exists():
        raise FileNotFoundError(f"{out} is not a sweep: it contains no {sweep_file(out).name}")
    request = read_request(out)
    rows = [row for file in program_files(out) for row in read_program(file, request)]
    if not rows:
        raise ValueError(f"no program of the sweep {out} is finished: run it again")
    rows.sort(key=lambda row: [_order(row[name]) for name in (*request["swept"], "seed")])
    return _sweep(out, request, rows)


def write_table(found: Sweep) -> None:
    """Write the table of a sweep as `table.csv` and `table.json`."""
    columns = {
        name: np.array([_text(row.get(name)) for row in found.table]) for name in found.table[0]
    }
    write_columns(found.folder / "table.csv", columns)
    write_text(found.folder / "table.json", json_text(found.table))


def _report_large_codes(grid: Mapping[str, Sequence[Any]], examples: Examples) -> None:
    """Report code sizes above the number of features, which are allowed."""
    features = prod(examples.shape)
    for code in grid.get("code", ()):
        if code > features:
            print(
                f"aejax: code {code} is larger than the {features} features: without noise or a "
                "penalty, it can copy its input",
                file=sys.stderr,
            )


def _request(
    options: Options, grid: Mapping[str, Sequence[Any]], seeds: int, examples: Examples
) -> dict[str, Any]:
    """Settings that all programs in a folder share, as JSON stores them."""
    settings = without_settings(options, [*grid, "data_dir"])
    shared = {f"setting {name}": value for name, value in settings.items()}
    traced = {f"values of {name}": grid[name] for name in grid if name in TRACED}
    request = {
        "swept": list(grid),
        "seeds": seeds,
        "data fingerprint": examples.fingerprint,
        **shared,
        **traced,
    }
    return json.loads(json.dumps(request))


def _train_programs(
    out: Path,
    request: Request,
    options: Options,
    programs: Sequence[Program],
    examples: Examples,
    seeds: Sequence[int],
) -> None:
    """Train programs together; write the best member of each and its rows."""
    trained = train_programs(options, programs, examples, seeds)
    for program, members in zip(programs, trained, strict=True):
        best, run = best_member(members), run_of(program.name)
        if best is not None:
            write_member(out / run, best, examples)
        rows = [{**member.row, "run": run if member is best else None} for member in members]
        write_program(out, program.name, rows, request)


def _state_of(program: Program, finished: Collection[str], seeds: int) -> str:
    if program.name in finished:
        return "finished before"
    return f"training {len(program.traced) * seeds} members"


def _sweep(out: Path, request: Mapping[str, Any], rows: Sequence[Row]) -> Sweep:
    """Sweep with the columns of the table in one order: settings, seed, figures."""
    swept = tuple(request["swept"])
    order = dict.fromkeys(("code", *swept, "seed", *rows[0]))
    table: list[Row] = [{name: row.get(name) for name in order} for row in rows]
    trained = [row for row in table if row["run"] is not None]
    if not trained:
        raise FloatingPointError(
            "all members have diverged: their losses are not finite; lower the learning rate"
        )
    best = min(trained, key=lambda row: row["validation_error"])
    return Sweep(out, swept, table, out / best["run"], _shared(request))


def _shared(request: Mapping[str, Any]) -> dict[str, Any]:
    """Data, number of seeds, and the settings that differ from those of `Options()`."""
    settings = {
        name.removeprefix("setting "): value
        for name, value in request.items()
        if name.startswith("setting ")
    }
    defaults = json.loads(json.dumps(without_settings(Options(), ["data_dir"])))
    given = {name: value for name, value in settings.items() if value != defaults.get(name)}
    return {"data": settings["data"], "seeds": request["seeds"]} | given


def _order(value: Any) -> tuple[bool, float, str]:
    """Sort key of a value of a setting: numbers first, in ascending order."""
    return (False, value, "") if isinstance(value, int | float) else (True, 0.0, str(value))


def _text(value: Any) -> str:
    """Value in a CSV file; numbers have enough digits to restore them exactly."""
    return "" if value is None else str(value)
