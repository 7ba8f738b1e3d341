"""Residual and tolerance of every theorem on every data set: docs/theory/measurements.md.

Claim:    each theorem holds if its conditions do, and its control is rejected. If the data cannot
          decide, the verdict states this with the decisive quantity.
Source:   docs/theory, theorem by theorem.
Command:  python -m experiments.harness.theorems [--data NAME …] [--theorem NAME …] (default: all;
          results of the others are unchanged; --data without a name only writes the documents)
Expected: no certificate fails.
Run time: about ten minutes on two cores, most of it for MNIST (read from ../shared/data/mnist).
"""

import json
import re
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Annotated, Any, NamedTuple

import jax
import numpy as np
import tyro
from jaxtyping import Shaped

from aejax.data import load
from aejax.runs.atomic_files import write_text
from aejax.runs.environment import environment
from aejax.theory import THEOREMS, Certificate, pose, with_spectrum
from aejax.theory.theorems import certificates_by_theorem, check_names
from experiments.harness.markdown import replace_section, table
from experiments.harness.records import ROOT

RESULTS = ROOT / "docs" / "results" / "theory.json"
SECTIONS = ROOT / "docs" / "theory"
DOCUMENT = SECTIONS / "measurements.md"
COMMAND = "python -m experiments.harness.theorems"


class Case(NamedTuple):
    """A data set: description, code size k, and function that returns the examples [m, …]."""

    about: str
    code: int
    examples: Callable[[], Shaped[np.ndarray, "m *features"]]


def _random(
    eigenvalues: Sequence[float], examples: int = 200, features: int | None = None
) -> Shaped[np.ndarray, "m n"]:
    return 1.0 + with_spectrum(jax.random.key(0), eigenvalues, examples=examples, features=features)


def _constant_feature() -> Shaped[np.ndarray, "m n"]:
    return np.insert(_random([5.0, 4, 3, 2, 1, 0.5]), 2, 7.25, axis=1)


CASES: dict[str, Case] = {
    "digits": Case("handwritten digits of scikit-learn", 10, lambda: load("digits").x_train),
    "photos": Case("patches of two photographs", 10, lambda: load("photos").x_train),
    "MNIST": Case(
        "its 60 000 train images", 30, lambda: load(str(ROOT / "../shared/data/mnist")).x_train
    ),
    "repeated": Case(
        "random, with λ = 6, 5, 3, 3, 2, 1: repeated at the cut",
        3,
        lambda: _random([6.0, 5, 3, 3, 2, 1]),
    ),
    "rank < k": Case(
        "random, of rank 3 in 8 features",
        5,
        lambda: _random([4.0, 2, 1], features=8),
    ),
    "m < n": Case(
        "random, 12 examples of 40 features",
        4,
        lambda: _random(list(2.0 ** -np.arange(11)), examples=12, features=40),
    ),
    "constant": Case("random, one of 7 features constant", 3, _constant_feature),
    "condition 1e12": Case(
        "random, with λ = 1, 1e-2 … 1e-12",
        3,
        lambda: _random(list(10.0 ** -np.arange(0, 13, 2))),
    ),
}


