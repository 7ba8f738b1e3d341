"""Logistic PCA by L-BFGS, until it has converged, which takes many passes of `theory.logistic_pca`.

Both minimise the same loss; this one holds the codes of all examples in memory.
"""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.flatten_util import ravel_pytree
from scipy.optimize import minimize

from aejax.types import Array, Key
from experiments.harness.compressors import Reconstruction

RIDGE = 1e-2
"""Ridge penalty ρ, that of `theory.logistic_pca`."""
MAX_ITERATIONS = 5000
"""Number of iterations after which a fit counts as not converged."""


def converged_logistic_reconstruction(
    key: Key, x: Array, code: int, *, tolerance: float = 1e-6
) -> Reconstruction:
    """Reconstruct by logistic PCA of the training images; each image's code is a minimum, too.

    Args:
        key: key of the initial components.
        x: training images in [0, 1].
        code: number of components.
        tolerance: relative decrease of the loss in an iteration at which to stop (default: 10⁻⁶).

    Returns:
        Function x -> x̂.

    Raises:
        RuntimeError: if a fit has not converged after `MAX_ITERATIONS` iterations.
    """
    scale = len(x) ** 0.5  # components change the loss of all examples, a code that of one
    components = scale * jax.random.normal(key, (code, x.shape[1]), x.dtype) / code**0.5
    start = jnp.zeros((len(x), code), x.dtype), components, jnp.zeros(x.shape[1], x.dtype)

    def of_all(variables: tuple[Array, Array, Array]) -> Array:
        codes, components, bias = variables[0], variables[1] / scale, variables[2] / scale
        norms = jnp.sum(jnp.square(components)) + jnp.sum(jnp.square(bias))
        return _loss(codes, components, bias, x) + RIDGE / 2 * norms

    _, components, bias = _minimise(of_all, start, tolerance)
    components, bias = components / scale, bias / scale

    def reconstruct(x: Array) -> Array:
        codes = _minimise(
            lambda codes: _loss(codes, components, bias, x), jnp.zeros((len(x), code)), tolerance
        )
        return jax.nn.sigmoid(codes @ components + bias)

    return reconstruct


def _loss(codes: Array, components: Array, bias: Array, x: Array) -> Array:
    """Mean over examples of −log p(x) and the ridge penalty of the code."""
    theta = codes @ components + bias
    each = jnp.sum(jax.nn.softplus(theta) - x * theta, axis=1)
    return jnp.mean(each + RIDGE / 2 * jnp.sum(jnp.square(codes), axis=1))


def _minimise(loss: Callable[[Any], Array], start: Any, tolerance: float) -> Any:
    """Minimise by L-BFGS of SciPy, in whose float64 the gradients of float32 accumulate."""
    flat, unflatten = ravel_pytree(start)
    evaluate = jax.jit(jax.value_and_grad(lambda flat: loss(unflatten(flat))))

    def value_and_gradient(point: np.ndarray) -> tuple[float, np.ndarray]:
        value, gradient = evaluate(jnp.asarray(point, flat.dtype))
        return float(value), np.asarray(gradient, np.float64)

    options = {
        "maxiter": MAX_ITERATIONS,
        "maxfun": 2 * MAX_ITERATIONS,
        "ftol": tolerance,
        "gtol": 0.0,
        "maxcor": 20,
    }
    found = minimize(
        value_and_gradient,
        np.asarray(flat, np.float64),
        jac=True,
        method="L-BFGS-B",
        options=options,
    )
    if found.status == 1:  # the limit of iterations
        raise RuntimeError(
            f"logistic PCA has not converged after {found.nit} iterations (loss {found.fun:.6g}); "
            "increase its tolerance"
        )
    return unflatten(jnp.asarray(found.x, flat.dtype))
