"""Linear transcoders, crosscoders and prefixes against SciPy's training, and wrong formulas."""

import numpy as np
import pytest
import scipy.linalg
import scipy.optimize

from aejax import theory
from aejax.theory.dictionaries import linear_bridges, transcoder_regression
from tests.theory.degenerate_data import DATA, DIGITS, X
from tests.theory.verdict_checks import verdicts

PROBLEM = theory.pose(X, 2)
HOLDS, NO = "holds", "not identifiable"


def test_scipy_trains_to_reduced_rank_regression():
    """Also Izenman's formula, tr YᵀY − Σ eig(YᵀX (XᵀX)⁻¹ XᵀY), of the features themselves."""
    rows = (X - X.mean(axis=0)) / np.sqrt(len(X) * np.var(X, axis=0).sum())
    x, y = rows[:, :3], rows[:, 3:]
    cross = x.T @ y
    explained = scipy.linalg.eigvalsh(cross.T @ scipy.linalg.solve(x.T @ x, cross))[::-1]
    found = transcoder_regression.reduced_rank_regression(transcoder_regression.halves(PROBLEM), 1)

    def loss(flat):
        encoder, decoder = flat[:3, None], flat[None, 3:]
        error = x @ encoder @ decoder - y
        slopes = 2 * x.T @ error @ decoder.T, 2 * (x @ encoder).T @ error
        return np.sum(error**2), np.concatenate([each.ravel() for each in slopes])

    generator = np.random.default_rng(0)
    ends = [
        scipy.optimize.minimize(loss, generator.normal(size=6), jac=True, options={"gtol": 1e-9})
        for _ in range(8)
    ]
    for code, expected in ((1, min(end.fun for end in ends)), (1, None), (2, None), (3, None)):
        least = transcoder_regression.regression_loss(found, code)
        assert least == pytest.approx(expected or np.sum(y**2) - explained[:code].sum(), rel=1e-9)


def test_the_components_of_the_targets_are_worse_than_those_of_the_fit():
    case = transcoder_regression.halves(PROBLEM)
    found = transcoder_regression.reduced_rank_regression(case, 1)
    fit = np.linalg.lstsq(case.x, case.target, rcond=None)[0]
    _, _, own = np.linalg.svd(case.target)
    error = case.target - case.x @ fit @ own[:1].T @ own[:1]
    assert np.sum(error**2) > 1.01 * transcoder_regression.regression_loss(found, 1)


def test_inputs_of_small_deviation_are_left_out():
    x = np.random.default_rng(0).normal(size=(50, 6)) * [1, 1e-2, 1e-5, 1, 1, 1]
    case = transcoder_regression.halves(theory.pose(x, 2))
    assert [bool(column.any()) for column in case.x.T] == [True, True, False]


def test_a_rotation_has_the_same_loss_but_not_of_its_prefixes():
    """(r − 1)(λ_1 − λ_r)/2 more, by the definition of the prefix losses."""
    problem = theory.pose(X, 3)
    factor = problem.moments.factor / np.linalg.norm(problem.moments.factor)
    rotated = linear_bridges.rotated_components(problem)
    np.testing.assert_allclose(rotated @ rotated.T, np.eye(3), atol=1e-14)
    totals = []
    for rows in (problem.pca.components[:3], rotated):
        each = [np.sum((factor - factor @ rows[:m].T @ rows[:m]) ** 2) for m in (1, 2, 3)]
        totals.append((sum(each), each[-1]))
    values = problem.pca.eigenvalues / problem.pca.eigenvalues.sum()
    assert totals[0][0] == pytest.approx(linear_bridges.prefix_loss(problem))
    assert totals[1][0] - totals[0][0] == pytest.approx(values[0] - values[2])
    assert totals[1][1] == pytest.approx(totals[0][1])
    _, _, found = theory.linear_bridges(problem)
    assert found.control == pytest.approx(values[0] - values[2])