def run(
    case: Case, theorems: Sequence[str], earlier: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    """Check theorems on one data set; return its size, the time and the certificates.

    Certificates of other theorems are those of an earlier result, whose time is added.
    """
    x = case.examples()
    begin = time.perf_counter()
    problem = pose(np.asarray(x).reshape(len(x), -1), case.code)
    answers = certificates_by_theorem(problem, theorems)
    found = {name: [c._asdict() for c in each] for name, each in answers.items()}
    seconds = time.perf_counter() - begin
    if earlier is not None and set(theorems) != set(THEOREMS):
        found = earlier["certificates"] | found
        seconds += earlier["seconds"]
    return {
        "about": case.about,
        "code": case.code,
        "examples": problem.x.shape[0],
        "features": problem.x.shape[1],
        "seconds": round(seconds, 1),
        "environment": environment(),
        "certificates": {name: found[name] for name in THEOREMS if name in found},
    }


def render(results: Mapping[str, Mapping[str, Any]]) -> str:
    """Render the results as Markdown: verdicts, residuals with tolerances, and reasons."""
    found = {name: _certificates(results[name]) for name in CASES if name in results}
    pages = _pages()
    reasons = "\n".join(_reasons(name, each) for name, each in found.items())
    return "\n\n".join(
        [
            table(
                ["data set", "what it is", "examples", "features", "k", *_VERDICTS],
                [_row(name, results[name], each) for name, each in found.items()],
            ),
            "A cell is residual ≤ tolerance if the statement holds; the first column gives each "
            "theorem and the index of its statement.",
            table(
                ["statement", *found],
                [
                    [f"[`{name}`]({pages[name]}#{name}) {index + 1}"]
                    + [_cell(each[name][index]) for each in found.values()]
                    for name in THEOREMS
                    for index in range(len(next(iter(found.values()))[name]))
                ],
            ),
            f"<details><summary>Reasons for statements that were not judged</summary>\n\n{reasons}"
            "\n\n</details>",
        ]
    )


Names = Annotated[tuple[str, ...], tyro.conf.arg(metavar="NAME …")]


def main(data: Names = tuple(CASES), theorem: Names = ()) -> None:
    """Check theorems on data sets; write docs/results/theory.json and docs/theory/measurements.md.

    Args:
        data: names of `CASES`.
        theorem: names of theorems (default: all).
    """
    unknown = set(data) - set(CASES)
    if unknown:
        raise SystemExit(f"no data set {', '.join(unknown)}; there are {', '.join(CASES)}")
    check_names(theorem)
    chosen = theorem or tuple(THEOREMS)
    results = json.loads(RESULTS.read_text(encoding="utf-8")) if RESULTS.exists() else {}
    for name in data:
        results[name] = run(CASES[name], chosen, results.get(name))
        print(name, results[name]["seconds"], "s", dict(_verdicts(_certificates(results[name]))))
        write_text(RESULTS, json.dumps(results, indent=1, ensure_ascii=False) + "\n")
    document = DOCUMENT.read_text(encoding="utf-8")
    write_text(DOCUMENT, replace_section(document, COMMAND, render(results)))


_VERDICTS = ("holds", "fails", "not identifiable", "not applicable", "controls rejected")


def _pages() -> dict[str, str]:
    """Map each theorem to its file in docs/theory."""
    return {
        name: path.name
        for path in sorted(SECTIONS.glob("*.md"))
        for name in re.findall(r"^## `(\w+)`$", path.read_text(encoding="utf-8"), re.MULTILINE)
    }


def _certificates(result: Mapping[str, Any]) -> dict[str, list[Certificate]]:
    return {
        name: [Certificate(**fields) for fields in each]
        for name, each in result["certificates"].items()
    }


def _verdicts(found: Mapping[str, Sequence[Certificate]]) -> Counter[str]:
    certificates = [certificate for each in found.values() for certificate in each]
    controls = sum(certificate.control_verdict == "rejected" for certificate in certificates)
    return Counter(c.verdict for c in certificates) + Counter({"controls rejected": controls})


def _row(name: str, result: Mapping[str, Any], found: Mapping[str, list[Certificate]]) -> list[str]:
    verdicts = _verdicts(found)
    sizes = [f"{result[size]}" for size in ("examples", "features", "code")]
    counts = [f"{verdicts[verdict]}" for verdict in _VERDICTS]
    return [name, result["about"], *sizes, *counts]


def _cell(certificate: Certificate) -> str:
    if certificate.verdict == "holds":
        return f"{certificate.residual:.0e} ≤ {certificate.tolerance:.0e}"
    if certificate.verdict == "fails":
        return f"**{certificate.residual} > {certificate.tolerance:.0e}**"
    return f"*{certificate.verdict}*"


def _reasons(name: str, found: Mapping[str, list[Certificate]]) -> str:
    """List the reasons of a data set's undecided certificates, grouped by reason."""
    by_reason: dict[str, list[str]] = {}
    for theorem, certificates in found.items():
        for index, certificate in enumerate(certificates, 1):
            if certificate.verdict.startswith("not"):
                by_reason.setdefault(certificate.reason, []).append(f"`{theorem}` {index}")
    lines = [f"  - {', '.join(indices)}: {_plain(reason)}" for reason, indices in by_reason.items()]
    return "\n".join([f"- {name}" + (":" if lines else ": every statement was judged"), *lines])


def _plain(reason: str) -> str:
    """Escape a reason for Markdown."""
    return reason.replace("_", "\\_").replace("<", "&lt;").replace("|", "\\|")


if __name__ == "__main__":
    tyro.cli(main)
