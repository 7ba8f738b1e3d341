"""Epochs until code units are aligned with the principal components, for each training method.

One epoch is one full-batch gradient step, with the same optimiser for every method. Random starts
are isotropic, so the eigenvectors are the axes without loss of generality: T = diag(√λ).
"""

from collections.abc import Callable, Sequence
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jaxtyping import Float64

from aejax.theory.parameters.symmetry_breaking import (
    augmented_gradient,
    increasing_decays,
    ordered_objective,
    uniform_survival,
)
from aejax.types import Array, Key, Params

METHODS = ("unequal L2", "nested dropout", "rotation", "equal L2", "plain")
"""Three methods that order the code units, and two controls that do not."""

LEARNING_RATE, MOMENTUM = 0.03, 0.9
"""Settings of gradient descent with Nesterov momentum, for λ_1 = 1."""

MAX_MISALIGNMENT = 1e-3
"""Misalignment below which a code counts as aligned."""


def misalignment(rows: Float64[Array, "code features"]) -> Float64[Array, ""]:
    """1 − mean cos² of the angle between unit i and axis i: zero for an aligned and ordered code.

    Source: Bao et al. 2020, there with the best axis for each unit, here with axis i for unit i.
    """
    own = jnp.square(jnp.diagonal(rows)) / jnp.sum(jnp.square(rows), axis=1)
    return 1 - jnp.mean(own)


def epochs_to_alignment(
    key: Key,
    eigenvalues: Sequence[float] | Float64[np.ndarray, " features"],
    code: int,
    method: str,
    *,
    max_epochs: int = 10_000,
) -> int | None:
    """Epochs until a linear autoencoder from a random start is aligned with the components.

    Args:
        key: PRNG key of the start: kernels with entries of variance 1/n.
        eigenvalues: λ_1 > … > λ_k > λ_{k+1} ≥ … ≥ λ_n > 0.
        code: k < n.
        method: one of `METHODS`.
        max_epochs: maximum number of epochs.

    Returns:
        The number of epochs until `misalignment` ≤ 10⁻³; None if `max_epochs` do not suffice.

    Raises:
        ValueError: if the method is not one of `METHODS`.
        FloatingPointError: if the training diverges.

    Source: Bao et al. 2020 (the comparison).
    """
    if method not in METHODS:
        raise ValueError(f"method must be one of {', '.join(METHODS)}, got {method!r}")
    values = np.asarray(eigenvalues, np.float64) / eigenvalues[0]
    with jax.enable_x64(True):
        survival, decays = _weights(values, code, method)
        data = (jnp.asarray(np.diag(np.sqrt(values))), survival, decays)
        direction = _rotated_gradient if method == "rotation" else _gradient
        start = _start(key, len(values), code, tied=method == "rotation")
        epochs, error = _train_until_aligned(start, data, direction, max_epochs)
        if not np.isfinite(error):
            raise FloatingPointError(f"{method} diverged after {int(epochs)} epochs")
        return int(epochs) if error <= MAX_MISALIGNMENT else None


def _start(key: Key, features: int, code: int, *, tied: bool) -> Params:
    sides = jax.random.normal(key, (2, features, code)) / np.sqrt(features)
    layers = {"kernel": sides[0]}, {} if tied else {"kernel": sides[1].T}
    return {"encoder": {"layer_0": layers[0]}, "decoder": {"layer_0": layers[1]}}


def _weights(
    eigenvalues: Float64[np.ndarray, " features"], code: int, method: str
) -> tuple[Array, Array]:
    """P and μ of `ordered_objective`; for equal L2 the mean of the unequal μ."""
    survival, decays = np.ones(code), np.zeros(code)
    if method == "nested dropout":
        survival = uniform_survival(code)
    if method in ("unequal L2", "equal L2"):
        decays = increasing_decays(float(eigenvalues[code - 1]), code)
    if method == "equal L2":
        decays = np.full(code, decays.mean())
    return jnp.asarray(survival), jnp.asarray(decays)


def _gradient(params: Params, data: tuple[Array, Array, Array]) -> Params:
    return jax.grad(ordered_objective)(params, data)


def _rotated_gradient(params: Params, data: tuple[Array, Array, Array]) -> Params:
    """Negative rotation-augmented direction of tied kernels, used as a gradient."""
    kernel = -augmented_gradient(params["encoder"]["layer_0"]["kernel"], data[0])
    return {"encoder": {"layer_0": {"kernel": kernel}}, "decoder": {"layer_0": {}}}


def _rows(params: Params) -> Array:
    decoder = params["decoder"]["layer_0"]
    return decoder["kernel"] if decoder else params["encoder"]["layer_0"]["kernel"].T


@partial(jax.jit, static_argnames="direction")
def _train_until_aligned(
    start: Params,
    data: tuple[Array, Array, Array],
    direction: Callable[[Params, tuple[Array, Array, Array]], Params],
    max_epochs: int | Array,
) -> tuple[Array, Array]:
    optimizer = optax.sgd(LEARNING_RATE, momentum=MOMENTUM, nesterov=True)

    def epoch(carry: tuple) -> tuple:
        params, state, epochs = carry
        updates, state = optimizer.update(direction(params, data), state, params)
        return optax.apply_updates(params, updates), state, epochs + 1

    def misaligned(carry: tuple) -> Array:
        params, _, epochs = carry
        return (misalignment(_rows(params)) > MAX_MISALIGNMENT) & (epochs < max_epochs)

    params, _, epochs = jax.lax.while_loop(
        misaligned, epoch, (start, optimizer.init(start), jnp.asarray(0))
    )
    return epochs, misalignment(_rows(params))
