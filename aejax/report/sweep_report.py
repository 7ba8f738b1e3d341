"""HTML page of a sweep: error against code size, parallel coordinates, and tables."""

import shlex

import numpy as np

from aejax import plots
from aejax.report.page import CaptionedFigure, Section, key_numbers, page, render_figures
from aejax.report.tables import definitions, table
from aejax.runs.code_rates import RATES
from aejax.runs.sweep_programs import Row
from aejax.runs.sweep_summary import INTERVAL, CodeError, errors_by_code, summarise
from aejax.runs.sweeping import Sweep

SPARSITY_SETTINGS = "dictionary.k", "dictionary.sparsity"
"""Settings by which the number of active units is chosen."""

SPARSITY = "active units", "explained variance"
MEMBER_SPARSITY = "active_units", "dead_units", "explained_variance"

MAX_GROUPS = 8
"""Maximum number of settings that the figure of sparsity distinguishes."""

RATE_NOTES = {
    "bits": " Bits are those of an ideal code of the indices of a test example. The error "
    "decreases with them: the first setting may only be the one of the highest rate.",
    "divergence": " The divergence of the posterior from the prior is a mean over the test "
    "examples, in nats. The error decreases with it: the first setting may only be the one of the "
    "lowest weight β, and reports of the runs compare bounds of log p(x).",
}
"""Notes on the rate of a discrete code and of a posterior."""

ERROR = "mean over examples of the sum over features of (x̂ − x)², in normalised units"


def sweep_page(sweep: Sweep) -> str:
    """Render a sweep as one self-contained HTML page.

    Args:
        sweep: the sweep.

    Returns:
        A complete HTML document. The curve of code sizes is missing if there is only one.
    """
    by_code, rows = errors_by_code(sweep), summarise(sweep)
    figures = [_scree(by_code, is_dictionary=_is_dictionary(rows))] if len(by_code) > 1 else []
    figures += [_frontier(sweep)] if _is_dictionary(rows) else []
    figures.append(_coordinates(sweep))
    note = (
        f"Errors: {ERROR}, on the validation examples, at the epoch with the lowest validation "
        "loss. Intervals are Student's t over seeds; differences are paired, since all settings "
        "have the same seeds. The best setting is chosen by these errors, so its own error is "
        "optimistic: the test error is not."
    )
    if _is_dictionary(rows):
        note += (
            " PCA has as many components as units are active. The error decreases with the number "
            "of active units, so that the first setting may only be the least sparse: see the "
            "figure. Active units and explained variance are those of the test examples."
        )
    note += "".join(text for name, text in RATE_NOTES.items() if any(name in row for row in rows))
    if any("diverged" in row for row in rows):
        note += (
            " A setting with a diverged member, whose loss is not finite, is last, without errors."
        )
    more = "A run is saved of the best member of each program. table.csv has further columns."
    sections = [
        Section("Figures", render_figures(figures)),
        Section("Settings, the best first", f"<p>{note}</p>\n{table(_summaries(sweep, rows))}"),
        Section("All members", f"<p>{more}</p>\n{table(_members(sweep))}"),
        Section("Settings that all members share", definitions(sweep.shared)),
        Section("Use", definitions(_commands(sweep))),
    ]
    title = f"A sweep of {' and '.join(sweep.swept)} on {sweep.shared['data']}"
    return page(title, sections, lead=key_numbers(_lead(sweep)))


def _summaries(sweep: Sweep, rows: list[Row]) -> list[Row]:
    """Summaries of the settings, with each interval in one column."""
    has_diverged = any("diverged" in row for row in rows)
    return [
        {
            **_settings(sweep, row),
            **({"diverged": row.get("diverged", "none")} if has_diverged else {}),
            "validation error": row.get("validation error"),
            "95 % interval": _interval(row.get(f"{INTERVAL}, from"), row.get("to")),
            "that of PCA": row.get("PCA validation"),
            **{name: row.get(name) for name in SPARSITY if _is_dictionary(rows)},
            **{name: row.get(name) for name in RATES if any(name in row for row in rows)},
            "difference from the best": row.get("difference from the best"),
            "interval of the difference": _interval(
                row.get(f"{INTERVAL} of the difference, from"), row.get("to of the difference")
            ),
            "test error": row.get("test error"),
            "PCA, test error": row.get("PCA test"),
        }
        for row in rows
    ]


def _is_dictionary(rows: list[Row]) -> bool:
    """Whether the summaries of settings are those of dictionaries."""
    return any("active units" in row for row in rows)


def _members(sweep: Sweep) -> list[Row]:
    """Members with the main figures; the run column marks those that are saved as a run."""
    return [
        {
            **_settings(sweep, row),
            "seed": row["seed"],
            "epoch": row["epoch"],
            "validation error": row["validation_error"],
            "test error": row["test_error"],
            **{
                name.replace("_", " "): row[name]
                for name in (*MEMBER_SPARSITY, *RATES)
                if name in row
            },
            "saved as a run": "yes" if row["run"] else "",
        }
        for row in sweep.table
    ]


