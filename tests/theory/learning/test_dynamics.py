"""Learning dynamics against SciPy's integrator, first-order theory and wrong formulas."""

import jax
import numpy as np
import pytest
import scipy.integrate

from aejax import theory
from aejax.theory.learning import dynamics
from tests.theory.degenerate_data import DATA, DIGITS, X
from tests.theory.spectra import with_spectrum
from tests.theory.verdict_checks import check_verdicts, verdicts

PROBLEM = theory.pose(X, 3)
S = np.cov(X, rowvar=False, bias=True) / 6
NOT_APPLICABLE = ["not applicable"] * 3


@pytest.fixture(scope="module")
def maps():
    return dynamics.descent_maps(PROBLEM)


def flow(_, flat):
    """Ẇ = −∇L of both kernels, in NumPy."""
    a, b = flat[:18].reshape(6, 3), flat[18:].reshape(3, 6)
    rest = S @ (np.eye(6) - a @ b)
    return 2 * np.concatenate([(rest @ b.T).ravel(), (a.T @ rest).ravel()])


def integrate(start):
    span = (0, dynamics.duration())
    end = scipy.integrate.solve_ivp(flow, span, start, rtol=1e-12, atol=1e-14).y[:, -1]
    return end[:18].reshape(6, 3), end[18:].reshape(3, 6)


def test_scipy_integrates_the_flow_of_the_kernels_to_the_logistic_curves():
    rows = theory.pca(X).components[:3]
    start = np.sqrt(dynamics.START_GAIN) * np.concatenate([rows.T.ravel(), rows.ravel()])
    encoder, decoder = integrate(start)
    gains = rows @ encoder @ decoder @ rows.T
    np.testing.assert_allclose(gains, np.diag(dynamics.logistic_gains(PROBLEM)), atol=1e-10)


def test_the_first_mode_reaches_its_final_gain_and_modes_are_learned_in_the_order_of_lambda():
    gains = dynamics.logistic_gains(PROBLEM)
    assert gains[0] == pytest.approx(dynamics.END_GAIN)
    assert (np.diff(gains) < 0).all()
    assert (gains > dynamics.START_GAIN).all()


def test_scipy_conserves_the_imbalance_of_a_random_start():
    start = np.random.default_rng(0).normal(size=36)
    a, b = start[:18].reshape(6, 3), start[18:].reshape(3, 6)
    encoder, decoder = integrate(start)
    before, after = b @ b.T - a.T @ a, decoder @ decoder.T - encoder.T @ encoder
    np.testing.assert_allclose(after, before, atol=1e-9)
    assert np.abs(encoder - a).max() > 0.1


def test_the_order_is_between_0_9_and_1_1_from_the_first_pair_of_runs_on(maps):
    measured = dynamics.orders(maps, dynamics.logistic_gains(PROBLEM))
    assert measured.shape == (6, 3)
    assert (measured > 0.9).all()
    assert (measured < 1.1).all()


def test_the_error_is_that_of_the_modified_equation(maps):
    """−η/2 f(p) ln(f(p)/f(p₀)) for Euler's method on ṗ = f(p), and a = p²."""
    values = np.array([6.0, 4.0, 2.0]) / 6

    def speed(p):
        return 2 * values * p * (1 - p**2)

    end, step = (
        np.sqrt(dynamics.logistic_gains(PROBLEM)),
        dynamics.duration() / dynamics.STEP_COUNTS[-1],
    )
    error = np.diag(maps[-1]) - dynamics.logistic_gains(PROBLEM)
    first = -step * end * speed(end) * np.log(speed(end) / speed(np.sqrt(dynamics.START_GAIN)))
    np.testing.assert_allclose(error, first, rtol=5e-3)


def test_richardson_extrapolation_removes_one_power_per_run():
    steps = 0.5 ** np.arange(4)[:, None]
    values = np.array([[3.0, 7.0]]) + 2 * steps - 5 * steps**2 + 4 * steps**3
    np.testing.assert_allclose(dynamics.richardson(values), [3.0, 7.0], rtol=1e-13)


CASES = {
    "digits": (DIGITS, 10, ["holds"] * 3),
    "digits, small and offset": (DATA["digits, small unit and offset"], 10, ["holds"] * 3),
    "repeated at k": (DATA["λ_3 = λ_4"], 3, ["holds"] * 3),
    "constant feature": (DATA["regular, last feature constant"], 3, ["holds"] * 3),
    "rank < k": (DATA["rank 2"], 3, ["holds"] * 3),
    "m < n": (DATA["four examples"], 3, ["holds"] * 3),
    "condition 1e12": (DATA["condition 1e12"], 3, ["holds"] * 3),
    "k = n": (X, 6, NOT_APPLICABLE),
    "one example": (DATA["one example"], 3, NOT_APPLICABLE),
    "constant data": (DATA["constant"], 3, NOT_APPLICABLE),
}


@pytest.mark.parametrize("name", CASES)
def test_the_verdicts_are_right(name):
    x, code, expected = CASES[name]
    answers = dynamics.learning_dynamics(theory.pose(x, code))
    check_verdicts(answers, expected)


def test_modes_too_weak_to_move_are_not_started_and_the_reason_says_so():
    curve, *_ = dynamics.learning_dynamics(
        theory.pose(with_spectrum([5.0, 4, 0.1, 0.05], features=6), 4)
    )
    assert curve.verdict == "holds"
    assert "2 of 4 units start, on modes of λ ≥ 0.15 λ_1" in curve.reason


@pytest.mark.parametrize(
    ("rate", "expected"),
    [(2.0, ["fails", "fails"]), (4.0 + 1e-6, ["fails", "not identifiable"])],
)
def test_another_rate_fails(rate, expected, monkeypatch):
    """With a slightly wrong rate the errors stop decreasing, so the orders have no limit."""
    right = dynamics.logistic_gains
    monkeypatch.setattr(
        dynamics, "logistic_gains", lambda problem, rate=rate: right(problem, rate=rate)
    )
    monkeypatch.setattr(dynamics, "RATE", rate)
    assert verdicts(dynamics.learning_dynamics(PROBLEM))[:2] == expected


def test_wrong_eigenvectors_fail():
    components = np.roll(PROBLEM.pca.components, 1, axis=0)
    components[:2] = (
        np.array([[np.cos(0.1), np.sin(0.1)], [-np.sin(0.1), np.cos(0.1)]]) @ (components[:2])
    )
    problem = PROBLEM._replace(pca=PROBLEM.pca._replace(components=components))
    assert verdicts(dynamics.learning_dynamics(problem))[0] == "fails"


def test_the_conserved_quantity_does_not_depend_on_the_key():
    for seed in (1, 2):
        *_, answer = dynamics.learning_dynamics(PROBLEM._replace(key=jax.random.key(seed)))
        assert answer.verdict == "holds"
