"""Von Mises–Fisher posterior on the unit sphere, with the uniform prior.

With w = μ·z = tanh s, the radial density of s is proportional to sech(s)^{m−1} e^{κ tanh s}, which
is smooth with a width near 1/√(m−1) for every κ. Its integrals are composite Gauss–Legendre sums,
so that normaliser, mean and inverse distribution function are differentiable and free of Bessel
functions and of rejections.
"""

from functools import lru_cache
from math import ceil, lgamma, log, pi, sqrt
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import export

from aejax.posteriors.posterior_types import Posterior, refusing_other_codes
from aejax.types import Array, Key

MAX_CONCENTRATION = 1e4
"""Largest concentration κ, to which the encoder's output is clipped."""

_NODES = 8
_NEWTON_STEPS = 5
_NEGLIGIBLE = 40.0
"""−log of the density, relative to its maximum, beyond which it is not integrated."""


class VonMisesFisher(NamedTuple):
    """Code of a von Mises–Fisher posterior, with density proportional to e^{κ μ·z} on the sphere.

    direction:     μ, unit vectors [batch, units].
    concentration: κ ≥ 0, [batch].
    """

    direction: Array
    concentration: Array


export.register_namedtuple_serialization(
    VonMisesFisher, serialized_name="aejax.posteriors.VonMisesFisher"
)


def von_mises_fisher() -> Posterior:
    """Von Mises–Fisher posterior on the unit sphere of m ≥ 2 units, with the uniform prior.

    The encoder's outputs are a vector of m units, whose direction is μ, and one number a with
    κ = min(log(1 + e^a), 10⁴). A sample is z = w μ + √(1 − w²) v, with v uniform on the unit
    sphere orthogonal to μ, and w = F⁻¹(u; κ) for uniform u, by Newton's method on the distribution
    function F. It is exact up to rounding and differentiable; no proposal is rejected.

    KL = κ A(κ) − log Z(κ) + log Z(0), with Z(κ) = ∫ (1 − w²)^{(m−3)/2} e^{κw} dw, A = (log Z)′.

    Returns:
        The posterior; its code is a `VonMisesFisher`, and its divergence has shape [batch].

    Raises:
        ValueError: the posterior raises it if the encoder's output is not [batch, m + 1], m ≥ 2, or
            the code is that of another model.

    Example:
        >>> import aejax, jax, jax.numpy as jnp
        >>> posterior = aejax.posteriors.von_mises_fisher()
        >>> code = posterior.code(jnp.ones((5, 4)))
        >>> z = posterior.sample(jax.random.key(0), code)
        >>> z.shape, bool(jnp.allclose(jnp.linalg.norm(z, axis=1), 1))
        ((5, 3), True)

    Source: Davidson et al. 2018; Figurnov, Mohamed & Mnih 2018 (gradient of the inverse).
    """

    def code(output: Array) -> VonMisesFisher:
        if output.ndim != 2 or output.shape[1] < 3:
            raise ValueError(
                "a von Mises–Fisher posterior needs encoder outputs [batch, units + 1] with two "
                f"units or more, got shape {list(output.shape)}"
            )
        concentration = jnp.minimum(jax.nn.softplus(output[:, -1]), MAX_CONCENTRATION)
        return VonMisesFisher(_normalised(output[:, :-1]), concentration)

    def sample(key: Key, code: VonMisesFisher) -> Array:
        key_radial, key_tangent = jax.random.split(key)
        direction, concentration = code
        dtype = direction.dtype
        uniform = jax.random.uniform(key_radial, concentration.shape, dtype)
        s = jax.vmap(_inverse_distribution, (0, 0, None))(
            uniform, concentration, direction.shape[1]
        )[:, None]
        noise = jax.random.normal(key_tangent, direction.shape, dtype)
        along = jnp.sum(noise * direction, axis=1, keepdims=True)
        return jnp.tanh(s) * direction + _normalised(noise - along * direction) / jnp.cosh(s)

    def log_density(code: VonMisesFisher, z: Array) -> Array:
        units = z.shape[1]
        exponent = code.concentration * (jnp.sum(code.direction * z, axis=1) - 1)
        return exponent - _log_normaliser(code.concentration, units) - _log_area(units - 1)

    def divergence(code: VonMisesFisher) -> Array:
        units = code.direction.shape[1]
        return jax.vmap(_divergence, (0, None))(code.concentration, units)

    posterior = Posterior(
        lambda units: units + 1,
        code,
        sample,
        log_density,
        lambda code: code.direction,
        divergence,
        lambda z: jnp.full(z.shape[:1], -_log_area(z.shape[1]), z.dtype),
        lambda key, shape: _normalised(jax.random.normal(key, tuple(shape))),
    )
    return refusing_other_codes(posterior, VonMisesFisher, "von_mises_fisher")


