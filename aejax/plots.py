"""Pictures of an autoencoder: arrays in, a matplotlib figure out.

One look for all of them, `look`. Colours are safe for the colour-blind and lines differ in style
too; backgrounds are transparent and everything that is not data is drawn in `INK`, so that a page
may exchange the one for a lighter one in the dark.
"""

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from math import ceil, prod, sqrt
from typing import Any

import jax
import matplotlib
import numpy as np
from cycler import cycler
from jaxtyping import Float, Num, Shaped
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

Array = np.ndarray | jax.Array

INK = "#24292f"
"""The colour of text, axes and ticks."""

COLOURS = ("#0072b2", "#d55e00", "#009e73", "#e69f00", "#cc79a7", "#56b4e9", "#808080")
"""Okabe and Ito's palette, without yellow (faint on white) and with grey for black (near INK)."""

NORMS = ("gradient_norm", "update_norm", "parameter_norm")
_NOT_TERMS = {"epoch", "step", "seconds", "examples_per_second", "validation", *NORMS}
_MARKERS = "os^Dv"


def look() -> AbstractContextManager[None]:
    """The house's look: a context in which to draw figures, after which matplotlib is as before."""
    inked = ("axes.edgecolor", "axes.labelcolor", "axes.titlecolor", "text.color")
    inked += ("xtick.color", "ytick.color")
    parameters: dict[Any, Any] = dict.fromkeys(inked, INK) | {
        "axes.facecolor": "none",
        "axes.prop_cycle": cycler(color=COLOURS),
        "axes.spines.right": False,
        "axes.spines.top": False,
        "axes.titlelocation": "left",
        "figure.constrained_layout.use": True,
        "figure.facecolor": "none",
        "font.size": 9,
        "legend.frameon": False,
    }
    return matplotlib.rc_context(parameters)


def filters(
    kernel: Float[Array, "features units"],
    image_shape: Sequence[int],
    *,
    count: int = 100,
    shared_scale: bool = True,
) -> Figure:
    """The kernels of an encoder's first layer as images: blue below zero, red above.

    Args:
        kernel: one column a unit.
        image_shape: (height, width), (height, width, 1) or (height, width, 3). Colour images show
            each channel's sign as its distance from mid-grey.
        count: show the first so many units.
        shared_scale: one colour scale for all units, from −max|w| to max|w|; otherwise one scale
            a unit, which shows the form of weak filters and hides their weakness.

    Returns:
        A figure of one image a unit.

    Raises:
        ValueError: for a kernel that does not fit the image shape or is not finite, or a count
            below one.
    """
    images = _images("the kernel", kernel.T, image_shape, count)
    largest = np.abs(images).max(axis=(1, 2, 3))
    limits = np.full_like(largest, largest.max()) if shared_scale else largest
    columns = ceil(sqrt(2 * len(images)))
    with look():
        figure, axes = _image_grid(ceil(len(images) / columns), columns)
        for axis, image, limit in zip(axes.flat, images, limits, strict=False):
            _draw_image(axis, image, -limit, limit, "coolwarm")
        for axis in axes.flat[len(images) :]:
            axis.remove()
        if shared_scale and images.shape[-1] == 1:
            bar = figure.colorbar(axes.flat[0].images[0], ax=figure.axes, aspect=30, pad=0.02)
            bar.set_label("weight")
    return figure


def reconstructions(
    x: Float[Array, "examples *features"],
    x_hat: Float[Array, "examples *features"],
    image_shape: Sequence[int],
    x_corrupted: Float[Array, "examples *features"] | None = None,
    *,
    count: int = 10,
) -> Figure:
    """Inputs above their reconstructions, each with its squared error Σ(x̂ − x)².

    Args:
        x: clean inputs, as flat vectors or images; any range.
        x_hat: their reconstructions.
        image_shape: (height, width), (height, width, 1) or (height, width, 3).
        x_corrupted: what the encoder was given, where that is not x.
        count: show the first so many examples.

    Returns:
        A figure of rows input, corrupted (where given) and reconstruction. All share one scale,
        from the lowest to the highest value of the inputs shown.

    Raises:
        ValueError: for arrays of unequal shapes, that do not fit the image shape or are not
            finite, or a count below one.
    """
    given = {"input": x, "corrupted": x_corrupted, "reconstruction": x_hat}
    arrays = {name: array for name, array in given.items() if array is not None}
    if len({array.shape for array in arrays.values()}) != 1:
        shapes = ", ".join(f"{name} {list(array.shape)}" for name, array in arrays.items())
        raise ValueError(f"inputs and reconstructions must have one shape, got {shapes}")
    rows = {
        name: _images(f"the {name}", array, image_shape, count) for name, array in arrays.items()
    }
    low, high = rows["input"].min(), rows["input"].max()
    errors = np.square(rows["reconstruction"] - rows["input"]).sum(axis=(1, 2, 3))
    with look():
        figure, axes = _image_grid(len(rows), len(errors))
        for line, (name, images) in zip(axes, rows.items(), strict=True):
            line[0].set_ylabel(name, rotation=0, ha="right", va="center")
            for axis, image in zip(line, images, strict=True):
                _draw_image(axis, image, low, high, "gray")
        for axis, error in zip(axes[-1], errors, strict=True):
            axis.set_xlabel(f"{error:.3g}")
        figure.supxlabel("squared error Σ(x̂ − x)² of each", size="medium", color=INK)
    return figure


