"""Histogram of the reconstruction errors of examples."""

import numpy as np
from jaxtyping import Float
from matplotlib.figure import Figure

from aejax.plots.style import INK, Array, figure_style, finite

QUANTILES = {"median": 0.5, "90 %": 0.9, "99 %": 0.99}
"""Quantiles that are drawn as lines, by their labels."""


def error_histogram(errors: Float[Array, " examples"], *, bins: int = 40) -> Figure:
    """Draw a histogram of the squared error Σ(x̂ − x)² of each example, with quantiles.

    Args:
        errors: error of each example, not negative.
        bins: number of bins; they are equal on the axis, which is logarithmic if the errors are
            positive and span more than one decade.

    Returns:
        A figure with one panel.

    Raises:
        ValueError: if there are no errors, negative ones, or ones that are not finite; if bins < 1.
    """
    values = finite("the errors", errors)
    if values.size == 0 or values.min() < 0 or bins < 1:
        raise ValueError(
            f"expected errors of 0 or more and at least one bin, got {values.size} errors"
            + (f" from {values.min():g}" if values.size else "")
            + f" and {bins} bins"
        )
    low, high = values.min(), values.max()
    is_wide = 0 < 10 * low < high
    edges = np.geomspace(low, high, bins + 1) if is_wide else bins
    with figure_style():
        figure = Figure(figsize=(6.4, 2.8))
        axis = figure.subplots()
        axis.hist(values, edges)
        if is_wide:
            axis.set_xscale("log")
        for (name, quantile), style in zip(QUANTILES.items(), ("-", "--", ":"), strict=True):
            place = float(np.quantile(values, quantile))
            axis.axvline(place, color=INK, linestyle=style, linewidth=1, label=name)
        axis.set(xlabel="squared error Σ(x̂ − x)² per example", ylabel="number of examples")
        axis.legend()
    return figure
