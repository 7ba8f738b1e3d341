"""How soon each way of ordering a code aligns it with the principal components; what never does.

One epoch is one gradient of all the data, by the same optimiser for every method. A random start
knows no axes, so data of given eigenvalues may as well lie along them: T = diag(√λ).
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
    ordered_objective,
    rising_decays,
    uniform_survival,
)
from aejax.types import Array, Key, Params

METHODS = ("unequal L2", "nested dropout", "rotation", "equal L2", "plain")
"""The three that order a code, and the two controls that do not."""

STEP, MOMENTUM = 0.03, 0.9
"""Of Nesterov's gradient descent, for λ_1 = 1."""

ALIGNED = 1e-3
"""Misalignment at which a code counts as aligned."""


def misalignment(rows: Float64[Array, "code features"]) -> Float64[Array, ""]:
    """1 − mean cos² of the angle between unit i and axis i: zero for an aligned and ordered code.

    Source: Bao et al. 2020, there with the best axis for each unit; here with its own.
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
        key: for the start: kernels with entries of variance 1/n, so that neither side is large.
        eigenvalues: λ_1 > … > λ_k > λ_{k+1} ≥ … ≥ λ_n > 0.
        code: k < n.
        method: how the code is ordered, or not.
        max_epochs: after which it never is.

    Returns:
        The epochs until `misalignment` is no more than 10⁻³; None for never.

    Raises:
        ValueError: for a method that is none of `METHODS`.
        FloatingPointError: where the training diverged.

    Source: Bao et al. 2020 (the comparison).
    """
    if method not in METHODS:
        raise ValueError(f"method must be one of {', '.join(METHODS)}, got {method!r}")
    values = np.asarray(eigenvalues, np.float64) / eigenvalues[0]
    with jax.enable_x64(True):
        survival, decays = _weights(values, code, method)
        data = (jnp.asarray(np.diag(np.sqrt(values))), survival, decays)
        direction = _turned if method == "rotation" else _descended
        start = _start(key, len(values), code, tied=method == "rotation")
        epochs, error = _follow(start, data, direction, max_epochs)
        if not np.isfinite(error):
            raise FloatingPointError(f"{method} diverged after {int(epochs)} epochs")
        return int(epochs) if error <= ALIGNED else None


def _start(key: Key, features: int, code: int, *, tied: bool) -> Params:
    sides = jax.random.normal(key, (2, features, code)) / np.sqrt(features)
    layers = {"kernel": sides[0]}, {} if tied else {"kernel": sides[1].T}
    return {"encoder": {"layer_0": layers[0]}, "decoder": {"layer_0": layers[1]}}


def _weights(
    eigenvalues: Float64[np.ndarray, " features"], code: int, method: str
) -> tuple[Array, Array]:
    """P and μ of `ordered_objective`; equal L2 has the mean of the unequal weights."""
    survival, decays = np.ones(code), np.zeros(code)
    if method == "nested dropout":
        survival = uniform_survival(code)
    if method in ("unequal L2", "equal L2"):
        decays = rising_decays(float(eigenvalues[code - 1]), code)
    if method == "equal L2":
        decays = np.full(code, decays.mean())
    return jnp.asarray(survival), jnp.asarray(decays)


def _descended(params: Params, data: tuple[Array, Array, Array]) -> Params:
    return jax.grad(ordered_objective)(params, data)


def _turned(params: Params, data: tuple[Array, Array, Array]) -> Params:
    """Minus the rotation-augmented direction of tied kernels, in the place of a gradient."""
    kernel = -augmented_gradient(params["encoder"]["layer_0"]["kernel"], data[0])
    return {"encoder": {"layer_0": {"kernel": kernel}}, "decoder": {"layer_0": {}}}


def _rows(params: Params) -> Array:
    decoder = params["decoder"]["layer_0"]
    return decoder["kernel"] if decoder else params["encoder"]["layer_0"]["kernel"].T


@partial(jax.jit, static_argnames="direction")
def _follow(
    start: Params,
    data: tuple[Array, Array, Array],
    direction: Callable[[Params, tuple[Array, Array, Array]], Params],
    max_epochs: int | Array,
) -> tuple[Array, Array]:
    optimizer = optax.sgd(STEP, momentum=MOMENTUM, nesterov=True)

    def epoch(carry: tuple) -> tuple:
        params, state, epochs = carry
        updates, state = optimizer.update(direction(params, data), state, params)
        return optax.apply_updates(params, updates), state, epochs + 1

    def turning(carry: tuple) -> Array:
        params, _, epochs = carry
        return (misalignment(_rows(params)) > ALIGNED) & (epochs < max_epochs)

    params, _, epochs = jax.lax.while_loop(
        turning, epoch, (start, optimizer.init(start), jnp.asarray(0))
    )
    return epochs, misalignment(_rows(params))
