"""Figure of weak scaling: predicted time of a step against the number of devices."""

from collections.abc import Sequence
from typing import Any

from matplotlib.figure import Figure

from aejax.plots.style import figure_style
from experiments.harness.records import write_figure
from tests.accelerators.results import ROOT

FIGURE = ROOT / "docs" / "figures" / "weak_scaling.png"
MARKERS = "osD^v"


def write(rows: Sequence[dict[str, Any]]) -> None:
    """Draw a line for each case, and write docs/figures/weak_scaling.png.

    Args:
        rows: rows of `weak_scaling`.
    """
    cases = dict.fromkeys(row["case"] for row in rows)
    devices = sorted({row["devices"] for row in rows})
    with figure_style():
        figure = Figure(figsize=(6.4, 3.4))
        axes = figure.subplots()
        for case, marker in zip(cases, MARKERS, strict=False):
            chosen = [row for row in rows if row["case"] == case]
            axes.plot(
                [row["devices"] for row in chosen],
                [1e3 * row["seconds"] for row in chosen],
                marker=marker,
                label=case,
            )
        axes.set(
            title="Weak scaling: predicted, not measured",
            xlabel="number of devices",
            ylabel="predicted least time of a step (ms)",
            xscale="log",
        )
        axes.set_ylim(bottom=0)
        axes.set_xticks(devices, map(str, devices), minor=False)
        axes.minorticks_off()
        axes.legend()
        write_figure(FIGURE, figure)
