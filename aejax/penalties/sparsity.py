"""Sparsity penalties: few units of the code active, on each example or on average."""

import jax
import jax.numpy as jnp
import numpy as np
from jax.core import Tracer
from jax.scipy.special import rel_entr
from jaxtyping import Float

from aejax.hyperparameters import check_range
from aejax.penalties.parameter_selection import Select
from aejax.types import Array, Pass, Penalty


def l1(*, select: Select = jax.nn.identity) -> Penalty:
    """L1 penalty on the code: Σ_l |h_l|.

    Args:
        select: the part of the code's tree that is meant.

    Returns:
        The penalty, one value an example: [batch].

    Source: Goodfellow, Bengio & Courville 2016, §14.2.1.
    """

    def penalty(record: Pass) -> Array:
        code = select(record.code)
        return jnp.sum(jnp.abs(code), axis=range(1, code.ndim))

    return penalty


def bernoulli_kl(
    rho: float | Float[Array, "*#units"], rho_hat: Float[Array, "*units"]
) -> Float[Array, "*units"]:
    """KL divergence between Bernoulli laws: ρ log(ρ/ρ̂) + (1−ρ) log((1−ρ)/(1−ρ̂)), in nats.

    Zero at ρ̂ = ρ, where it is least; its derivative is −ρ/ρ̂ + (1−ρ)/(1−ρ̂). ρ̂ is kept ε (the
    machine epsilon of its dtype) away from 0 and 1, so that the value stays finite there; beyond
    those bounds the derivative is zero, as is the logistic's own there.

    Args:
        rho: ρ, the wanted mean activation, in [0, 1].
        rho_hat: ρ̂, the measured one, in [0, 1].

    Returns:
        The divergence of each unit.

    Raises:
        ValueError: for a concrete ρ or ρ̂ outside [0, 1].

    Source: Ng 2011, Sparse autoencoder, §3.
    """
    check_range("rho", rho, 0, 1)
    check_range("rho_hat, the mean activation of a logistic code,", rho_hat, 0, 1)
    epsilon = jnp.finfo(rho_hat.dtype).eps
    rho_hat = jnp.clip(rho_hat, epsilon, 1 - epsilon)
    rho = jnp.asarray(rho, rho_hat.dtype)
    return rel_entr(rho, rho_hat) + rel_entr(1 - rho, 1 - rho_hat)


def kl_sparsity(*, rho: float | Array, select: Select = jax.nn.identity) -> Penalty:
    """KL sparsity: Σ_l KL(ρ ‖ ρ̂_l), with ρ̂ the mean of a logistic code over the batch.

    Args:
        rho: ρ, the wanted mean activation, in [0, 1].
        select: the part of the code's tree that is meant; its values must lie in [0, 1].

    Returns:
        The penalty, a scalar: it belongs to the batch.

    Raises:
        ValueError: for a concrete ρ outside [0, 1]; when called outside jit, as `fit` does once
            before it compiles, for a code outside [0, 1].

    Source: Ng 2011, Sparse autoencoder, §3.
    """
    check_range("rho", rho, 0, 1)

    def penalty(record: Pass) -> Array:
        code = select(record.code)
        _check_code(code)
        return jnp.sum(bernoulli_kl(rho, jnp.mean(code, axis=0)))

    return penalty


def _check_code(code: Array) -> None:
    """Refuse a concrete code that no logistic layer gives; its mean alone would not show it."""
    if isinstance(code, Tracer):
        return
    low, high = np.min(code), np.max(code)
    if not (low >= 0 and high <= 1):
        raise ValueError(
            "KL sparsity takes each activation for a probability, but this code reaches from "
            f"{low:g} to {high:g}; give it a logistic code (code_activation=jax.nn.sigmoid), or "
            "use penalties.l1()"
        )
