"""The contractive penalty estimated from random directions, at the cost of a few passes."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Float

from aejax.hyperparameters import as_integer
from aejax.penalties.parameter_selection import Select, selected_encoder
from aejax.types import Array, Key, Pass, Penalty

Probe = Callable[..., Array]
"""(key, shape, dtype) -> directions: independent entries of mean 0 and variance 1."""


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
    2‖G‖²_F/samples for normal v. A sample costs one forward-mode derivative of the whole batch,
    where the exact norm costs as many as the smaller of input and code has elements.

    Args:
        key: of the directions.
        encode: [batch, *input] -> code [batch, *code], each example for itself.
        x: where the Jacobian is taken.
        samples: directions an example, at least one.
        probe: the law of the directions: `jax.random.rademacher` or `jax.random.normal`.

    Returns:
        One value an example.

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
    """Contractive penalty ‖∂h/∂x‖²_F at the clean x, estimated without bias for any encoder.

    Args:
        samples: random directions an example; more of them lessen the variance, as 1/samples.
        probe: the law of the directions: `jax.random.rademacher` or `jax.random.normal`.
        select: the part of the code's tree that is meant.

    Returns:
        The penalty, one value an example: [batch]. It draws with the pass's key.

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
    """Refuse a number of samples that is no integer, or below one."""
    if as_integer("samples", samples) < 1:
        raise ValueError(f"samples must be 1 or more, got {samples}")
