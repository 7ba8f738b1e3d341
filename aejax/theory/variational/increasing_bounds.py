"""Theorem: importance-weighted bounds increase with the number of samples, up to log p."""

from itertools import combinations, product

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float64

from aejax.posteriors.importance_bounds import importance_weighted_bound
from aejax.theory.checking.certificate import Certificate, Evidence, Statement, certify, refuse
from aejax.theory.checking.problem import Problem
from aejax.theory.variational.factor_likelihood import log_densities
from aejax.theory.variational.linear_evidence_bound import LinearVAE, log_weights
from aejax.theory.variational.linear_vae import (
    optimal_linear_vae,
    unit_rows,
)
from aejax.theory.variational.probabilistic_pca import (
    likelihood_tolerance,
    noise_variance_of_likelihood,
    unbounded_likelihood,
)

STRETCH = 1.25
"""Factor c of the variance of q(z | x) in the first unit, so that the bounds are not tight."""

NUM_NODES = 24
"""Nodes of Gauss–Hermite quadrature per sample: errors of the bounds below 10⁻¹⁴."""

NUM_ROWS = 8
"""Examples at which bounds are evaluated."""

NUM_SAMPLES = 6
"""Samples whose subsets are enumerated."""

EXACT = Statement(
    claim="with the exact posterior every importance weight is p(x): all bounds are log p",
    formula="log w = log p(x | z) + log p(z) − log q(z | x) = log p(x) for every z",
    source="Burda et al. 2016",
)
INCREASING = Statement(
    claim="the expected bounds of one, two and three samples increase and are below log p",
    formula="L_1 = log p + ½ (log c − c + 1) < L_2 < L_3 < log p for a first unit with c times the "
    "posterior's variance",
    source="Burda et al. 2016",
)
SUBSETS = Statement(
    claim="the mean bound over all subsets of drawn samples does not decrease with their size",
    formula="mean_{|I|=K} log (1/K) Σ_{i∈I} w_i ≤ mean_{|I|=K+1} log (1/(K+1)) Σ_{i∈I} w_i",
    source="Burda et al. 2016, theorem 1",
)


def importance_weighting(problem: Problem) -> tuple[Certificate, ...]:
    """Importance-weighted bounds L_K = E log (1/K) Σ_k w_k at the optimum of `linear_vae`.

    With the exact posterior, w = p(x, z)/q(z | x) = p(x). If the variance of the first unit is c
    times as large, z_1 = μ + √(c d) ε, then log w = log p(x) + ½ log c − ½ (c − 1) ε²: L_K − log p
    is an integral over K normal variables that does not depend on the data. A mean over K + 1
    weights is the mean over its subsets of K, and the logarithm is concave: so the bounds increase
    for every set of samples, in the mean over its subsets, and therefore in expectation.

    Verification: log weights are those of `penalties.importance_weighted` and bounds those of
    `posteriors.importance_bounds`, at 8 examples. Expectations for K ≤ 3 are Gauss–Hermite
    quadratures with 24 nodes for each sample; log p is that of `probabilistic_pca`. Samples are
    drawn with the problem's key.

    Controls: weights of the stretched posterior; bounds in the opposite order, twice.

    Args:
        problem: data, code size and key.

    Returns:
        Three certificates: exact weights, expected bounds, and subsets of samples.

    Source: Burda, Grosse & Salakhutdinov 2016.
    """
    obstacle = unbounded_likelihood(problem)
    if obstacle is not None:
        return refuse((EXACT, INCREASING, SUBSETS), obstacle)
    tolerance = likelihood_tolerance(problem, noise_variance_of_likelihood(problem))
    return (
        certify(EXACT, tolerance, lambda: _exact_evidence(problem)),
        certify(INCREASING, tolerance, lambda: _increasing_evidence(problem)),
        certify(SUBSETS, tolerance, lambda: _subset_evidence(problem)),
    )


