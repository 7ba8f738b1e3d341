"""Theorem: the code is determined only up to an invertible linear map."""

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
"""Condition number of the random invertible map G of the code."""

INVARIANT = Statement(
    claim="an invertible change of code, undone by the decoder, changes no reconstruction",
    formula="(W_e G)(G⁻¹ W_d) = W_e W_d for every invertible G",
    source="Baldi & Hornik 1989",
)


def code_invariance(problem: Problem) -> tuple[Certificate, ...]:
    """(W_e G, b G, G⁻¹ W_d, c) and (W_e, b, W_d, c) have equal reconstructions, if G is invertible.

    There is no condition on the spectrum: the optimal map need not be unique.

    Verification: G = U D V with random rotations U, V and singular values D from 2 to 4, at PCA's
    kernels with a random b (PCA's own b is zero for centred data). The residual is the root mean
    square change of a reconstruction, relative to √(Σ λ).

    Tolerance: rounding of two forward passes, times the condition number of G.

    Control: the decoder applies Gᵀ instead of G⁻¹, as if G were a rotation.

    Args:
        problem: data, code size and key.

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
            lambda: _invariance_evidence(problem, spread),
            obstacle=pca_obstacle(problem),
        ),
    )


def change_code(params: Params, change: Array, undo: Array) -> Params:
    """Apply a linear map to the code, and another before decoding.

    Args:
        params: parameters of `aejax.linear`.
        change: G [k, k], which multiplies the code from the right.
        undo: H [k, k], which multiplies the decoder from the left; H = G⁻¹ preserves the
            reconstructions.

    Returns:
        Parameters W_e G, b G, H W_d, c.
    """
    encoder, decoder = params["encoder"]["layer_0"], params["decoder"]["layer_0"]
    return {
        "encoder": {
            "layer_0": {"kernel": encoder["kernel"] @ change, "bias": encoder["bias"] @ change}
        },
        "decoder": {"layer_0": {**decoder, "kernel": undo @ decoder["kernel"]}},
    }


def invertible_matrix(key: Key, size: int) -> Array:
    """A random matrix [size, size] with singular values from 2 to 4: U diag(…) V."""
    key_left, key_right = jax.random.split(key)
    singular_values = jnp.geomspace(2.0, 2.0 * CONDITION, size)
    left, right = jax.random.orthogonal(key_left, size), jax.random.orthogonal(key_right, size)
    return (left * singular_values) @ right


def _invariance_evidence(problem: Problem, spread: float) -> Evidence:
    principal = principal_params(problem, leading_components(problem.pca, problem.code))
    params = _with_random_bias(principal, problem.key, spread)
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


def _with_random_bias(params: Params, key: Key, spread: float) -> Params:
    """Add a random vector, a quarter of the data's spread in length, to the encoder's bias."""
    layer = params["encoder"]["layer_0"]
    with jax.enable_x64(True):
        shift = jax.random.normal(key, layer["bias"].shape)
        shift = spread / 4 * shift / jnp.linalg.norm(shift)
        return {**params, "encoder": {"layer_0": {**layer, "bias": layer["bias"] + shift}}}
