"""Gaussian posteriors against torch.distributions, mpmath and sample moments."""

import jax
import jax.numpy as jnp
import mpmath
import numpy as np
import optax
import pytest
import torch

import aejax
from aejax import losses, penalties, training
from aejax.posteriors import (
    CholeskyGaussian,
    Gaussian,
    diagonal_gaussian,
    full_covariance_gaussian,
    is_sample,
    latent_point,
    von_mises_fisher,
)

RNG = np.random.default_rng(0)
OUTPUT = RNG.normal(size=(7, 9))
"""Encoder outputs: 3 units with a full covariance."""
Z = RNG.normal(size=(7, 3))
STANDARD = torch.distributions.MultivariateNormal(
    torch.zeros(3, dtype=torch.float64), torch.eye(3, dtype=torch.float64)
)


def diagonal() -> tuple[Gaussian, torch.distributions.Distribution]:
    code = diagonal_gaussian().code(jnp.asarray(OUTPUT[:, :6]))
    mean, log_variance = np.split(OUTPUT[:, :6], 2, axis=1)
    return code, torch.distributions.Independent(
        torch.distributions.Normal(torch.tensor(mean), torch.tensor(np.exp(log_variance / 2))), 1
    )


def full() -> tuple[CholeskyGaussian, torch.distributions.Distribution]:
    code = full_covariance_gaussian().code(jnp.asarray(OUTPUT))
    factor = np.zeros((7, 3, 3))
    factor[:, *np.tril_indices(3)] = OUTPUT[:, 3:]
    for unit in range(3):
        factor[:, unit, unit] = np.exp(factor[:, unit, unit])
    return code, torch.distributions.MultivariateNormal(
        torch.tensor(OUTPUT[:, :3]), scale_tril=torch.tensor(factor)
    )


CASES = [(diagonal_gaussian, diagonal), (full_covariance_gaussian, full)]


@pytest.mark.parametrize(("posterior", "case"), CASES)
def test_density_divergence_and_prior_are_pytorchs(posterior, case, x64):
    code, reference = case()
    standard = STANDARD if case is full else STANDARD.expand((7,))
    if case is diagonal:
        standard = torch.distributions.Independent(
            torch.distributions.Normal(torch.zeros(7, 3).double(), 1.0), 1
        )
    z = torch.tensor(Z)
    np.testing.assert_allclose(
        posterior().log_density(code, jnp.asarray(Z)), reference.log_prob(z), rtol=1e-13
    )
    expected = torch.distributions.kl_divergence(reference, standard)
    np.testing.assert_allclose(posterior().divergence(code).sum(axis=1), expected, rtol=1e-13)
    np.testing.assert_allclose(
        posterior().log_prior(jnp.asarray(Z)), STANDARD.log_prob(z), rtol=1e-13
    )
    np.testing.assert_array_equal(posterior().point(code), OUTPUT[:, :3])


@pytest.mark.parametrize("mean", [0.0, 1e-6, 3.0])
@pytest.mark.parametrize("log_variance", [-20.0, -1e-6, 1e-9, 0.5, 15.0])
def test_the_divergence_of_one_unit_is_that_of_mpmath_in_fifty_digits(mean, log_variance, x64):
    code = Gaussian(jnp.array([[mean]]), jnp.array([[log_variance]]))
    with mpmath.workdps(50):
        exact = mpmath.expm1(log_variance) - mpmath.mpf(log_variance) + mpmath.mpf(mean) ** 2
        exact = float(exact / 2)
    (found,) = diagonal_gaussian().divergence(code)[0]
    assert found == pytest.approx(exact, rel=1e-14, abs=1e-16)


def test_each_unit_of_a_full_covariance_pays_the_divergence_of_its_conditional(x64):
    """E KL(q(z_2 | z_1) ‖ N(0, 1)) from the conditional mean and variance of the covariance."""
    code, reference = full()
    covariance = reference.covariance_matrix.numpy()
    slope = covariance[:, 0, 1] / covariance[:, 0, 0]
    variance = covariance[:, 1, 1] - slope * covariance[:, 0, 1]
    mean_square = OUTPUT[:, 1] ** 2 + slope**2 * covariance[:, 0, 0]
    expected = (variance + mean_square - 1 - np.log(variance)) / 2
    found = full_covariance_gaussian().divergence(code)
    np.testing.assert_allclose(found[:, 1], expected, rtol=1e-12)


