"""Non-linear encoders against scikit-learn's networks and regressions, and wrong formulas."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from sklearn.linear_model import LinearRegression
from sklearn.neural_network import MLPRegressor

from aejax import theory
from aejax.theory.learning import encoder_bound, nonlinear_encoders
from tests.theory.degenerate_data import DATA, DIGITS, X
from tests.theory.units import assert_no_number_changes
from tests.theory.verdict_checks import check_verdicts, verdicts

PROBLEM = theory.pose(X, 3)
TANH, LOGISTIC = (nonlinear_encoders.Encoding(f, 0.0) for f in (jnp.tanh, jax.nn.sigmoid))
NOT_APPLICABLE = ["not applicable"] * 3


def regressed_loss(code, x):
    return np.sum((LinearRegression().fit(code, x).predict(code) - x) ** 2) / len(x)


@pytest.mark.parametrize(
    "encoding",
    [TANH, LOGISTIC, TANH._replace(bias=0.7), nonlinear_encoders.Encoding(jax.nn.relu, 0.0)],
)
def test_the_excess_is_that_of_scikit_learns_regression_on_the_code(encoding):
    centred = X - X.mean(axis=0)
    rows = theory.pca(X).components[:3]
    scores = centred @ rows.T
    kernel = 0.4 * rows.T / np.abs(scores).max(axis=0)
    code = np.asarray(encoding.activation(centred @ kernel + encoding.bias), np.float64)
    loss = regressed_loss(code, X)
    excess = nonlinear_encoders.relative_excess_loss(PROBLEM, encoding, 0.4)
    assert excess == pytest.approx((loss - 1.75) / 13.75, rel=1e-2, abs=1e-6)  # JAX's f in float32
    assert excess > 0


@pytest.mark.parametrize(
    ("encoding", "order"),
    [
        (TANH, 4),
        (LOGISTIC, 4),
        (TANH._replace(bias=0.5), 2),
        (LOGISTIC._replace(bias=-1.0), 2),
        (nonlinear_encoders.Encoding(jnp.sin, 0.0), 4),
        (nonlinear_encoders.Encoding(jnp.square, 1.0), 2),
    ],
)
def test_the_measured_order_is_within_a_tenth(encoding, order):
    measured, _ = nonlinear_encoders.excess_orders(PROBLEM, encoding)
    assert measured.shape == (7,)
    assert np.abs(measured[-3:] - order).max() < 0.1


def test_relu_is_exact_with_a_large_bias_and_independent_of_scale_without_one():
    beyond, without = (nonlinear_encoders.Encoding(jax.nn.relu, bias) for bias in (1.0, 0.0))
    assert abs(nonlinear_encoders.relative_excess_loss(PROBLEM, beyond, 1.0)) < 1e-15
    assert nonlinear_encoders.relative_excess_loss(PROBLEM, beyond._replace(bias=0.5), 1.0) > 1e-3
    large, small = (
        nonlinear_encoders.relative_excess_loss(PROBLEM, without, e) for e in (1.0, 1e-3)
    )
    assert large > 1e-2
    assert small == pytest.approx(large, rel=1e-9)


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize("activation", ["tanh", "logistic", "relu"])
def test_scikit_learns_networks_satisfy_the_bound(activation):
    network = MLPRegressor(
        hidden_layer_sizes=(3,),
        activation=activation,
        solver="lbfgs",
        max_iter=300,
        random_state=0,
    ).fit(X, X)
    loss = np.sum((network.predict(X) - X) ** 2) / len(X)
    assert loss > theory.least_loss(PROBLEM.pca, 3) == pytest.approx(1.75)


def test_the_best_loss_is_that_of_scikit_learns_regression():
    code = np.random.default_rng(0).normal(size=(40, 3)) ** 3
    assert encoder_bound.best_loss(PROBLEM, code) == pytest.approx(
        regressed_loss(code, X), rel=1e-10
    )


def test_trained_networks_have_learned_and_differ():
    codes = encoder_bound.trained_codes(PROBLEM)
    assert set(codes) == {
        f"{d} {n}" for d in ("shallow", "deep") for n in encoder_bound.ACTIVATION_NAMES
    }
    losses = {name: encoder_bound.best_loss(PROBLEM, code) for name, code in codes.items()}
    assert len(set(losses.values())) == 6
    assert min(losses.values()) >= 1.75
    assert losses["shallow tanh"] < 1.5 * 1.75


CASES = {
    "digits": (DIGITS, 10, ["holds"] * 3),
    "digits, small and offset": (DATA["digits, small unit and offset"], 10, ["holds"] * 3),
    "repeated at k": (DATA["λ_3 = λ_4"], 3, ["holds"] * 3),
    "constant feature": (DATA["regular, last feature constant"], 3, ["holds"] * 3),
    "rank < k": (DATA["rank 2"], 3, ["holds"] * 3),
    "condition 1e12": (DATA["condition 1e12"], 3, ["holds"] * 3),
    "scores of two values": (
        DATA["scores of two values"],
        1,
        ["not identifiable"] * 3,
    ),
    "m = k + 1": (X[:4], 3, ["not identifiable"] * 3),
    "k = n": (X, 6, NOT_APPLICABLE),
    "one example": (DATA["one example"], 3, NOT_APPLICABLE),
    "constant data": (DATA["constant"], 3, NOT_APPLICABLE),
}


@pytest.mark.parametrize("name", CASES)
def test_the_verdicts_are_right(name):
    x, code, expected = CASES[name]
    answers = nonlinear_encoders.small_codes(theory.pose(x, code))
    check_verdicts(answers, expected)


def test_scores_of_three_values_have_no_cube_and_so_no_fourth_order():
    x = DATA["all λ equal"]
    answers = nonlinear_encoders.small_codes(theory.pose(x, 3))
    assert verdicts(answers) == ["not identifiable", "holds", "holds"]


@pytest.mark.parametrize(
    ("x", "code", "verdict"),
    [
        (X, 3, "holds"),
        (DATA["rank 2"], 3, "holds"),
        (X, 6, "not applicable"),
        (DATA["one example"], 3, "not applicable"),
    ],
)
def test_the_verdicts_of_the_bound_are_right(x, code, verdict):
    (answer,) = encoder_bound.encoders_bounded_by_pca(theory.pose(x, code))
    assert answer.verdict == verdict


def test_a_bound_too_high_fails():
    """Eigenvalues times 1.5, whose sum trained networks undercut."""
    analysis = PROBLEM.pca._replace(eigenvalues=PROBLEM.pca.eigenvalues * 1.5)
    (answer,) = encoder_bound.encoders_bounded_by_pca(PROBLEM._replace(pca=analysis))
    assert answer.verdict == "fails"


@pytest.mark.parametrize(
    ("activation", "verdict"),
    [
        (jnp.sin, "holds"),  # of order four, like tanh
        (lambda z: z + z**5, "fails"),  # of order eight
        (jnp.expm1, "not identifiable"),  # no inflection: the expansion has odd powers too
    ],
)
def test_another_order_than_four_does_not_hold(activation, verdict, monkeypatch):
    monkeypatch.setattr(jax.nn, "sigmoid", activation)
    assert verdicts(nonlinear_encoders.small_codes(PROBLEM))[0] == verdict


def test_large_data_is_represented_by_evenly_spaced_examples(monkeypatch):
    monkeypatch.setattr(nonlinear_encoders, "MAX_ELEMENTS", 60)
    part = nonlinear_encoders.representatives(PROBLEM)
    np.testing.assert_array_equal(part.x, X[::4])
    np.testing.assert_allclose(part.pca.eigenvalues, theory.pca(X[::4]).eigenvalues)
    monkeypatch.setattr(nonlinear_encoders, "MAX_ELEMENTS", 1)
    assert len(nonlinear_encoders.representatives(PROBLEM).x) >= 5


def test_the_unit_of_measurement_changes_no_number():
    assert_no_number_changes(encoder_bound.encoders_bounded_by_pca, X, 3)


def test_the_bound_of_a_code_one_unit_smaller_is_off_by_the_eigenvalue_that_it_lacks():
    (answer,) = encoder_bound.encoders_bounded_by_pca(PROBLEM)
    assert answer.control == pytest.approx(2 / 1.75, rel=1e-9)
    assert answer.residual < 1e-14  # PCA's own code attains the bound
