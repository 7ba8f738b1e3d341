"""Validation of arrays of examples: shape, dtype, finite values and the support of a loss."""

from collections.abc import Callable
from math import prod
from typing import Any

import jax
import numpy as np
from jax.experimental import multihost_utils
from jaxtyping import Shaped

from aejax.data.dataset import Dataset
from aejax.data.dtypes import Tabular, as_array, is_floating
from aejax.data.example_blocks import own_blocks
from aejax.data.lazy_array import LazyArray

Examples = Shaped[np.ndarray | jax.Array, "..."]

SUPPORT_ULPS = 64
"""Tolerance of a loss's support, in ulps of the dtype of the data."""

MAX_SUPPORT_TOLERANCE = 0.01
"""Maximum tolerance relative to the bound; it limits that of float16 and bfloat16."""


def check_array(x: Tabular, name: str = "x", *, rank: int | None = None) -> None:
    """Check that x is a batch of examples.

    Args:
        x: array, list or DataFrame [m, *features] with m ≥ 1, at least one feature axis, a real
            dtype and finite values.
        name: name of x in error messages.
        rank: required number of axes, including the batch axis (default: any ≥ 2).

    Raises:
        ValueError: for a wrong rank, no examples or features, a dtype that is not real, or NaN or
            infinity (with their count and the index of the first).

    Example:
        >>> import numpy as np
        >>> from aejax import data
        >>> data.check_array(np.array([[1.0, np.nan]]))
        Traceback (most recent call last):
        ValueError: x has NaN or infinity: 1 of 2, first nan at index (0, 1); clean the data
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
    """Check that all values are finite.

    Args:
        x: array [m, *features] of a real dtype.
        name: name of x in error messages.

    Raises:
        ValueError: for NaN or infinity, with their count and the index of the first.
    """
    if is_floating(x.dtype):  # integers are finite, and isfinite does not support all of them
        bad = f"{name} has NaN or infinity"
        _raise_if_any(x, lambda block: ~np.isfinite(block), bad, "clean the data")


def check_support(x: Tabular, support: tuple[float, float] = (0.0, 1.0), name: str = "x") -> None:
    """Check that all values are in the support of a loss, such as [0, 1] for the Bernoulli loss.

    Rounding errors are accepted, such as a scaler's 1 + 4·10⁻¹⁶. The tolerance is 64 ulps of x's
    dtype at the bound (1.4·10⁻¹⁴ in float64, 7.6·10⁻⁶ in float32 for [0, 1]), at most 0.01, and
    zero for integers. `clip_rounding` clips such values to the bound.

    Args:
        x: array [m, *features], finite.
        support: (low, high), as `Loss.support`; an infinite bound allows every value on its side.
        name: name of x in error messages.

    Raises:
        ValueError: for values outside, with their count, the index of the first, and advice.
    """
    x = as_array(x, name)
    low, high = support
    tolerance = _rounding_tolerance(x.dtype, support)
    _raise_if_any(
        x,
        lambda block: (block < low - tolerance) | (block > high + tolerance),
        f"{name} has values outside [{low:g}, {high:g}]",
        "scale with unit_range or use the squared error",
    )


def clip_rounding(x: Examples, support: tuple[float, float]) -> Examples:
    """Clip values that are outside of a loss's support by a rounding error.

    Args:
        x: NumPy or JAX array [m, *features], finite.
        support: (low, high), as `Loss.support`.

    Returns:
        x itself if no value is outside, else a copy on the same devices. Values that
        `check_support` rejects are unchanged.
    """
    low, high = support
    tolerance = _rounding_tolerance(x.dtype, support)
    if not tolerance or not any(((b < low) | (b > high)).any() for _, b in own_blocks(x)):
        return x
    if isinstance(x, jax.Array) and not x.is_fully_addressable:
        parts: Any = [clip_rounding(shard.data, support) for shard in x.addressable_shards]
        return jax.make_array_from_single_device_arrays(x.shape, x.sharding, parts)
    values = np.array(x)
    for bound, beyond in ((low, values < low), (high, values > high)):
        values[beyond & (np.abs(values - bound) <= tolerance)] = bound
    return jax.device_put(values, x.sharding) if isinstance(x, jax.Array) else values


def _rounding_tolerance(dtype: Any, support: tuple[float, float]) -> float:
    """Distance from a bound of the support that counts as a rounding error."""
    if not is_floating(dtype):
        return 0.0
    size = max([1.0, *(abs(bound) for bound in support if np.isfinite(bound))])
    return size * min(SUPPORT_ULPS * float(jax.numpy.finfo(dtype).eps), MAX_SUPPORT_TOLERANCE)


def check_dataset(dataset: Dataset) -> Dataset:
    """Check that the arrays of a data set are valid and consistent.

    Args:
        dataset: any data set.

    Returns:
        The data set, with lists and DataFrames converted to arrays.

    Raises:
        ValueError: as `check_array`; if train and test have different features; if labels are not
            one integer per example.
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
    """Convert lists and DataFrames of a data set to arrays."""
    others = {
        field: as_array(values, f"{dataset.name}: {field}")
        for field, values in dataset._asdict().items()
        if field.startswith(("x_", "labels_"))
        and not (values is None or isinstance(values, np.ndarray | jax.Array))
    }
    return dataset._replace(**others) if others else dataset


def _raise_if_any(
    x: Examples | LazyArray, is_bad: Callable[[np.ndarray], np.ndarray], problem: str, advice: str
) -> None:
    """Raise ValueError if any value is bad, with their count and the index of the first.

    Processes that share x check their own examples, and all of them raise it.
    """
    count, first = 0, ""
    for start, block in own_blocks(x):
        bad = is_bad(block)
        if not bad.any():
            continue
        if not first:
            row, *rest = (int(i) for i in np.unravel_index(np.argmax(bad), bad.shape))
            first = f"{float(block[(row, *rest)]):g} at index {(start + row, *rest)}"
        count += int(bad.sum())
    if isinstance(x, jax.Array) and not x.is_fully_addressable:
        found = multihost_utils.process_allgather(np.int32(count > 0))
        if np.any(found) and not first:
            raise ValueError(f"{problem}: see the error of process {np.argmax(found)}; {advice}")
    if first:
        raise ValueError(f"{problem}: {count} of {prod(x.shape)}, first {first}; {advice}")