def code_map(
    code: Num[Array, "examples code"],
    labels: Shaped[Array, " examples"] | None = None,
    *,
    principal: bool | None = None,
) -> Figure:
    """Codes as points of a plane, coloured by class.

    Args:
        code: codes of two units or more.
        labels: one class an example, numbers or words; at most 35 different ones.
        principal: the plane of the code's own two principal components instead of its first two
            units; None means where there are more than two. The axes say which.

    Returns:
        A figure of one scatter plot.

    Raises:
        ValueError: for fewer than two units, no examples, values that are not finite, labels of
            another length or too many classes.
    """
    code = _finite("the code", code)
    if code.ndim != 2 or code.shape[1] < 2 or len(code) == 0:
        raise ValueError(
            f"a code map needs codes [examples, 2 or more], got shape {list(code.shape)}"
        )
    classes = _classes(labels, len(code))
    points, axis_labels = code[:, :2], ["code unit 1", "code unit 2"]
    if code.shape[1] > 2 if principal is None else principal:
        points, axis_labels = _principal_plane(code)
    with look():
        figure = Figure(figsize=(6.4, 5))
        axis = figure.subplots()
        styles = ((colour, marker) for marker in _MARKERS for colour in COLOURS)
        for (name, members), (colour, marker) in zip(classes.items(), styles, strict=False):
            dots = axis.scatter(*points[members].T, s=14, c=colour, marker=marker, label=name)
            dots.set(alpha=0.7, linewidths=0, rasterized=True)  # one image is lighter than dots
        axis.set(xlabel=axis_labels[0], ylabel=axis_labels[1])
        axis.set_aspect("equal", adjustable="datalim")
        if labels is not None:
            figure.legend(title="class", loc="outside right upper", markerscale=2)
    return figure


