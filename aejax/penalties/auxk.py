"""AuxK: dead units of a dictionary learn to reconstruct the residual of the others."""

import math
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Float

from aejax.contracts import check_callable, describe
from aejax.hyperparameters import as_integer, check_range
from aejax.layers.activations import top_k
from aejax.layers.dictionary_layers import encoder_of, pre_activations
from aejax.layers.low_precision import matmul
from aejax.objectives import target_of
from aejax.penalties.code_selection import encoder_input
from aejax.promotion import promote_arrays
from aejax.types import Array, Params, Pass, Penalty, Tracked

Normalise = Callable[[Array, Array, Array], Array]
"""(residual [batch, outputs], target [batch, outputs], dead units / k up to 1) -> factor."""


def by_residual_variance(
    residual: Float[Array, "batch outputs"],
    target: Float[Array, "batch outputs"],
    share: Float[Array, ""],
) -> Float[Array, ""]:
    """Normalisation of AuxK by the variance of the residual over the batch: 1 / mean ‖e − ē‖².

    Args:
        residual: residuals e.
        target: targets; not used.
        share: min(dead units / k, 1); not used.

    Returns:
        The factor; 0 if the variance is 0.

    Source: Gao et al. 2024.
    """
    del target, share
    return _inverse(_variance(residual))


def by_target_variance(
    residual: Float[Array, "batch outputs"],
    target: Float[Array, "batch outputs"],
    share: Float[Array, ""],
) -> Float[Array, ""]:
    """Normalisation of AuxK by the variance of the target: min(dead / k, 1) / mean ‖y − ȳ‖².

    Args:
        residual: residuals; not used.
        target: targets y.
        share: min(dead units / k, 1), which reduces the term while few units are dead.

    Returns:
        The factor; 0 if the variance is 0.

    Source: Belrose 2024 (sparsify).
    """
    del residual
    return share * _inverse(_variance(target))


def by_dead_share(
    residual: Float[Array, "batch outputs"],
    target: Float[Array, "batch outputs"],
    share: Float[Array, ""],
) -> Float[Array, ""]:
    """Normalisation of AuxK by the number of dead units alone: min(dead / k, 1).

    Args:
        residual: residuals; not used.
        target: targets; not used.
        share: min(dead units / k, 1).

    Returns:
        The factor.

    Source: Bloom et al. 2024 (SAELens).
    """
    del residual, target
    return share


def auxk(
    *,
    k: int,
    dead_after: int,
    normalise: Normalise = by_residual_variance,
    select: Callable[[Tracked], Array] = jax.nn.identity,
) -> Penalty:
    """AuxK: the k most active dead units reconstruct the residual e = y − ŷ of the squared loss.

    A mean_b ‖e − ê‖², with ê = h W_d, where h_l = max(z_l, 0) for the k dead units of largest
    pre-activation z, else 0, and A is the factor of `normalise`. The gradient reaches the columns
    of W_e, the elements of b and the rows of W_d of dead units, and nothing else: e and the centre
    are constants. Without dead units the value is 0 and costs nothing, except for members of a
    population that are trained together.

    Args:
        k: maximum number of dead units of an example; half the number of features is common.
        dead_after: number of steps without activity after which a unit is dead.
        normalise: (residual, target, min(dead units / k, 1)) -> factor A, which is treated as a
            constant: `by_residual_variance`, with weight λ = 1/32, `by_target_variance` or
            `by_dead_share`.
        select: state of the tracker -> steps since each unit was active, [units] (default: the
            state of `trackers.steps_since_active`).

    Returns:
        The penalty, a scalar for the batch.

    Raises:
        ValueError: if k or `dead_after` is not an integer of at least 1. The penalty raises it for
            an objective without such a tracker, for fewer than k units, or without an encoder.

    Example:
        >>> import aejax
        >>> objective = aejax.objective(
        ...     aejax.dictionary(8, 32, activation=aejax.top_k_relu(k=3)), aejax.losses.squared,
        ...     penalties={"auxk": (1 / 32, aejax.penalties.auxk(k=4, dead_after=100))},
        ...     tracker=aejax.trackers.steps_since_active(32))

    Source: Gao et al. 2024.
    """
    k, dead_after = (
        as_integer(f"auxk's {name}", value)
        for name, value in (("k", k), ("dead_after", dead_after))
    )
    check_range("auxk's dead_after", dead_after, 1, math.inf)
    check_callable("normalise of auxk", normalise, "residual target share")
    check_callable("select of auxk", select, "tracked")
    largest = top_k(k=k)

    def penalty(record: Pass) -> Array:
        dead = _dead_units(record, select, dead_after)
        target = target_of(record)
        target, output = jax.lax.stop_gradient((target.astype(record.output.dtype), record.output))
        residual = target - output
        share = jnp.minimum(jnp.sum(dead) / k, 1).astype(output.dtype)

        def error(params: Params) -> Array:
            z = pre_activations(_with_constant_centre(params), encoder_input(record))
            code = largest(jnp.where(dead, jax.nn.relu(z), 0))
            estimate = matmul(*promote_arrays(code, params["decoder"]["kernel"]))
            factor = jax.lax.stop_gradient(normalise(residual, target, share))
            errors = jnp.sum(jnp.square(residual - estimate.astype(output.dtype)), axis=1)
            return factor.astype(output.dtype) * jnp.mean(errors)

        zero = jnp.zeros((), output.dtype)
        return jax.lax.cond(jnp.any(dead), error, lambda _: zero, record.params)

    return penalty


def _dead_units(record: Pass, select: Callable[[Tracked], Any], dead_after: int) -> Array:
    if record.tracked is None:
        raise ValueError(
            "auxk needs the steps since each unit was active: pass "
            "tracker=aejax.trackers.steps_since_active(units) to the objective"
        )
    steps, units = select(record.tracked), encoder_of(record.params)["bias"].shape
    if getattr(steps, "shape", None) != units:
        raise ValueError(
            f"auxk needs one number of steps for each of the {units[0]} units, got "
            f"{describe(steps)}; select it from the state of the tracker"
        )
    return steps >= dead_after


def _with_constant_centre(params: Params) -> Params:
    if "centre" not in params:
        return params
    return params | {"centre": jax.lax.stop_gradient(params["centre"])}


def _variance(values: Array) -> Array:
    centred = values - jnp.mean(values, axis=0, keepdims=True)
    return jnp.mean(jnp.sum(jnp.square(centred), axis=1))


def _inverse(value: Array) -> Array:
    return jnp.where(value > 0, 1 / jnp.where(value > 0, value, 1), 0)
