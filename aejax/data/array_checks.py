"""What every array of examples must be, said early and in words."""

from collections.abc import Callable
from math import prod
from typing import Any

import jax
import numpy as np
from jaxtyping import Shaped

from aejax.data.dataset import Dataset
from aejax.data.dtypes import Tabular, as_array, is_floating
from aejax.data.example_blocks import blocks
from aejax.data.lazy_array import LazyArray

Examples = Shaped[np.ndarray | jax.Array, "..."]

SUPPORT_ULPS = 64
"""Ulps of the data's dtype by which a value may lie beyond a loss's support."""

MAX_SUPPORT_TOLERANCE = 0.01
"""Most of what a value may lie beyond it, relative to the bound: half precision has few digits."""


def check_array(x: Tabular, name: str = "x", *, rank: int | None = None) -> None:
    """Refuse what cannot be a batch of examples.

    Args:
        x: an array, or lists or a DataFrame, that should be [m, *features] with m ≥ 1, at least one
            feature axis, a real dtype and finite values.
        name: what the messages call it.
        rank: the number of axes it must have, the batch axis included; None allows any ≥ 2.

    Raises:
        ValueError: wrong rank, no examples or no features, a dtype that is not real, NaN or
            infinity (how many, the first and its index).
    """
    x = as_array(x, name)
    wrong_rank = x.ndim < 2 if rank is None else x.ndim != rank
    if wrong_rank:
        expected = "[examples, *features] with at least 2 axes" if rank is None else f"{rank} axes"
        raise ValueError(
            f"{name} has shape {x.shape}, {x.ndim} axes; expected {expected}, the batch axis first"
        )
    if x.size == 0:
        raise ValueError(f"{name} is empty, shape {x.shape}; expected at least one example")
    check_finite(x, name)


def check_finite(x: Examples | LazyArray, name: str = "x") -> None:
    """Refuse NaN and infinity.

    Args:
        x: [m, *features], of a real dtype.
        name: what the message calls it.

    Raises:
        ValueError: how many values are not finite, the first and its index.
    """
    if is_floating(x.dtype):  # others are finite, and some of them unknown to isfinite
        bad = f"{name} has NaN or infinity"
        _refuse(x, lambda block: ~np.isfinite(block), bad, "clean the data")


def check_support(x: Tabular, support: tuple[float, float] = (0.0, 1.0), name: str = "x") -> None:
    """Refuse values for which a loss makes no sense: outside [0, 1] for the Bernoulli loss.

    Values beyond a bound by no more than rounding are accepted: a scaler's 1 + 4·10⁻¹⁶ is 1. The
    tolerance is 64 ulps of x's dtype at the bound (1.4·10⁻¹⁴ in float64, 7.6·10⁻⁶ in float32 for
    [0, 1]), at most a hundredth, and none for integers. `clip_rounding` brings them to the bound.

    Args:
        x: [m, *features], finite.
        support: (low, high), as `Loss.support` says; an infinite bound allows every value there.
        name: what the messages call it.

    Raises:
        ValueError: how many values lie outside, the first and its index, what to do.
    """
    x = as_array(x, name)
    low, high = support
    tolerance = _rounding(x.dtype, support)
    _refuse(
        x,
        lambda block: (block < low - tolerance) | (block > high + tolerance),
        f"{name} has values outside [{low:g}, {high:g}]",
        "scale with unit_range or use the squared error",
    )


def clip_rounding(x: Examples, support: tuple[float, float]) -> Examples:
    """Values that lie outside a loss's support by no more than rounding, brought to its bounds.

    Args:
        x: [m, *features], finite, NumPy's or JAX's.
        support: (low, high), as `Loss.support` says.

    Returns:
        x itself where no value lies outside, else a copy, on the same devices. Values that
        `check_support` refuses stay as they are.
    """
    low, high = support
    tolerance = _rounding(x.dtype, support)
    if not tolerance or not any(((b < low) | (b > high)).any() for _, b in blocks(x)):
        return x
    values = np.array(x)
    for bound, beyond in ((low, values < low), (high, values > high)):
        values[beyond & (np.abs(values - bound) <= tolerance)] = bound
    return jax.device_put(values, x.sharding) if isinstance(x, jax.Array) else values


def _rounding(dtype: Any, support: tuple[float, float]) -> float:
    """Distance from a bound of the support that rounding explains."""
    if not is_floating(dtype):
        return 0.0
    size = max([1.0, *(abs(bound) for bound in support if np.isfinite(bound))])
    return size * min(SUPPORT_ULPS * float(jax.numpy.finfo(dtype).eps), MAX_SUPPORT_TOLERANCE)


def check_dataset(dataset: Dataset) -> Dataset:
    """Refuse a data set whose arrays are unusable, or do not belong together.

    Args:
        dataset: any data set.

    Returns:
        The data set as given; lists and DataFrames in it as arrays.

    Raises:
        ValueError: as `check_array`; train and test with different features; labels that are not
            one integer for each example.
    """
    dataset = _with_arrays(dataset)
    for split in ("train", "test"):
        x, labels = getattr(dataset, f"x_{split}"), getattr(dataset, f"labels_{split}")
        check_array(x, f"{dataset.name}: x_{split}")
        if labels is not None and (labels.shape != x.shape[:1] or labels.dtype.kind not in "iu"):
            raise ValueError(
                f"{dataset.name}: labels_{split} has shape {labels.shape}, dtype {labels.dtype}; "
                f"expected one integer for each of the {len(x)} examples"
            )
    if dataset.x_train.shape[1:] != dataset.x_test.shape[1:]:
        raise ValueError(
            f"{dataset.name}: train examples have shape {dataset.x_train.shape[1:]}, test examples "
            f"{dataset.x_test.shape[1:]}; expected the same"
        )
    return dataset


def _with_arrays(dataset: Dataset) -> Dataset:
    """The same data set, its lists and DataFrames as arrays."""
    others = {
        field: as_array(values, f"{dataset.name}: {field}")
        for field, values in dataset._asdict().items()
        if field.startswith(("x_", "labels_"))
        and not (values is None or isinstance(values, np.ndarray | jax.Array))
    }
    return dataset._replace(**others) if others else dataset


def _refuse(
    x: Examples | LazyArray, is_bad: Callable[[np.ndarray], np.ndarray], complaint: str, advice: str
) -> None:
    """Raise ValueError if any value is bad: how many are, and which is the first."""
    count, first = 0, ""
    for start, block in blocks(x):
        bad = is_bad(block)
        if not bad.any():
            continue
        if not first:
            row, *rest = (int(i) for i in np.unravel_index(np.argmax(bad), bad.shape))
            first = f"{float(block[(row, *rest)]):g} at index {(start + row, *rest)}"
        count += int(bad.sum())
    if first:
        raise ValueError(f"{complaint}: {count} of {prod(x.shape)}, first {first}; {advice}")
