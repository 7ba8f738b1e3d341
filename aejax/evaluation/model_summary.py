"""Table of the parameters of a model and the shapes of its code and output."""

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import jax
import numpy as np

from aejax.keys import typed_key
from aejax.objectives import Objective
from aejax.repr_text import array_bytes, array_paths, array_text, bytes_text
from aejax.types import Autoencoder, Params

BATCH = 2
"""Batch size for which shapes are evaluated; the text shows it as `batch`."""


class ParameterRow(NamedTuple):
    """An array of the parameters.

    path:  path in the tree, such as "encoder/layer_0/kernel".
    shape: its shape.
    dtype: name of its dtype.
    size:  number of its elements.
    """

    path: str
    shape: tuple[int, ...]
    dtype: str
    size: int


class ModelSummary(NamedTuple):
    """Summary of a model. Its `repr` is a table.

    parameters: the arrays of the parameters, in the order of the tree.
    nbytes:     number of bytes of the parameters.
    shapes:     "input", "code" and "output" -> dtype and shape; empty without a shape of examples.
                A code of several arrays has an entry for each, such as "code/features".
    """

    parameters: tuple[ParameterRow, ...]
    nbytes: int
    shapes: dict[str, str]

    @property
    def size(self) -> int:
        """Number of parameters."""
        return sum(row.size for row in self.parameters)

    def __repr__(self) -> str:
        cells = [
            (row.path, str(list(row.shape)), row.dtype, f"{row.size:,}") for row in self.parameters
        ]
        total = ("total", "", bytes_text(self.nbytes), f"{self.size:,}")
        lines = _table([("parameter", "shape", "dtype", "count"), *cells, total])
        width = max(map(len, self.shapes), default=0)
        return "\n".join([*lines, *(f"{name:{width}}  {s}" for name, s in self.shapes.items())])


def summary(model: Autoencoder | Objective, params_or_shape: Any = None) -> ModelSummary:
    """Summarise a model: its parameters, and the shapes of input, code and output.

    Nothing is computed: shapes come from `jax.eval_shape`.

    Args:
        model: an autoencoder, or an objective whose model is summarised.
        params_or_shape: shape of one example, such as 64 or (28, 28), or the parameters as any tree
            of arrays (default: those of `init`). Shapes of code and output need the former.

    Returns:
        The summary; `print` shows it as a table.

    Raises:
        ValueError: if the model is neither an autoencoder nor an objective, if there are no
            parameters, or if the model does not accept examples of this shape.

    Example:
        >>> import aejax
        >>> aejax.summary(aejax.dense((64, 16)), 64)
        parameter               shape     dtype    count
        decoder/layer_0/bias    [64]      float32     64
        decoder/layer_0/kernel  [16, 64]  float32  1,024
        encoder/layer_0/bias    [16]      float32     16
        encoder/layer_0/kernel  [64, 16]  float32  1,024
        total                             8.3 KiB  2,128
        input   float32 [batch, 64]
        code    float32 [batch, 16]
        output  float32 [batch, 64]
    """
    model = model.model if isinstance(model, Objective) else model
    if not isinstance(model, Autoencoder):
        raise ValueError(
            "summary expects an Autoencoder or an Objective, such as aejax.dense((64, 16)), got "
            f"{type(model).__name__}"
        )
    shape = _as_shape(params_or_shape)
    given = None if shape is not None else params_or_shape
    params = jax.eval_shape(model.init, typed_key(0)) if given is None else given
    found = array_paths(params)
    if not found:
        raise ValueError(
            "summary found no arrays in the parameters; expected a tree of arrays, or the shape of "
            f"one example, got {type(params_or_shape).__name__}"
        )
    rows = [
        ParameterRow(path, tuple(array.shape), str(array.dtype), math.prod(array.shape))
        for path, array in found.items()
    ]
    shapes = {} if shape is None else _shapes(model, params, shape)
    return ModelSummary(tuple(rows), sum(map(array_bytes, found.values())), shapes)


def _as_shape(value: Any) -> tuple[int, ...] | None:
    """The value as a shape, or None if it is anything else."""
    sizes = value if isinstance(value, tuple | list) else (value,)
    if not sizes or not all(isinstance(size, int | np.integer) for size in sizes):
        return None
    if any(size < 1 for size in sizes):
        raise ValueError(f"the shape of an example must be positive, got {tuple(sizes)}")
    return tuple(map(int, sizes))


def _shapes(model: Autoencoder, params: Params, shape: Sequence[int]) -> dict[str, str]:
    """Dtype and shape of input, code and output, with the batch axis named."""
    x = jax.ShapeDtypeStruct((BATCH, *shape), jax.numpy.result_type(float))
    try:
        code = jax.eval_shape(model.encode, params, x)
        output = jax.eval_shape(model.decode, params, code)
    except Exception as error:  # a model of the user may raise any
        reason = str(error).partition("\n")[0]
        message = f"the model does not accept examples of shape {list(shape)}: {reason}"
        raise ValueError(message) from error
    codes = {
        "/".join(filter(None, ("code", path))): each for path, each in array_paths(code).items()
    }
    found = {"input": x, **codes, "output": output}
    return {name: _with_batch(array) for name, array in found.items()}


def _with_batch(array: Any) -> str:
    text = array_text(array)
    return text.replace(f"[{BATCH}", "[batch", 1) if array.shape[:1] == (BATCH,) else text


def _table(rows: Sequence[tuple[str, ...]]) -> list[str]:
    """Rows in aligned columns; the last column is aligned to the right."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return [
        "  ".join(
            cell.rjust(width) if place == len(row) - 1 else cell.ljust(width)
            for place, (cell, width) in enumerate(zip(row, widths, strict=True))
        )
        for row in rows
    ]
