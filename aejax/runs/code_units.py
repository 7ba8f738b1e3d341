"""Codes as matrices of units: a unit is one scalar of a code, which may be a tree of arrays."""

from math import prod
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from aejax.layers.codebooks import Quantised
from aejax.posteriors import CholeskyGaussian, Gaussian, VonMisesFisher
from aejax.runs.inference import TrainedRun
from aejax.types import Array, Code


def code_like(run: TrainedRun) -> Code:
    """Shapes and dtypes of the code of one example.

    Args:
        run: trained run.

    Returns:
        The code of a batch of one, as a tree of `jax.ShapeDtypeStruct`.
    """
    example = jax.ShapeDtypeStruct((1, *run.input_shape), run.dtype)
    return jax.eval_shape(run.objective.model.encode, run.params, example)


def array_of(code: Code) -> Any:
    """The array that stands for a code in files and in the sizes of codes.

    Args:
        code: code of a model, or its shapes.

    Returns:
        The indices of a discrete code, the mean or the direction of a posterior, else the code.
    """
    match code:
        case Quantised():
            return code.indices
        case Gaussian() | CholeskyGaussian():
            return code.mean
        case VonMisesFisher():
            return code.direction
    return code


def count_units(like: Code) -> int:
    """Number of units of a code.

    Args:
        like: code of a batch of one, from `code_like`.

    Returns:
        The number.
    """
    return sum(prod(leaf.shape) for leaf in jax.tree.leaves(like))


def to_units(code: Code) -> Array | np.ndarray:
    """Convert codes to a matrix; a pure function of arrays.

    Args:
        code: array [examples, *code], or a tree of these.

    Returns:
        [examples, units]: the arrays in C order, in the order of `jax.tree.leaves`.
    """
    rows = [leaf.reshape(leaf.shape[0], -1) for leaf in jax.tree.leaves(code)]
    return rows[0] if len(rows) == 1 else jnp.concatenate(rows, axis=1)


def from_units(units: Array | np.ndarray, like: Code) -> Code:
    """Convert a matrix to codes, the inverse of `to_units`.

    Args:
        units: [examples, units].
        like: code of a batch of one, from `code_like`.

    Returns:
        The codes.
    """
    leaves, structure = jax.tree.flatten(like)
    ends = np.cumsum([prod(leaf.shape) for leaf in leaves])[:-1].tolist()
    parts: list[Any] = jnp.split(jnp.asarray(units), ends, axis=1)
    arrays = [
        part.reshape(part.shape[0], *leaf.shape[1:]).astype(leaf.dtype)
        for part, leaf in zip(parts, leaves, strict=True)
    ]
    return jax.tree.unflatten(structure, arrays)


def has_units(like: Code) -> bool:
    """Whether the units of a code can be varied: not for integers, such as pooling indices.

    Args:
        like: code of a batch of one, from `code_like`.

    Returns:
        True if all arrays of the code consist of real numbers.
    """
    return all(jnp.issubdtype(leaf.dtype, jnp.floating) for leaf in jax.tree.leaves(like))