def _settings(sweep: Sweep, row: Row) -> Row:
    """Code size and swept settings of a row, with all digits of a number."""
    names = dict.fromkeys(("code", *sweep.swept))
    return {name: str(row[name]) if isinstance(row[name], float) else row[name] for name in names}


def _interval(low: float | None, high: float | None) -> str:
    if low is None or high is None:
        return ""
    text = f"{low:.3g} to {high:.3g}".replace("-", "−")
    return text.replace(" ", "\N{NO-BREAK SPACE}")


def _lead(sweep: Sweep) -> dict[str, float | str]:
    (best,) = (row for row in sweep.table if row["run"] and sweep.folder / row["run"] == sweep.best)
    lead = _settings(sweep, best)
    lead |= {"validation error": best["validation_error"], "test error": best["test_error"]}
    count = best.get("pca_components", best["code"])
    components = "1 component" if count == 1 else f"{count} components"
    found: dict[str, float | str] = {f"best: {name}": value for name, value in lead.items()}
    if count is not None:  # a code that PCA is comparable with
        found[f"PCA with {components}, test error"] = best["pca_test_error"]
    return found | {"members": len(sweep.table)}


def _scree(found: list[CodeError], *, is_dictionary: bool) -> CaptionedFigure:
    intervals = [each.interval for each in found]
    has_intervals = all(each is not None for each in intervals)
    band = " with its 95 % interval (Student's t)" if has_intervals else ""
    components = "as many components as units are active" if is_dictionary else "as many components"
    pca = f" PCA has {components}, and is fitted to the same train examples."
    has_pca = any(each.pca is not None for each in found)
    return CaptionedFigure(
        plots.code_sizes(
            [each.code for each in found],
            np.array([each.mean for each in found]),
            intervals=np.array(intervals) if has_intervals else None,
            pca=[each.pca for each in found],
        ),
        "Error against code size",
        f"Validation error of the best setting of each code size: mean over seeds{band}."
        + (pca if has_pca else "")
        + " Choose a size after which the error hardly decreases.",
        "Curves of the validation error of the autoencoder and of PCA against the code size.",
    )


def _frontier(sweep: Sweep) -> CaptionedFigure:
    """Draw the explained variance of dictionaries against the number of active units."""
    rows = [row for row in sweep.table if row.get("explained_variance") is not None]
    names = [name for name in sweep.swept if name not in SPARSITY_SETTINGS]
    groups = [", ".join(f"{name} {row[name]}" for name in names) for row in rows]
    if len(set(groups)) > MAX_GROUPS or not names:
        groups = ["dictionaries"] * len(rows)
    return CaptionedFigure(
        plots.explained_variances(
            [row["active_units"] for row in rows],
            [row["explained_variance"] for row in rows],
            groups=groups,
            pca=_explained_by_pca(rows),
        ),
        "Explained variance and sparsity",
        "Each point is one member of the sweep: the mean number of active units of a test "
        "example, and the explained variance, 1 − E‖x − x̂‖²/E‖x − E x‖². At equal sparsity, the "
        "higher point is better; PCA has as many components as units are active.",
        "Points of the explained variance against the number of active units, with a line of PCA.",
    )


def _explained_by_pca(rows: list[Row]) -> dict[int, float]:
    """Explained variance of PCA on the test examples, by the number of its components."""
    found = {}
    for row in rows:
        unexplained = 1 - row["explained_variance"]
        if row["pca_test_error"] is not None and unexplained > 0:
            variance = row["test_error"] / unexplained
            found[row["pca_components"]] = 1 - row["pca_test_error"] / variance
    return dict(sorted(found.items()))


def _coordinates(sweep: Sweep) -> CaptionedFigure:
    trained = [row for row in sweep.table if row["validation_error"] is not None]
    names = dict.fromkeys(("code", *sweep.swept)) if "code" in sweep.swept else sweep.swept
    return CaptionedFigure(
        plots.parallel_coordinates(
            {name: [row[name] for row in trained] for name in names},
            np.array([row["validation_error"] for row in trained]),
            quantity="validation error",
        ),
        "Settings and error",
        "Each line is one member of the sweep: the values of its settings, and its validation "
        "error, which is also its colour.",
        "Parallel coordinates of the swept settings and the validation error of each member.",
    )


def _commands(sweep: Sweep) -> dict[str, str]:
    """Commands for the best run of each program, by purpose."""
    best = shlex.quote(str(sweep.best))
    others = [row["run"] for row in sweep.table if row["run"] is not None]
    return {
        "explore the best run": f"aejax explore {best}",
        "report of the best run": f"aejax report {best}",
        "encode new data": f"aejax encode {best} new.npy --out codes.npy",
        "train it longer": f"aejax train --from {best} --epochs MORE --out ANOTHER",
        "compare the best runs": f"aejax compare {shlex.quote(str(sweep.folder))}",
        "best run of each program": ", ".join(others),
    }
