"""Codes and reconstructions of raw examples by a trained run, in blocks of bounded memory.

Normalisation happens on the host in NumPy, the model in one compiled program per block shape.
"""

from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np

from aejax.data import LazyArray, denormalise
from aejax.objectives import reconstruct
from aejax.runs.examples import flat_normalised
from aejax.runs.run import Run
from aejax.types import Array, Code

MAX_BLOCK_SIZE = 4096
"""Maximum number of examples per call of the compiled program."""

Map = Callable[[np.ndarray | LazyArray], np.ndarray]
"""A function of arrays or lazy arrays whose first axis is the batch axis."""


def model_inputs(run: Run, x: Array | np.ndarray) -> Array:
    """Flatten and normalise raw examples for the model; ValueError for another feature shape."""
    shape = run.about.feature_shape
    if x.shape[1:] not in (shape, (int(np.prod(shape)),)):
        raise ValueError(
            f"the run was trained on examples of shape {list(shape)}, got {list(x.shape[1:])}"
        )
    return flat_normalised(run.normalisation, x.reshape(x.shape[0], *shape))


def encode(run: Run, x: Array | np.ndarray) -> Array:
    """Encode raw examples; a pure function of arrays."""
    return run.objective.model.encode(run.params, model_inputs(run, x))


def decode(run: Run, code: Array) -> Array:
    """Decode codes to raw examples; a pure function of arrays."""
    x_hat = run.objective.loss.mean(run.objective.model.decode(run.params, code))
    raw = denormalise(run.normalisation, x_hat.reshape(-1, *run.about.feature_shape))
    return jnp.asarray(raw)


def encoder(run: Run) -> Map:
    """Make a compiled encoder.

    Args:
        run: trained run.

    Returns:
        A function: raw examples [examples, *features] -> float32 codes [examples, *code].
    """
    compiled = jax.jit(lambda x: run.objective.model.encode(run.params, x))
    return _in_blocks(lambda x: compiled(model_inputs(run, x)))


def decoder(run: Run) -> Map:
    """Make a compiled decoder.

    Args:
        run: trained run.

    Returns:
        A function: codes [examples, *code] -> reconstructions [examples, *features], float64, in
        the units of the train data.
    """

    @jax.jit
    def decode(code: Code) -> Code:
        return run.objective.loss.mean(run.objective.model.decode(run.params, code))

    def raw(code: np.ndarray) -> np.ndarray:
        x_hat = np.asarray(decode(code), np.float64).reshape(len(code), *run.about.feature_shape)
        return np.asarray(denormalise(run.normalisation, x_hat))

    return _in_blocks(raw)


def reconstructor(run: Run) -> Map:
    """Make a compiled map of examples to reconstructions in the units of the model.

    Args:
        run: trained run.

    Returns:
        A function: flat normalised examples [examples, features] -> float32 reconstructions, of
        the same shape.
    """
    compiled = jax.jit(lambda x: reconstruct(run.objective, run.params, x))
    return _in_blocks(lambda x: compiled(jnp.asarray(x)))


def _in_blocks(function: Callable[[np.ndarray], object]) -> Map:
    def mapped(x: np.ndarray | LazyArray) -> np.ndarray:
        starts = range(0, len(x), MAX_BLOCK_SIZE)
        blocks = (x[start : start + MAX_BLOCK_SIZE] for start in starts)
        return np.concatenate([np.asarray(function(block)) for block in blocks])

    return mapped