def stretched(vae: LinearVAE) -> LinearVAE:
    """The autoencoder with c times the variance of q(z | x) in the first unit."""
    factors = np.ones_like(vae.variances)
    factors[0] = STRETCH
    return vae._replace(variances=factors * vae.variances)


def weights_less_log_likelihood(
    problem: Problem, noise: Float64[np.ndarray, "samples k"], *, exact: bool
) -> Float64[np.ndarray, "samples examples"]:
    """log w − log p(x) at 8 examples with the data's moments, for Σλ = 1.

    Args:
        problem: data and code size, with more components than code units.
        noise: noise of each sample.
        exact: whether q(z | x) is the exact posterior, or that with a stretched first unit.

    Returns:
        The logarithms of the normalised weights.
    """
    variance = noise_variance_of_likelihood(problem)
    vae, rows = optimal_linear_vae(problem, variance), unit_rows(problem)
    rows = np.resize(rows, (NUM_ROWS, rows.shape[1]))
    found = log_weights(vae if exact else stretched(vae), rows, noise, variance=variance)
    return found - log_densities(rows, vae.decoder / np.sqrt(variance), variance)


def expected_bounds(problem: Problem) -> Float64[np.ndarray, "bounds examples"]:
    """L_K − log p for K = 1, 2 and 3 with a stretched first unit, by quadrature."""
    nodes, masses = np.polynomial.hermite_e.hermegauss(NUM_NODES)
    weights = weights_less_log_likelihood(problem, _along_first(problem, nodes), exact=False)
    bounds = []
    with jax.enable_x64(True):
        for samples in (1, 2, 3):
            places = np.array(list(product(range(NUM_NODES), repeat=samples))).T
            probabilities = np.prod((masses / masses.sum())[places], axis=0)
            values = importance_weighted_bound(jnp.asarray(weights[places]))
            bounds.append(probabilities @ np.asarray(values))
    return np.stack(bounds)


def bounds_of_subsets(problem: Problem) -> Float64[np.ndarray, "sizes examples"]:
    """Mean of log (1/K) Σ w/p(x) over all subsets of K of 6 drawn samples, for K = 1 … 6."""
    with jax.enable_x64(True):
        drawn = np.asarray(jax.random.normal(problem.key, (NUM_NODES, problem.code)))
        weights = weights_less_log_likelihood(problem, drawn, exact=False)[:NUM_SAMPLES]
        means = []
        for size in range(1, NUM_SAMPLES + 1):
            places = np.array(list(combinations(range(NUM_SAMPLES), size))).T
            values = importance_weighted_bound(jnp.asarray(weights[places]))
            means.append(np.asarray(values).mean(axis=0))
    return np.stack(means)


def _along_first(
    problem: Problem, noise: Float64[np.ndarray, " samples"]
) -> Float64[np.ndarray, "samples k"]:
    """Noise in the first unit; one in the others, in which the posterior is exact."""
    others = np.ones((len(noise), problem.code - 1))
    return np.concatenate([noise[:, None], others], axis=1)


def _exact_evidence(problem: Problem) -> Evidence:
    with jax.enable_x64(True):
        noise = np.asarray(jax.random.normal(problem.key, (NUM_NODES, problem.code)))
    residual, control = (
        float(np.abs(weights_less_log_likelihood(problem, noise, exact=exact)).max())
        for exact in (True, False)
    )
    return Evidence(residual, control)


def _increasing_evidence(problem: Problem) -> Evidence:
    bounds = expected_bounds(problem)
    first = np.abs(bounds[0] - 0.5 * (np.log(STRETCH) - STRETCH + 1)).max()
    increments = np.diff(np.concatenate([bounds, np.zeros_like(bounds[:1])]), axis=0)
    return Evidence(float(max(first, -increments.min())), float(increments.max()))


def _subset_evidence(problem: Problem) -> Evidence:
    increments = np.diff(bounds_of_subsets(problem), axis=0)
    return Evidence(float(max(0.0, -increments.min())), float(increments.max()))
