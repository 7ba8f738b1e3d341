"""Learning curves of one training run, of several seeds, and of several runs."""

import itertools
from collections.abc import Mapping, Sequence
from math import ceil
from typing import Any

import numpy as np
from jaxtyping import Float
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from aejax.plots.style import Array, figure_style, finite

NORMS = ("gradient_norm", "parameter_norm")
_NOT_TERMS = {"epoch", "step", "seconds", "examples_per_second", "validation", *NORMS}


def learning_curves(
    history: Sequence[Mapping[str, Any]], *, units: Mapping[str, str] | None = None
) -> Figure:
    """Draw the loss and every term by epoch, for training and validation, and the norms.

    The axis of a term is logarithmic if the term is positive and spans more than one decade.

    Args:
        history: records of `aejax.training.fit`, one per epoch.
        units: term -> unit, for example {"reconstruction": "nats"}.

    Returns:
        A figure with one panel per term, and one for the norms of gradient and parameters if they
        were recorded. The loss has no panel if it equals the reconstruction.

    Raises:
        ValueError: if the history is empty or values are not finite.
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
    with figure_style():
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
    """Draw the mean over seeds by epoch, with a band from their minimum to their maximum.

    Args:
        curves: name -> values [seeds, epochs], as `training.fit_population` measures them.
        quantity: label of the values, with their unit.

    Returns:
        A figure with one panel, logarithmic if all values are positive and span more than one
        decade.

    Raises:
        ValueError: if there is no curve or an empty one, or values are not finite.
    """
    arrays = {name: finite(name, curve) for name, curve in curves.items()}
    if not arrays or not all(array.size for array in arrays.values()):
        raise ValueError("expected curves of at least one seed and one epoch")
    with figure_style():
        figure = Figure(figsize=(6.4, 3.2))
        axis = figure.subplots()
        for (name, array), style in zip(arrays.items(), ("-", "--", "-.", ":") * 9, strict=False):
            epochs = np.arange(1, array.shape[1] + 1)
            mean, low, high = array.mean(axis=0), array.min(axis=0), array.max(axis=0)
            (line,) = axis.plot(epochs, mean, style, label=f"{name}, {len(array)} seeds")
            axis.fill_between(epochs, low, high, color=line.get_color(), alpha=0.2, linewidth=0)
        _set_axes(axis, np.concatenate([array.ravel() for array in arrays.values()]))
        axis.set_ylabel(quantity)
        axis.legend()
    return figure


def run_curves(
    curves: Mapping[str, tuple[Sequence[int], Sequence[float]]], *, quantity: str = "loss"
) -> Figure:
    """Draw one curve for each of several runs, whose numbers of epochs may differ.

    Args:
        curves: name -> epochs and values, of the same length.
        quantity: label of the values, with their unit.

    Returns:
        A figure with one panel, logarithmic if all values are positive and span more than one
        decade.

    Raises:
        ValueError: if there is no curve or an empty one, lengths differ, or values are not finite.
    """
    arrays = {name: finite(name, np.array(curve, float)) for name, curve in curves.items()}
    if not arrays or not all(array.size for array in arrays.values()):
        raise ValueError("expected curves of at least one epoch")
    with figure_style():
        figure = Figure(figsize=(6.4, 3.6))
        axis = figure.subplots()
        for (name, array), style in zip(arrays.items(), itertools.cycle(("-", "--", "-.", ":"))):
            marker = "o" if array.shape[1] == 1 else ""  # a single epoch is drawn as a point
            axis.plot(*array, linestyle=style, marker=marker, label=name)
        _set_axes(axis, np.concatenate([array[1] for array in arrays.values()]))
        axis.set_ylabel(quantity)
        axis.legend()
    return figure


def terms_of(history: Sequence[Mapping[str, Any]]) -> list[str]:
    """List the terms in a history: loss, reconstruction, then penalties by name.

    Args:
        history: records of `aejax.training.fit`, at least one.

    Returns:
        Names of the terms.
    """
    terms = sorted(history[0].keys() - _NOT_TERMS)
    return sorted(terms, key=lambda name: (name != "loss", name != "reconstruction"))


def _draw_curves(
    axis: Axes, histories: Mapping[str, Sequence[Mapping[str, Any]]], names: Sequence[str]
) -> None:
    """Draw each named value of each history by epoch, labelled by history or else by name."""
    curves = {
        source or name.removesuffix("_norm"): [(r["epoch"], r[name]) for r in records if name in r]
        for source, records in histories.items()
        for name in names
    }
    curves = {label: finite(label, np.array(curve)) for label, curve in curves.items() if curve}
    for (label, curve), style in zip(curves.items(), ("-", "--", "-."), strict=False):
        marker = "o" if len(curve) == 1 else ""  # a single epoch is drawn as a point
        axis.plot(*curve.T, linestyle=style, marker=marker, label=label)
    _set_axes(axis, np.concatenate([curve[:, 1] for curve in curves.values()]))
    axis.legend(
        loc="lower right",
        bbox_to_anchor=(1, 0.97),
        ncols=3,
        fontsize="small",
        borderaxespad=0,
        handlelength=1.4,
        columnspacing=1,
    )


def _set_axes(axis: Axes, values: np.ndarray) -> None:
    """Label the epochs; use a logarithmic axis if all values are positive and span a decade."""
    if 0 < 10 * values.min() < values.max():
        axis.set_yscale("log")
    axis.set_xlabel("epoch")
    axis.xaxis.set_major_locator(MaxNLocator(6, steps=[1, 2, 5, 10], integer=True))
