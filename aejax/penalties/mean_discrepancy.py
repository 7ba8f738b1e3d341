"""Maximum mean discrepancy between the codes of a batch and samples of the prior."""

import math
from collections.abc import Callable, Sequence

import jax
import jax.numpy as jnp
from jaxtyping import Float

from aejax.contracts import describe
from aejax.hyperparameters import check_range
from aejax.types import Array, Code, Key, Pass, Penalty

Kernel = Callable[[Array, int], Array]
"""(squared distances, number of units) -> values of the kernel."""

SCALES = (0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0)
"""Factors of the scale of inverse multiquadratic kernels, whose sum is sensitive at each scale."""


def inverse_multiquadratic(*, scales: Sequence[float] = SCALES) -> Kernel:
    """Sum of inverse multiquadratic kernels: k(a, b) = Σ_s C_s / (C_s + ‖a − b‖²), C_s = 2 n s.

    2 n is the expected squared distance of two samples of the standard normal prior of n units.

    Args:
        scales: factors s, above 0.

    Returns:
        The kernel.

    Raises:
        ValueError: if there are no scales, or one is not positive.

    Source: Tolstikhin et al. 2018, §4.
    """
    if not scales:
        raise ValueError("inverse_multiquadratic needs at least one scale")
    for scale in scales:
        check_range("each scale of inverse_multiquadratic", scale, 1e-30, math.inf)

    def kernel(squared_distances: Array, units: int) -> Array:
        total = jnp.zeros_like(squared_distances)
        for scale in scales:
            total = total + 2 * units * scale / (2 * units * scale + squared_distances)
        return total

    return kernel


def gaussian_kernel(*, bandwidth: float | Array) -> Kernel:
    """Gaussian (RBF) kernel: k(a, b) = exp(−‖a − b‖² / (2 s²)).

    Args:
        bandwidth: s, above 0.

    Returns:
        The kernel.

    Raises:
        ValueError: if the bandwidth is not positive.

    Source: Gretton et al. 2012.
    """
    check_range("the bandwidth of gaussian_kernel", bandwidth, 1e-30, math.inf)
    return lambda squared_distances, _: jnp.exp(
        -squared_distances / jnp.asarray(2 * bandwidth**2, squared_distances.dtype)
    )


def squared_mean_discrepancy(
    a: Float[Array, "m units"], b: Float[Array, "n units"], *, kernel: Kernel
) -> Float[Array, ""]:
    """Unbiased estimate of MMD² between the distributions of two samples.

    Mean of k(a_i, a_j) over i ≠ j, plus that of b, less twice the mean of k(a_i, b_j). It is
    negative for about half of the samples of equal distributions.

    Args:
        a: sample of the first distribution.
        b: sample of the second.
        kernel: the kernel k.

    Returns:
        The estimate.

    Raises:
        ValueError: for samples of fewer than 2 points.

    Source: Gretton et al. 2012, eq. 3.
    """
    if min(a.shape[0], b.shape[0]) < 2:
        raise ValueError(f"MMD needs samples of at least 2 points, got {a.shape[0]}, {b.shape[0]}")
    within = _mean_of_pairs(a, kernel) + _mean_of_pairs(b, kernel)
    return within - 2 * jnp.mean(kernel(_squared_distances(a, b), a.shape[1]))


def maximum_mean_discrepancy(
    *,
    kernel: Kernel | None = None,
    sample: Callable[[Key, Sequence[int]], Array] | None = None,
    select: Callable[[Code], Array] = jax.nn.identity,
) -> Penalty:
    """MMD² between the codes of a batch and as many samples of the prior.

    Applied to a deterministic code it is the penalty of a Wasserstein autoencoder, and to samples
    of a posterior that of InfoVAE.

    Args:
        kernel: kernel of the discrepancy (default: `inverse_multiquadratic()`).
        sample: (key, shape [batch, units]) -> samples of the prior (default: standard normal).
        select: latent -> the array z of its pytree (default: the latent itself).

    Returns:
        The penalty, a scalar for the batch.

    Raises:
        ValueError: from the penalty, for a batch of one example, or if the latent is not an array.

    Source: Tolstikhin et al. 2018, algorithm 2; Zhao, Song & Ermon 2019.
    """
    chosen = inverse_multiquadratic() if kernel is None else kernel

    def penalty(record: Pass) -> Array:
        z = record.latent if select is jax.nn.identity else select(record.latent)
        if not hasattr(z, "shape"):
            raise ValueError(
                f"the discrepancy applies to one array of the latent, got {describe(z)}; choose it "
                "with select="
            )
        z = z.reshape(z.shape[0], -1)
        if sample is None:
            prior = jax.random.normal(record.key, z.shape, z.dtype)
        else:
            prior = sample(record.key, z.shape).astype(z.dtype)
        return squared_mean_discrepancy(z, prior, kernel=chosen)

    return penalty


def _mean_of_pairs(a: Array, kernel: Kernel) -> Array:
    """Mean of the kernel over all pairs of different points."""
    count = a.shape[0]
    values = kernel(_squared_distances(a, a), a.shape[1])
    return jnp.sum(jnp.where(jnp.eye(count, dtype=bool), 0, values)) / (count * (count - 1))


def _squared_distances(a: Array, b: Array) -> Array:
    """Squared distances of all pairs, [m, n], as differences, which do not cancel."""
    return jnp.sum(jnp.square(a[:, None] - b), axis=-1)
