"""Wrong formulas that certificates once accepted: comparison with the definition rejects each."""

import inspect
import textwrap

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from aejax import corruptions, theory
from aejax.theory.analysis.linear_params import linear_params
from aejax.theory.learning import encoder_bound, nonlinear_encoders, online, single_precision
from aejax.theory.noise import expectations, gaussian, masking, monte_carlo
from aejax.theory.noise.gaussian import Regression
from aejax.theory.parameters import biases, component_recovery, symmetry_breaking
from aejax.theory.solvers import penalised
from tests.theory.degenerate_data import X
from tests.theory.spectra import with_spectrum
from tests.theory.verdict_checks import verdicts

PROBLEM = theory.pose(X, 3)
WIDE = theory.pose(with_spectrum(1 / np.arange(1.0, 13)), 5)
HOLDS, FAILS = "holds", "fails"


def second_moments(a, b):
    """Masked data with moment a S + b diag S instead of (1 − q)² S + q (1 − q) diag S."""

    def regression(factor, *, rate=masking.RATE):
        spread = np.sqrt(b) * np.diag(np.linalg.norm(factor, axis=0))
        return Regression(np.r_[np.sqrt(a) * factor, spread], np.r_[factor, 0 * spread])

    return regression


@pytest.mark.parametrize(
    "problem", [PROBLEM, pytest.param(WIDE, marks=pytest.mark.slow)], ids=["small", "wide"]
)
@pytest.mark.parametrize(
    ("a", "b"),
    [(0.25, 0.25), (1.0, 0.1875), (0.5625, 0.0625), (0.5625, 0.1875 * 1.001), (0.5625, 0.0)],
    ids=["rate ½", "S", "q² diag S", "off by 1e-3", "no diagonal"],
)
def test_a_false_second_moment_of_masks_fails(problem, a, b, monkeypatch):
    assert verdicts(theory.masking_denoising(problem)) == [HOLDS, HOLDS]
    monkeypatch.setattr(masking, "masking_regression", second_moments(a, b))
    found = verdicts(theory.masking_denoising(problem))
    assert found[0] in (FAILS, "not identifiable")
    assert b == 0 or found == [FAILS, FAILS]


def test_components_that_are_not_leading_fail_as_training_finds_a_lower_loss(monkeypatch):
    """The last k right singular vectors are stationary too, and their loss has a formula."""
    regression, least = masking.reduced_rank_regression, masking.least_regression_loss

    def trailing(case, code):
        full = regression(case, case.noisy.shape[1])
        return expectations.Kernels(full.encoder[:, -code:], full.decoder[-code:])

    def loss(case, code):
        features = case.noisy.shape[1]
        return least(case, 0) - (least(case, features - code) - least(case, features))

    monkeypatch.setattr(masking, "reduced_rank_regression", trailing)
    monkeypatch.setattr(masking, "least_regression_loss", loss)
    assert verdicts(theory.masking_denoising(PROBLEM))[0] == FAILS


def test_the_enumerated_expectation_is_the_mean_of_many_draws():
    """For masks and Gaussian noise by NumPy's generator, at kernels that are not optimal."""
    generator = np.random.default_rng(0)
    rows = generator.normal(size=(4, 3))
    encoder, decoder = generator.normal(size=(3, 2)), generator.normal(size=(2, 3))
    size = (100_000, 4, 3)
    samples = {
        "masks": rows * (generator.random(size) >= 0.3),
        "noise": rows + np.sqrt(0.7) * generator.normal(size=size),
    }
    outcomes = {
        "masks": expectations.mask_outcomes(3, rate=0.3),
        "noise": expectations.gaussian_outcomes(3, variance=0.7),
    }
    with jax.enable_x64(True):
        params = linear_params(jnp.asarray(encoder), jnp.asarray(decoder))
        for name, noisy in samples.items():
            batch = expectations.Batch(jnp.asarray(rows))
            expected = expectations.expected_objective(params, (batch, outcomes[name]))
            drawn = np.mean(np.sum((noisy @ encoder @ decoder - rows) ** 2, axis=2), axis=1)
            assert abs(drawn.mean() - float(expected)) < 5 * drawn.std() / np.sqrt(len(drawn))


def test_the_eight_features_of_largest_variance_are_enumerated_in_wide_data():
    scales = np.arange(1.0, 13)[np.random.default_rng(1).permutation(12)]
    x = scales * np.random.default_rng(2).uniform(-1, 1, size=(100, 12)).round(3)
    part = expectations.enumerable_problem(theory.pose(x, 6))
    kept = np.flatnonzero(x.std(axis=0) >= np.sort(x.std(axis=0))[-8])
    np.testing.assert_allclose(part.pca.mean, x[:, kept].mean(axis=0))
    assert (part.x.shape, part.code) == ((100, 8), 4)
    assert expectations.enumerable_problem(PROBLEM) is PROBLEM