@pytest.mark.parametrize(("posterior", "case"), CASES)
def test_samples_have_mean_and_covariance(posterior, case, x64):
    code, reference = case()
    code = jax.tree.map(lambda array: array[0], code)
    repeated = jax.tree.map(lambda array: jnp.repeat(array[None], 50_000, axis=0), code)
    z = np.asarray(posterior().sample(jax.random.key(1), repeated))
    covariance = (
        reference.covariance_matrix.numpy()[0]
        if case is full
        else np.diag(reference.variance.numpy()[0])
    )
    deviations = np.sqrt(np.diag(covariance))
    error = np.abs(z.mean(axis=0) - OUTPUT[0, :3]) / deviations
    assert error.max() < 6.1 / np.sqrt(len(z))
    scaled = np.abs(np.cov(z.T) - covariance) / np.outer(deviations, deviations)
    assert scaled.max() < 6.1 * np.sqrt(2 / len(z))


@pytest.mark.parametrize(("posterior", "case"), CASES)
def test_the_pathwise_gradient_of_a_quadratic_is_that_of_its_expectation(posterior, case, x64):
    """d E ‖z‖²/dμ = 2μ, as E ‖z‖² = ‖μ‖² + tr Σ."""
    code, reference = case()

    def second_moment(code):
        keys = jax.random.split(jax.random.key(3), 4000)
        return jnp.mean(jax.vmap(lambda key: posterior().sample(key, code)[0] ** 2)(keys), axis=0)

    gradient = jax.grad(lambda mean: second_moment(code._replace(mean=mean)).sum())(code.mean)
    deviation = np.sqrt(np.asarray(reference.variance)[0])
    error = np.abs(gradient[0] - 2 * OUTPUT[0, :3]) / deviation
    assert error.max() < 2 * 6.1 / np.sqrt(4000)


def test_spatial_codes_are_summed_over_all_units():
    posterior = diagonal_gaussian()
    output = jnp.asarray(RNG.normal(size=(2, 4, 4, 6)), jnp.float32)
    code = posterior.code(output)
    z = posterior.sample(jax.random.key(0), code)
    assert z.shape == posterior.divergence(code).shape == (2, 4, 4, 3)
    flat = Gaussian(code.mean.reshape(2, -1), code.log_variance.reshape(2, -1))
    np.testing.assert_allclose(
        posterior.log_density(code, z), posterior.log_density(flat, z.reshape(2, -1)), rtol=1e-6
    )
    assert posterior.sample_prior(jax.random.key(0), z.shape).shape == z.shape


def test_wrong_numbers_of_outputs_are_refused():
    with pytest.raises(ValueError, match="even number of encoder outputs, got 5"):
        diagonal_gaussian().code(jnp.zeros((2, 5)))
    for shape in ((2, 6), (2, 4, 5), (2, 0)):
        with pytest.raises(ValueError, match=r"k \+ k\(k \+ 1\)/2"):
            full_covariance_gaussian().code(jnp.zeros(shape))
    for units in range(1, 9):
        outputs = full_covariance_gaussian().outputs(units)
        assert full_covariance_gaussian().code(jnp.zeros((1, outputs))).mean.shape == (1, units)


def test_a_sample_is_told_from_a_code():
    code, _ = diagonal()
    assert not is_sample(code)
    assert is_sample(code.mean)
    np.testing.assert_array_equal(latent_point(diagonal_gaussian(), code), code.mean)
    np.testing.assert_array_equal(latent_point(diagonal_gaussian(), code.log_variance), code[1])


OWN = {
    "diagonal_gaussian": diagonal_gaussian(),
    "full_covariance_gaussian": full_covariance_gaussian(),
    "von_mises_fisher": von_mises_fisher(),
}


@pytest.mark.parametrize("name", OWN)
def test_the_code_of_another_model_is_refused_by_name(name):
    posterior, z = OWN[name], jnp.ones((2, 2))
    others = [each.code(jnp.ones((2, each.outputs(2)))) for each in OWN.values()]
    own = posterior.code(jnp.ones((2, posterior.outputs(2))))
    for code in (*others, z):
        if type(code) is type(own):
            assert posterior.point(code).shape == (2, 2)
            continue
        expected = rf"posteriors\.{name}\(\) needs a code of type {type(own).__name__}, got "
        for use in (
            posterior.point,
            posterior.divergence,
            lambda code: posterior.log_density(code, z),
            lambda code: posterior.sample(jax.random.key(0), code),
        ):
            with pytest.raises(ValueError, match=expected):
                jax.eval_shape(use, code)


def test_an_objective_of_two_posteriors_is_refused_before_training():
    model = aejax.variational((5, 2), posterior=diagonal_gaussian())
    for penalty, perturbation in (
        (full_covariance_gaussian(), diagonal_gaussian()),
        (diagonal_gaussian(), full_covariance_gaussian()),
    ):
        objective = aejax.objective(
            model,
            losses.squared,
            perturbation=perturbation.sample,
            penalties={"divergence": (1.0, penalties.divergence(penalty))},
        )
        with pytest.raises(ValueError, match="needs a code of type CholeskyGaussian, got Gaussian"):
            training.fit(objective, optax.adam(1e-3), jnp.ones((4, 5)), key=0, epochs=1)
