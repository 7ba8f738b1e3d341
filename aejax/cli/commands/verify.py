"""`aejax verify`: numerical certificates of the theorems about linear autoencoders and PCA."""

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import jax
import numpy as np
import tyro
from rich.console import Console
from rich.table import Table
from rich.text import Text

from aejax.cli.process.task_progress import task_progress
from aejax.data import load
from aejax.runs.atomic_files import check_not_directory, write_text
from aejax.runs.environment import check_platform, environment
from aejax.theory import THEOREMS, Certificate, Problem, pose
from aejax.theory.checking.verdict_summary import (
    counts_of_verdicts,
    listed_counts,
    theorem_verdict,
    worst_ratio,
)
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

    Example: aejax verify --data my.csv --label class --code 3
    """

    data: str = "digits"
    """data set: digits, photos, mnist, fashion_mnist, a TFDS name, or the path of a .npy, .npz,
    IDX, .csv, .tsv or .parquet file"""
    code: int = 10
    """number k of code units"""
    data_dir: Path | None = None
    """directory of prepared TFDS data sets; None: that of TFDS"""
    label: str | None = None
    """column of a table that is not a feature but the label; None: there is none"""
    ignore: tuple[str, ...] = ()
    """columns of a table that are not features, such as identifiers"""
    theorem: Annotated[
        tuple[str, ...],
        tyro.conf.arg(help=f"theorems to verify; if empty: all of {', '.join(THEOREMS)}"),
    ] = ()
    seed: int = 0
    """seed of random initial values and random changes of the code"""
    json: Path | None = None
    """also write the certificates to this file, as a JSON list of objects"""
    verbose: bool = False
    """print every certificate: claim, formula, source, reason, residual, tolerance and control"""
    report: Path | None = None
    """also write an HTML report to this file, with figures of the theorems on these data"""


def verify(command: Verify) -> int:
    """Print one line per theorem and the totals; return 1 if a certificate fails, else 0."""
    check_names(command.theorem)
    if not 0 <= command.seed < 2**32:  # JAX truncates larger seeds
        raise ValueError(f"seed must lie in [0, 2³²), got {command.seed}")
    for path in (command.json, command.report):
        if path is not None:
            check_not_directory(path)
    check_platform()
    dataset = load(
        command.data, data_dir=command.data_dir, label=command.label, ignore=command.ignore
    )
    x = dataset.x_train
    rows = np.asarray(x).reshape(len(x), -1)
    problem = pose(rows, command.code, key=jax.random.key(command.seed))
    certificates = _certificates(problem, command.theorem or tuple(THEOREMS))
    found = [certificate for each in certificates.values() for certificate in each]
    if command.json is not None:
        text = json.dumps([c._asdict() for c in found], indent=2, allow_nan=False)
        write_text(command.json, text + "\n")
    unit = f", in units of 2^{problem.exponent}" if problem.exponent else ""
    print(f"{command.data}, {x.shape[0]} examples, code of {command.code}{unit}")
    if command.verbose:
        _print_certificates(found)
    else:
        _print_theorems(certificates)
    if command.report is not None:
        from aejax.report.theorem_report import theorems_page  # matplotlib is slow to import

        about = environment() | {"seed": str(command.seed)}
        page = theorems_page(problem, certificates, data=Path(command.data).name, environment=about)
        write_text(command.report, page)
        print(f"report: {command.report}")
    return int(any(certificate.verdict == "fails" for certificate in found))


def _certificates(problem: Problem, theorems: Sequence[str]) -> dict[str, tuple[Certificate, ...]]:
    """Certificates of each theorem, with their progress on stderr."""
    found = {}
    with task_progress("theorem", len(theorems)) as show:
        for name in theorems:
            show(name)
            found |= certificates_by_theorem(problem, (name,))
    return found


def _print_theorems(certificates: Mapping[str, Sequence[Certificate]]) -> None:
    """Print one line per theorem and the totals."""
    width = max(map(len, certificates))
    print(f"  {'theorem':{width}}  {'residual/tolerance':>18}  verdict")
    console = Console(highlight=False)
    for name, found in certificates.items():
        ratio = worst_ratio(found)
        verdict = theorem_verdict(found)
        line = Text(f"  {name:{width}}  {_formatted(ratio):>18}  ")
        line.append(verdict, style=STYLES[verdict])
        counts = counts_of_verdicts(found)
        line.append(f" ({counts})" if len(found) > 1 else "", style="dim")
        console.print(line, soft_wrap=True)
        for certificate in found:
            if certificate.verdict == "fails":
                refuted = Text(f"    {certificate.claim}: {certificate.reason}", style="red")
                console.print(refuted, soft_wrap=True)
    every = [certificate for found in certificates.values() for certificate in found]
    verdicts = Counter(theorem_verdict(found) for found in certificates.values())
    controls = Counter(certificate.control_verdict for certificate in every)
    judged = controls["rejected"] + controls["not rejected"]
    print(f"{_plural(len(certificates), 'theorem')}: {listed_counts(verdicts)}")
    print(
        f"{_plural(len(every), 'certificate')}: {counts_of_verdicts(every)}; "
        f"controls rejected: {controls['rejected']} of {judged}; --verbose shows each certificate"
    )


def _print_certificates(found: Sequence[Certificate]) -> None:
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


def _plural(count: int, noun: str) -> str:
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"
