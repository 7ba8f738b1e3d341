"""Semantic hashing measured: what lies within a Hamming radius of a query, and what of it fits."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Bool, Float, Int

from aejax.types import Array


class HammingBalls(NamedTuple):
    """Of each query and each radius 0, 1, …, bits: how many examples lie in the ball.

    retrieved: all of them.
    relevant:  those that are relevant to the query.
    """

    retrieved: Int[Array, "queries radii"]
    relevant: Int[Array, "queries radii"]


def hamming_balls(
    queries: Bool[Array, "queries bits"],
    database: Bool[Array, "examples bits"],
    relevant: Bool[Array, "queries examples"],
) -> HammingBalls:
    """Count, for each query, the examples whose codes differ from its own in at most r bits.

    One query after the other: of all distances, those of one query are held.

    Args:
        queries: bits of each query.
        database: bits of each example.
        relevant: whether the example is what the query asks for, such as one of its class.

    Returns:
        The `HammingBalls`.
    """
    radii = queries.shape[1] + 1

    def count(query: tuple[Array, Array]) -> HammingBalls:
        bits, relevant = query
        distances = jnp.sum(bits != database, axis=1)
        retrieved = jnp.bincount(distances, length=radii)
        hits = jnp.bincount(distances, weights=relevant.astype(int), length=radii)
        return HammingBalls(jnp.cumsum(retrieved), jnp.cumsum(hits))

    return jax.lax.map(count, (queries, relevant))


def precision_at(balls: HammingBalls, *, k: int) -> Float[Array, " queries"]:
    """Share of the k nearest that is relevant; of equally near ones each is as likely to be taken.

    With few bits many examples are equally near. What is given is the mean over all orders of them,
    so that it does not depend on the order in which examples are stored.

    Args:
        balls: of the queries.
        k: how many are taken, from 1 to the number of examples.

    Returns:
        The share, for each query; NaN where there are fewer than k examples.

    Raises:
        ValueError: for a k below 1.
    """
    if k < 1:
        raise ValueError(f"precision needs one example or more, got k = {k}")
    last = jnp.argmax(balls.retrieved >= k, axis=1)[:, None]  # the radius at which k are reached
    (nearer, reached), (hits, all_hits) = (
        (_at(jnp.pad(counts, ((0, 0), (1, 0))), last), _at(counts, last)) for counts in balls
    )
    share = (hits + (k - nearer) * (all_hits - hits) / (reached - nearer)) / k
    return jnp.where(reached < k, jnp.nan, share)


def precision_within(balls: HammingBalls) -> Float[Array, "queries radii"]:
    """Share of what lies within each radius that is relevant; 0 where the ball is empty.

    Args:
        balls: of the queries.

    Returns:
        The precision, for each query and radius.

    Source: Salakhutdinov & Hinton 2009 (precision against recall as the ball grows).
    """
    return balls.relevant / jnp.maximum(balls.retrieved, 1)


def recall_within(balls: HammingBalls) -> Float[Array, "queries radii"]:
    """Share of what is relevant that lies within each radius; NaN where nothing is relevant.

    Args:
        balls: of the queries.

    Returns:
        The recall, for each query and radius; 1 at the last.

    Source: Salakhutdinov & Hinton 2009.
    """
    return balls.relevant / balls.relevant[:, -1:]


def _at(counts: Array, radius: Array) -> Array:
    return jnp.take_along_axis(counts, radius, axis=1)[:, 0]
