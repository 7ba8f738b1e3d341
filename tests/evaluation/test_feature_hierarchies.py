"""Absorption and splitting, on hierarchies with a known answer, and by a loop over examples."""

import numpy as np
import pytest
from jaxtyping import TypeCheckError

from aejax import evaluation

PARENTS = np.array([-1, -1, 0, 0, 1, 1, -1])
UNITS = np.array([0, -1, 1, 2, 3, 4, -1])


def hierarchy(examples=400):
    """Activations in which a child is active only with its parent."""
    rng = np.random.default_rng(0)
    active = rng.uniform(size=(examples, 7)) < 0.5
    active[:, 2:6] &= active[:, PARENTS[2:6]]
    return rng, active


def test_perfect_latents_absorb_nothing():
    _, active = hierarchy()
    code = active[:, [0, 2, 3, 4, 5]].astype(float)
    found = evaluation.absorption([(code, active)], UNITS, PARENTS)
    np.testing.assert_array_equal(found.parents, [0, 0])  # feature 1 has no latent
    np.testing.assert_array_equal(found.children, [2, 3])
    np.testing.assert_array_equal(found.absorbed, 0)
    np.testing.assert_array_equal(found.missed_alone, 0)


def test_an_absorbed_parent_is_found_in_the_edge_of_its_child():
    _, active = hierarchy()
    code = active[:, [0, 2, 3, 4, 5]].astype(float)
    code[:, 0] = active[:, 0] & ~active[:, 2]  # feature 2 absorbs its parent
    found = evaluation.absorption([(code, active)], UNITS, PARENTS)
    share = (active[:, 2] & active[:, 3]).sum() / active[:, 3].sum()
    np.testing.assert_allclose(found.absorbed, [1, share])
    expected = (active[:, 2] & ~active[:, 3]).sum() / (active[:, 0] & ~active[:, 3]).sum()
    np.testing.assert_allclose(found.missed_alone, [0, expected])


def test_rates_are_counts_over_examples():
    rng, active = hierarchy()
    code = rng.normal(size=(400, 5)) * (rng.uniform(size=(400, 5)) < 0.5)
    activations = active * 2.5
    found = evaluation.absorption(
        [(code[:150], activations[:150]), (code[150:], activations[150:])], UNITS, PARENTS
    )
    for edge, (parent, child) in enumerate([(0, 2), (0, 3)]):
        both = absorbed = alone = missed = 0
        for h, a in zip(code, active, strict=True):
            silent = h[UNITS[parent]] == 0
            both += a[parent] and a[child]
            absorbed += a[parent] and a[child] and silent and h[UNITS[child]] != 0
            alone += a[parent] and not a[child]
            missed += a[parent] and not a[child] and silent
        assert found.examples[edge] == both
        assert found.absorbed[edge] == pytest.approx(absorbed / both)
        assert found.missed_alone[edge] == pytest.approx(missed / alone)


def test_a_parent_without_latent_whose_children_have_one_is_split():
    np.testing.assert_array_equal(np.flatnonzero(evaluation.split_parents(UNITS, PARENTS)), [1])
    only_one = np.array([0, -1, 1, 2, 3, -1, -1])
    assert not evaluation.split_parents(only_one, PARENTS).any()


def test_arrays_that_do_not_fit_are_refused():
    with pytest.raises((ValueError, TypeCheckError)):
        evaluation.absorption([], UNITS, PARENTS[:6])
    with pytest.raises(ValueError, match=r"expected a code \[batch, more than 4\]"):
        evaluation.absorption([(np.ones((2, 4)), np.ones((2, 7)))], UNITS, PARENTS)
    with pytest.raises(ValueError, match=r"activations \[batch, 7\]"):
        evaluation.absorption([(np.ones((2, 5)), np.ones((2, 6)))], UNITS, PARENTS)


def test_rates_without_examples_are_undefined():
    found = evaluation.absorption([(np.ones((2, 5)), np.zeros((2, 7)))], UNITS, PARENTS)
    assert np.isnan(found.absorbed).all()
