"""Recovery of known features by a dictionary: cosines, matchings, and latents as detectors.

Rows of a dictionary are the directions of its latents, the rows of the decoder's kernel. The sign
of a direction is ignored. Two dictionaries, as of two seeds, are compared by the same functions.
"""

from collections.abc import Iterable, Sequence
from itertools import combinations
from typing import NamedTuple

import jax.numpy as jnp
import numpy as np
from jaxtyping import Float, Float64, Int

from aejax.types import Array

AnyArray = Array | np.ndarray
Rows = Float[AnyArray, "units features"]
Truth = Float[AnyArray, "factors features"]


class Matching(NamedTuple):
    """One-to-one matching of rows with the largest sum of |cos|.

    rows:    indices of the matched rows, ascending; all rows if there are no more than factors.
    factors: index of the factor of each matched row.
    cosines: |cos| of each matched pair.
    """

    rows: Int[np.ndarray, " pairs"]
    factors: Int[np.ndarray, " pairs"]
    cosines: Float[np.ndarray, " pairs"]


class Detection(NamedTuple):
    """Each latent as a detector of one factor: it detects the factor where it is not zero.

    precision: fraction of the examples on which the latent is active that have the factor.
    recall:    fraction of the examples with the factor on which the latent is active.
    f1:        harmonic mean of precision and recall.
    accuracy:  fraction of examples on which latent and factor agree.

    An undefined fraction is 0, so that a dead latent lowers the means over latents.
    """

    precision: Float64[np.ndarray, " units"]
    recall: Float64[np.ndarray, " units"]
    f1: Float64[np.ndarray, " units"]
    accuracy: Float64[np.ndarray, " units"]


def absolute_cosines(
    rows: Rows,
    truth: Truth,
) -> Float[Array, "units factors"]:
    """|cos| of the angle between each row and each factor; 0 for a row of zeros.

    Args:
        rows: direction of each latent.
        truth: direction of each factor.

    Returns:
        The absolute cosines.
    """
    unit_rows, unit_truth = (
        part / jnp.maximum(jnp.linalg.norm(part, axis=1, keepdims=True), jnp.finfo(part.dtype).tiny)
        for part in (jnp.asarray(rows), jnp.asarray(truth))
    )
    return jnp.abs(jnp.matmul(unit_rows, unit_truth.T, precision="highest"))


def match_one_to_one(
    rows: Rows,
    truth: Truth,
) -> Matching:
    """Match rows to different factors by the Hungarian algorithm. It runs on the host.

    Args:
        rows: direction of each latent.
        truth: direction of each factor.

    Returns:
        The `Matching`. The mean of its cosines is the mean correlation coefficient (MCC).

    Raises:
        ValueError: for directions that are not finite.

    Example:
        >>> import jax.numpy as jnp
        >>> from aejax import evaluation
        >>> matching = evaluation.match_one_to_one(jnp.eye(3)[jnp.array([2, 0])], jnp.eye(3))
        >>> matching.factors.tolist(), matching.cosines.mean().item()
        ([2, 0], 1.0)

    Source: Song et al. 2025 (MCC of dictionaries); Kuhn 1955 (Hungarian algorithm).
    """
    from scipy.optimize import linear_sum_assignment  # slow to import

    cosines = np.asarray(absolute_cosines(rows, truth))
    if not np.isfinite(cosines).all():
        raise ValueError("a direction has a value that is not finite")
    matched, factors = linear_sum_assignment(cosines, maximize=True)
    return Matching(matched, factors, cosines[matched, factors])


def mean_correlation(
    rows: Rows,
    truth: Truth,
) -> float:
    """Mean correlation coefficient (MCC): mean |cos| of the best one-to-one matching.

    Args:
        rows: direction of each latent.
        truth: direction of each factor.

    Returns:
        The mean over the smaller of the two numbers of directions, from 0 to 1.

    Source: Song et al. 2025.
    """
    return float(match_one_to_one(rows, truth).cosines.mean(dtype=float))


def mean_max_cosine(
    rows: Rows,
    truth: Truth,
) -> float:
    """Mean over factors of the largest |cos| with a row (MMCS). A row may serve several factors.

    Args:
        rows: direction of each latent.
        truth: direction of each factor.

    Returns:
        The mean, from 0 to 1.

    Source: Sharkey, Braun & Millidge 2022.
    """
    return float(np.asarray(absolute_cosines(rows, truth)).max(axis=0).mean(dtype=float))


