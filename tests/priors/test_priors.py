"""Priors of the code, compared with SciPy, quadrature and the change of variables."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.special import logsumexp
from scipy.stats import multivariate_normal, norm

import aejax
from aejax import losses, penalties, posteriors, priors
from aejax.priors.autoregressive_flow import _invert, _network
from aejax.types import Autoencoder

NO_MODEL = Autoencoder(lambda key: {}, lambda params, x: x, lambda params, code: code)
RANDOM = np.random.default_rng(0)


def randomised(prior: priors.Prior, scale: float = 0.7):
    """Parameters of a prior with random values, in float64."""
    params = prior.init(jax.random.key(0))
    leaves, structure = jax.tree.flatten(params)
    drawn = [scale * RANDOM.normal(size=leaf.shape) for leaf in leaves]
    return {"prior": structure.unflatten([jnp.asarray(each) for each in drawn])}


def test_a_mixture_is_scipys(x64):
    prior = priors.gaussian_mixture(units=2, components=3)
    params = randomised(prior)
    z = RANDOM.normal(size=(20, 2))
    mixture = jax.tree.map(np.asarray, params["prior"])
    weights = mixture["logits"] - logsumexp(mixture["logits"])
    expected = logsumexp(
        [
            weight + multivariate_normal(mean, np.diag(np.exp(log_variance))).logpdf(z)
            for weight, mean, log_variance in zip(
                weights, mixture["mean"], mixture["log_variance"], strict=True
            )
        ],
        axis=0,
    )
    found = prior.log_density(NO_MODEL, params, jnp.asarray(z))
    np.testing.assert_allclose(found, expected, rtol=1e-10)
    normal = priors.standard_normal(units=2).log_density(NO_MODEL, {}, jnp.asarray(z))
    np.testing.assert_allclose(normal, norm.logpdf(z).sum(axis=1), rtol=1e-10)


def grid(width: float = 9.0, points: int = 241) -> tuple[np.ndarray, float]:
    """Points of a square in the plane, and the area of one."""
    axis = np.linspace(-width, width, points)
    return np.stack(np.meshgrid(axis, axis), axis=-1).reshape(-1, 2), (axis[1] - axis[0]) ** 2


@pytest.mark.parametrize("name", ["mixture", "flow"])
def test_a_density_integrates_to_one_and_its_samples_have_its_moments(name, x64):
    prior = {
        "mixture": priors.gaussian_mixture(units=2, components=3),
        "flow": priors.autoregressive_flow(units=2, hidden=8, layers=2),
    }[name]
    params = randomised(prior, 0.7 if name == "mixture" else 0.3)
    points, area = grid()
    density = np.exp(jax.jit(lambda z: prior.log_density(NO_MODEL, params, z))(points)) * area
    assert density.sum() == pytest.approx(1, abs=1e-3)
    mean = density @ points
    covariance = (points - mean).T @ ((points - mean) * density[:, None])
    draw = jax.jit(lambda key: prior.sample(NO_MODEL, params, key, 40_000))
    samples = np.asarray(draw(jax.random.key(1)))
    error = 5 * np.sqrt(np.diag(covariance) / len(samples))
    assert (np.abs(samples.mean(axis=0) - mean) < error).all()
    np.testing.assert_allclose(np.cov(samples.T), covariance, atol=0.1 * np.trace(covariance))


def test_a_flow_is_the_change_of_variables_of_its_samples(x64):
    prior = priors.autoregressive_flow(units=4, hidden=9, layers=3)
    params = randomised(prior)

    def transform(noise):
        z = noise[None]
        for index in reversed(range(3)):
            z = _invert(params["prior"][f"layer_{index}"], jnp.flip(z, axis=1))
        return z[0]

    noise = jnp.asarray(RANDOM.normal(size=(5, 4)))
    z = jax.vmap(transform)(noise)
    jacobians = np.asarray(jax.jit(jax.vmap(jax.jacfwd(transform)))(noise))
    expected = norm.logpdf(noise).sum(axis=1) - np.linalg.slogdet(jacobians)[1]
    np.testing.assert_allclose(prior.log_density(NO_MODEL, params, z), expected, rtol=1e-9)
    assert np.abs(jacobians[:, 0, 1:]).max() > 0.01  # not the identity


def test_each_unit_of_a_layer_depends_on_earlier_units_alone(x64):
    params = randomised(priors.autoregressive_flow(units=5, hidden=11, layers=1))
    layer = params["prior"]["layer_0"]
    z = jnp.asarray(RANDOM.normal(size=5))
    for output in (0, 1):
        network = jax.jacrev(lambda z, i=output: _network(layer, z[None])[i][0])
        jacobian = np.asarray(network(z))
        assert not np.triu(jacobian).any()
        assert (jacobian[np.tril_indices(5, -1)] != 0).all()


def test_a_flow_starts_as_the_standard_normal():
    prior = priors.autoregressive_flow(units=3)
    params = {"prior": prior.init(jax.random.key(0))}
    z = RANDOM.normal(size=(6, 3)).astype(np.float32)
    found = prior.log_density(NO_MODEL, params, jnp.asarray(z))
    np.testing.assert_allclose(found, norm.logpdf(z).sum(axis=1), rtol=1e-5)


POSTERIOR = posteriors.diagonal_gaussian()
X = jnp.asarray(RANDOM.uniform(size=(12, 6)), jnp.float32)


def test_a_mixture_of_posteriors_is_the_mean_of_their_densities():
    prior = priors.vamp_prior(POSTERIOR, X[:5])
    model = priors.with_prior(aejax.variational((6, 8, 2)), prior)
    params = model.init(jax.random.key(0))
    np.testing.assert_array_equal(params["prior"]["pseudo_inputs"], X[:5])
    params["prior"]["pseudo_inputs"] = params["prior"]["pseudo_inputs"] + 0.3
    code = model.encode(params, params["prior"]["pseudo_inputs"])
    mean, deviation = np.asarray(code.mean), np.exp(np.asarray(code.log_variance) / 2)
    z = RANDOM.normal(size=(7, 2)).astype(np.float32)
    each = norm.logpdf(z[:, None], mean, deviation).sum(axis=2)
    expected = logsumexp(each, axis=1) - np.log(5)
    found = prior.log_density(model, params, jnp.asarray(z))
    np.testing.assert_allclose(found, expected, rtol=2e-5)
    samples = np.asarray(prior.sample(model, params, jax.random.key(1), 20_000))
    np.testing.assert_allclose(samples.mean(axis=0), mean.mean(axis=0), atol=0.05)
    variance = (deviation**2 + mean**2).mean(axis=0) - mean.mean(axis=0) ** 2
    np.testing.assert_allclose(samples.var(axis=0), variance, rtol=0.06)


def every_prior() -> dict[str, priors.Prior]:
    return {
        "mixture": priors.gaussian_mixture(units=2, components=4),
        "vamp": priors.vamp_prior(POSTERIOR, X[:3]),
        "flow": priors.autoregressive_flow(units=2, hidden=8),
    }


@pytest.mark.parametrize("name", every_prior())
def test_a_prior_is_trained_with_its_model(name):
    prior = every_prior()[name]
    model = priors.with_prior(aejax.variational((6, 8, 2)), prior)
    term = penalties.sampled_divergence(POSTERIOR, prior=prior.log_density)
    objective = aejax.objective(
        model, losses.squared, perturbation=POSTERIOR.sample, penalties={"divergence": (1.0, term)}
    )
    params = model.init(jax.random.key(0))
    gradient, _ = jax.jit(jax.grad(objective, has_aux=True))(
        params, aejax.Batch(X), jax.random.key(1)
    )
    assert all(np.isfinite(leaf).all() for leaf in jax.tree.leaves(gradient))
    assert max(np.abs(leaf).max() for leaf in jax.tree.leaves(gradient["prior"])) > 1e-4
    z = prior.sample(model, params, jax.random.key(2), 3)
    assert model.decode(params, z).shape == (3, 6)


def test_unsuitable_arguments_are_refused():
    with pytest.raises(ValueError, match="components must be at least 1, got 0"):
        priors.gaussian_mixture(units=2, components=0)
    with pytest.raises(ValueError, match=r"needs floating-point pseudo-inputs \[K, \*input\]"):
        priors.vamp_prior(POSTERIOR, jnp.ones(3))
    model = priors.with_prior(aejax.variational((6, 2)), priors.standard_normal(units=2))
    with pytest.raises(ValueError, match="without 'prior'"):
        priors.with_prior(model, priors.standard_normal(units=2)).init(jax.random.key(0))
