"""Tests of the notes on the course's formulas; the tests that the notes name exist."""

import re

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.special import expit
from scipy.stats import entropy, ortho_group
from sklearn.decomposition import PCA

import aejax
from aejax import Batch, corruptions, losses, penalties
from tests.documents import named_tests, names_of_tests, read

NOTES = read("course_notes.md")
NAMED = named_tests(NOTES)
EXAMPLES, FEATURES, UNITS = 30, 6, 3


@pytest.fixture
def x(x64):
    generator = np.random.default_rng(0)
    return jnp.asarray(generator.normal(size=(EXAMPLES, FEATURES)) @ np.diag(range(1, 7)))


def test_every_note_names_a_test():
    notes = [note for note in NOTES.split("\n\n") if note.startswith("**")]
    assert len(notes) == NOTES.count("Shown by") > 10
    assert all(re.search(r"Shown by `tests/[\w/]+\.py::test_\w+`", note) for note in notes)
    assert len(NAMED) == NOTES.count("::")


@pytest.mark.parametrize(("file", "name"), NAMED, ids=[name for _, name in NAMED])
def test_the_named_tests_exist(file, name):
    assert name in names_of_tests(file)


@pytest.mark.parametrize("encoding", [np.tanh, expit, np.sin, lambda a: a])
def test_a_code_with_fewer_units_than_the_rank_is_not_lossless(x, encoding):
    """With any code, the optimal linear decoder has at least the loss of PCA."""
    generator = np.random.default_rng(1)
    h = encoding(np.asarray(x) @ generator.normal(size=(FEATURES, UNITS)) / 5)
    design = np.c_[h, np.ones(EXAMPLES)]
    residual = x - design @ np.linalg.lstsq(design, x)[0]
    remaining = PCA().fit(x).singular_values_[UNITS:] ** 2
    assert remaining.sum() > 1
    assert np.square(residual).sum() >= remaining.sum()


@pytest.mark.parametrize(("output", "low"), [(expit, 0), (np.tanh, -1)])
def test_the_error_of_a_bounded_output_is_at_least_the_distance_to_its_range(x, output, low):
    x = np.asarray(x)
    outside = (x < low) | (x > 1)
    distance = np.square(x - np.clip(x, low, 1))
    assert distance.max() > 1
    for a in (-40.0, -1.0, 0.0, 3.0, 40.0):
        assert (np.square(output(a) - x)[outside] >= distance[outside] * (1 - 1e-12)).all()
    best = np.square(output(40 * np.where(x > 1, 1, -1)) - x)
    np.testing.assert_allclose(best[outside], distance[outside], rtol=1e-12)


def test_the_minimum_cross_entropy_of_a_grey_value_is_its_entropy(x64):
    grey = jnp.linspace(0.05, 0.95, 19)
    logits = jnp.log(grey) - jnp.log1p(-grey)
    value, slope = (
        jax.vmap(function)(logits, grey)
        for function in (losses.bernoulli.elementwise, jax.grad(losses.bernoulli.elementwise))
    )
    np.testing.assert_allclose(value, entropy([grey, 1 - grey]), rtol=1e-12)
    np.testing.assert_allclose(slope, 0, atol=1e-14)
    assert value.min() > 0.19


def test_the_code_follows_from_the_svd_and_the_gram_matrix_is_singular(x):
    u, sigma, vt = np.linalg.svd(x, full_matrices=False)
    np.testing.assert_allclose(
        np.asarray(x) @ vt[:UNITS].T, u[:, :UNITS] * sigma[:UNITS], rtol=1e-10, atol=1e-12
    )
    gram = np.asarray(x @ x.T)
    assert gram.shape == (EXAMPLES, EXAMPLES)
    assert np.linalg.matrix_rank(gram) == FEATURES


def test_a_factor_on_the_inputs_changes_no_component(x):
    centred = x - x.mean(0)
    plain, scaled = (PCA().fit(data) for data in (x, centred / np.sqrt(EXAMPLES)))
    np.testing.assert_allclose(
        np.abs(np.sum(plain.components_ * scaled.components_, axis=1)), 1, rtol=1e-12
    )
    normalised = np.asarray(centred) / np.sqrt(EXAMPLES)
    np.testing.assert_allclose(normalised.T @ normalised, np.cov(x.T, ddof=0), rtol=1e-10)


def test_gaussian_noise_on_a_linear_autoencoder_is_l2_on_the_product(x):
    """Uses the exact expectation over orthogonal noise of this covariance, without sampling."""
    sigma, generator = 0.7, np.random.default_rng(2)
    kernel, decoder = generator.normal(size=(FEATURES, UNITS)), generator.normal(size=(3, 6))
    product = kernel @ decoder

    def loss(noise):
        return np.square((np.asarray(x) + noise) @ product - x).sum(1).mean()

    # Rows ±√n σ of an orthogonal matrix have mean 0 and covariance σ² I exactly.
    rows = np.sqrt(FEATURES) * sigma * ortho_group.rvs(FEATURES, random_state=0)
    expected = np.mean([loss(sign * row) for row in rows for sign in (1, -1)])
    on_product = loss(0) + sigma**2 * np.square(product).sum()
    on_kernels = loss(0) + sigma**2 * (np.square(kernel).sum() + np.square(decoder).sum())
    np.testing.assert_allclose(expected, on_product, rtol=1e-12)
    assert abs(on_kernels - expected) > 1


def test_the_loss_of_the_identity_under_masking_is_q_times_the_squares(x):
    identity = aejax.Autoencoder(lambda _: {}, lambda _, x: x, lambda _, code: code)
    objective = aejax.objective(identity, losses.squared, corruption=corruptions.masking(rate=0.3))
    many, key = jnp.tile(x, (400, 1)), jax.random.key(0)
    clean, _ = objective({}, Batch(many), key)
    squares = np.square(x)
    deviation = np.sqrt(0.3 * 0.7 * np.square(squares).sum() / 400) / EXAMPLES
    assert abs(clean - 0.3 * squares.sum() / EXAMPLES) < 4 * deviation
    seen = aejax.forward(objective, {}, Batch(many), key).x_corrupted
    assert objective({}, Batch(many, target=seen), key)[0] == 0


def test_sparsity_of_batches_overstates_that_of_the_data(x):
    h = expit(np.asarray(x)[:24])

    def sparsity(size):
        batches = jnp.asarray(h.reshape(-1, size, FEATURES).mean(1))
        return float(penalties.bernoulli_kl(0.1, batches).sum(1).mean())

    values = [sparsity(size) for size in (24, 12, 6, 3, 1)]
    assert (np.diff(values) > 0.01).all()


def test_saturated_units_contract_with_large_kernels(x64):
    kernel, x = jnp.ones((1, 1)), jnp.ones((1, 1))
    norms = [
        penalties.logistic_squared_jacobian_norm(scale * kernel, jax.nn.sigmoid(scale * x))[0]
        for scale in (1.0, 20.0)
    ]
    assert norms[1] < 1e-10 < norms[0]
