"""Paths in the latent space and their images: samples, interpolations and traversals."""

from math import prod

import jax.numpy as jnp
from jaxtyping import Float

from aejax.objectives import Objective
from aejax.types import Array, Params


def linear_path(
    start: Float[Array, "*shape"], end: Float[Array, "*shape"], *, steps: int
) -> Float[Array, "steps *shape"]:
    """Points (1 − t) z₀ + t z₁ at equal steps of t from 0 to 1, both ends included.

    Args:
        start: z₀.
        end: z₁.
        steps: number of points, at least 2.

    Returns:
        The points; the first axis is the step.

    Raises:
        ValueError: for fewer than 2 steps.

    Example:
        >>> import jax.numpy as jnp
        >>> from aejax import evaluation
        >>> evaluation.linear_path(jnp.zeros(1), jnp.ones(1), steps=3).tolist()
        [[0.0], [0.5], [1.0]]
    """
    t = _fractions(start, steps)
    return (1 - t) * start + t * end


def spherical_path(
    start: Float[Array, "*batch units"], end: Float[Array, "*batch units"], *, steps: int
) -> Float[Array, "steps *batch units"]:
    """Spherical interpolation, for latents of a normal or uniform prior on a sphere.

    sin((1 − t) ω)/sin ω · z₀ + sin(t ω)/sin ω · z₁, with the angle ω between z₀ and z₁. Between
    vectors of equal norm the norm is constant, as it nearly is for samples of a normal distribution
    in many dimensions; the points of a linear path have a smaller one. For ω → 0 it is linear.

    Args:
        start: z₀, not 0.
        end: z₁, not 0.
        steps: number of points, at least 2.

    Returns:
        The points; the first axis is the step. They are NaN between exactly opposite vectors, which
        have no shortest path.

    Raises:
        ValueError: for fewer than 2 steps.

    Example:
        >>> import jax.numpy as jnp
        >>> from aejax import evaluation
        >>> path = evaluation.spherical_path(jnp.array([1.0, 0.0]), jnp.array([0.0, 1.0]), steps=3)
        >>> path.round(3).tolist()[1]
        [0.7070000171661377, 0.7070000171661377]

    Source: Shoemake 1985; White 2016.
    """
    t = _fractions(start, steps)
    u, v = (z / jnp.linalg.norm(z, axis=-1, keepdims=True) for z in (start, end))
    difference, total = (jnp.linalg.norm(z, axis=-1, keepdims=True) for z in (u - v, u + v))
    angle = 2 * jnp.arctan2(difference, total)  # accurate near 0 and π, where arccos is not
    divisor = jnp.where(total > 0, jnp.sinc(angle / jnp.pi), jnp.nan)

    def weight(fraction: Array) -> Array:  # sin(fraction ω)/sin ω, also for ω = 0
        return fraction * jnp.sinc(fraction * angle / jnp.pi) / divisor

    return weight(1 - t) * start + weight(t) * end


def traversal(
    z: Float[Array, " units"], *, values: Float[Array, " steps"]
) -> Float[Array, "units steps units"]:
    """Copies of z in which one unit takes each of several values.

    Args:
        z: a latent, for example a posterior mean, or 0.
        values: values of the unit, for example from −3 to 3 standard deviations of the prior.

    Returns:
        Latents [l, s, units], equal to z except for the unit l, which is values[s].

    Example:
        >>> import jax.numpy as jnp
        >>> from aejax import evaluation
        >>> evaluation.traversal(jnp.zeros(2), values=jnp.array([-1.0, 1.0])).tolist()
        [[[-1.0, 0.0], [1.0, 0.0]], [[0.0, -1.0], [0.0, 1.0]]]

    Source: Higgins et al. 2017.
    """
    units = z.shape[0]
    varied = jnp.eye(units, dtype=bool)[:, None, :]
    return jnp.where(varied, values[:, None].astype(z.dtype), z)


def decoded(
    objective: Objective, params: Params, z: Float[Array, "..."], *, leading: int = 1
) -> Array:
    """Means x̂ = g(decode(z)) of latents with any number of leading axes, such as paths and grids.

    With z from `posterior.sample_prior`, these are the means of samples of the model.

    Args:
        objective: objective with the model and the link function g.
        params: parameters of the model.
        z: latents, an array [*leading axes, *units].
        leading: number of axes before those of the units, at least 1: 2 for the result of
            `traversal`.

    Returns:
        x̂, [*leading axes, *output].

    Raises:
        ValueError: if z does not have at least one axis more than `leading`.

    Example:
        >>> import aejax, jax, jax.numpy as jnp
        >>> objective = aejax.objective(aejax.variational((6, 2)), aejax.losses.bernoulli)
        >>> params = objective.model.init(jax.random.key(0))
        >>> z = aejax.evaluation.traversal(jnp.zeros(2), values=jnp.linspace(-3, 3, 5))
        >>> aejax.evaluation.decoded(objective, params, z, leading=2).shape
        (2, 5, 6)

    Source: Kingma & Welling 2014.
    """
    if not 1 <= leading < z.ndim:
        raise ValueError(
            f"latents with {leading} leading axes need at least {leading + 1} axes and one leading "
            f"axis, got shape {list(z.shape)}"
        )
    axes = z.shape[:leading]
    x_hat = objective.loss.mean(
        objective.model.decode(params, z.reshape(prod(axes), *z.shape[leading:]))
    )
    return x_hat.reshape(*axes, *x_hat.shape[1:])


def _fractions(z: Array, steps: int) -> Array:
    """Values t from 0 to 1 with an axis of steps before those of z."""
    if steps < 2:
        raise ValueError(f"a path needs at least 2 steps, got {steps}")
    return jnp.linspace(0, 1, steps, dtype=z.dtype).reshape(-1, *[1] * z.ndim)
