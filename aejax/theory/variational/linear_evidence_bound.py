"""Evidence lower bound of linear variational autoencoders, by the library's own objective.

The mean over z is a cubature that is exact for a linear decoder: the objective is evaluated with
the posterior's own sampler, whose noise is replaced by that of each point of the cubature.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jaxtyping import Float64
from scipy.linalg import helmert

from aejax import losses, penalties, posteriors
from aejax.models import variational
from aejax.objectives import Objective, forward, objective, reconstruction_losses
from aejax.posteriors import Gaussian
from aejax.types import Array, Batch, Key, Params, Penalty, Perturbation


class LinearVAE(NamedTuple):
    """q(z | x) = N(x A, diag d) and p(x | z) = N(z W, σ² I), for centred data.

    encoder:   A.
    variances: d.
    decoder:   W.
    """

    encoder: Float64[np.ndarray, "n k"]
    variances: Float64[np.ndarray, " k"]
    decoder: Float64[np.ndarray, "k n"]


class EvidenceTerms(NamedTuple):
    """Values of the objective J = −log p(x | z) + β KL, in the mean over z and examples.

    value:      J in nats.
    distortion: mean of ‖x − x̂‖², for x̂ = z W.
    rate:       KL(q ‖ p) in nats.
    gradient:   norm of the gradient of J in the parameters of the model, those of unit l's mean in
                units of √d_l, and those of the decoder in units of σ.
    """

    value: float
    distortion: float
    rate: float
    gradient: float


def linear_vae_params(vae: LinearVAE) -> Params:
    """Parameters of `aejax.variational((n, k), activation=identity)`, with zero biases of means.

    Args:
        vae: kernels and variances; a leading axis of all three stacks several.

    Returns:
        The parameters; log d is a bias, so that it does not depend on x.
    """
    zeros = np.zeros_like(vae.decoder[..., 0])
    encoder = {
        "kernel": np.concatenate([vae.encoder, np.zeros_like(vae.encoder)], axis=-1),
        "bias": np.concatenate([zeros, np.log(vae.variances)], axis=-1),
    }
    decoder = {"kernel": vae.decoder, "bias": np.zeros_like(vae.decoder[..., 0, :])}
    return {"encoder": {"layer_0": encoder}, "decoder": {"layer_0": decoder}}


def linear_objective(
    params: Params,
    variance: float | Array,
    weight: float | Array,
    *,
    perturbation: Perturbation | None = None,
    bound: Penalty | None = None,
) -> Objective:
    """`aejax.objective` of a linear variational autoencoder: variance σ² and weight β.

    Args:
        params: parameters of `linear_vae_params`, whose shapes are used.
        variance: σ² of p(x | z).
        weight: β.
        perturbation: sampler (default: none, so that the mean is decoded).
        bound: penalty in place of the divergence (default: the divergence).

    Returns:
        The objective.
    """
    units, features = params["decoder"]["layer_0"]["kernel"].shape
    posterior = posteriors.diagonal_gaussian()
    divergence = penalties.divergence(posterior) if bound is None else bound
    return objective(
        variational((features, units), posterior=posterior, activation=jax.nn.identity),
        losses.gaussian(variance=variance),
        perturbation=perturbation,
        penalties={"divergence": (weight, divergence)},
    )


def sampled_at(noise: Array) -> Perturbation:
    """The sampler of the posterior with its noise ε replaced: z = μ + σ · noise.

    `posteriors.diagonal_gaussian` draws z = μ + σ ε. With the same key, a standard normal code
    gives ε, and a code without mean σ ε.
    """
    sample = posteriors.diagonal_gaussian().sample

    def perturbation(key: Key, code: Gaussian) -> Array:
        zeros = jnp.zeros_like(code.mean)
        drawn = sample(key, Gaussian(zeros, zeros))
        deviation = sample(key, Gaussian(zeros, code.log_variance))
        return sample(key, code) + deviation * (noise / drawn - 1)

    return perturbation


def simplex_cubature(units: int) -> Float64[np.ndarray, "points k"]:
    """Noise with mean zero and covariance I at k + 1 points of equal weight, a regular simplex.

    It is exact for polynomials of degree two, such as the squared error of a linear decoder.

    Args:
        units: k.

    Returns:
        The points.

    Source: Stroud 1957.
    """
    return np.sqrt(units + 1) * helmert(units + 1).T


def expected_terms(
    params: Params, data: tuple[Array, float | Array, float | Array]
) -> tuple[Array, dict[str, Array]]:
    """J and its terms, exact in the mean over z.

    Args:
        params: parameters of `linear_vae_params`.
        data: rows [p, n], σ² and β.

    Returns:
        J, and "reconstruction" and "divergence".
    """
    rows, variance, weight = data
    units = len(params["decoder"]["layer_0"]["kernel"])

    def at(noise: Array) -> tuple[Array, dict[str, Array]]:
        call = linear_objective(params, variance, weight, perturbation=sampled_at(noise))
        return call(params, Batch(rows), jax.random.key(0))

    points = jnp.asarray(simplex_cubature(units))
    return jax.tree.map(jnp.mean, jax.vmap(at)(points))


def expected_evidence_loss(
    params: Params, data: tuple[Array, float | Array, float | Array]
) -> Array:
    """J of `expected_terms`."""
    return expected_terms(params, data)[0]


def evidence(
    vae: LinearVAE, rows: Float64[np.ndarray, "p n"], *, variance: float, weight: float = 1.0
) -> EvidenceTerms:
    """The objective of a linear variational autoencoder on rows, in float64.

    Args:
        vae: kernels and variances.
        rows: examples with mean zero.
        variance: σ².
        weight: β (default: 1).

    Returns:
        Value, distortion, rate and gradient norm.
    """
    with jax.enable_x64(True):
        params = jax.tree.map(jnp.asarray, linear_vae_params(vae))
        data = jnp.asarray(rows), jnp.asarray(variance), jnp.asarray(weight)
        (value, terms), gradient = _value_and_gradient(params, data)
        norm = float(optax.tree.norm(_in_natural_units(gradient, vae, variance)))
    constant = rows.shape[1] * np.log(2 * np.pi * variance)
    distortion = variance * (2 * float(terms["reconstruction"]) - constant)
    return EvidenceTerms(float(value), distortion, float(terms["divergence"]), norm)


def _in_natural_units(gradient: Params, vae: LinearVAE, variance: float) -> Params:
    """The gradient by each parameter divided by its unit: √d_l for means, σ for the decoder.

    J has curvatures of order one in these units, whatever the ratio of λ_1 and σ².
    """
    deviations = np.sqrt(vae.variances)
    columns = np.concatenate([deviations, np.ones_like(deviations)])
    scales = {"encoder": columns, "decoder": np.sqrt(variance)}
    return {
        side: jax.tree.map(lambda each, scale=scale: scale * each, gradient[side])
        for side, scale in scales.items()
    }


_value_and_gradient = jax.jit(jax.value_and_grad(expected_terms, has_aux=True))


def unit_rates(
    vae: LinearVAE, rows: Float64[np.ndarray, "p n"]
) -> tuple[Float64[np.ndarray, " k"], Float64[np.ndarray, "k k"]]:
    """Mean divergence of each unit, and second moments of z in the mean over the data.

    Args:
        vae: kernels and variances.
        rows: examples with mean zero.

    Returns:
        KL of each unit in nats, and E zᵀz of the aggregate posterior.
    """
    posterior = posteriors.diagonal_gaussian()
    with jax.enable_x64(True):
        params = jax.tree.map(jnp.asarray, linear_vae_params(vae))
        model = linear_objective(params, 1.0, 1.0).model
        code = model.encode(params, jnp.asarray(rows))
        rates = np.asarray(jnp.mean(posterior.divergence(code), axis=0))
        mean, variances = np.asarray(code.mean), np.exp(np.asarray(code.log_variance))
    return rates, mean.T @ mean / len(rows) + np.diag(variances.mean(axis=0))


def log_weights(
    vae: LinearVAE,
    rows: Float64[np.ndarray, "p n"],
    noise: Float64[np.ndarray, "samples k"],
    *,
    variance: float,
) -> Float64[np.ndarray, "samples p"]:
    """log w = log p(x | z) + log p(z) − log q(z | x) at z = x A + √d · noise.

    They are those of `penalties.importance_weighted` for one sample.

    Args:
        vae: kernels and variances.
        rows: examples with mean zero.
        noise: noise of each sample, the same for all rows.
        variance: σ².

    Returns:
        Log weights in nats.
    """
    with jax.enable_x64(True):
        params = jax.tree.map(jnp.asarray, linear_vae_params(vae))
        return np.asarray(_log_weights(params, jnp.asarray(rows), jnp.asarray(noise), variance))


@jax.jit
def _log_weights(params: Params, rows: Array, noise: Array, variance: float | Array) -> Array:
    loss, posterior = losses.gaussian(variance=variance), posteriors.diagonal_gaussian()
    bound = penalties.importance_weighted(
        loss, posterior, samples=1, bound=lambda weights: weights()[0]
    )

    def at(noise: Array) -> Array:
        call = linear_objective(params, variance, 1.0, perturbation=sampled_at(noise), bound=bound)
        record = forward(call, params, Batch(rows), jax.random.key(0))
        return -bound(record) - reconstruction_losses(loss, record)

    return jax.vmap(at)(noise)
