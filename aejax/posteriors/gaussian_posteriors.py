"""Gaussian posteriors with diagonal or full covariance, and the standard normal prior."""

from collections.abc import Sequence
from math import isqrt, log, pi
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import export
from jax.scipy.linalg import solve_triangular

from aejax.posteriors.posterior_types import Posterior, refusing_other_codes
from aejax.types import Array, Key

LOG_VARIANCE_RANGE = (-30.0, 20.0)
"""Interval to which log variances are clipped, so that variances and densities are finite."""


class Gaussian(NamedTuple):
    """Code of a Gaussian posterior with a diagonal covariance.

    mean:         μ, [batch, *units].
    log_variance: log σ², [batch, *units].
    """

    mean: Array
    log_variance: Array


class CholeskyGaussian(NamedTuple):
    """Code of a Gaussian posterior with a full covariance L Lᵀ.

    mean:     μ, [batch, units].
    cholesky: L, lower triangular with a positive diagonal, [batch, units, units].
    """

    mean: Array
    cholesky: Array


for _code in (Gaussian, CholeskyGaussian):
    export.register_namedtuple_serialization(
        _code, serialized_name=f"aejax.posteriors.{_code.__name__}"
    )


def diagonal_gaussian() -> Posterior:
    """Gaussian posterior N(μ, diag σ²) with the standard normal prior.

    The last axis of the encoder's output is divided into μ and log σ², which is clipped to
    [−30, 20]. z = μ + σ ε with ε ~ N(0, I), and

    KL_l = (σ_l² + μ_l² − 1 − log σ_l²) / 2, for each unit l.

    Returns:
        The posterior; its code is a `Gaussian` of arrays [batch, *units], also of spatial units.

    Raises:
        ValueError: the posterior raises it for an odd number of encoder outputs, or the code of
            another model.

    Example:
        >>> import aejax, jax, jax.numpy as jnp
        >>> posterior = aejax.posteriors.diagonal_gaussian()
        >>> code = posterior.code(jnp.zeros((5, 6)))
        >>> posterior.sample(jax.random.key(0), code).shape, posterior.divergence(code).shape
        ((5, 3), (5, 3))

    Source: Kingma & Welling 2014, §3 and appendix B.
    """

    def code(output: Array) -> Gaussian:
        if output.shape[-1] % 2:
            raise ValueError(
                "a diagonal Gaussian needs a mean and a log variance for each unit, so an even "
                f"number of encoder outputs, got {output.shape[-1]}"
            )
        mean, log_variance = jnp.split(output, 2, axis=-1)
        return Gaussian(mean, jnp.clip(log_variance, *LOG_VARIANCE_RANGE))

    def sample(key: Key, code: Gaussian) -> Array:
        noise = jax.random.normal(key, code.mean.shape, code.mean.dtype)
        return code.mean + jnp.exp(code.log_variance / 2) * noise

    def log_density(code: Gaussian, z: Array) -> Array:
        scaled = jnp.square(z - code.mean) * jnp.exp(-code.log_variance)
        return _sum_over_units(scaled + code.log_variance + log(2 * pi)) / -2

    def divergence(code: Gaussian) -> Array:
        return (jnp.expm1(code.log_variance) - code.log_variance + jnp.square(code.mean)) / 2

    posterior = Posterior(
        lambda units: 2 * units, code, sample, log_density, _mean, divergence, *_STANDARD_NORMAL
    )
    return refusing_other_codes(posterior, Gaussian, "diagonal_gaussian")