def learning_curves(
    history: Sequence[Mapping[str, Any]], *, units: Mapping[str, str] | None = None
) -> Figure:
    """The loss and every term over the epochs, train and validation, and the norms.

    A term's axis is logarithmic where the term is positive and spans more than one decade.

    Args:
        history: `aejax.training.fit`'s records, one an epoch.
        units: term -> its unit, such as {"reconstruction": "nats"}.

    Returns:
        A figure of one panel a term, and one for the norms of gradient, update and parameters
        where they were recorded. The loss has no panel where it is the reconstruction alone.

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


def terms_of(history: Sequence[Mapping[str, Any]]) -> list[str]:
    """The terms that a history records: the loss, the reconstruction, then penalties by name.

    Args:
        history: `aejax.training.fit`'s records, at least one.

    Returns:
        Their names.
    """
    terms = sorted(history[0].keys() - _NOT_TERMS)
    return sorted(terms, key=lambda name: (name != "loss", name != "reconstruction"))


def spectrum(eigenvalues: Float[Array, " features"], code: int) -> Figure:
    """The PCA spectrum λ_1 ≥ λ_2 ≥ …, cut at the size of the code.

    Args:
        eigenvalues: of the data's covariance, descending. Those that are zero to rounding,
            λ_i ≤ n ε λ_1, lie below the logarithmic axis.
        code: how many components are kept, k.

    Returns:
        A figure of one panel; its legend gives the share of variance that k components keep and
        Σ_{i>k} λ_i, the least squared error of any linear autoencoder with k units.

    Raises:
        ValueError: for eigenvalues that are not finite, negative beyond rounding, all zero or not
            descending, or a code outside [1, features].

    Source: Eckart & Young 1936; Baldi & Hornik 1989.
    """
    values = _finite("the eigenvalues", eigenvalues)
    rounding = values.size * np.finfo(np.result_type(eigenvalues, np.float32)).eps
    rounding *= values.max(initial=0)
    if rounding == 0 or values.min() < -rounding or np.diff(values).max(initial=0) > rounding:
        raise ValueError("eigenvalues must be descending and not negative, the first above zero")
    if not 1 <= code <= len(values):
        raise ValueError(f"code must lie between 1 and {len(values)}, got {code}")
    index = np.arange(1, len(values) + 1)
    left_out = values[code:].sum()
    kept = 1 - left_out / values.sum()
    with look():
        figure = Figure(figsize=(6.4, 3.2))
        axis = figure.subplots()
        axis.plot(index[:code], values[:code], "o", ms=4, label=f"kept: {kept:.1%} of the variance")
        axis.plot(index[code:], values[code:], "s", ms=3, label=f"left out: Σ λ = {left_out:.4g}")
        axis.axvline(code + 0.5, color=INK, linewidth=0.8, linestyle="--")
        axis.set(xlabel="component i", ylabel="eigenvalue λ, the variance along i", yscale="log")
        axis.set_ylim(bottom=values[values > rounding].min() / 2)
        axis.xaxis.set_major_locator(MaxNLocator(8, steps=[1, 2, 5, 10], integer=True))
        axis.legend(title=f"k = {code} of {len(values)}", alignment="left")
    return figure


def _image_grid(rows: int, columns: int) -> tuple[Figure, Any]:
    figure = Figure(figsize=(7.2, min(0.8, 6.2 / columns) * rows + 0.4), layout="compressed")
    axes = figure.subplots(rows, columns, squeeze=False)
    for axis in axes.flat:
        axis.set(xticks=[], yticks=[])
        axis.spines[:].set_visible(False)
    return figure, axes


def _draw_image(axis: Axes, image: np.ndarray, low: float, high: float, colours: str) -> None:
    """One image [h, w, 1] by a colour map, or [h, w, 3] as it is, from low to high."""
    if image.shape[-1] == 1:
        axis.imshow(image[..., 0], colours, vmin=low, vmax=high, interpolation="none")
    else:
        shown = np.clip((image - low) / ((high - low) or 1), 0, 1)
        axis.imshow(shown, interpolation="none")


def _draw_curves(
    axis: Axes, histories: Mapping[str, Sequence[Mapping[str, Any]]], names: Sequence[str]
) -> None:
    """Every name of every history against the epoch; labelled by whichever there are more of."""
    curves = {
        source or name.removesuffix("_norm"): [(r["epoch"], r[name]) for r in records if name in r]
        for source, records in histories.items()
        for name in names
    }
    curves = {label: _finite(label, np.array(curve)) for label, curve in curves.items() if curve}
    for (label, curve), style in zip(curves.items(), ("-", "--", "-."), strict=False):
        marker = "o" if len(curve) == 1 else ""  # one epoch makes a point, not a line
        axis.plot(*curve.T, linestyle=style, marker=marker, label=label)
    values = np.concatenate([curve[:, 1] for curve in curves.values()])
    if 0 < 10 * values.min() < values.max():
        axis.set_yscale("log")
    axis.set_xlabel("epoch")
    axis.xaxis.set_major_locator(MaxNLocator(6, steps=[1, 2, 5, 10], integer=True))
    axis.legend(
        loc="lower right",
        bbox_to_anchor=(1, 0.97),
        ncols=3,
        fontsize="small",
        borderaxespad=0,
        handlelength=1.4,
        columnspacing=1,
    )


def _principal_plane(code: np.ndarray) -> tuple[np.ndarray, list[str]]:
    """Codes in the plane of their two principal components, and what its axes say."""
    centred = code - code.mean(axis=0)
    variances, directions = np.linalg.eigh(centred.T @ centred)
    plane = directions[:, :-3:-1]
    plane = plane * np.sign(plane[np.abs(plane).argmax(axis=0), [0, 1]])  # else signs are chance
    shares = variances[:-3:-1] / (variances.sum() or 1)
    labels = [
        f"principal component {i} of the code ({share:.0%} of its variance)"
        for i, share in enumerate(shares, 1)
    ]
    return centred @ plane, labels


def _classes(labels: Array | None, examples: int) -> dict[str, np.ndarray]:
    """Which examples belong to each class; one nameless class without labels."""
    if labels is None:
        return {"": np.ones(examples, bool)}
    labels = np.asarray(labels)
    if labels.shape != (examples,):
        raise ValueError(f"expected {examples} labels, got shape {list(labels.shape)}")
    names = np.unique(labels)
    if len(names) > len(COLOURS) * len(_MARKERS):
        raise ValueError(f"{len(names)} classes are too many to tell apart by colour and marker")
    return {str(name): labels == name for name in names}


def _images(name: str, array: Array, image_shape: Sequence[int], count: int) -> np.ndarray:
    """The first `count` of [examples, *features] as images [count, height, width, channels]."""
    if count < 1:
        raise ValueError(f"count must be at least 1, got {count}")
    height, width, *channels = image_shape if len(image_shape) > 1 else (0, 0)
    if height < 1 or width < 1 or tuple(channels) not in ((), (1,), (3,)):
        raise ValueError(
            "an image shape is (height, width), or with 1 or 3 channels (height, width, channels), "
            f"got {tuple(image_shape)}"
        )
    features = prod(array.shape[1:])
    if len(array) == 0 or features != prod(image_shape):
        raise ValueError(
            f"{name} holds {len(array)} images of {features} values, but images of shape "
            f"{tuple(image_shape)} have {prod(image_shape)}"
        )
    return _finite(name, array[:count]).reshape(-1, height, width, *(channels or [1]))


def _finite(name: str, array: Array) -> np.ndarray:
    array = np.asarray(array, float)
    bad = np.count_nonzero(~np.isfinite(array))
    if bad:
        raise ValueError(f"{name} holds {bad} values that are NaN or infinite")
    return array
