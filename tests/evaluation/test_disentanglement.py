"""Measures of disentanglement against scikit-learn and SciPy, and of known codes."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.stats
from sklearn.linear_model import LinearRegression
from sklearn.metrics import mutual_info_score

from aejax import data, evaluation

LEVELS = (3, 6, 5, 4, 4)
FACTORS = data.sample_factors(jax.random.key(0), examples=3000, levels=LEVELS)
CODE = np.asarray(FACTORS, float)
MIXED = CODE @ np.random.default_rng(0).normal(size=(5, 6))


@jax.jit
def information(code) -> jax.Array:
    return evaluation.factor_information(code, FACTORS, levels=LEVELS)


def gap(code) -> float:
    entropies = evaluation.factor_entropies(FACTORS, levels=LEVELS)
    return float(evaluation.mutual_information_gap(information(code), entropies))


def test_information_and_entropy_are_scikit_learns_and_scipys(x64):
    code = MIXED + np.random.default_rng(1).normal(size=MIXED.shape) / 10
    binned = [np.digitize(unit, np.histogram(unit, 20)[1][:-1]) for unit in code.T]
    expected = [
        [mutual_info_score(unit, factor) for factor in np.asarray(FACTORS).T] for unit in binned
    ]
    np.testing.assert_allclose(information(code), expected, rtol=1e-9, atol=1e-12)
    counts = [np.bincount(factor) for factor in np.asarray(FACTORS).T]
    np.testing.assert_allclose(
        evaluation.factor_entropies(FACTORS, levels=LEVELS),
        [scipy.stats.entropy(count) for count in counts],
        rtol=1e-12,
    )


def test_the_gap_is_one_for_single_factors_and_zero_for_copies(x64):
    assert gap(-2 * CODE[:, ::-1] + 1) == pytest.approx(1, abs=0.01)  # frequencies are dependent
    assert gap(np.concatenate([CODE, CODE], axis=1)) == pytest.approx(0, abs=1e-12)
    assert gap(np.ones_like(CODE)) == 0
    assert gap(MIXED) < 0.2
    np.testing.assert_array_equal(information(np.ones_like(CODE)), 0)


def test_dci_is_that_of_scipys_entropies(x64):
    importance = np.random.default_rng(2).exponential(size=(7, 4))
    found = evaluation.disentanglement_and_completeness(jnp.asarray(importance))
    by_unit = 1 - scipy.stats.entropy(importance.T, base=4)
    share = importance.sum(axis=1) / importance.sum()
    by_factor = 1 - scipy.stats.entropy(importance, base=7)
    np.testing.assert_allclose(found, [by_unit @ share, by_factor.mean()], rtol=1e-12)


def test_dci_of_limiting_importances():
    measure = jax.jit(evaluation.disentanglement_and_completeness)
    np.testing.assert_allclose(measure(jnp.eye(3)[jnp.array([2, 0, 1])]), [1, 1])
    np.testing.assert_allclose(measure(jnp.ones((3, 2))), [0, 0], atol=1e-6)
    np.testing.assert_allclose(measure(jnp.zeros((3, 2))), [0, 0], atol=1e-6)
    twice = jnp.concatenate([jnp.eye(2), jnp.eye(2)])  # two units for each factor
    np.testing.assert_allclose(measure(twice), [1, 0.5], atol=1e-6)
    perfect, mixed = (measure(information(code))[0] for code in (CODE, MIXED))
    assert perfect > 0.95 > 0.5 > mixed


def test_predictability_is_that_of_scikit_learns_regressions(x64):
    code = MIXED.copy()
    code[:, 2] = 1.0
    r2 = np.array(
        [
            [
                LinearRegression().fit(unit[:, None], factor).score(unit[:, None], factor)
                for factor in CODE.T
            ]
            for unit in code.T
        ]
    )
    ordered = np.sort(r2, axis=0)
    found = evaluation.separated_predictability(jnp.asarray(code), jnp.asarray(CODE))
    np.testing.assert_allclose(found, (ordered[-1] - ordered[-2]).mean(), rtol=1e-10)
    perfect = evaluation.separated_predictability(jnp.asarray(CODE), jnp.asarray(CODE))
    assert 0.98 < perfect <= 1


def test_wrong_arguments_are_refused():
    with pytest.raises(ValueError, match="of each of 5 factors"):
        evaluation.factor_information(jnp.asarray(CODE), FACTORS, levels=(3, 6))
    with pytest.raises(ValueError, match="of each of 5 factors"):
        evaluation.factor_entropies(FACTORS, levels=(3, 6, 5, 4, 0))
    with pytest.raises(ValueError, match="bins must be at least 1"):
        evaluation.factor_information(jnp.asarray(CODE), FACTORS, levels=LEVELS, bins=0)
    with pytest.raises(ValueError, match="at least two units, got 1"):
        evaluation.mutual_information_gap(jnp.ones((1, 2)), jnp.ones(2))
    with pytest.raises(ValueError, match="at least two units and two factors, got 1 and 2"):
        evaluation.disentanglement_and_completeness(jnp.ones((1, 2)))
