"""Disentanglement of codes with respect to known factors of variation: MIG, DCI and SAP."""

from collections.abc import Sequence
from math import log

import jax
import jax.numpy as jnp
from jaxtyping import Float, Int

from aejax.types import Array


def factor_information(
    code: Float[Array, "examples units"],
    factors: Int[Array, "examples factors"],
    *,
    levels: Sequence[int],
    bins: int = 20,
) -> Float[Array, "units factors"]:
    """Mutual information of each unit, discretised, with each factor, in nats.

    Each unit is discretised into bins of equal width from its minimum to its maximum. The estimate
    from frequencies is biased upwards, by about (bins − 1)(levels − 1)/(2 examples).

    Args:
        code: codes, for example posterior means.
        factors: level of each factor, from 0 on.
        levels: number of levels of each factor.
        bins: number of bins.

    Returns:
        The mutual information; 0 for a constant unit.

    Raises:
        ValueError: for fewer than 1 bin, or if `levels` has not one value per factor.

    Source: Locatello et al. 2019 (bins); Chen et al. 2018.
    """
    _check_levels(factors, levels)
    if bins < 1:
        raise ValueError(f"bins must be at least 1, got {bins}")
    low, high = jnp.min(code, axis=0), jnp.max(code, axis=0)
    width = jnp.where(high > low, high - low, 1)
    indices = jnp.clip(jnp.floor((code - low) / width * bins), 0, bins - 1).astype(jnp.int32)
    in_bin = jax.nn.one_hot(indices, bins, dtype=code.dtype)
    at_level = jax.nn.one_hot(factors, max(levels), dtype=code.dtype)
    joint = jnp.einsum("eub,efl->ufbl", in_bin, at_level, precision="highest") / len(code)
    marginal_entropies = [_entropy(jnp.sum(joint, axis=axis), axes=(2,)) for axis in (3, 2)]
    information = sum(marginal_entropies, -_entropy(joint, axes=(2, 3)))
    return jnp.maximum(information, 0)


def factor_entropies(
    factors: Int[Array, "examples factors"], *, levels: Sequence[int]
) -> Float[Array, " factors"]:
    """Entropy of the frequencies of each factor's levels, in nats.

    Args:
        factors: level of each factor, from 0 on.
        levels: number of levels of each factor.

    Returns:
        The entropies.

    Raises:
        ValueError: if `levels` has not one value per factor.

    Source: Chen et al. 2018.
    """
    _check_levels(factors, levels)
    return _entropy(jnp.mean(jax.nn.one_hot(factors, max(levels), dtype=float), axis=0), axes=(1,))


def mutual_information_gap(
    information: Float[Array, "units factors"], entropies: Float[Array, " factors"]
) -> Float[Array, ""]:
    """Mutual information gap (MIG): mean_f (I_1f − I_2f)/H_f, between 0 and 1.

    I_1f and I_2f are the largest and the second largest mutual information of a unit with the
    factor f. It is 1 if one unit determines each factor and no other depends on it.

    Args:
        information: mutual information, of `factor_information`.
        entropies: entropies H_f > 0 of the factors, of `factor_entropies`.

    Returns:
        The gap.

    Raises:
        ValueError: for fewer than two units.

    Example:
        >>> import jax.numpy as jnp
        >>> from aejax import evaluation
        >>> information = jnp.array([[1.0, 0.0], [0.0, 0.5], [0.0, 0.5]])
        >>> float(evaluation.mutual_information_gap(information, jnp.array([1.0, 1.0])))
        0.5

    Source: Chen et al. 2018.
    """
    return jnp.mean(_gaps(information) / entropies)


def disentanglement_and_completeness(
    importance: Float[Array, "units factors"],
) -> tuple[Float[Array, ""], Float[Array, ""]]:
    """Disentanglement and completeness of DCI, from the importance of units for factors.

    Disentanglement of the unit l is 1 − H(R_l·/Σ_f R_lf)/log F, weighted by its share of the total
    importance; completeness of the factor f is 1 − H(R_·f/Σ_l R_lf)/log L, averaged over factors.
    The third measure, informativeness, is the error of the regressors that R comes from.

    Args:
        importance: R ≥ 0, for example the feature importances of a random forest that predicts
            each factor from the code, absolute weights of lasso, or `factor_information`.

    Returns:
        (disentanglement, completeness), each between 0 and 1.

    Raises:
        ValueError: for fewer than two units or two factors.

    Example:
        >>> import jax.numpy as jnp
        >>> from aejax import evaluation
        >>> [float(found) for found in evaluation.disentanglement_and_completeness(jnp.eye(2))]
        [1.0, 1.0]

    Source: Eastwood & Williams 2018; Locatello et al. 2019 (mean over factors).
    """
    units, factors = importance.shape
    if min(units, factors) < 2:
        raise ValueError(
            f"entropies need at least two units and two factors, got {units} and {factors}"
        )
    total = jnp.sum(importance)
    by_unit = jnp.sum(importance, axis=1)
    disentanglement = 1 - _entropy(_normalised(importance, 1), axes=(1,)) / log(factors)
    completeness = 1 - _entropy(_normalised(importance, 0), axes=(0,)) / log(units)
    share = by_unit / jnp.where(total > 0, total, 1)
    return jnp.sum(share * disentanglement), jnp.mean(completeness)


def separated_predictability(
    code: Float[Array, "examples units"], values: Float[Array, "examples factors"]
) -> Float[Array, ""]:
    """Separated attribute predictability (SAP) of continuous factors, between 0 and 1.

    Mean over factors of the difference between the two largest R² of a linear regression of the
    factor on one unit, which is their squared correlation.

    Args:
        code: codes, for example posterior means.
        values: values of continuous factors; categories and angles are not continuous.

    Returns:
        The mean difference. The R² of a constant unit or factor is 0.

    Raises:
        ValueError: for fewer than two units.

    Source: Kumar, Sattigeri & Balakrishnan 2018.
    """
    code, values = (array - jnp.mean(array, axis=0) for array in (code, values))
    covariances = jnp.matmul(code.T, values, precision="highest")
    squares = [jnp.sum(jnp.square(array), axis=0) for array in (code, values)]
    products = squares[0][:, None] * squares[1]
    r2 = jnp.where(products > 0, jnp.square(covariances) / jnp.where(products > 0, products, 1), 0)
    return jnp.mean(_gaps(r2))


def _gaps(scores: Float[Array, "units factors"]) -> Float[Array, " factors"]:
    """Difference between the largest two scores of each factor."""
    if scores.shape[0] < 2:
        raise ValueError(f"a gap needs at least two units, got {scores.shape[0]}")
    first, second = jax.lax.top_k(scores.T, 2)[0].T
    return first - second


def _entropy(probabilities: Array, *, axes: tuple[int, ...]) -> Array:
    return -jnp.sum(jax.scipy.special.xlogy(probabilities, probabilities), axis=axes)


def _normalised(importance: Array, axis: int) -> Array:
    """Shares along an axis, equal ones where all are 0, so that their entropy is the largest."""
    total = jnp.sum(importance, axis=axis, keepdims=True)
    return jnp.where(
        total > 0, importance / jnp.where(total > 0, total, 1), 1 / importance.shape[axis]
    )


def _check_levels(factors: Array, levels: Sequence[int]) -> None:
    if len(levels) != factors.shape[1] or min(levels, default=0) < 1:
        raise ValueError(
            f"expected the number of levels, at least 1, of each of {factors.shape[1]} factors, "
            f"got {tuple(levels)}"
        )
