"""TopK codes against least squares on all supports, by NumPy, and wrong statements."""

from itertools import combinations

import numpy as np
import pytest

from aejax import theory
from aejax.theory.dictionaries import best_term_codes, sparse_coding
from tests.theory.degenerate_data import DATA, DIGITS, X
from tests.theory.verdict_checks import check_verdicts, verdicts

PROBLEM = theory.pose(X, 3)
HOLDS = ["holds"] * 3


def pair(overlap):
    return np.array([[1.0, 0, 0], [overlap, np.sqrt(1 - overlap**2), 0]])


def test_the_best_codes_are_those_of_projections():
    generator = np.random.default_rng(0)
    dictionary, x = generator.normal(size=(6, 4)), generator.normal(size=(20, 4))
    for size in (1, 2, 3):
        errors = []
        for support in combinations(range(6), size):
            basis, _ = np.linalg.qr(dictionary[list(support)].T)
            errors.append(np.sum(x**2, axis=1) - np.sum((x @ basis) ** 2, axis=1))
        found = sparse_coding.best_codes(dictionary, x, size=size)
        np.testing.assert_allclose(found.errors, np.min(errors, axis=0), atol=1e-12)
        reached = np.sum((x - found.codes @ dictionary) ** 2, axis=1)
        np.testing.assert_allclose(reached, found.errors, atol=1e-12)
        assert ((found.codes != 0).sum(axis=1) <= size).all()


@pytest.mark.parametrize("overlap", [1e-3, 0.3, -0.7, 0.999, 1.0])
def test_an_overlap_of_any_size_leaves_its_error(overlap):
    """2 μ² (1 + μ) for two directions, at x = d_1 ± d_2, which both reproduce exactly."""
    directions, size = pair(overlap), abs(overlap)
    x, found = best_term_codes.pair_sum(directions)
    assert found == pytest.approx(size)
    error = best_term_codes.top_k_errors(directions, x, size=2)
    assert error == pytest.approx(2 * size**2 * (1 + size), rel=1e-9)
    assert sparse_coding.best_codes(directions, x, size=2).errors == pytest.approx(0, abs=1e-28)


def test_a_third_direction_leaves_at_least_that_error():
    generator = np.random.default_rng(1)
    for _ in range(50):
        directions = generator.normal(size=(5, 3))
        directions /= np.linalg.norm(directions, axis=1, keepdims=True)
        x, overlap = best_term_codes.pair_sum(directions)
        products = (x @ directions.T)[0]
        for size in (2, 3, 4, 5):
            kept = np.argsort(-np.abs(products))[:size]
            error = np.sum((x - products[kept] @ directions[kept]) ** 2)
            assert error >= 2 * overlap**2 * (1 + overlap) - 1e-12


CASES = {
    "digits": (DIGITS, 10, HOLDS),
    "one unit": (X, 1, HOLDS),
    "two features": (DATA["two features"], 1, HOLDS),
    "all equal": (DATA["all λ equal"], 3, HOLDS),
    "constant feature": (DATA["regular, last feature constant"], 3, HOLDS),
    "rank 1": (DATA["rank 1"], 3, HOLDS),
    "two examples": (DATA["two examples"], 3, HOLDS),
    "condition 1e24": (DATA["condition 1e24, 200 examples"], 3, HOLDS),
    "underflow": (DATA["squares that underflow"], 3, HOLDS),
    "k = n": (X, 6, ["not applicable"] * 3),
    "one example": (DATA["one example"], 3, ["not applicable"] * 3),
}


@pytest.mark.parametrize("name", CASES)
def test_the_verdicts_are_right(name):
    x, code, expected = CASES[name]
    answers = theory.best_term_codes(theory.pose(x, code))
    check_verdicts(answers, expected)


def test_orthogonal_examples_cannot_show_that_orthogonality_is_needed(monkeypatch):
    monkeypatch.setattr(best_term_codes, "normalised_examples", lambda _: np.eye(6))
    found = theory.best_term_codes(PROBLEM)
    assert verdicts(found) == ["not identifiable", "not identifiable", "holds"]


def test_directions_that_are_not_orthogonal_fail():
    components = PROBLEM.pca.components.copy()
    components[1] = (components[1] + 1e-5 * components[0]) / np.hypot(1, 1e-5)
    problem = PROBLEM._replace(pca=PROBLEM.pca._replace(components=components))
    assert verdicts(theory.best_term_codes(problem)) == ["fails", "holds", "holds"]


def test_a_top_k_of_signed_values_fails(monkeypatch):
    from aejax.layers.activations import top_k

    monkeypatch.setattr(best_term_codes, "absolute_top_k", top_k)
    best_term_codes._reconstructed.clear_cache()
    found = verdicts(theory.best_term_codes(PROBLEM))
    best_term_codes._reconstructed.clear_cache()
    assert found[0] == found[2] == "fails"
