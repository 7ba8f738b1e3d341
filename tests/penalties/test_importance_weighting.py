"""Importance-weighted bounds against PyTorch and the exact likelihood of a linear model."""

from itertools import pairwise

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.special
import scipy.stats
import torch
from jaxtyping import TypeCheckError

import aejax
from aejax import losses, penalties, posteriors

POSTERIOR = posteriors.diagonal_gaussian()
FEATURES, UNITS, SAMPLES, GROUPS, BETA = 5, 2, 6, 3, 0.3
VARIANCE = 0.4
LOSS = losses.gaussian(variance=VARIANCE)
X = np.random.default_rng(0).normal(size=(7, FEATURES))
KEY = jax.random.key(0)
BOUNDS = {
    "iwae": posteriors.iwae(),
    "miwae": posteriors.miwae(groups=GROUPS),
    "ciwae": posteriors.ciwae(beta=BETA),
    "piwae": posteriors.piwae(groups=GROUPS),
    "doubly reparametrised": posteriors.doubly_reparametrised(),
}


def objective_of(bound=None, samples: int = SAMPLES, **settings) -> aejax.Objective:
    bounded = penalties.importance_weighted(
        LOSS, POSTERIOR, samples=samples, bound=bound, **settings
    )
    return aejax.objective(
        aejax.variational((FEATURES, UNITS)),
        LOSS,
        perturbation=POSTERIOR.sample,
        penalties={"bound": (1.0, bounded)},
    )


def parameters(seed: int = 1):
    """Random parameters, with small weights, in float64."""
    params = aejax.variational((FEATURES, UNITS)).init(jax.random.key(seed))
    rng = np.random.default_rng(seed)
    return jax.tree.map(lambda leaf: jnp.asarray(rng.normal(size=leaf.shape) / 3), params)


def noise_of(objective, params) -> torch.Tensor:
    """Standard noise of the samples: that of the forward pass, and those of the penalty."""
    record = aejax.forward(objective, params, X, KEY)
    keys = jax.random.split(record.key, SAMPLES - 1)
    others = jax.vmap(lambda key: POSTERIOR.sample(key, record.code))(keys)
    z = jnp.concatenate([record.latent[None], others])
    noise = (z - record.code.mean) / jnp.exp(record.code.log_variance / 2)
    return torch.tensor(np.array(noise))


def torch_log_weights(params, noise, *, decoder=True, path=True, density=True) -> torch.Tensor:
    """Log weights in torch.distributions; a stopped gradient is a detached tensor."""

    def layer(half, values, attached):
        kernel, bias = (params[half][name] for name in ("kernel", "bias"))
        kernel, bias = (kernel, bias) if attached else (kernel.detach(), bias.detach())
        return values @ kernel + bias

    x = torch.tensor(X)
    mean, log_variance = layer("encoder", x, True).chunk(2, dim=1)
    z = mean + torch.exp(log_variance / 2) * noise
    if not path:
        z = z.detach()
    if not density:
        mean, log_variance = mean.detach(), log_variance.detach()
    normal = torch.distributions.Normal
    likelihood = normal(layer("decoder", z, decoder), np.sqrt(VARIANCE)).log_prob(x).sum(-1)
    prior = normal(0.0, 1.0).log_prob(z).sum(-1)
    return likelihood + prior - normal(mean, torch.exp(log_variance / 2)).log_prob(z).sum(-1)


