"""Manual backpropagation through one logistic hidden layer: the course's derivatives.

z = x W + b,  h = σ(z),  a = h W* + c,  x̂ = g(a), with m examples and the loss summed over
features and averaged over examples. An error δ_a is the derivative ∂L/∂a, with one row per example
and the factor 1/m of the average:

δ_a = ∂L/∂a              ∂L/∂W* = hᵀ δ_a      ∂L/∂c = Σ_i δ_a,i
δ_z = (δ_a W*ᵀ) h (1−h)   ∂L/∂W = xᵀ δ_z       ∂L/∂b = Σ_i δ_z,i

Gradients have the tree structure of the parameters of `dense((features, units))`, so that terms
can be weighted and added as trees.
"""

from collections.abc import Callable

import jax
import jax.numpy as jnp
from jaxtyping import Float

from aejax.types import Array, Params

OutputError = Callable[[Array, Array], Array]
"""(a, x) -> δ_a: one of the three functions below."""


def squared_output_error(
    a: Float[Array, "batch features"], x: Float[Array, "batch features"]
) -> Float[Array, "batch features"]:
    """δ_a = 2 (x̂ − x)/m of the squared error with a linear output, x̂ = a.

    Args:
        a: output.
        x: target.

    Returns:
        ∂L/∂a of L = (1/m) Σ_ij (x̂_ij − x_ij)².

    Source: Rumelhart, Hinton & Williams 1986 (with a factor ½).
    """
    return 2 * (a - x) / len(x)


def logistic_output_error(
    a: Float[Array, "batch features"], x: Float[Array, "batch features"]
) -> Float[Array, "batch features"]:
    """δ_a = 2 (x̂ − x) x̂ (1 − x̂)/m of the squared error with a logistic output, x̂ = σ(a).

    Args:
        a: output before the logistic.
        x: target.

    Returns:
        ∂L/∂a of L = (1/m) Σ_ij (x̂_ij − x_ij)².

    Source: Rumelhart, Hinton & Williams 1986 (with a factor ½).
    """
    x_hat = jax.nn.sigmoid(a)
    return 2 * (x_hat - x) * x_hat * (1 - x_hat) / len(x)


def cross_entropy_output_error(
    a: Float[Array, "batch features"], x: Float[Array, "batch features"]
) -> Float[Array, "batch features"]:
    """δ_a = (x̂ − x)/m of the cross-entropy with a logistic output, x̂ = σ(a).

    The chain is ∂L/∂x̂ = (x̂ − x)/(x̂ (1 − x̂)) times ∂x̂/∂a = x̂ (1 − x̂), which cancel.

    Args:
        a: output before the logistic.
        x: target, in [0, 1].

    Returns:
        ∂L/∂a of L = −(1/m) Σ_ij [x_ij log x̂_ij + (1 − x_ij) log(1 − x̂_ij)].

    Source: Bishop 1995b, §6.7.
    """
    return (jax.nn.sigmoid(a) - x) / len(x)


def loss_gradient(
    params: Params, x: Float[Array, "batch features"], output_error: OutputError
) -> Params:
    """Gradient of a reconstruction loss with one logistic hidden layer.

    Args:
        params: parameters of `dense((features, units))`; for a tied model, apply `aejax.untied`.
        x: inputs and targets.
        output_error: function (a, x) -> δ_a of the loss.

    Returns:
        ∂L/∂params.

    Source: Rumelhart, Hinton & Williams 1986.
    """
    decoder = params["decoder"]["layer_0"]
    h = _code(params, x)
    delta_a = output_error(h @ decoder["kernel"] + decoder["bias"], x)
    return {
        "encoder": _encoder_gradient(x, h, delta_a @ decoder["kernel"].T),
        "decoder": {"layer_0": {"kernel": h.T @ delta_a, "bias": jnp.sum(delta_a, axis=0)}},
    }


