"""Encoder gradient at the PCA solution when one of the course's four assumptions is violated."""

import functools
from collections.abc import Callable
from typing import Literal

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float64

from aejax import losses
from aejax.models import dense, linear
from aejax.objectives import objective
from aejax.theory.analysis.pca import leading_components, least_loss
from aejax.theory.checking.problem import Problem
from aejax.theory.solvers.lbfgs import minimise
from aejax.types import Array, Autoencoder, Batch, Loss, Params

Assumption = Literal["encoder", "decoder", "centring", "loss"]
"""An assumption of the theorem: linear encoder, linear decoder, centred inputs, squared error."""

DECODER_STEPS = 300
"""Maximum number of training steps of a decoder that has no closed form."""

REALS = (-jnp.inf, jnp.inf)

arcsinh_loss = Loss(lambda output, x: jnp.square(jnp.arcsinh(output) - x), jnp.arcsinh, REALS)
"""Squared error of the non-linear output x̂ = arsinh(a), whose range is ℝ."""

quartic_loss = Loss(lambda output, x: jnp.square(jnp.square(output - x)), jax.nn.identity, REALS)
"""(x̂ − x)⁴."""


def encoder_gradient_norm(problem: Problem, violated: Assumption | None) -> float:
    """‖∂L/∂(W_e, b)‖ at PCA's encoder with the optimal decoder for it, for Σλ = 1.

    Features are divided by √(Σλ/n), so that their mean variance is one, and the gradient by n. The
    norm of the decoder's gradient is added if no assumption is violated, and subtracted otherwise,
    so that an inexact optimum of the decoder never favours the theorem.

    Args:
        problem: data and code size.
        violated: violated assumption, if any.

    Returns:
        The norm of the gradient.
    """
    features, code = problem.x.shape[1], problem.code
    model, loss = model_and_loss(features, code, violated)
    scale = np.sqrt(features / least_loss(problem.pca, 0))
    origin = 0.0 if violated == "centring" else problem.pca.mean
    rows = scale * (problem.x - origin)
    components = leading_components(problem.pca, code)
    with jax.enable_x64(True):
        encoder = _layer(components.T, code, biased=violated != "centring")
        decoder = _best_decoder(problem, violated, encoder, rows)
        params = {"encoder": encoder, "decoder": decoder}
        call = objective(model, loss)
        gradient = jax.grad(lambda params: call(params, Batch(jnp.asarray(rows)), problem.key)[0])(
            params
        )
        encoder_norm, decoder_norm = (
            float(np.sqrt(sum(float(jnp.sum(leaf**2)) for leaf in jax.tree.leaves(gradient[side]))))
            for side in ("encoder", "decoder")
        )
    sign = 1 if violated is None else -1
    return (encoder_norm + sign * decoder_norm) / features


def model_and_loss(
    features: int, code: int, violated: Assumption | None
) -> tuple[Autoencoder, Loss]:
    """The course's model and loss, with at most one assumption violated.

    Args:
        features: n.
        code: k.
        violated: violated assumption, if any.

    Returns:
        The model and the loss, as arguments of `aejax.objective`.
    """
    if violated == "encoder":
        model = dense((features, code), activation=jnp.tanh)
    else:
        model = linear(features, code, bias=violated != "centring")
    others = {"decoder": arcsinh_loss, "loss": quartic_loss}
    return model, others.get(violated or "", losses.squared)


def _layer(kernel: Float64[np.ndarray, "inputs outputs"], width: int, *, biased: bool) -> Params:
    bias = {"bias": jnp.zeros(width)} if biased else {}
    return {"layer_0": {"kernel": jnp.asarray(kernel), **bias}}


def _best_decoder(
    problem: Problem,
    violated: Assumption | None,
    encoder: Params,
    rows: Float64[np.ndarray, "examples features"],
) -> Params:
    """PCA's decoder; if an assumption is violated, the optimal one by least squares or training."""
    features, code = problem.x.shape[1], problem.code
    start = _layer(leading_components(problem.pca, code), features, biased=violated != "centring")
    if violated is None:
        return start
    if violated in ("decoder", "loss"):
        return _trained_decoder(problem, violated, rows)
    model, _ = model_and_loss(features, code, violated)
    codes = np.asarray(model.encode({"encoder": encoder}, jnp.asarray(rows)))
    if violated == "centring":
        return _layer(np.linalg.lstsq(codes, rows, rcond=None)[0], features, biased=False)
    affine = np.linalg.lstsq(np.c_[codes, np.ones(len(codes))], rows, rcond=None)[0]
    return {"layer_0": {"kernel": jnp.asarray(affine[:-1]), "bias": jnp.asarray(affine[-1])}}


def _trained_decoder(
    problem: Problem, violated: Assumption, rows: Float64[np.ndarray, "examples features"]
) -> Params:
    """Train a decoder for PCA's code scaled to unit variance; return it for the unscaled code."""
    features, code = problem.x.shape[1], problem.code
    components = leading_components(problem.pca, code)
    variances = problem.pca.eigenvalues[:code] * features / least_loss(problem.pca, 0)
    deviations = np.sqrt(variances)[:, None]
    encoder = _layer(components.T / deviations.T, code, biased=True)
    data = (encoder, jnp.asarray(rows), problem.key)
    start = _layer(deviations * components, features, biased=True)
    loss = _decoder_loss(features, code, violated)
    layer = minimise(loss, start, data, max_steps=DECODER_STEPS).params["layer_0"]
    return {"layer_0": {**layer, "kernel": layer["kernel"] / deviations}}


@functools.cache
def _decoder_loss(
    features: int, code: int, violated: Assumption
) -> Callable[[Params, tuple[Params, Array, Array]], Array]:
    call = objective(*model_and_loss(features, code, violated))

    def loss(decoder: Params, data: tuple[Params, Array, Array]) -> Array:
        encoder, rows, key = data
        return call({"encoder": encoder, "decoder": decoder}, Batch(rows), key)[0]

    return loss
