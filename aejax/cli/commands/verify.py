"""`aejax verify`: numerical certificates of the theorems about linear autoencoders and PCA."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import jax
import numpy as np
import tyro
from rich.console import Console
from rich.table import Table
from rich.text import Text

from aejax.data import load
from aejax.runs.atomic_files import check_not_directory, write_text
from aejax.runs.environment import check_platform, environment
from aejax.theory import THEOREMS, Certificate, pose
from aejax.theory.theorems import certificates_by_theorem, check_names

STYLES = {
    "holds": "green",
    "fails": "bold red",
    "not identifiable": "yellow",
    "not applicable": "dim",
}


@dataclass(frozen=True)
class Verify:
    """Verify theorems about linear autoencoders on a data set.

    They are checked on its train examples, in float64.

    Example: aejax verify --data digits --code 10 --report theorems.html
    """

    data: str = "digits"
    """data set: digits, photos, mnist, fashion_mnist, a TFDS name, or a .npy, .npz or IDX path"""
    code: int = 10
    """number k of code units"""
    data_dir: Path | None = None
    """directory of prepared TFDS data sets; None: that of TFDS"""
    theorem: Annotated[
        tuple[str, ...],
        tyro.conf.arg(help=f"theorems to verify; if empty: all of {', '.join(THEOREMS)}"),
    ] = ()
    seed: int = 0
    """seed of random initial values and random changes of the code"""
    json: Path | None = None
    """also write the certificates to this file, as a JSON list of objects"""
    report: Path | None = None
    """also write an HTML report to this file, with figures of the theorems on these data"""


def verify(command: Verify) -> int:
    """Print a table of the certificates; return 1 if one of them fails, else 0."""
    check_names(command.theorem)
    if not 0 <= command.seed < 2**32:  # JAX truncates larger seeds
        raise ValueError(f"seed must lie in [0, 2³²), got {command.seed}")
    for path in (command.json, command.report):
        if path is not None:
            check_not_directory(path)
    check_platform()
    x = load(command.data, data_dir=command.data_dir).x_train
    rows = np.asarray(x).reshape(len(x), -1)
    problem = pose(rows, command.code, key=jax.random.key(command.seed))
    certificates = certificates_by_theorem(problem, command.theorem or tuple(THEOREMS))
    found = [certificate for each in certificates.values() for certificate in each]
    if command.json is not None:
        text = json.dumps([c._asdict() for c in found], indent=2, allow_nan=False)
        write_text(command.json, text + "\n")
    unit = f", in units of 2^{problem.exponent}" if problem.exponent else ""
    _print(found, f"{command.data}, {x.shape[0]} examples, code of {command.code}{unit}")
    if command.report is not None:
        from aejax.report.theorem_report import theorems_page  # matplotlib is slow to import

        about = environment() | {"seed": str(command.seed)}
        page = theorems_page(problem, certificates, data=Path(command.data).name, environment=about)
        write_text(command.report, page)
        print(f"report: {command.report}")
    return int(any(certificate.verdict == "fails" for certificate in found))


def _print(found: Sequence[Certificate], title: str) -> None:
    print(title)
    table = Table(show_lines=True)
    table.add_column("theorem", ratio=1)
    for name in ("residual", "tolerance"):
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("verdict")
    table.add_column("control", justify="right")
    for certificate in found:
        theorem = Text(certificate.claim)
        theorem.append(f"\n{certificate.formula}", style="bold")
        theorem.append(f"\n{certificate.source}; {certificate.reason}", style="dim")
        values = (certificate.residual, certificate.tolerance)
        verdict = Text(certificate.verdict, style=STYLES[certificate.verdict])
        control = f"{certificate.control_verdict}\n{_formatted(certificate.control)}"
        table.add_row(theorem, *map(_formatted, values), verdict, control)
    Console(highlight=False).print(table)


def _formatted(value: float | None) -> str:
    return "–" if value is None else f"{value:.1e}"