def seed_stability(
    dictionaries: Sequence[Rows] | Float[AnyArray, "seeds units features"],
) -> Float64[np.ndarray, " pairs"]:
    """MCC of each pair of dictionaries, such as those of several seeds.

    Args:
        dictionaries: at least two dictionaries, or an array [seeds, units, features].

    Returns:
        The MCC of each pair, in the order of `itertools.combinations`; its mean is the pairwise
        MCC (PW-MCC).

    Raises:
        ValueError: for fewer than two dictionaries.

    Source: Song et al. 2025.
    """
    if len(dictionaries) < 2:
        raise ValueError(f"stability needs at least two dictionaries, got {len(dictionaries)}")
    return np.array([mean_correlation(a, b) for a, b in combinations(dictionaries, 2)])


def best_factors(
    rows: Rows,
    truth: Truth,
) -> Int[np.ndarray, " units"]:
    """Index of the factor with the largest |cos| for each row. Rows may share a factor.

    Args:
        rows: direction of each latent.
        truth: direction of each factor.

    Returns:
        The indices.
    """
    return np.asarray(jnp.argmax(absolute_cosines(rows, truth), axis=1))


def best_units(
    rows: Rows,
    truth: Truth,
) -> Int[np.ndarray, " factors"]:
    """Index of the latent of each factor: of the rows that it is best for, the closest.

    Args:
        rows: direction of each latent.
        truth: direction of each factor.

    Returns:
        The indices; −1 for a factor that is the best one of no row.
    """
    cosines = np.asarray(absolute_cosines(rows, truth))
    units = np.full(cosines.shape[1], -1)
    best = cosines.argmax(axis=1)
    closest_last = np.argsort(cosines[np.arange(len(best)), best], kind="stable")
    units[best[closest_last]] = closest_last
    return units


def units_per_factor(
    factors: Int[np.ndarray, " units"], *, count: int
) -> Int[np.ndarray, " factors"]:
    """Number of latents that each factor is best for: 0 if missed, above 1 if split.

    The number of factors with at least one, divided by that of latents, is the uniqueness.

    Args:
        factors: result of `best_factors`.
        count: number of factors.

    Returns:
        The numbers of latents.

    Source: Chanin & Garriga-Alonso 2026 (uniqueness).
    """
    return np.bincount(factors, minlength=count)


def uniqueness(factors: Int[np.ndarray, " units"]) -> float:
    """Number of different best factors, divided by the number of latents.

    Args:
        factors: result of `best_factors`.

    Returns:
        The fraction, 1 if no two latents share a factor.

    Source: Chanin & Garriga-Alonso 2026.
    """
    return len(np.unique(factors)) / len(factors)


def detection(
    batches: Iterable[tuple[AnyArray, AnyArray]], factors: Int[np.ndarray, " units"]
) -> Detection:
    """Precision, recall, F1 and accuracy of each latent as a detector of its factor.

    Args:
        batches: code [batch, units] and activations of the factors [batch, factors] of each batch.
            A latent or factor is active where it is not zero.
        factors: index of the factor of each latent: `best_factors`.

    Returns:
        The `Detection`; means over latents are those of SynthSAEBench.

    Raises:
        ValueError: for no examples, or widths that do not fit `factors`.

    Source: Chanin & Garriga-Alonso 2026.
    """
    examples, counts = 0, np.zeros((3, len(factors)), np.int64)
    for code, activations in batches:
        _check_widths(code, activations, factors)
        fires, present = jnp.asarray(code) != 0, (jnp.asarray(activations) != 0)[:, factors]
        counts += np.stack([jnp.sum(each, axis=0) for each in (fires, present, fires & present)])
        examples += len(code)
    if not examples:
        raise ValueError("no examples: pass at least one batch of codes and activations")
    fires, present, both = counts
    return Detection(
        precision=both / np.maximum(fires, 1),
        recall=both / np.maximum(present, 1),
        f1=2 * both / np.maximum(fires + present, 1),
        accuracy=1 - (fires + present - 2 * both) / examples,
    )


def _check_widths(code: AnyArray, activations: AnyArray, factors: np.ndarray) -> None:
    widths = np.shape(code)[1:], np.shape(activations)[1:]
    if widths[0] != factors.shape or len(widths[1]) != 1 or len(code) != len(activations):
        raise ValueError(
            f"expected a code [batch, {len(factors)}] and activations [batch, factors], got "
            f"{list(np.shape(code))} and {list(np.shape(activations))}"
        )
    if factors.size and not 0 <= factors.min() <= factors.max() < widths[1][0]:
        raise ValueError(
            f"indices of factors must lie in [0, {widths[1][0] - 1}], got {factors.min()} to "
            f"{factors.max()}"
        )
