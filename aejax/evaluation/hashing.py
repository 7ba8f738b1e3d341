"""Evaluation of semantic hashing: precision and recall of retrieval by Hamming distance."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Bool, Float, Int

from aejax.types import Array


class HammingBalls(NamedTuple):
    """Counts of examples in the Hamming ball of each query, for radii from 0 to the code length.

    retrieved: number of examples in the ball.
    relevant:  number of those that are relevant to the query.
    """

    retrieved: Int[Array, "queries radii"]
    relevant: Int[Array, "queries radii"]


def hamming_balls(
    queries: Bool[Array, "queries bits"],
    database: Bool[Array, "examples bits"],
    relevant: Bool[Array, "queries examples"],
) -> HammingBalls:
    """Count, for each query, the examples whose codes differ in at most r bits.

    Queries are processed one at a time, so only the distances of one query are in memory.

    Args:
        queries: bits of each query.
        database: bits of each example.
        relevant: True for an example that is relevant to the query, such as one of its class.

    Returns:
        The `HammingBalls`.

    Example:
        >>> import jax.numpy as jnp
        >>> from aejax import evaluation
        >>> query, database = jnp.array([[0, 0]]) > 0, jnp.array([[0, 0], [0, 1], [1, 1]]) > 0
        >>> balls = evaluation.hamming_balls(query, database, jnp.array([[True, False, True]]))
        >>> balls.retrieved.tolist(), balls.relevant.tolist()
        ([[1, 2, 3]], [[1, 1, 2]])
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
    """Precision at k: the fraction of the k nearest examples that is relevant.

    Short codes have many ties in distance. The result is the mean over all orders of tied examples,
    so it does not depend on the order of the database.

    Args:
        balls: result of `hamming_balls`.
        k: number of retrieved examples, from 1 to the number of examples.

    Returns:
        The precision of each query; NaN if there are fewer than k examples.

    Raises:
        ValueError: for a k below 1.
    """
    if k < 1:
        raise ValueError(f"k must be at least 1, got k = {k}")
    last = jnp.argmax(balls.retrieved >= k, axis=1)[:, None]  # the radius at which k are reached
    (nearer, reached), (hits, all_hits) = (
        (_at(jnp.pad(counts, ((0, 0), (1, 0))), last), _at(counts, last)) for counts in balls
    )
    share = (hits + (k - nearer) * (all_hits - hits) / (reached - nearer)) / k
    return jnp.where(reached < k, jnp.nan, share)


def precision_within(balls: HammingBalls) -> Float[Array, "queries radii"]:
    """Precision within each radius: the fraction of retrieved examples that is relevant.

    Args:
        balls: result of `hamming_balls`.

    Returns:
        The precision of each query and radius; 0 for an empty ball.

    Source: Salakhutdinov & Hinton 2009 (precision against recall as the ball grows).
    """
    return balls.relevant / jnp.maximum(balls.retrieved, 1)


def recall_within(balls: HammingBalls) -> Float[Array, "queries radii"]:
    """Recall within each radius: the fraction of relevant examples that is retrieved.

    Args:
        balls: result of `hamming_balls`.

    Returns:
        The recall of each query and radius, 1 at the last radius; NaN if nothing is relevant.

    Source: Salakhutdinov & Hinton 2009.
    """
    return balls.relevant / balls.relevant[:, -1:]


def _at(counts: Array, radius: Array) -> Array:
    return jnp.take_along_axis(counts, radius, axis=1)[:, 0]
