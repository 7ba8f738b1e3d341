"""Scatter plots of codes."""

import numpy as np
from jaxtyping import Num, Shaped
from matplotlib.figure import Figure

from aejax.plots.style import COLOURS, Array, figure_style, finite
from aejax.theory.analysis.pca import leading_components
from aejax.theory.analysis.truncated_pca import truncated_pca

_MARKERS = "os^Dv"

MAX_CLASSES = len(COLOURS) * len(_MARKERS)
"""Maximum number of classes that colour and marker tell apart."""


def code_map(
    code: Num[Array, "examples code"],
    labels: Shaped[Array, " examples"] | None = None,
    *,
    principal: bool | None = None,
) -> Figure:
    """Draw codes as points of a plane, coloured by class.

    Args:
        code: codes of two or more units.
        labels: class of each example, numbers or strings; at most 35 distinct classes.
        principal: whether to project on the first two principal components of the code instead of
            its first two units (default: if it has more than two units). The axis labels name the
            choice.

    Returns:
        A figure with one scatter plot.

    Raises:
        ValueError: if there are fewer than two units, no examples, values that are not finite, a
            different number of labels, or too many classes.
    """
    code = finite("the code", code)
    if code.ndim != 2 or code.shape[1] < 2 or len(code) == 0:
        raise ValueError(
            f"a code map needs codes [examples, 2 or more], got shape {list(code.shape)}"
        )
    classes = _classes(labels, len(code))
    points, axis_labels = code[:, :2], ["code unit 1", "code unit 2"]
    if code.shape[1] > 2 if principal is None else principal:
        points, axis_labels = _principal_plane(code)
    with figure_style():
        figure = Figure(figsize=(6.4, 5))
        axis = figure.subplots()
        styles = ((colour, marker) for marker in _MARKERS for colour in COLOURS)
        for (name, members), (colour, marker) in zip(classes.items(), styles, strict=False):
            dots = axis.scatter(*points[members].T, s=14, c=colour, marker=marker, label=name)
            dots.set(alpha=0.7, linewidths=0, rasterized=True)  # smaller files
        axis.set(xlabel=axis_labels[0], ylabel=axis_labels[1])
        axis.set_aspect("equal", adjustable="datalim")
        if labels is not None:
            figure.legend(title="class", loc="outside right upper", markerscale=2)
    return figure


def _principal_plane(code: np.ndarray) -> tuple[np.ndarray, list[str]]:
    """Codes projected on their first two principal components, and the axis labels."""
    code = code.astype(np.float64)
    analysis, _ = truncated_pca(code, min(2, len(code)))
    shares = np.pad(analysis.eigenvalues, (0, 2))[:2] / (code.var(axis=0).sum() or 1)
    labels = [
        f"principal component {i} of the code ({share:.0%} of its variance)"
        for i, share in enumerate(shares, 1)
    ]
    return (code - analysis.mean) @ leading_components(analysis, 2).T, labels


def _classes(labels: Array | None, examples: int) -> dict[str, np.ndarray]:
    """Masks of the examples of each class; without labels, one class with an empty name."""
    if labels is None:
        return {"": np.ones(examples, bool)}
    labels = np.asarray(labels)
    if labels.shape != (examples,):
        raise ValueError(f"expected {examples} labels, got shape {list(labels.shape)}")
    names = np.unique(labels)
    if len(names) > MAX_CLASSES:
        raise ValueError(f"{len(names)} classes are too many to tell apart by colour and marker")
    return {str(name): labels == name for name in names}