def kl_sparsity_gradient(
    params: Params, x: Float[Array, "batch features"], *, rho: float | Array
) -> Params:
    """Gradient of KL sparsity Ω = Σ_l KL(ρ ‖ ρ̂_l), ρ̂ the mean of h over the m examples.

    ∂Ω/∂h_il = (−ρ/ρ̂_l + (1 − ρ)/(1 − ρ̂_l))/m and ∂ρ̂_l/∂W_jl = (1/m) Σ_i h_il (1 − h_il) x_ij.

    Args:
        params: parameters of `dense((features, units))`.
        x: inputs.
        rho: ρ in [0, 1]. The result is not finite if a unit's mean rounds to 0 or 1.

    Returns:
        ∂Ω/∂params; the decoder's is zero.

    Source: Ng 2011, Sparse autoencoder, §3.
    """
    h = _code(params, x)
    rho_hat = jnp.mean(h, axis=0)
    delta_h = (-rho / rho_hat + (1 - rho) / (1 - rho_hat)) / len(x)
    return _with_zero_decoder(params, _encoder_gradient(x, h, delta_h))


def contractive_gradient(params: Params, x: Float[Array, "batch features"]) -> Params:
    """Gradient of Ω = (1/m) Σ_i ‖∂h/∂x‖²_F = (1/m) Σ_il s_il² ‖w_l‖², s = h (1 − h).

    Ω depends on W through ‖w_l‖² = Σ_j W_jl², with derivative 2 W_jl Σ_i s_il²/m, and through z,
    with ∂s²/∂z = 2 s² (1 − 2h).

    Args:
        params: parameters of `dense((features, units))`.
        x: clean inputs.

    Returns:
        ∂Ω/∂params; the decoder's is zero.

    Source: Rifai et al. 2011 (the penalty).
    """
    kernel = params["encoder"]["layer_0"]["kernel"]
    h = _code(params, x)
    squares = jnp.square(h * (1 - h))
    delta_z = 2 * squares * (1 - 2 * h) * jnp.sum(jnp.square(kernel), axis=0) / len(x)
    direct = 2 * kernel * jnp.mean(squares, axis=0)
    encoder = {"kernel": direct + x.T @ delta_z, "bias": jnp.sum(delta_z, axis=0)}
    return _with_zero_decoder(params, {"layer_0": encoder})


def l2_gradient(params: Params) -> Params:
    """Gradient of Ω = Σ W² over all kernels: 2 W, and zero for biases.

    Args:
        params: parameters of a dense autoencoder, tied or untied.

    Returns:
        ∂Ω/∂params.

    Source: Krogh & Hertz 1991 (with λ/2).
    """
    is_kernel = jax.tree_util.DictKey("kernel")
    return jax.tree_util.tree_map_with_path(
        lambda path, leaf: 2 * leaf if path[-1] == is_kernel else jnp.zeros_like(leaf), params
    )


def tied_gradient(gradient: Params) -> Params:
    """Gradient of the tied model, W* = Wᵀ, from that of the untied one: ∂L/∂W + (∂L/∂W*)ᵀ.

    Args:
        gradient: gradient with respect to the parameters of the untied model, at W* = Wᵀ.

    Returns:
        The gradient with respect to the parameters of `dense((features, units), tied=True)`.

    Source: the chain rule, with W on both paths.
    """
    encoder, decoder = gradient["encoder"]["layer_0"], gradient["decoder"]["layer_0"]
    return {
        "encoder": {"layer_0": {**encoder, "kernel": encoder["kernel"] + decoder["kernel"].T}},
        "decoder": {"layer_0": {"bias": decoder["bias"]}},
    }


def _code(params: Params, x: Array) -> Array:
    layer = params["encoder"]["layer_0"]
    return jax.nn.sigmoid(x @ layer["kernel"] + layer["bias"])


def _encoder_gradient(x: Array, h: Array, delta_h: Array) -> Params:
    """Gradient with respect to kernel and bias from δ_h: δ_z = δ_h h (1 − h)."""
    delta_z = delta_h * h * (1 - h)
    return {"layer_0": {"kernel": x.T @ delta_z, "bias": jnp.sum(delta_z, axis=0)}}


def _with_zero_decoder(params: Params, encoder: Params) -> Params:
    return {"encoder": encoder, "decoder": jax.tree.map(jnp.zeros_like, params["decoder"])}