def full_covariance_gaussian() -> Posterior:
    """Gaussian posterior N(μ, L Lᵀ) with a full covariance and the standard normal prior.

    The encoder's outputs are μ and the k(k + 1)/2 entries of the Cholesky factor L by rows; those
    of the diagonal are log L_ll, clipped to [−15, 10]. z = μ + L ε with ε ~ N(0, I). The divergence
    of a unit is that of its factor q(z_l | z_1, …, z_{l−1}), in expectation:

    KL_l = (Σ_{m≤l} L_lm² + μ_l² − 1) / 2 − log L_ll.

    Returns:
        The posterior; its code is a `CholeskyGaussian`.

    Raises:
        ValueError: the posterior raises it if the number of encoder outputs is not k + k(k + 1)/2,
            the output is not [batch, outputs], or the code is that of another model.

    Example:
        >>> import aejax, jax.numpy as jnp
        >>> posterior = aejax.posteriors.full_covariance_gaussian()
        >>> posterior.outputs(3), posterior.code(jnp.zeros((5, 9))).cholesky.shape
        (9, (5, 3, 3))

    Source: Kingma & Welling 2019, §2.5.1.
    """

    def code(output: Array) -> CholeskyGaussian:
        units = _units_of_full_covariance(output)
        mean, entries = output[:, :units], output[:, units:]
        rows, columns = np.tril_indices(units)
        bounds = tuple(bound / 2 for bound in LOG_VARIANCE_RANGE)
        diagonal = jnp.exp(jnp.clip(entries[:, rows == columns], *bounds))
        cholesky = jnp.zeros((output.shape[0], units, units), output.dtype)
        cholesky = cholesky.at[:, rows, columns].set(entries)
        return CholeskyGaussian(mean, cholesky.at[:, *np.diag_indices(units)].set(diagonal))

    def sample(key: Key, code: CholeskyGaussian) -> Array:
        noise = jax.random.normal(key, code.mean.shape, code.mean.dtype)
        return code.mean + jnp.einsum("blm,bm->bl", code.cholesky, noise)

    def log_density(code: CholeskyGaussian, z: Array) -> Array:
        centred = (z - code.mean)[..., None]
        noise = solve_triangular(code.cholesky, centred, lower=True)[..., 0]
        return log_standard_normal(noise) - jnp.sum(_log_diagonal(code), axis=-1)

    def divergence(code: CholeskyGaussian) -> Array:
        second_moment = jnp.sum(jnp.square(code.cholesky), axis=-1) + jnp.square(code.mean)
        return (second_moment - 1) / 2 - _log_diagonal(code)

    posterior = Posterior(
        lambda units: units + units * (units + 1) // 2,
        code,
        sample,
        log_density,
        _mean,
        divergence,
        *_STANDARD_NORMAL,
    )
    return refusing_other_codes(posterior, CholeskyGaussian, "full_covariance_gaussian")


def log_standard_normal(z: Array) -> Array:
    """Log density of the standard normal distribution, −Σ_l (z_l² + log 2π)/2.

    Args:
        z: points, an array [batch, *units].

    Returns:
        One value per example, [batch].
    """
    return _sum_over_units(jnp.square(z) + log(2 * pi)) / -2


def _sample_standard_normal(key: Key, shape: Sequence[int]) -> Array:
    return jax.random.normal(key, tuple(shape))


_STANDARD_NORMAL = (log_standard_normal, _sample_standard_normal)
"""Log density and sampler of the prior of both posteriors."""


def _mean(code: Gaussian | CholeskyGaussian) -> Array:
    return code.mean


def _sum_over_units(values: Array) -> Array:
    return jnp.sum(values, axis=range(1, values.ndim))


def _log_diagonal(code: CholeskyGaussian) -> Array:
    return jnp.log(jnp.diagonal(code.cholesky, axis1=-2, axis2=-1))


def _units_of_full_covariance(output: Array) -> int:
    """The k of k + k(k + 1)/2 outputs."""
    outputs = output.shape[-1]
    units = (isqrt(9 + 8 * outputs) - 3) // 2
    if output.ndim != 2 or units < 1 or units + units * (units + 1) // 2 != outputs:
        raise ValueError(
            "a full covariance of k units needs encoder outputs [batch, k + k(k + 1)/2], got shape "
            f"{list(output.shape)}"
        )
    return units
