"""Files of a sweep: its settings in `sweep.json`, and the rows of each program in `programs/`.

Each file has a digest of its content; that of a program also has the digest of the settings, so
that rows of another sweep are not taken for its own.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from aejax.checkpoints.arrays import differences
from aejax.interchange.sealed_json import DIGEST, seal, unseal
from aejax.runs.atomic_files import write_text
from aejax.runs.json_files import json_text
from aejax.runs.run import configuration_file, objective_file, sweep_file
from aejax.runs.sweep_grid import program_of
from aejax.runs.sweep_programs import Row

Request = dict[str, Any]
"""Settings that all programs in a folder share, as JSON stores them."""


def check_folder(out: Path, programs: Sequence[str]) -> None:
    """Refuse a folder that holds a run, or parts of a sweep without its settings.

    Args:
        out: folder of a sweep, which need not exist.
        programs: names of its programs.

    Raises:
        ValueError: if the folder is refused.
    """
    if configuration_file(out).exists() or objective_file(out).exists():
        raise ValueError(f"{out} holds a run: choose another out for the sweep")
    if sweep_file(out).exists():
        return
    runs = [out / run_of(program) for program in programs]
    for path in (*program_files(out), *(run for run in runs if run.exists())):
        raise ValueError(
            f"{out} holds {path.relative_to(out)}, but no {sweep_file(out).name}: choose another "
            "out for the sweep"
        )


def write_request(out: Path, request: Request) -> Request:
    """Write the settings of a sweep, or compare them with those in the folder.

    Args:
        out: folder of the sweep.
        request: the settings.

    Returns:
        The settings in the folder.

    Raises:
        ValueError: if they are others.
    """
    file = sweep_file(out)
    if not file.exists():
        write_text(file, json_text(seal(request)))
    elif changed := differences(read_request(out), request):
        raise ValueError(
            f"{out} holds another sweep: {changed}; choose another out, or repeat its settings"
        )
    return read_request(out)


def read_request(out: Path) -> Request:
    """Read the settings of a sweep; ValueError if the file is damaged."""
    advice = "restore it, or choose another out and train the sweep again"
    return _read_sealed(sweep_file(out), advice=advice)


def run_of(program: str) -> str:
    """Folder of the best member of a program, relative to that of the sweep."""
    return f"runs/{program}"


def program_file(out: Path, program: str) -> Path:
    """File of the rows of a program."""
    return out / "programs" / f"{program}.json"


def program_files(out: Path) -> list[Path]:
    """Files of the finished programs, without hidden files, which file managers add."""
    files = (out / "programs").glob("*.json")
    return sorted(file for file in files if not file.name.startswith("."))


def write_program(out: Path, program: str, rows: Sequence[Row], request: Request) -> None:
    """Write the rows of a program, with the digest of the settings of its sweep."""
    document = {"sweep": seal(request)[DIGEST], "rows": rows}
    write_text(program_file(out, program), json_text(seal(document)))


def read_program(file: Path, request: Request) -> list[Row]:
    """Read the rows of a program.

    Args:
        file: file of the program.
        request: settings of the sweep.

    Returns:
        The rows.

    Raises:
        ValueError: if the file is damaged, or is that of another program or sweep.
    """
    document = _read_sealed(file, advice="delete it to train its part of the sweep again")
    if document.get("sweep") not in (None, seal(request)[DIGEST]):  # older files have none
        raise ValueError(f"{file} belongs to a sweep with other settings: delete it")
    rows = document.get("rows", [])
    names = {program_of(row, request["swept"]) for row in rows}
    if names != {file.stem}:
        held = ", ".join(sorted(names)) or "no program"
        raise ValueError(f"{file} holds {held}, not {file.stem}: delete it")
    return rows


def finished_programs(out: Path, request: Request) -> set[str]:
    """Names of the programs whose rows are written and whose best run is in its folder."""
    return {
        file.stem
        for file in program_files(out)
        if all((out / row["run"]).exists() for row in read_program(file, request) if row["run"])
    }


def _read_sealed(file: Path, *, advice: str) -> dict[str, Any]:
    try:
        return unseal(file.read_bytes())
    except ValueError as error:
        raise ValueError(f"{file} is damaged: {error}; {advice}") from error
