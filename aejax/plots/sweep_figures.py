"""Figures of sweeps: error by code size, explained variance by sparsity, and settings."""

from collections.abc import Mapping, Sequence
from typing import Any

import matplotlib
import numpy as np
from jaxtyping import Float
from matplotlib.colors import LogNorm, Normalize
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, LogLocator, NullLocator, ScalarFormatter

from aejax.plots.style import INK, PAPER, Array, figure_style, finite

COLOUR_MAP = "cividis"
"""Colours of errors, for readers with any colour vision."""

LABEL_BOX = {"boxstyle": "square,pad=0.1", "facecolor": PAPER, "edgecolor": "none", "alpha": 0.85}
"""Box behind a label, so that lines do not hide it."""


def code_sizes(
    sizes: Sequence[int],
    errors: Float[Array, " sizes"],
    *,
    intervals: Float[Array, "sizes 2"] | None = None,
    pca: Sequence[float | None] = (),
) -> Figure:
    """Draw the reconstruction error against the code size, with that of PCA (scree curve).

    Args:
        sizes: code sizes in ascending order.
        errors: mean error of each size.
        intervals: lower and upper end of the interval of each mean (default: none).
        pca: error of PCA with as many components, None where it has none (default: no line).

    Returns:
        A figure with one panel. Its axes are logarithmic: the axis of sizes if the largest is more
        than four times the smallest, that of errors if they span more than a decade.

    Raises:
        ValueError: if there is no size, sizes do not ascend, or values are not finite.
    """
    values = finite("the errors", errors)
    if len(sizes) == 0 or np.any(np.diff(sizes) <= 0) or values.shape != (len(sizes),):
        raise ValueError("expected code sizes in ascending order, and one error for each")
    lines = [(size, error) for size, error in zip(sizes, pca, strict=False) if error is not None]
    with figure_style():
        figure = Figure(figsize=(6.4, 3.6))
        axis = figure.subplots()
        if intervals is None:
            axis.plot(sizes, values, "o-", label="autoencoder")
        else:
            ends = np.abs(finite("the intervals", intervals) - values[:, None]).T
            axis.errorbar(sizes, values, ends, fmt="o-", capsize=3, label="autoencoder")
        if lines:
            axis.plot(*finite("the errors of PCA", np.array(lines)).T, "s--", label="PCA")
        if sizes[-1] > 4 * sizes[0]:
            axis.set_xscale("log")
        axis.xaxis.set_major_locator(FixedLocator(list(sizes)))
        axis.xaxis.set_minor_locator(NullLocator())
        axis.xaxis.set_major_formatter(ScalarFormatter())
        positive = np.array([*values, *(error for _, error in lines)])
        if 0 < 10 * positive.min() < positive.max():
            axis.set_yscale("log")
            axis.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
            axis.yaxis.set_minor_locator(NullLocator())
            axis.yaxis.set_major_formatter(lambda value, _: f"{value:g}")
        else:
            axis.set_ylim(bottom=0)
        axis.set(xlabel="code size", ylabel="reconstruction error")
        axis.legend()
    return figure


def explained_variances(
    active: Sequence[float],
    explained: Sequence[float],
    *,
    groups: Sequence[str],
    pca: Mapping[int, float],
) -> Figure:
    """Draw the explained variance of dictionaries against their numbers of active units.

    Args:
        active: mean number of active units of each dictionary.
        explained: explained variance of each.
        groups: group of each, by its name in the legend.
        pca: number of components -> explained variance of PCA, which is a line.

    Returns:
        A figure with one panel. Negative explained variances, of dictionaries that are worse than
        the mean of the data, are drawn at 0.

    Raises:
        ValueError: if lengths differ, there is no dictionary, or values are not finite.
    """
    points = finite("the explained variances", np.array([active, explained], float)).T
    if not len(points) or len(groups) != len(points):
        raise ValueError(
            f"expected one or more dictionaries and a group of each, got {len(points)} and "
            f"{len(groups)}"
        )
    with figure_style():
        figure = Figure(figsize=(6.4, 3.6))
        axis = figure.subplots()
        for group in dict.fromkeys(groups):
            own = points[[each == group for each in groups]]
            axis.plot(own[:, 0], np.maximum(own[:, 1], 0), "o", label=group, alpha=0.8)
        if pca:
            axis.plot(list(pca), np.maximum(list(pca.values()), 0), "s--", label="PCA", color=INK)
        axis.set(
            xlabel="mean number of active units, or of components",
            ylabel="explained variance",
            ylim=(0, 1.02),
        )
        axis.set_xlim(left=0)
        axis.legend()
    return figure


