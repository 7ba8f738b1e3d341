"""Solvers of the linear autoencoder against the SVD and scikit-learn's PCA."""

import jax
import numpy as np
import pytest
from sklearn.decomposition import PCA

from aejax import linear, theory
from aejax.theory.solvers.linear_solvers import balance
from tests.theory.degenerate_data import X

KEY = jax.random.key(3)
WIDE = np.random.default_rng(5).normal(size=(5, 9))


def kernels(params):
    return tuple(np.asarray(params[side]["layer_0"]["kernel"]) for side in ("encoder", "decoder"))


def principal_projector(x, code):
    components = np.linalg.svd(x - x.mean(axis=0), full_matrices=False)[2][:code]
    return components.T @ components


SOLVERS = ("train_linear", "train_preconditioned", "alternating_least_squares")


@pytest.fixture(scope="module", params=SOLVERS)
def solution(request):
    return getattr(theory, request.param)(KEY, theory.moments(X), 3)


def test_solvers_converge_to_the_principal_projector(solution):
    encoder, decoder = kernels(solution.params)
    assert solution.converged
    assert solution.steps > 3
    np.testing.assert_allclose(encoder @ decoder, principal_projector(X, 3), atol=1e-9)


def test_parameters_fit_the_models_encode_and_decode(solution):
    model = linear(6, 3)
    with jax.enable_x64(True):
        code = model.encode(solution.params, jax.numpy.asarray(X))
        x_hat = np.asarray(model.decode(solution.params, code))
        code = np.asarray(code)
    mean = X.mean(axis=0)
    np.testing.assert_allclose(x_hat, mean + (X - mean) @ principal_projector(X, 3), atol=1e-8)
    assert code.shape == (40, 3)
    np.testing.assert_allclose(np.mean(code, axis=0), 0, atol=1e-12)
    assert {leaf.dtype for leaf in jax.tree.leaves(solution.params)} == {np.dtype("float64")}


@pytest.mark.parametrize("solver", [getattr(theory, name) for name in SOLVERS])
def test_the_key_determines_the_start(solver):
    data = theory.moments(X)
    encoder, again, other = (
        kernels(solver(key, data, 3, max_steps=2).params)[0]
        for key in (KEY, KEY, jax.random.key(4))
    )
    np.testing.assert_array_equal(encoder, again)
    assert np.abs(encoder - other).max() > 1e-3


@pytest.mark.parametrize("solver", [getattr(theory, name) for name in SOLVERS])
def test_solvers_report_that_they_have_not_converged(solver):
    solution = solver(KEY, theory.moments(X), 3, max_steps=2)
    rounds = 2 if solver is theory.train_preconditioned else 1  # two calls of L-BFGS
    assert (solution.steps, solution.converged) == (2 * rounds, False)


def test_training_starts_at_the_models_initial_parameters():
    with jax.enable_x64(True):
        start = linear(6, 3, bias=False).init(KEY)
    solution = theory.train_linear(KEY, theory.moments(X), 3, max_steps=0)
    for ours, theirs in zip(kernels(solution.params), kernels(start), strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-12)


def test_training_stops_within_the_gradient_tolerance():
    data = theory.moments(X)
    loose = theory.train_linear(KEY, data, 3, gradient_tolerance=1e-3)
    tight = theory.train_linear(KEY, data, 3, gradient_tolerance=1e-9)
    assert loose.converged
    assert tight.converged
    assert loose.steps < tight.steps

    def gradient_norm(params):
        encoder, decoder = kernels(params)
        t = data.factor / np.linalg.norm(data.factor)
        error = 2 * (t @ encoder @ decoder - t)
        parts = t.T @ error @ decoder.T, (t @ encoder).T @ error
        return np.sqrt(sum(np.sum(part**2) for part in parts))

    assert 1e-9 < gradient_norm(loose.params) <= 1.001e-3
    assert gradient_norm(tight.params) <= 1.001e-9


def test_training_does_not_change_the_encoder_in_directions_without_variance():
    x = np.c_[X[:, :5], np.full(40, 7.0)]
    data = theory.moments(x)
    started, ended = (
        kernels(theory.train_linear(KEY, data, 3, max_steps=steps).params)[0]
        for steps in (0, 30_000)
    )
    np.testing.assert_allclose(ended[5], started[5], atol=1e-12)
    assert np.abs(started[5]).max() > 1e-2
    assert np.abs(ended[:5] - started[:5]).max() > 0.1


@pytest.mark.parametrize(
    "x", [X, WIDE, X @ np.diag([1.0, 1, 1, 1, 1, 0])], ids=["x", "wide", "flat"]
)
def test_preconditioned_training_converges_to_scikit_learns_map(x):
    solution = theory.train_preconditioned(KEY, theory.moments(x), 3)
    assert solution.converged
    encoder, decoder = kernels(solution.params)
    rows = PCA(3, svd_solver="full").fit(x).components_
    centred = x - x.mean(axis=0)
    np.testing.assert_allclose(centred @ encoder @ decoder, centred @ rows.T @ rows, atol=1e-9)


def test_a_preconditioned_step_equals_a_step_on_whitened_inputs():
    """A gradient step of A = T W_e is a step of W_e along (I − W_e W_d) W_dᵀ."""
    t = theory.moments(X).factor
    generator = np.random.default_rng(0)
    encoder, decoder = generator.normal(size=(6, 3)), generator.normal(size=(3, 6))
    of_codes = (t @ encoder @ decoder - t) @ decoder.T
    of_encoder = (encoder @ decoder - np.eye(6)) @ decoder.T
    np.testing.assert_allclose(t @ of_encoder, of_codes, atol=1e-12)


@pytest.mark.parametrize("shape", [(6, 3, 6), (2, 3, 6)], ids=["square", "fewer rows than units"])
def test_balancing_preserves_the_product_and_equalises_the_gram_matrices(shape):
    rows, code, features = shape
    generator = np.random.default_rng(1)
    codes, decoder = generator.normal(size=(rows, code)), generator.normal(size=(code, features))
    with jax.enable_x64(True):
        pair = {side: np.asarray(value) for side, value in balance(codes, decoder).items()}
    assert pair["codes"].shape == (rows, code)
    assert pair["decoder"].shape == (code, features)
    np.testing.assert_allclose(pair["codes"] @ pair["decoder"], codes @ decoder, atol=1e-12)
    grams = pair["codes"].T @ pair["codes"], pair["decoder"] @ pair["decoder"].T
    np.testing.assert_allclose(*grams, atol=1e-12)


def test_least_squares_returns_an_orthonormal_encoder_and_its_regression_decoder():
    data = theory.moments(X)
    encoder, decoder = kernels(theory.alternating_least_squares(KEY, data, 3).params)
    np.testing.assert_allclose(encoder.T @ encoder, np.eye(3), atol=1e-12)
    code = (X - X.mean(axis=0)) @ encoder
    regression = np.linalg.lstsq(code, X - X.mean(axis=0), rcond=None)[0]
    np.testing.assert_allclose(decoder, regression, atol=1e-9)


def test_solvers_do_not_leave_x64_enabled():
    theory.train_linear(KEY, theory.moments(X), 3, max_steps=1)
    theory.alternating_least_squares(KEY, theory.moments(X), 3, max_steps=1)
    assert jax.numpy.zeros(1).dtype == np.float32