def additive(draw):
    """Corruption x + σ z, with z of mean zero and variance one drawn by `draw(key, shape)`."""

    def make(level):
        return lambda key, x: x + level * draw(key, x.shape)

    return make


def normal(key, shape):
    return jax.random.normal(key, shape)


def three_points(key, shape):
    """−√3, 0 or √3 with probabilities 1/6, 2/3, 1/6: moments of the normal up to order five."""
    chance = jax.random.uniform(key, shape)
    return jnp.sqrt(3.0) * ((chance < 1 / 6) * 1.0 - (chance > 5 / 6))


GAUSSIAN = {
    "1 % too strong": lambda key, shape: 1.01 * normal(key, shape),
    "uniform": lambda key, shape: (
        jnp.sqrt(3.0) * jax.random.uniform(key, shape, minval=-1.0, maxval=1.0)
    ),
    "Laplace": lambda key, shape: jax.random.laplace(key, shape) / jnp.sqrt(2.0),
    "signs": lambda key, shape: jax.random.rademacher(key, shape, float),
    "three points": three_points,
    "one draw per row": lambda key, shape: normal(key, (*shape[:-1], 1)) * jnp.ones(shape),
    "one draw per column": lambda key, shape: normal(key, shape[-1:]) * jnp.ones(shape),
    "on a sphere": lambda key, shape: (
        normal(key, shape) / jnp.sqrt(jnp.mean(normal(key, shape) ** 2, axis=-1, keepdims=True))
    ),
    "antithetic": lambda key, shape: (
        jnp.where(jnp.arange(shape[0])[:, None] % 2, 1, -1) * normal(key, shape[-1:])
    ),
    "the same for every key": lambda key, shape: normal(jax.random.key(0), shape),
    "of mean 0.05": lambda key, shape: normal(key, shape) + 0.05,
}


def of_masks(chosen):
    return lambda level: lambda key, x: jnp.where(chosen(key, level, x.shape), 0, x)


def bernoulli(key, rate, shape):
    return jax.random.bernoulli(key, rate, shape)


def random_rate(key, rate, shape):
    """A rate per example, uniform from 0 to 2q."""
    key_rate, key = jax.random.split(key)
    rates = jax.random.uniform(key_rate, (*shape[:-1], 1), minval=0, maxval=2 * rate)
    return bernoulli(key, rates, shape)


def exact_share(key, rate, shape):
    order = jax.random.permutation(key, jnp.arange(np.prod(shape))).reshape(shape)
    return order < rate * np.prod(shape)


MASKS = {
    "rate 1 % off": of_masks(lambda key, rate, shape: bernoulli(key, 1.01 * rate, shape)),
    "kept, not masked": of_masks(lambda key, rate, shape: bernoulli(key, 1 - rate, shape)),
    "whole columns": of_masks(
        lambda key, rate, shape: bernoulli(key, rate, shape[-1:]) & jnp.ones(shape, bool)
    ),
    "a random rate": of_masks(random_rate),
    "an exact share": of_masks(exact_share),
    "kept elements scaled": lambda rate: (
        lambda key, x: corruptions.masking(rate=rate)(key, x) / (1 - rate)
    ),
    "one in place of zero": lambda rate: (
        lambda key, x: jnp.where(bernoulli(key, rate, x.shape), 1.0, x)
    ),
}


@pytest.mark.parametrize("name", [*GAUSSIAN, *MASKS])
def test_noise_with_another_distribution_fails(name):
    """Most have the right mean and variance, so that a mean of losses cannot detect them."""
    rows = monte_carlo._rows(PROBLEM)
    key = jax.random.key(0)
    with jax.enable_x64(True), pytest.MonkeyPatch.context() as patch:
        if "1 %" not in name:  # larger deviations are detected in a smaller sample
            patch.setattr(monte_carlo, "NORMAL_SAMPLE_SIZE", 2**17)
            patch.setattr(monte_carlo, "MASK_SAMPLE_SIZE", 2**17)
        if name in GAUSSIAN:
            patch.setattr(monte_carlo, "_gaussian", additive(GAUSSIAN[name]))
            answer = monte_carlo._gaussian_law(key, rows, 1.5)
        else:
            patch.setattr(monte_carlo, "_masking", MASKS[name])
            answer = monte_carlo._masking_law(key, rows)
    assert answer.verdict == FAILS, str(answer)


