"""Curves: a training over its epochs, or trainings over theirs."""

from collections.abc import Mapping, Sequence
from math import ceil
from typing import Any

import numpy as np
from jaxtyping import Float
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from aejax.plots.style import Array, finite, look

NORMS = ("gradient_norm", "parameter_norm")
_NOT_TERMS = {"epoch", "step", "seconds", "examples_per_second", "validation", *NORMS}


def learning_curves(
    history: Sequence[Mapping[str, Any]], *, units: Mapping[str, str] | None = None
) -> Figure:
    """The loss and every term over the epochs, train and validation, and the norms.

    A term's axis is logarithmic where the term is positive and spans more than one decade.

    Args:
        history: `aejax.training.fit`'s records, one an epoch.
        units: term -> its unit, such as {"reconstruction": "nats"}.

    Returns:
        A figure of one panel a term, and one for the norms of gradient and parameters where
        they were recorded. The loss has no panel where it is the reconstruction alone.

    Raises:
        ValueError: for an empty history or values that are not finite.
    """
    if not history:
        raise ValueError("the history is empty: nothing was trained")
    terms = terms_of(history)
    if terms == ["loss", "reconstruction"]:
        terms.remove("loss")
    norms = [name for name in NORMS if name in history[0]]
    validation = [{**r["validation"], "epoch": r["epoch"]} for r in history if "validation" in r]
    panels = len(terms) + bool(norms)
    columns = min(2, panels)
    rows = ceil(panels / columns)
    with look():
        figure = Figure(figsize=(3.6 * columns, 2.5 * rows))
        axes = figure.subplots(rows, columns, squeeze=False).flat
        for axis, term in zip(axes, terms, strict=False):
            _draw_curves(axis, {"train": history, "validation": validation}, [term])
            axis.set(title=term, ylabel=f"{(units or {}).get(term, 'mean')} per example")
        if norms:
            _draw_curves(axes[len(terms)], {"": history}, norms)
            axes[len(terms)].set(title="norms", ylabel="Euclidean norm")
        for axis in axes[panels:]:
            axis.remove()
    return figure


def seed_curves(
    curves: Mapping[str, Float[Array, "seeds epochs"]], *, quantity: str = "loss"
) -> Figure:
    """Trainings that differ in their seeds: the mean over the seeds, in the band they span.

    Args:
        curves: name -> a quantity of every seed after every epoch, as `training.fit_population`
            measures it.
        quantity: what it is, with its unit.

    Returns:
        A figure of one panel, logarithmic where all is positive and spans more than one decade.

    Raises:
        ValueError: for no curves or an empty one, or values that are not finite.
    """
    arrays = {name: finite(name, curve) for name, curve in curves.items()}
    if not arrays or not all(array.size for array in arrays.values()):
        raise ValueError("give the curves of one seed and one epoch or more")
    with look():
        figure = Figure(figsize=(6.4, 3.2))
        axis = figure.subplots()
        for (name, array), style in zip(arrays.items(), ("-", "--", "-.", ":") * 9, strict=False):
            epochs = np.arange(1, array.shape[1] + 1)
            mean, low, high = array.mean(axis=0), array.min(axis=0), array.max(axis=0)
            (line,) = axis.plot(epochs, mean, style, label=f"{name}, {len(array)} seeds")
            axis.fill_between(epochs, low, high, color=line.get_color(), alpha=0.2, linewidth=0)
        _finish(axis, np.concatenate([array.ravel() for array in arrays.values()]))
        axis.set_ylabel(quantity)
        axis.legend()
    return figure


def terms_of(history: Sequence[Mapping[str, Any]]) -> list[str]:
    """The terms that a history records: the loss, the reconstruction, then penalties by name.

    Args:
        history: `aejax.training.fit`'s records, at least one.

    Returns:
        Their names.
    """
    terms = sorted(history[0].keys() - _NOT_TERMS)
    return sorted(terms, key=lambda name: (name != "loss", name != "reconstruction"))


def _draw_curves(
    axis: Axes, histories: Mapping[str, Sequence[Mapping[str, Any]]], names: Sequence[str]
) -> None:
    """Every name of every history against the epoch; labelled by whichever there are more of."""
    curves = {
        source or name.removesuffix("_norm"): [(r["epoch"], r[name]) for r in records if name in r]
        for source, records in histories.items()
        for name in names
    }
    curves = {label: finite(label, np.array(curve)) for label, curve in curves.items() if curve}
    for (label, curve), style in zip(curves.items(), ("-", "--", "-."), strict=False):
        marker = "o" if len(curve) == 1 else ""  # one epoch makes a point, not a line
        axis.plot(*curve.T, linestyle=style, marker=marker, label=label)
    _finish(axis, np.concatenate([curve[:, 1] for curve in curves.values()]))
    axis.legend(
        loc="lower right",
        bbox_to_anchor=(1, 0.97),
        ncols=3,
        fontsize="small",
        borderaxespad=0,
        handlelength=1.4,
        columnspacing=1,
    )


def _finish(axis: Axes, values: np.ndarray) -> None:
    """Epochs below; a logarithmic axis where all values are positive and span a decade."""
    if 0 < 10 * values.min() < values.max():
        axis.set_yscale("log")
    axis.set_xlabel("epoch")
    axis.xaxis.set_major_locator(MaxNLocator(6, steps=[1, 2, 5, 10], integer=True))
