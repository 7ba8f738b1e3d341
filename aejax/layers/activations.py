"""k-sparse (top-k) activation and straight-through binary units."""

from collections.abc import Callable, Sequence

import jax
import jax.numpy as jnp
from jaxtyping import Float

from aejax.hyperparameters import as_integer, check_range
from aejax.types import Array


def values_above(
    z: Float[Array, "*batch units"], threshold: Float[Array, "*units"]
) -> Float[Array, "*batch units"]:
    """z if z > θ, else 0; NaN in z or θ gives NaN, so that it is not hidden as an inactive unit.

    Args:
        z: pre-activations.
        threshold: thresholds θ, of all units or of each.

    Returns:
        The values.

    Source: Rajamanoharan, Lieberum et al. 2024.
    """
    silent = jnp.where(z <= threshold, jnp.zeros_like(z), jnp.nan)
    return jnp.where(z > threshold, z, silent)


def top_k(*, k: int | Array, at_most: int | None = None) -> Callable[[Array], Array]:
    """k-sparse activation: the k largest units of each example keep their values, the rest are 0.

    h_l = z_l if z_l is among the k largest of z, else 0; the gradient flows through those k. Of
    equal units the first are selected, so exactly k are. As the code is k-sparse at test time too,
    use it as activation, not as perturbation: `dense(..., code_activation=top_k(k=...))`.

    Args:
        k: number of active units, a scalar from 1 to the size of the code.
        at_most: maximum of a k that is an array, which may be traced, so that the members of a
            population or the epochs of a schedule can differ in it. As a traced k cannot be
            checked, one below 1 selects no unit, and one above the maximum as many as it.

    Returns:
        The activation, along the last axis.

    Raises:
        ValueError: if k is not an integer from 1 to `at_most`; from the activation, for fewer than
            k units.

    Example:
        >>> import jax.numpy as jnp
        >>> from aejax.layers.activations import top_k
        >>> top_k(k=2)(jnp.array([[0.1, 0.9, -2.0, 0.5]]))
        Array([[0. , 0.9, 0. , 0.5]], dtype=float32)

    Source: Makhzani & Frey 2014, §2.1.
    """
    limit = as_integer("top_k's k", k) if at_most is None else as_integer("at_most", at_most)
    if limit < 1:
        raise ValueError(f"top_k needs k of at least 1, got k = {limit}")
    if at_most is not None:
        check_range("top_k's k", k, 1, limit)

    def activation(z: Float[Array, "*batch units"]) -> Float[Array, "*batch units"]:
        if limit > z.shape[-1]:
            raise ValueError(f"top_k cannot select {limit} of {z.shape[-1]} units; use a smaller k")
        # A barrier, because XLA would compute only the slice below, by a complete sort.
        # One for each array: XLA fails to divide a selection whose result is a barrier's operand.
        largest = map(jax.lax.optimization_barrier, _largest(jax.lax.stop_gradient(z), limit))
        least, last = (
            array[..., -1:] if at_most is None else jax.lax.dynamic_index_in_dim(array, k - 1, -1)
            for array in largest
        )
        unit = jax.lax.broadcasted_iota(last.dtype, z.shape, z.ndim - 1)
        # A comparison with the k-th largest, because accelerators scatter element by element. It is
        # negated, so that NaN, which is the largest to `lax.top_k`, is selected here too.
        is_smaller = (z < least) | ((z == least) & (unit > last))
        if at_most is not None:
            is_smaller |= jnp.asarray(k) < 1
        return jnp.where(is_smaller, jnp.zeros_like(z), z)

    return activation


MIN_GROUPED_UNITS = 2**14
"""Minimum number of units of a code whose largest are found in groups."""

MAX_GROUPS = 256
"""Maximum number of groups."""


MERGED_GROUPS = 4
"""Number of groups whose candidates are merged at a time."""


def _largest(z: Array, k: int) -> Sequence[Array]:
    """Values and indices of the k largest units, equal to those of `jax.lax.top_k`.

    The k largest of a wide code are among the k largest of each group of neighbouring units. Groups
    need less work than one selection, and a code that is divided over devices stays divided: only
    the candidates of merged groups are exchanged.
    """
    groups = num_groups(z.shape[-1], k)
    if groups == 1:
        return jax.lax.top_k(z, k)
    values, units = jax.lax.top_k(z.reshape(*z.shape[:-1], groups, -1), k)
    first = jax.lax.broadcasted_iota(units.dtype, units.shape, units.ndim - 2)
    units = units + first * (z.shape[-1] // groups)
    while groups > 1:
        groups //= min(groups, MERGED_GROUPS)
        values, units = (a.reshape(*z.shape[:-1], groups, -1) for a in (values, units))
        values, chosen = jax.lax.top_k(values, k)
        units = jnp.take_along_axis(units, chosen, axis=-1)
    return [values[..., 0, :], units[..., 0, :]]


def num_groups(units: int, k: int) -> int:
    """Number of groups of units in which the k largest are found first.

    Args:
        units: number of units.
        k: number of selected units.

    Returns:
        The largest power of two that divides the units, of at most `MAX_GROUPS` groups of 8 k or
        more units; 1 for a narrow code.
    """
    groups = 1
    while (
        units >= MIN_GROUPED_UNITS
        and groups < MAX_GROUPS
        and units % (2 * groups) == 0
        and units // (2 * groups) >= 8 * k
    ):
        groups *= 2
    return groups


def straight_through(z: Float[Array, "*shape"]) -> Float[Array, "*shape"]:
    """Straight-through binary units: h = 1[z > 0] forward, derivative σ(z) (1 − σ(z)) backward.

    The derivative of the step is 0 almost everywhere, so the derivative of the sigmoid replaces it.
    The result is an estimate of the gradient, not the gradient of the objective.

    Args:
        z: logits; the threshold is 0.

    Returns:
        0 or 1, with z's shape and dtype.

    Example:
        >>> import jax
        >>> from aejax.layers.activations import straight_through
        >>> value, slope = jax.value_and_grad(straight_through)(0.0)
        >>> float(value), float(slope)
        (0.0, 0.25)

    Source: Bengio, Léonard & Courville 2013 (the straight-through estimator, with the derivative of
        the identity or with this one).
    """
    h = jax.nn.sigmoid(z)
    return (z > 0).astype(h.dtype) + (h - jax.lax.stop_gradient(h))
