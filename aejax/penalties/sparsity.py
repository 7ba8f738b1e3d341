"""Sparsity penalties on the code: L1 and KL divergence of the mean activation."""

import jax
import jax.numpy as jnp
import numpy as np
from jax.core import Tracer
from jax.scipy.special import rel_entr
from jaxtyping import Float

from aejax.hyperparameters import check_range
from aejax.penalties.code_selection import Select, selected_array
from aejax.types import Array, Pass, Penalty


def l1(*, select: Select = jax.nn.identity) -> Penalty:
    """L1 penalty on the code: Σ_l |h_l|.

    Args:
        select: code -> the array of the code's pytree that is penalised (default: the code).

    Returns:
        The penalty, one value per example: [batch].

    Source: Goodfellow, Bengio & Courville 2016, §14.2.1.
    """

    def penalty(record: Pass) -> Array:
        code = selected_array(record.code, select)
        return jnp.sum(jnp.abs(code), axis=range(1, code.ndim))

    return penalty


def bernoulli_kl(
    rho: float | Float[Array, "*#units"], rho_hat: Float[Array, "*units"]
) -> Float[Array, "*units"]:
    """KL divergence of Bernoulli distributions: ρ log(ρ/ρ̂) + (1−ρ) log((1−ρ)/(1−ρ̂)), in nats.

    The minimum is zero, at ρ̂ = ρ; the derivative is −ρ/ρ̂ + (1−ρ)/(1−ρ̂). ρ̂ is clipped to
    [ε, 1 − ε], with the machine epsilon ε of its dtype, so that the value is finite; where it is
    clipped the derivative is zero, as is that of the sigmoid there.

    Args:
        rho: target mean activation ρ, in [0, 1].
        rho_hat: measured mean activation ρ̂, in [0, 1].

    Returns:
        The divergence of each unit.

    Raises:
        ValueError: for a concrete ρ or ρ̂ outside [0, 1].

    Example:
        >>> import jax.numpy as jnp
        >>> from aejax import penalties
        >>> round(float(penalties.bernoulli_kl(0.05, jnp.array(0.5))), 3)
        0.495

    Source: Ng 2011, Sparse autoencoder, §3.
    """
    check_range("rho", rho, 0, 1)
    check_range("rho_hat, the mean activation of a logistic code,", rho_hat, 0, 1)
    epsilon = jnp.finfo(rho_hat.dtype).eps
    rho_hat = jnp.clip(rho_hat, epsilon, 1 - epsilon)
    rho = jnp.asarray(rho, rho_hat.dtype)
    return rel_entr(rho, rho_hat) + rel_entr(1 - rho, 1 - rho_hat)


def kl_sparsity(*, rho: float | Array, select: Select = jax.nn.identity) -> Penalty:
    """KL sparsity penalty: Σ_l KL(ρ ‖ ρ̂_l), where ρ̂ is the mean of a sigmoid code over the batch.

    Args:
        rho: target mean activation ρ, in [0, 1].
        select: code -> the array of the code's pytree that is penalised, with values in [0, 1]
            (default: the code).

    Returns:
        The penalty, one scalar for the batch.

    Raises:
        ValueError: for a concrete ρ outside [0, 1]; from the penalty outside of jit (`fit` calls it
            once before compiling), for a code outside [0, 1].

    Source: Ng 2011, Sparse autoencoder, §3.
    """
    check_range("rho", rho, 0, 1)

    def penalty(record: Pass) -> Array:
        code = selected_array(record.code, select)
        _check_code(code)
        return jnp.sum(bernoulli_kl(rho, jnp.mean(code, axis=0)))

    return penalty


def _check_code(code: Array) -> None:
    """Check that a concrete code is in [0, 1]; its mean can be, even if the code is not."""
    if isinstance(code, Tracer):
        return
    low, high = np.min(code), np.max(code)
    if not (low >= 0 and high <= 1):
        raise ValueError(
            "KL sparsity treats each activation as a probability, but this code ranges from "
            f"{low:g} to {high:g}; use a logistic code (code_activation=jax.nn.sigmoid), or "
            "penalties.l1()"
        )
