"""The theorem that the code is determined up to an invertible change."""

import jax
import jax.numpy as jnp
import numpy as np

from aejax.theory.analysis.pca import leading_components, least_loss
from aejax.theory.checking.certificate import Certificate, Evidence, Statement, Tolerance, certify
from aejax.theory.checking.distances import reconstruction
from aejax.theory.checking.problem import Problem, pca_obstacle
from aejax.theory.checking.tolerances import CLOSED_FORM_CAP, pass_rounding
from aejax.theory.optimum.optimum import principal_params
from aejax.types import Array, Key, Params

CONDITION = 2.0
"""Condition number of the random change of code."""

INVARIANT = Statement(
    claim="an invertible change of code, undone by the decoder, changes no reconstruction",
    formula="(W_e G)(G⁻¹ W_d) = W_e W_d for every invertible G",
    source="Baldi & Hornik 1989",
)


def code_invariance(problem: Problem) -> tuple[Certificate, ...]:
    """(W_e G, b G, G⁻¹ W_d, c) reconstructs the user's data as (W_e, b, W_d, c) does.

    G = U D V with random rotations U and V and stretches D from 2 to 4, at PCA's kernels with a
    random b, of which PCA's shows nothing where the mean is zero. The residual is the root mean
    square change of a reconstruction, relative to √(Σ λ). The theorem asks nothing of the spectrum:
    it holds where the optimal map is not unique.

    Control: the decoder undoes G by its transpose, as if G were a rotation.

    Args:
        problem: the user's data, code size and key.

    Returns:
        One certificate.

    Source: Baldi & Hornik 1989.
    """
    spread = float(np.sqrt(least_loss(problem.pca, 0)))
    error = 2 * CONDITION * pass_rounding(problem)
    basis = f"rounding {error:.1e} of two rows against their spread √(Σ λ) = {spread:.1e}"
    tolerance = Tolerance(error / spread if spread > 0 else np.inf, CLOSED_FORM_CAP, basis)
    return (
        certify(
            INVARIANT,
            tolerance,
            lambda: _unchanged(problem, spread),
            obstacle=pca_obstacle(problem),
        ),
    )


def change_code(params: Params, change: Array, undo: Array) -> Params:
    """Parameters whose code is changed by a matrix [k, k] and decoded through another.

    Args:
        params: of `aejax.linear`.
        change: G, applied to the code from the right.
        undo: what the decoder applies first; G⁻¹ leaves every reconstruction as it was.

    Returns:
        Params with W_e G, b G, undo W_d, c.
    """
    encoder, decoder = params["encoder"]["layer_0"], params["decoder"]["layer_0"]
    return {
        "encoder": {
            "layer_0": {"kernel": encoder["kernel"] @ change, "bias": encoder["bias"] @ change}
        },
        "decoder": {"layer_0": {**decoder, "kernel": undo @ decoder["kernel"]}},
    }


def invertible_matrix(key: Key, size: int) -> Array:
    """A random invertible matrix [size, size], far from orthogonal and well conditioned."""
    key_left, key_right = jax.random.split(key)
    stretches = jnp.geomspace(2.0, 2.0 * CONDITION, size)
    left, right = jax.random.orthogonal(key_left, size), jax.random.orthogonal(key_right, size)
    return (left * stretches) @ right


def _unchanged(problem: Problem, spread: float) -> Evidence:
    principal = principal_params(problem, leading_components(problem.pca, problem.code))
    params = _biased(principal, problem.key, spread)
    x_hat = reconstruction(problem, params)
    with jax.enable_x64(True):
        change = invertible_matrix(problem.key, problem.code)
        residual, control = (
            float(
                np.linalg.norm(reconstruction(problem, change_code(params, change, undo)) - x_hat)
                / np.sqrt(len(problem.x))
                / spread
            )
            for undo in (jnp.linalg.inv(change), change.T)
        )
    return Evidence(residual, control)


def _biased(params: Params, key: Key, spread: float) -> Params:
    """Parameters whose encoder's bias is moved at random, by a quarter of the data's spread."""
    layer = params["encoder"]["layer_0"]
    with jax.enable_x64(True):
        shift = jax.random.normal(key, layer["bias"].shape)
        shift = spread / 4 * shift / jnp.linalg.norm(shift)
        return {**params, "encoder": {"layer_0": {**layer, "bias": layer["bias"] + shift}}}
