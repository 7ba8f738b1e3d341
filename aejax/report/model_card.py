"""Model card of a run in Markdown, with the metadata of the Hugging Face Hub."""

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from html import escape
from typing import Any

from aejax.data import Schema
from aejax.report.page import CaptionedFigure
from aejax.runs.configuration import fixed_settings
from aejax.runs.published_run import shared_name
from aejax.runs.run import Run
from aejax.training.records import Record

MAX_LISTED = 50
"""Maximum number of columns, and of classes, that are listed."""


def model_card(
    run: Run,
    history: Sequence[Record],
    metrics: Mapping[str, Any],
    *,
    license_name: str,
    purpose: str | None,
    figures: Sequence[CaptionedFigure],
) -> str:
    """Describe a run for those who download it; all numbers are those of its files.

    Args:
        run: the opened run.
        history: its history.
        metrics: its `metrics.json`; empty if it is not finished.
        license_name: identifier of the licence, such as "apache-2.0".
        purpose: intended use and limits, as the author states them, or None.
        figures: figures in the order of display.

    Returns:
        Markdown with YAML front matter.
    """
    title = f"An autoencoder of {_text(shared_name(run))}"
    sections = {
        "Intended use": "Not stated by the author." if purpose is None else _text(purpose),
        "Errors": _errors(run, metrics),
        "Data": _data(run),
        "Use": _USE,
        "Training": "\n\n".join([_training(history), *map(_figure, figures)]),
        "Settings": _table(("setting", "value"), _settings(run).items()),
        "Environment": _table(("part", "version"), run.about.environment.items()),
    }
    body = "\n\n".join(f"## {name}\n\n{text}" for name, text in sections.items() if text)
    return f"{_front_matter(license_name)}\n# {title}\n\n{body}\n"


def figure_file(figure: CaptionedFigure) -> str:
    """Name of the file of a figure below `figures/`."""
    return re.sub("[^a-z0-9]+", "_", figure.title.lower()) + ".png"


def check_license(name: str) -> None:
    """Refuse a licence that is no identifier of the Hub.

    Args:
        name: identifier, such as "apache-2.0", "mit", "cc-by-4.0" or "other".

    Raises:
        ValueError: it contains other characters than those of identifiers.
    """
    if not re.fullmatch(r"[a-z0-9][a-z0-9.+-]*", name):
        raise ValueError(
            "license must be an identifier such as apache-2.0, mit, cc-by-4.0 or other, "
            f"got {name!r}"
        )


def _front_matter(license_name: str) -> str:
    tags = json.dumps(["autoencoder", "jax", "flax", "aejax"])  # JSON is YAML
    lines = [f"license: {license_name}", "library_name: aejax", f"tags: {tags}"]
    return "\n".join(["---", *lines, "---", ""])


def _errors(run: Run, metrics: Mapping[str, Any]) -> str:
    """Errors on the test examples, if they were measured at the step of the parameters."""
    if metrics.get("step") != run.step:
        return "Not measured for this checkpoint."
    rows = [("this autoencoder", metrics["test_error"])]
    if metrics.get("pca_test_error") is not None:
        components = metrics.get("pca_components", metrics["code"])
        rows.append((f"PCA with {components} components", metrics["pca_test_error"]))
    head = ("reconstruction", f"error on {metrics['test_examples']} test examples")
    return f"Error: {_text(metrics['measure'])}.\n\n{_table(head, rows)}"


def _data(run: Run) -> str:
    rows: dict[str, Any] = {
        "data set": shared_name(run),
        "shape of an example": list(run.about.feature_shape),
        "fingerprint": run.about.fingerprint,
    }
    return _table(("data", ""), (rows | _columns(run.about.schema)).items())


def _columns(schema: Schema | None) -> dict[str, str]:
    if schema is None:
        return {}
    rows = {"columns": _listed(column.name for column in schema.columns)}
    if schema.label is not None:
        rows["label, not a feature"] = schema.label
    return rows | ({} if schema.classes is None else {"classes": _listed(schema.classes)})


def _listed(names: Iterable[str]) -> str:
    first = [*names]
    more = f" and {len(first) - MAX_LISTED} more" if len(first) > MAX_LISTED else ""
    return ", ".join(first[:MAX_LISTED]) + more


def _training(history: Sequence[Record]) -> str:
    if not history:
        return ""
    rows: dict[str, Any] = {"epochs": history[-1]["epoch"], "steps": history[-1]["step"]}
    losses = {r["epoch"]: r["validation"]["loss"] for r in history if "validation" in r}
    if losses:
        best = min(losses, key=lambda epoch: losses[epoch])
        rows |= {"lowest validation loss": losses[best], "at epoch": best}
    return _table(("training", ""), rows.items())


def _settings(run: Run) -> dict[str, Any]:
    settings = fixed_settings(run.configuration) | {"data": shared_name(run)}
    return settings | {"epochs": run.configuration.epochs}


def _figure(figure: CaptionedFigure) -> str:
    image = f"![{_text(figure.alt)}](figures/{figure_file(figure)})"
    return f"{image}\n\n*{_text(figure.caption)}*"


def _table(head: tuple[str, str], rows: Iterable[tuple[str, Any]]) -> str:
    lines = [f"| {_text(name)} | {_value(value)} |" for name, value in rows]
    return "\n".join([f"| {head[0]} | {head[1]} |", "|---|---|", *lines])


def _value(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, float) else _text(str(value))


def _text(text: str) -> str:
    """Text in one line, in which no character is markup."""
    line = escape(" ".join(text.split()), quote=False)
    return re.sub(r"([\\`*_|\[\]])", r"\\\1", line)


_USE = """```bash
pip install 'aejax[hub]'
aejax pull OWNER/NAME --out model
aejax encode model new.npy --out codes.npy
aejax reconstruct model new.npy --out reconstructions.npy
```

`aejax pull` verifies the digests of parameters, settings, metrics and history. All files are plain
data: none contains code."""
