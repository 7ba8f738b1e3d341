"""Contractive penalty by Hutchinson's stochastic estimator."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Float

from aejax.hyperparameters import as_integer
from aejax.penalties.code_selection import Select, selected_encoder
from aejax.types import Array, Key, Pass, Penalty

Probe = Callable[..., Array]
"""(key, shape, dtype) -> random directions with independent entries of mean 0 and variance 1."""


def estimated_squared_jacobian_norm(
    key: Key,
    encode: Callable[[Array], Array],
    x: Float[Array, "batch *input"],
    *,
    samples: int,
    probe: Probe = jax.random.rademacher,
) -> Float[Array, " batch"]:
    """Hutchinson's estimate of ‖∂h/∂x‖²_F: the mean of ‖J v‖² over random v with E v vᵀ = I.

    Unbiased. With G = JᵀJ, its variance is 2(‖G‖²_F − Σ_i G_ii²)/samples for v_i = ±1 and
    2‖G‖²_F/samples for normal v. One sample costs one forward-mode derivative of the batch; the
    exact norm needs one derivative per element of the input or the code, whichever is smaller.

    Args:
        key: key of the random directions.
        encode: [batch, *input] -> code [batch, *code], independent for each example.
        x: examples at which the Jacobian is evaluated.
        samples: number of directions per example, at least one.
        probe: distribution of the directions, `jax.random.rademacher` or `jax.random.normal`.

    Returns:
        One value per example.

    Raises:
        ValueError: for fewer than one sample.

    Source: Hutchinson 1990.
    """
    check_samples(samples)

    def squared_slope(key: Key) -> Array:
        _, slope = jax.jvp(encode, (x,), (probe(key, x.shape, x.dtype),))
        return jnp.sum(jnp.square(slope), axis=range(1, slope.ndim))

    return jnp.mean(jax.vmap(squared_slope)(jax.random.split(key, samples)), axis=0)


def contractive_estimated(
    *, samples: int = 1, probe: Probe = jax.random.rademacher, select: Select = jax.nn.identity
) -> Penalty:
    """Unbiased estimate of the contractive penalty ‖∂h/∂x‖²_F at the clean x, for any encoder.

    Args:
        samples: number of random directions per example; the variance decreases as 1/samples.
        probe: distribution of the directions, `jax.random.rademacher` or `jax.random.normal`.
        select: code -> the array of the code's pytree that is penalised (default: the code).

    Returns:
        The penalty, one value per example: [batch]. It uses the key of the `Pass`.

    Raises:
        ValueError: for fewer than one sample.

    Source: Rifai et al. 2011, eq. 1; Hutchinson 1990.
    """
    check_samples(samples)

    def penalty(record: Pass) -> Array:
        encode = selected_encoder(record, select)
        return estimated_squared_jacobian_norm(
            record.key, encode, record.batch.x, samples=samples, probe=probe
        )

    return penalty


def check_samples(samples: Any) -> None:
    """Check that the number of samples is an integer of at least one."""
    if as_integer("samples", samples) < 1:
        raise ValueError(f"samples must be at least 1, got {samples}")
