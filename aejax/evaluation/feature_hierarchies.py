"""Absorption and splitting of features that form known hierarchies.

A sparse code is cheaper if the latent of a child feature also contains the direction of the parent,
and the parent's latent is silent where the child's is active: the parent is absorbed.
"""

from collections.abc import Iterable
from typing import NamedTuple

import jax.numpy as jnp
import numpy as np
from jaxtyping import Bool, Float64, Int

from aejax.types import Array

AnyArray = Array | np.ndarray


class Absorption(NamedTuple):
    """Absorption of parents by children, for each edge of which both features have a latent.

    parents:      index of the parent feature of each edge.
    children:     index of the child feature.
    examples:     number of examples on which both features are active.
    absorbed:     fraction of these on which the child's latent is active and the parent's is not.
    missed_alone: fraction of the examples with the parent but not the child on which the parent's
                  latent is silent: the rate to compare `absorbed` with.

    A fraction without examples is NaN.
    """

    parents: Int[np.ndarray, " edges"]
    children: Int[np.ndarray, " edges"]
    examples: Int[np.ndarray, " edges"]
    absorbed: Float64[np.ndarray, " edges"]
    missed_alone: Float64[np.ndarray, " edges"]


def absorption(
    batches: Iterable[tuple[AnyArray, AnyArray]],
    units: Int[np.ndarray, " factors"],
    parents: Int[np.ndarray, " factors"],
) -> Absorption:
    """Rate at which the latent of a parent is silent where that of its child is active.

    Args:
        batches: code [batch, units] and activations of the factors [batch, factors] of each batch.
        units: index of the latent of each factor, −1 for none: `best_units`.
        parents: index of the parent of each factor, −1 for none.

    Returns:
        The `Absorption`; of no edges if no parent and child both have a latent.

    Raises:
        ValueError: if units and parents differ in length, or a batch does not fit them.

    Source: Chanin et al. 2024 (absorption; there, probes of a language model replace the truth).
    """
    if units.shape != parents.shape:
        raise ValueError(
            f"expected one unit and one parent per factor, got {len(units)} and {len(parents)}"
        )
    children = np.flatnonzero((parents >= 0) & (units >= 0))
    children = children[units[parents[children]] >= 0]
    edges = parents[children], children
    counts = np.zeros((4, len(children)), np.int64)
    for code, activations in batches:
        _check_batch(code, activations, units)
        counts += _count(jnp.asarray(code) != 0, jnp.asarray(activations) != 0, units, *edges)
    both, absorbed, alone, missed = counts
    with np.errstate(invalid="ignore"):
        return Absorption(*edges, both, absorbed / both, missed / alone)


def split_parents(
    units: Int[np.ndarray, " factors"], parents: Int[np.ndarray, " factors"]
) -> Bool[np.ndarray, " factors"]:
    """Whether each feature is split: it has no latent of its own, but two of its children do.

    Args:
        units: index of the latent of each factor, −1 for none: `best_units`.
        parents: index of the parent of each factor, −1 for none.

    Returns:
        True for a split feature.

    Source: Bricken et al. 2023 (feature splitting).
    """
    has_latent = units >= 0
    with_latent = parents[(parents >= 0) & has_latent]
    return ~has_latent & (np.bincount(with_latent, minlength=len(parents)) >= 2)


def _count(
    fires: Array, active: Array, units: np.ndarray, parents: np.ndarray, children: np.ndarray
) -> np.ndarray:
    """Numbers of examples of each edge: both active, absorbed, parent alone, missed."""
    parent_fires, child_fires = fires[:, units[parents]], fires[:, units[children]]
    both = active[:, parents] & active[:, children]
    alone = active[:, parents] & ~active[:, children]
    cases = (both, both & child_fires & ~parent_fires, alone, alone & ~parent_fires)
    return np.stack([jnp.sum(case, axis=0) for case in cases])


def _check_batch(code: AnyArray, activations: AnyArray, units: np.ndarray) -> None:
    shapes = np.shape(code), np.shape(activations)
    is_code = len(shapes[0]) == 2 and shapes[0][1] > units.max(initial=-1)
    if not is_code or shapes[1] != (shapes[0][0], len(units)):
        raise ValueError(
            f"expected a code [batch, more than {units.max(initial=-1)}] and activations "
            f"[batch, {len(units)}], got {list(shapes[0])} and {list(shapes[1])}"
        )
