"""Experiments' results as pages: one each, and an index with all figures.

A result is a JSON record, such as each file of experiments/ writes, with its figure beside it.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from aejax.report.page import CaptionedFigure, Section, key_numbers, link, page, render_figures
from aejax.report.tables import definitions, table
from aejax.runs.atomic_files import write_text
from aejax.runs.json_files import read_json

RESERVED = {"", "..", "index"}
"""Names that no experiment's page can have."""

MALFORMED = (ArithmeticError, AttributeError, LookupError, RecursionError, TypeError, ValueError)
"""What a record raises that holds values of other types than an experiment writes."""


class Experiment(NamedTuple):
    """One result: the file's place, what it holds, and the bytes of its figure (PNG)."""

    file: Path
    record: dict[str, Any]
    figure: bytes


def find_experiments(folder: Path) -> list[Experiment]:
    """Every result in a folder or below it, in the order of their names.

    Args:
        folder: any folder.

    Returns:
        The results: JSON files of an object with the key "experiment", whose PNG lies beside them.
    """
    files = (file for file in sorted(folder.rglob("*.json")) if file.with_suffix(".png").exists())
    records = ((file, read_json(file)) for file in files)
    return [
        Experiment(file, record, file.with_suffix(".png").read_bytes())
        for file, record in records
        if isinstance(record, dict) and "experiment" in record
    ]


def write_pages(experiments: list[Experiment], out: Path) -> Path:
    """Write a page for each experiment, and index.html with all figures.

    Args:
        experiments: what `find_experiments` found.
        out: the folder of the pages.

    Returns:
        Where the index lies.

    Raises:
        ValueError: for a record that lacks what an experiment writes.
    """
    for experiment in experiments:
        _check_names(experiment)
    sections = []
    for name, experiment in _named(experiments).items():
        try:
            text, section = experiment_page(experiment), _summary(name, experiment)
        except MALFORMED as error:
            raise ValueError(
                f"{experiment.file} is not what an experiment wrote: {error!r}"
            ) from error
        write_text(out / f"{name}.html", text)
        sections.append(section)
    index = out / "index.html"
    write_text(index, page("Experiments", sections))
    return index


def experiment_page(experiment: Experiment) -> str:
    """One experiment as a page: claim, verdict, figure, numbers, settings.

    Args:
        experiment: as found.

    Returns:
        The page, a whole HTML document.
    """
    record = experiment.record
    about = {name: text for name, text in record["about"].items() if name != "title"}
    found = {"experiment": record["experiment"], "verdict": record["verdict"]}
    environment = record["environment"] | {"data": record["data"] or "made by the experiment"}
    sections = [
        Section("Claim", definitions({name: about[name] for name in about if name != "figure"})),
        Section("Figure", render_figures([_illustration(experiment, about["figure"])])),
        Section("Verdict", table(_comparisons(record))),
        Section("Numbers", table([*_numbers(record["metrics"])])),
        Section("Configuration", definitions(record["config"])),
        Section("Environment", definitions(environment)),
    ]
    lead = key_numbers(found | {"seconds": record["seconds"]})
    return page(record["about"]["title"].rstrip("."), sections, lead=lead)


def _check_names(experiment: Experiment) -> None:
    """Refuse a name that would place the page outside its folder, or over the index."""
    name = experiment.record["experiment"]
    if not isinstance(name, str) or Path(name).name != name or name in RESERVED:
        raise ValueError(f"{experiment.file}: an experiment cannot be called {name!r}")


def _summary(name: str, experiment: Experiment) -> Section:
    """An experiment in the index."""
    about = experiment.record["about"]
    body = render_figures([_illustration(experiment, about["claim"])])
    title = f"{about['title']} {experiment.record['verdict'].capitalize()}."
    return Section(title, body + link("Numbers and settings", f"{name}.html"))


def _named(experiments: list[Experiment]) -> dict[str, Experiment]:
    """Names of pages: the experiment's, with the folder's where several have the same.

    ValueError where two names are the same even so, of which one page would replace the other.
    """
    names = [experiment.record["experiment"] for experiment in experiments]
    found: dict[str, Experiment] = {}
    for name, experiment in zip(names, experiments, strict=True):
        own = name if names.count(name) == 1 else f"{name}-{experiment.file.parent.name}"
        if own in found:
            raise ValueError(
                f"{found[own].file} and {experiment.file} would both be the page {own}.html; "
                "rename the folder of one"
            )
        found[own] = experiment
    return found


def _illustration(experiment: Experiment, caption: str) -> CaptionedFigure:
    about = experiment.record["about"]
    return CaptionedFigure(experiment.figure, about["title"], caption, alt=about["figure"])


def _comparisons(record: Mapping[str, Any]) -> list[dict[str, Any]]:
    return [
        {"difference": claim, "mean": mean, "95 % from": low, "to": high,
         "as claimed": "yes" if holds else "no"}
        for claim, (mean, low, high, holds) in record["comparisons"].items()
    ]  # fmt: skip


def _numbers(metrics: Mapping[str, Any], prefix: str = "") -> Iterator[dict[str, Any]]:
    """Rows of name, mean and standard error over seeds; of curves, at their last point."""
    for name, value in metrics.items():
        if isinstance(value, Mapping):
            yield from _numbers(value, f"{prefix}{name}, ")
            continue
        seeds = np.asarray(value, float)
        if not seeds.size:
            raise ValueError(f"{name} has no values")
        last = seeds[..., -1] if seeds.ndim == 2 else seeds
        where = f" (last of {seeds.shape[1]})" if seeds.ndim == 2 else ""
        row = {"quantity": f"{prefix}{name}{where}", "mean": float(last.mean())}
        if last.size > 1:
            row |= {"± standard error": float(last.std(ddof=1) / np.sqrt(last.size))}
            row |= {"seeds": last.size}
        yield row