def _normalised(vectors: Array) -> Array:
    """Unit vectors in the same direction, and the first axis for a vector of zeros."""
    square = jnp.sum(jnp.square(vectors), axis=-1, keepdims=True)
    is_zero = square < jnp.finfo(vectors.dtype).tiny
    first = jnp.zeros_like(vectors).at[..., 0].set(1)
    vectors = jnp.where(is_zero, first, vectors)
    return vectors * jax.lax.rsqrt(jnp.where(is_zero, jnp.ones_like(square), square))


def _log_area(units: int) -> float:
    """Logarithm of the area of the unit sphere in a space of some units."""
    return log(2) + units / 2 * log(pi) - lgamma(units / 2)


@lru_cache
def _cells(units: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Edges of the cells of s, relative to its mode, and the Gauss–Legendre rule on [0, 1]."""
    rate = units - 1
    reach = _NEGLIGIBLE / rate + sqrt(_NEGLIGIBLE / rate)
    density = max(2.0, sqrt(2 * rate))  # at least one cell per standard deviation
    count = ceil(2 * reach * density)
    nodes, weights = np.polynomial.legendre.leggauss(_NODES)
    return np.linspace(-reach, reach, count + 1), (nodes + 1) / 2, weights / 2


def _mode(concentration: Array, units: int) -> Array:
    """Mode of s, a constant for derivatives: the root of (m − 1) w = κ (1 − w²)."""
    rate = units - 1
    root = jnp.sqrt(rate**2 + 4 * jnp.square(concentration))
    return jnp.arctanh(jax.lax.stop_gradient(2 * concentration / (rate + root)))


def _log_density_of_s(s: Array, concentration: Array, units: int) -> Array:
    """log of sech(s)^{m−1} e^{κ (tanh s − 1)}, without overflow."""
    log_cosh = jnp.abs(s) + jnp.log1p(jnp.exp(-2 * jnp.abs(s))) - log(2)
    return -(units - 1) * log_cosh - 2 * concentration * jax.nn.sigmoid(-2 * s)


def _integrand(concentration: Array, units: int) -> tuple[Array, Array, Array]:
    """Edges [cells + 1], nodes s [cells, nodes], and log density plus log weight at the nodes."""
    edges, nodes, weights = (part.astype(concentration.dtype) for part in _cells(units))
    width = edges[1] - edges[0]
    edges = _mode(concentration, units) + edges
    s = edges[:-1, None] + width * nodes
    return edges, s, _log_density_of_s(s, concentration, units) + np.log(width * weights)


def _log_normaliser(concentration: Array, units: int) -> Array:
    """log Z(κ) − κ of each κ, [batch]."""

    def one(concentration: Array) -> Array:
        return jax.nn.logsumexp(_integrand(concentration, units)[2])

    return jax.vmap(one)(concentration)


def _divergence(concentration: Array, units: int) -> Array:
    _, s, log_terms = _integrand(concentration, units)
    log_normaliser = jax.nn.logsumexp(log_terms)
    mean_excess = jnp.sum(jnp.exp(log_terms - log_normaliser) * -2 * jax.nn.sigmoid(-2 * s))
    return concentration * mean_excess - log_normaliser + _log_area(units) - _log_area(units - 1)


def _inverse_distribution(uniform: Array, concentration: Array, units: int) -> Array:
    """The s with distribution function u; derivatives by the implicit function theorem."""
    edges, _, log_terms = _integrand(concentration, units)
    log_normaliser = jax.nn.logsumexp(log_terms)
    masses = jnp.sum(jnp.exp(log_terms - log_normaliser), axis=1)
    below = jnp.cumsum(masses) - masses
    constant = jax.lax.stop_gradient
    cell = jnp.sum(constant(below)[1:] <= uniform)
    low, width = constant(edges[cell]), edges[1] - edges[0]
    _, nodes, weights = (part.astype(uniform.dtype) for part in _cells(units))

    def density(s: Array) -> Array:
        return jnp.exp(_log_density_of_s(s, concentration, units) - log_normaliser)

    def distribution(s: Array) -> Array:
        inside = density(low + (s - low) * nodes)
        return below[cell] + (s - low) * jnp.sum(weights * inside)

    s = low + constant((uniform - below[cell]) / masses[cell] * width)
    for _ in range(_NEWTON_STEPS):
        step = constant((distribution(s) - uniform) / density(s))
        s = jnp.clip(s - step, low, low + constant(width))
    return s - (distribution(s) - uniform) / constant(density(s))
