"""Mean gradient of a unit of the code with respect to the input."""

from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np

from aejax.runs.code_units import array_of, to_units
from aejax.runs.inference import TrainedRun, model_inputs
from aejax.types import Array


def unit_gradient(run: TrainedRun) -> Callable[[np.ndarray, int], np.ndarray]:
    """Make the mean gradient ∂h/∂x of one unit over raw examples, compiled once for all units.

    Args:
        run: trained run.

    Returns:
        (raw examples, unit) -> gradient in raw units, [*features].
    """

    @jax.jit
    def normalised(x: Array, unit: Array) -> Array:
        def activation(x: Array) -> Array:
            code = array_of(run.objective.model.encode(run.params, x))
            return jnp.sum(to_units(code)[:, unit])

        return jnp.mean(jax.grad(activation)(x), axis=0)

    def gradient(x: np.ndarray, unit: int) -> np.ndarray:
        found = normalised(model_inputs(run, x), jnp.asarray(unit))
        return np.asarray(found, np.float64).reshape(x.shape[1:]) / run.normalisation.scale

    return gradient