def parallel_coordinates(
    settings: Mapping[str, Sequence[Any]], errors: Float[Array, " members"], *, quantity: str
) -> Figure:
    """Draw each member of a sweep as a line through the values of its settings, to its error.

    Args:
        settings: name -> value for each member; numbers are in ascending order on their axis, at
            equal distances.
        errors: error of each member; lines of low errors are drawn last.
        quantity: label of the errors.

    Returns:
        A figure with one axis per setting and one for the errors, which is logarithmic if they are
        positive and span more than a decade. The colour of a line is its error.

    Raises:
        ValueError: if there is no setting or no member, their numbers differ, or errors are not
            finite.
    """
    values = finite("the errors", errors)
    lengths = {len(column) for column in settings.values()}
    if not values.size or lengths != {len(values)}:
        raise ValueError(
            f"expected one error and one value of each setting for each member, got {len(values)} "
            f"errors and {sorted(lengths)} values"
        )
    is_log = 0 < 10 * values.min() < values.max()
    norm = (LogNorm if is_log else Normalize)(values.min(), values.max())
    columns = {name: _positions(column) for name, column in settings.items()}
    height = np.asarray(norm(values)) if np.ptp(values) else np.full(len(values), 0.5)
    jitter = np.linspace(-0.015, 0.015, len(values))  # separates members with equal settings
    with figure_style():
        figure = Figure(figsize=(max(4.8, 1.6 * (len(columns) + 1)), 3.6))
        axis = figure.subplots()
        points = [
            np.array([ticks[str(v)] for v in settings[n]]) + jitter for n, ticks in columns.items()
        ]
        colours = matplotlib.colormaps[COLOUR_MAP](1 - 0.9 * height)
        for member in np.argsort(-values, kind="stable"):
            line = [*(column[member] for column in points), height[member]]
            axis.plot(range(len(line)), line, color=colours[member], linewidth=1.2, alpha=0.9)
        for position, ticks in enumerate(columns.values()):
            axis.axvline(position, color=INK, linewidth=0.6)
            for text, place in ticks.items():
                axis.annotate(text, (position, place), (-4, 0), textcoords="offset points",
                              ha="right", va="center", color=INK, bbox=LABEL_BOX)  # fmt: skip
        axis.axvline(len(columns), color=INK, linewidth=0.6)
        axis.set_xticks(range(len(columns) + 1), [*columns, quantity])
        axis.set(yticks=[], ylim=(-0.05, 1.05), xlim=(-0.6, len(columns) + 0.6))
        axis.spines[:].set_visible(False)
        axis.tick_params(length=0)
        for fraction in (0, 0.5, 1) if np.ptp(values) else (0.5,):
            error = norm.inverse(fraction) if np.ptp(values) else values[0]
            axis.annotate(f"{float(error):.3g}", (len(columns), fraction), (4, 0),
                          textcoords="offset points", va="center", color=INK)  # fmt: skip
    return figure


def _positions(values: Sequence[Any]) -> dict[str, float]:
    """Position in [0, 1] of each distinct value, by its text; numbers ascend."""
    distinct = list({str(value): value for value in values}.values())
    if all(isinstance(value, int | float) for value in distinct):
        distinct.sort()
    places = np.linspace(0, 1, len(distinct)) if len(distinct) > 1 else [0.5]
    return {str(value): float(place) for value, place in zip(distinct, places, strict=True)}