def torch_bounds(params, noise) -> dict[str, tuple[torch.Tensor, torch.Tensor]]:
    """Value of each bound, and a scalar with its gradient, both averaged over the batch."""

    def iwae(log_weights):
        return (torch.logsumexp(log_weights, 0) - np.log(len(log_weights))).mean()

    def miwae(log_weights):
        groups = log_weights.reshape(SAMPLES // GROUPS, GROUPS, -1)
        return torch.stack([iwae(groups[:, group]) for group in range(GROUPS)]).mean()

    full = torch_log_weights(params, noise)
    generative = torch_log_weights(params, noise, path=False, density=False)
    pathwise = torch_log_weights(params, noise, decoder=False, density=False)
    squares = torch.softmax(full, 0).detach() ** 2
    combined = BETA * full.mean() + (1 - BETA) * iwae(full)
    partial = iwae(generative) + miwae(torch_log_weights(params, noise, decoder=False))
    doubly = iwae(generative) + (squares * pathwise).sum(0).mean()
    return {
        "iwae": (iwae(full), iwae(full)),
        "miwae": (miwae(full), miwae(full)),
        "ciwae": (combined, combined),
        "piwae": (iwae(full), partial),
        "doubly reparametrised": (iwae(full), doubly),
    }


@pytest.mark.parametrize("name", BOUNDS)
def test_values_and_gradients_are_those_of_explicit_samples_in_pytorch(name, x64):
    objective, params = objective_of(BOUNDS[name]), parameters()
    (value, _), gradient = jax.value_and_grad(objective, has_aux=True)(params, X, KEY)
    leaves = {
        half: {
            leaf: torch.tensor(np.array(params[half]["layer_0"][leaf]), requires_grad=True)
            for leaf in ("kernel", "bias")
        }
        for half in ("encoder", "decoder")
    }
    expected, differentiable = torch_bounds(leaves, noise_of(objective, params))[name]
    differentiable.backward()
    np.testing.assert_allclose(value, -expected.item(), rtol=1e-12)
    for half, tensors in leaves.items():
        for leaf, tensor in tensors.items():
            np.testing.assert_allclose(
                gradient[half]["layer_0"][leaf], -tensor.grad, rtol=1e-9, atol=1e-11
            )


def linear_model() -> tuple[dict, np.ndarray]:
    """A linear decoder with orthogonal columns, its exact posterior, and log p of each example."""
    rng = np.random.default_rng(3)
    basis = np.linalg.qr(rng.normal(size=(FEATURES, UNITS)))[0]
    kernel, bias = (basis * [1.5, 0.7]).T, rng.normal(size=FEATURES)
    precision = np.sum(kernel**2, axis=1) / VARIANCE + 1
    encoder = (kernel / (VARIANCE * precision[:, None])).T
    encoder_bias = np.concatenate([-bias @ encoder, -np.log(precision)])
    encoder = np.concatenate([encoder, np.zeros_like(encoder)], axis=1)
    params = {
        "encoder": {"layer_0": {"kernel": encoder, "bias": encoder_bias}},
        "decoder": {"layer_0": {"kernel": kernel, "bias": bias}},
    }
    covariance = kernel.T @ kernel + VARIANCE * np.eye(FEATURES)
    log_p = scipy.stats.multivariate_normal(bias, covariance).logpdf(X)
    return jax.tree.map(jnp.asarray, params), log_p


@pytest.mark.parametrize("samples", [1, SAMPLES])
def test_with_the_exact_posterior_every_bound_is_the_exact_log_likelihood(samples, x64):
    params, log_p = linear_model()
    bounds = BOUNDS if samples > 1 else {"iwae": posteriors.iwae()}
    for bound in bounds.values():
        objective = objective_of(bound, samples)
        for each in (objective, aejax.noiseless(objective)):
            value, _ = each(params, X, KEY)
            np.testing.assert_allclose(value, -log_p.mean(), rtol=1e-12)


def test_bounds_grow_with_the_samples_towards_the_exact_log_likelihood(x64):
    """A posterior with twice the exact deviation, and a prior given as a function."""
    params, log_p = linear_model()
    params["encoder"]["layer_0"]["bias"] += jnp.log(4.0) * jnp.repeat(jnp.arange(2), UNITS)

    def prior(model, params, z):
        return POSTERIOR.log_prior(z)

    def bounds(samples: int, repetitions: int) -> np.ndarray:
        objective = aejax.noiseless(objective_of(samples=samples, prior=prior))
        keys = jax.random.split(jax.random.key(samples), repetitions)
        return -jax.jit(jax.vmap(lambda key: objective(params, X, key)[0]))(keys)

    means, errors = [], []
    for samples in (1, 5, 50, 3000):
        found = bounds(samples, 200 if samples < 3000 else 5)
        means.append(found.mean())
        errors.append(found.std() / np.sqrt(len(found)))
    assert all(after - before > 0 for before, after in pairwise(means))
    assert means[1] - means[0] > 6 * np.hypot(errors[0], errors[1])
    assert means[0] < log_p.mean() - 6 * errors[0]
    assert abs(means[-1] - log_p.mean()) < 6 * errors[-1] + 0.01


def test_the_doubly_reparametrised_gradient_has_the_expectation_of_the_pathwise_gradient(x64):
    """The mean difference over keys is zero within its error, and its variance is lower."""
    params = parameters(2)
    keys = jax.random.split(jax.random.key(5), 2000)

    def gradients(bound):
        def gradient(key):
            objective = objective_of(bound)
            found = jax.grad(lambda params: objective(params, X, key)[0])(params)
            return jnp.concatenate(
                [leaf.ravel() for leaf in jax.tree.leaves(found["encoder"]["layer_0"])]
            )

        return np.asarray(jax.jit(jax.vmap(gradient))(keys))

    pathwise = gradients(posteriors.iwae())
    doubly = gradients(posteriors.doubly_reparametrised())
    difference = doubly - pathwise
    error = difference.std(axis=0) / np.sqrt(len(keys))
    assert np.abs(difference.mean(axis=0) / error).max() < 6
    assert np.abs(pathwise.mean(axis=0)).max() > 15 * error.max()
    shifted = difference + 15 * error.max()  # a bias of that size would be found
    assert np.abs(shifted.mean(axis=0) / error).max() > 6


def test_plain_bounds_of_log_weights_are_those_of_scipy(x64):
    log_weights = 300 * np.random.default_rng(0).normal(size=(SAMPLES, 4))
    given = jnp.asarray(log_weights)

    def iwae(values):
        return scipy.special.logsumexp(values, axis=0) - np.log(len(values))

    np.testing.assert_allclose(posteriors.importance_weighted_bound(given), iwae(log_weights))
    groups = [iwae(log_weights[group::GROUPS]) for group in range(GROUPS)]
    np.testing.assert_allclose(
        posteriors.mean_of_bounds(given, groups=GROUPS), np.mean(groups, axis=0)
    )
    expected = BETA * log_weights.mean(axis=0) + (1 - BETA) * iwae(log_weights)
    np.testing.assert_allclose(posteriors.combined_bound(given, beta=BETA), expected)


def test_one_sample_is_the_evidence_lower_bound_with_a_sampled_divergence(x64):
    params = parameters()
    bound, _ = objective_of(samples=1)(params, X, KEY)
    sampled = aejax.objective(
        objective_of().model,
        LOSS,
        perturbation=POSTERIOR.sample,
        penalties={"divergence": (1.0, penalties.sampled_divergence(POSTERIOR))},
    )
    np.testing.assert_allclose(bound, sampled(params, X, KEY)[0], rtol=1e-12)


def test_wrong_arguments_are_refused():
    with pytest.raises(ValueError, match="at least 1 sample, got 0"):
        penalties.importance_weighted(LOSS, POSTERIOR, samples=0)
    with pytest.raises((ValueError, TypeCheckError), match="samples"):
        penalties.importance_weighted(LOSS, POSTERIOR, samples=2.0)
    with pytest.raises(ValueError, match=r"beta of ciwae must lie in \[0, 1\]"):
        posteriors.ciwae(beta=1.5)
    for groups in (0, 4):
        with pytest.raises(ValueError, match=f"6 samples cannot be divided into {groups} groups"):
            posteriors.mean_of_bounds(jnp.zeros((6, 2)), groups=groups)


def operations(*samples):
    """Operations of the compiled objective, with a bound of each number of samples."""
    terms = {
        f"bound of {count}": (
            1.0,
            penalties.importance_weighted(losses.bernoulli, POSTERIOR, samples=count),
        )
        for count in samples
    }
    objective = aejax.objective(
        aejax.variational((64, 32, 8), posterior=POSTERIOR),
        losses.bernoulli,
        perturbation=POSTERIOR.sample,
        penalties=terms,
    )
    params = objective.model.init(jax.random.key(0))
    value = jax.jit(lambda params: objective(params, jnp.ones((16, 64)), jax.random.key(1))[0])
    return value.lower(params).compile().cost_analysis()["flops"]


def test_the_sample_of_the_forward_pass_is_decoded_once():
    decode = operations(2) - operations(1)
    assert operations(1) - operations() < decode / 2
    assert operations(6) - operations(1) < 5.2 * decode
