"""Codes and reconstructions of raw examples by a trained run, in blocks of bounded memory.

Normalisation happens on the host in NumPy, the model in one compiled program per block shape.
"""

from collections.abc import Callable
from functools import partial
from math import prod
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from aejax.data import LazyArray, denormalise, normalise
from aejax.data.array_checks import check_array
from aejax.data.dtypes import as_array
from aejax.objectives import Objective
from aejax.objectives import reconstruct as reconstruct_inputs
from aejax.runs.opening import ObjectiveRun
from aejax.runs.run import Run
from aejax.types import Array, Code, Params

MAX_BLOCK_SIZE = 4096
"""Maximum number of examples per call of the compiled program."""

MAX_BLOCK_BYTES = 2**28
"""Maximum size of these examples in float32."""

Map = Callable[[Any], Any]
"""A function of arrays, lazy arrays or trees of arrays whose first axis is the batch axis."""


TrainedRun = Run | ObjectiveRun
"""A run of `aejax train` or of `aejax.runs.train`."""


def model_inputs(run: TrainedRun, x: Array | np.ndarray) -> Array:
    """Normalise and reshape raw examples for the model; ValueError for another feature shape."""
    shape = run.about.feature_shape
    if x.ndim < 1 or x.shape[1:] not in (shape, (int(np.prod(shape)),)):
        raise ValueError(
            f"the run was trained on examples of shape {list(shape)}, got {list(x.shape[1:])}"
        )
    raw = x.reshape(x.shape[0], *shape)
    normalised = jnp.asarray(normalise(run.normalisation, raw, dtype=run.dtype))
    return normalised.reshape(x.shape[0], *run.input_shape)


def encode_array(run: TrainedRun, x: Array | np.ndarray) -> Code:
    """Encode raw examples; a pure function of arrays."""
    return run.objective.model.encode(run.params, model_inputs(run, x))


def decode_array(run: TrainedRun, code: Code) -> Array:
    """Decode codes to raw examples; a pure function of arrays."""
    x_hat = run.objective.loss.mean(run.objective.model.decode(run.params, code))
    return jnp.asarray(_raw(run, x_hat))


def encode(run: TrainedRun, x: Any) -> Code:
    """Encode raw examples with a trained run.

    Args:
        run: run that `aejax.runs.open` or `aejax.runs.train` returned.
        x: examples in the units of the train data, [examples, *features]: an array or data frame.

    Returns:
        The codes as NumPy arrays, [examples, *code], or a tree of these.

    Raises:
        ValueError: if the examples have another shape, are empty, or contain NaN or infinite
            values.
    """
    array = as_array(x)
    check_array(array, rank=array.ndim)
    return encoder(run)(array)


def reconstruct(run: TrainedRun, x: Any) -> np.ndarray:
    """Reconstruct raw examples with a trained run.

    Args:
        run: run that `aejax.runs.open` or `aejax.runs.train` returned.
        x: examples in the units of the train data, [examples, *features]: an array or data frame.

    Returns:
        Reconstructions in the same units, float64, [examples, *features]; an output of another
        shape, such as class probabilities, is not denormalised.

    Raises:
        ValueError: as `encode`.
    """
    return decoder(run)(encode(run, x))


def encoder(run: TrainedRun) -> Map:
    """Make a compiled encoder.

    Args:
        run: trained run.

    Returns:
        A function: raw examples [examples, *features] -> codes [examples, *code].
    """
    return _in_blocks(lambda x: _encode(run.objective, run.params, model_inputs(run, x)))


def decoder(run: TrainedRun) -> Map:
    """Make a compiled decoder.

    Args:
        run: trained run.

    Returns:
        A function: codes [examples, *code] -> reconstructions [examples, *features], float64, in
        the units of the train data.
    """

    def raw(code: Code) -> np.ndarray:
        x_hat = np.asarray(_decode(run.objective, run.params, code), np.float64)
        return np.asarray(_raw(run, x_hat))

    return _in_blocks(raw)


def reconstructor(run: TrainedRun) -> Map:
    """Make a compiled map of examples to reconstructions in the units of the model.

    Args:
        run: trained run.

    Returns:
        A function: normalised examples in the shape of the model -> reconstructions of the same
        shape.
    """
    return _in_blocks(lambda x: compiled_reconstruct(run.objective, run.params, jnp.asarray(x)))


# At module level, so that JAX caches the programs of an objective. As the parameters are arguments,
# a stored program serves all runs of this shape.
compiled_reconstruct = jax.jit(reconstruct_inputs, static_argnums=0)


@partial(jax.jit, static_argnums=0)
def _encode(objective: Objective, params: Params, x: Array) -> Code:
    return objective.model.encode(params, x)


@partial(jax.jit, static_argnums=0)
def _decode(objective: Objective, params: Params, code: Code) -> Array:
    return objective.loss.mean(objective.model.decode(params, code))


def _raw(run: TrainedRun, x_hat: Any) -> Any:
    """Reconstructions in the units of the train data; outputs of another shape are unchanged."""
    if x_hat.shape[1:] != run.input_shape:
        return x_hat
    shaped = x_hat.reshape(x_hat.shape[0], *run.about.feature_shape)
    return denormalise(run.normalisation, shaped)


def _in_blocks(function: Callable[[Any], Any]) -> Map:
    def mapped(x: Any) -> Any:
        leaves = [x] if isinstance(x, LazyArray) else jax.tree.leaves(x)
        size, bytes_per_example = len(leaves[0]), 4 * sum(prod(leaf.shape[1:]) for leaf in leaves)
        step = min(MAX_BLOCK_SIZE, max(1, MAX_BLOCK_BYTES // max(1, bytes_per_example)))
        rows = [slice(start, start + step) for start in range(0, size, step)]
        blocks = [jax.tree.map(np.asarray, function(_block(x, block))) for block in rows]
        return jax.tree.map(lambda *parts: np.concatenate(parts), *blocks)

    return mapped


def _block(x: Any, rows: slice) -> Any:
    return x[rows] if isinstance(x, LazyArray) else jax.tree.map(lambda leaf: leaf[rows], x)