@pytest.mark.parametrize("seed", [0, *(pytest.param(i, marks=pytest.mark.slow) for i in (1, 2))])
def test_the_librarys_noise_is_well_within_its_bounds(seed):
    rows, key = monte_carlo._rows(PROBLEM), jax.random.key(seed)
    for answer in (monte_carlo._gaussian_law(key, rows, 1.5), monte_carlo._masking_law(key, rows)):
        assert answer.residual < 0.8 * answer.tolerance


def changed(module, function, *replacements):
    """A function of a module with replacements in its source."""
    right = inspect.unwrap(getattr(module, function))
    source = textwrap.dedent(inspect.getsource(right))
    for before, after in replacements:
        assert before in source
        source = source.replace(before, after)
    names = dict(vars(inspect.getmodule(right)))
    exec(source, names)
    return names[function]


FALSE = {
    "no cross terms in nested dropout": (
        symmetry_breaking,
        "ordered_objective",
        [("both * (codes.T @ codes)", "jnp.diag(survival) * (codes.T @ codes)")],
        theory.ordered_recovery,
    ),
    "half of the penalty on the encoder": (
        symmetry_breaking,
        "ordered_objective",
        [
            (
                "jnp.sum(jnp.square(encoder), axis=0) +",
                "0.5 * jnp.sum(jnp.square(encoder), axis=0) +",
            )
        ],
        theory.ordered_recovery,
    ),
    "truncations of unequal probability": (
        component_recovery,
        "uniform_survival",
        [("1 - np.arange(code) / code", "1 / np.arange(1, code + 1)")],
        theory.ordered_recovery,
    ),
    "half of the penalty on the product": (
        penalised,
        "product_penalty",
        [("return jnp.sum", "return 0.5 * jnp.sum")],
        theory.product_regularisation,
    ),
    "cubature with the wrong variance": (
        gaussian,
        "gaussian_regression",
        [("np.sqrt(variance)", "np.sqrt(1.0001 * variance)")],
        theory.gaussian_denoising,
    ),
    "excess loss without the gain": (
        nonlinear_encoders,
        "relative_excess_loss",
        [("lost - gained", "lost")],
        theory.small_codes,
    ),
    "excess loss relative to λ_1": (
        nonlinear_encoders,
        "relative_excess_loss",
        [("least_loss(problem.pca, 0))", "problem.pca.eigenvalues[0])")],
        theory.small_codes,
    ),
    "losses of networks 10 % too large": (
        encoder_bound,
        "best_loss",
        [("/ len(centred)", "/ len(centred) * 1.1")],
        theory.encoders_bounded_by_pca,
    ),
    "an update twice as large": (
        online,
        "hebbian_update",
        [("return rows.T", "return 2 * rows.T"), ("- kernel @", "- 2 * kernel @")],
        theory.online_rules,
    ),
    "the mean counted twice": (
        biases,
        "uncentred",
        [("data.mean[None]", "np.sqrt(2) * data.mean[None]")],
        theory.free_biases,
    ),
}


SLOW = ("no cross", "half of", "truncations", "losses of")
"""Prefixes of the cases whose theorems take seconds to compile."""


@pytest.mark.parametrize(
    "name",
    [pytest.param(name, marks=pytest.mark.slow if name.startswith(SLOW) else ()) for name in FALSE],
)
def test_a_false_definition_fails(name, monkeypatch):
    module, function, replacements, theorem = FALSE[name]
    monkeypatch.setattr(module, function, changed(module, function, *replacements))
    assert FAILS in verdicts(theorem(PROBLEM))


def test_a_computation_in_float64_fails(monkeypatch):
    """The error of float64 is zero, which an upper bound alone would accept."""
    right = single_precision.reconstruction
    monkeypatch.setattr(single_precision, "reconstruction", lambda *given, **_: right(*given))
    (answer,) = theory.single_precision(PROBLEM)
    assert answer.verdict == FAILS


@pytest.mark.parametrize("name", [name for name in FALSE if FALSE[name][0] is symmetry_breaking])
def test_a_false_closed_form_of_ordered_codes_differs_from_its_definition(name, monkeypatch):
    module, function, replacements, _ = FALSE[name]
    ones, last = np.ones(3), np.eye(3)[-1]
    decays = np.array([0.1, 0.2, 0.3])
    cases = ((1 - np.arange(3) / 3, ones / 3, 0 * ones), (ones, last, decays))
    errors = [symmetry_breaking.objective_error(PROBLEM, *case) for case in cases]
    assert max(errors) < 1e-13
    monkeypatch.setattr(module, function, changed(module, function, *replacements))
    assert max(symmetry_breaking.objective_error(PROBLEM, *case) for case in cases) > 1e-3