def test_scipy_trains_prefixes_to_the_components_in_order():
    factor = PROBLEM.moments.factor / np.linalg.norm(PROBLEM.moments.factor)

    def loss(flat):
        encoder, decoder = flat[:12].reshape(6, 2), flat[12:].reshape(2, 6)
        value, slopes = 0, [np.zeros((6, 2)), np.zeros((2, 6))]
        for m in (1, 2):
            error = factor @ encoder[:, :m] @ decoder[:m] - factor
            value += np.sum(error**2)
            slopes[0][:, :m] += 2 * factor.T @ error @ decoder[:m].T
            slopes[1][:m] += 2 * (factor @ encoder[:, :m]).T @ error
        return value, np.concatenate([each.ravel() for each in slopes])

    start = np.random.default_rng(3).normal(size=24)
    end = scipy.optimize.minimize(loss, start, jac=True, options={"gtol": 1e-9, "maxiter": 5000})
    assert end.fun == pytest.approx(linear_bridges.prefix_loss(PROBLEM), rel=1e-8)
    rows = end.x[12:].reshape(2, 6)
    cosines = rows @ PROBLEM.pca.components[:2].T / np.linalg.norm(rows, axis=1, keepdims=True)
    np.testing.assert_allclose(np.abs(cosines), np.eye(2), atol=1e-4)


CASES = {
    "digits": (DIGITS, 10, [HOLDS] * 3),
    "one unit": (X, 1, [HOLDS] * 3),
    "two features": (DATA["two features"], 1, [HOLDS] * 3),
    "repeated at k": (DATA["λ_3 = λ_4"], 3, [HOLDS] * 3),
    "all equal": (DATA["all λ equal"], 3, [NO, HOLDS, NO]),
    "constant feature": (DATA["regular, last feature constant"], 3, [HOLDS] * 3),
    "rank < k": (DATA["rank 2"], 3, [HOLDS, NO, HOLDS]),
    "four examples": (DATA["four examples"], 2, [HOLDS] * 3),
    "k = n": (X, 6, ["not applicable"] * 3),
    "k = n - 1, odd": (X[:, :5], 4, [HOLDS, "not applicable", HOLDS]),
    "a constant half": (X * [0, 0, 0, 1, 1, 1], 2, ["not applicable", NO, HOLDS]),
    "constant data": (DATA["constant"], 3, ["not applicable"] * 3),
}


@pytest.mark.parametrize("name", CASES)
def test_the_verdicts_are_right(name):
    x, code, expected = CASES[name]
    answers = theory.linear_bridges(theory.pose(x, code))
    assert verdicts(answers) == expected, "\n".join(map(str, answers))
    for answer in answers:
        if answer.verdict == HOLDS and answer.control is not None:
            assert answer.residual <= answer.tolerance < answer.control / 1000


def test_false_components_fail_except_for_the_transcoder_that_has_its_own():
    components = PROBLEM.pca.components[[1, 0, 2, 3, 4, 5]]
    problem = PROBLEM._replace(pca=PROBLEM.pca._replace(components=components))
    assert verdicts(theory.linear_bridges(problem)) == [HOLDS, HOLDS, "fails"]


@pytest.mark.parametrize(
    ("name", "expected"),
    [("_transcoded", ["fails", HOLDS, HOLDS]), ("_crosscoded", [HOLDS, "fails", HOLDS])],
)
def test_an_objective_of_another_model_fails(name, expected, monkeypatch):
    right = getattr(linear_bridges, name)

    def other(params, data):
        value, terms = right(params, data)
        return 1.0001 * value, terms

    monkeypatch.setattr(linear_bridges, name, other)
    assert verdicts(theory.linear_bridges(PROBLEM)) == expected


def test_wrong_ranks_and_prefixes_fail(monkeypatch):
    right = linear_bridges.regression_loss
    monkeypatch.setattr(linear_bridges, "regression_loss", lambda found, k: right(found, k) + 1e-8)
    assert verdicts(theory.linear_bridges(PROBLEM)) == ["fails", HOLDS, HOLDS]
    monkeypatch.undo()
    least = linear_bridges.prefix_loss(PROBLEM)
    monkeypatch.setattr(linear_bridges, "prefix_loss", lambda _: least / 2)
    assert verdicts(theory.linear_bridges(PROBLEM)) == [HOLDS, HOLDS, "fails"]
