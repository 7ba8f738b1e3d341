"""Variational autoencoders: the bound against explicit sums, and joined models."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
import torch

import aejax
from aejax import losses, models, penalties, posteriors, training

POSTERIOR = posteriors.diagonal_gaussian()
X = np.random.default_rng(0).uniform(size=(12, 6)).astype(np.float32)
KEY = jax.random.key(0)


def bound(posterior=POSTERIOR, loss=losses.bernoulli, **settings) -> aejax.Objective:
    return aejax.objective(
        aejax.variational((6, 5, 2), posterior=posterior, **settings),
        loss,
        perturbation=posterior.sample,
        penalties={"divergence": (1.0, penalties.divergence(posterior))},
    )


def test_the_objective_is_pytorchs_negative_evidence_lower_bound():
    """The same parameters and the same sample in torch.nn and torch.distributions."""
    objective = bound(activation=jnp.tanh)
    params = objective.model.init(KEY)
    record = aejax.forward(objective, params, X, KEY)
    x, z = torch.tensor(X), torch.tensor(np.array(record.latent))

    def stack(half, values):
        for index in range(2):
            layer = params[half][f"layer_{index}"]
            values = values @ torch.tensor(np.array(layer["kernel"]))
            values = values + torch.tensor(np.array(layer["bias"]))
            values = torch.tanh(values) if index == 0 else values
        return values

    mean, log_variance = stack("encoder", x).chunk(2, dim=1)
    q = torch.distributions.Normal(mean, torch.exp(log_variance / 2))
    likelihood = torch.distributions.Bernoulli(logits=stack("decoder", z), validate_args=False)
    kl = torch.distributions.kl_divergence(q, torch.distributions.Normal(0.0, 1.0))
    expected = kl.sum(dim=1).mean() - likelihood.log_prob(x).sum(dim=1).mean()
    value, terms = objective(params, X, KEY)
    np.testing.assert_allclose(value, expected, rtol=1e-5)
    np.testing.assert_allclose(terms["divergence"], kl.sum(dim=1).mean(), rtol=1e-5)


def test_without_noise_the_mean_is_decoded():
    objective = bound()
    params = objective.model.init(KEY)
    code = objective.model.encode(params, jnp.asarray(X))
    np.testing.assert_array_equal(
        objective.model.decode(params, code), objective.model.decode(params, code.mean)
    )
    found = aejax.reconstruct(objective, params, jnp.asarray(X))
    np.testing.assert_allclose(
        found, jax.nn.sigmoid(objective.model.decode(params, code.mean)), rtol=1e-6
    )


@pytest.mark.parametrize(
    ("loss", "wrap"),
    [
        (losses.gaussian_with_variance(), None),
        (losses.discretised_logistic(levels=16), None),
        (losses.gaussian_with_variance(), models.with_shared_variance),
    ],
)
def test_decoders_with_two_parameters_per_feature_learn(loss, wrap):
    objective = bound(loss=loss, outputs=1 if wrap else 2)
    if wrap:
        objective = aejax.objective(wrap(objective.model), loss, perturbation=POSTERIOR.sample)
    state, history = training.fit(objective, optax.adam(1e-2), X, key=KEY, epochs=30)
    assert history[-1]["loss"] < history[0]["loss"] - 0.5
    output = objective.model.decode(state.params, jnp.zeros((3, 2)))
    assert output.shape == (3, 6, 2)
    assert loss.mean(output).shape == (3, 6)
    if wrap:
        assert state.params["decoder"]["log_variance"] != 0
        assert np.unique(output[..., 1]).size == 1


def test_the_shared_variance_of_a_constant_decoder_is_the_sample_variance(x64):
    """The maximum-likelihood variance: the mean squared error of the best reconstruction."""
    model = models.with_shared_variance(aejax.variational((6, 2)))
    objective = aejax.objective(model, losses.gaussian_with_variance())
    params = jax.tree.map(jnp.zeros_like, model.init(KEY))
    params["decoder"]["layer_0"]["bias"] = jnp.asarray(X.mean(axis=0), float)
    variance = np.mean((X - X.mean(axis=0)) ** 2)
    params["decoder"]["log_variance"] = jnp.log(jnp.asarray(variance))
    gradient = jax.grad(lambda params: objective(params, X.astype(float), KEY)[0])(params)
    np.testing.assert_allclose(gradient["decoder"]["log_variance"], 0, atol=1e-6)
    np.testing.assert_allclose(gradient["decoder"]["layer_0"]["bias"], 0, atol=1e-5)


@pytest.mark.parametrize(
    "posterior", [POSTERIOR, posteriors.full_covariance_gaussian()], ids=["diagonal", "full"]
)
def test_each_posterior_trains_and_decodes_samples_of_its_prior(posterior):
    objective = bound(posterior)
    state, history = training.fit(objective, optax.adam(1e-2), X, key=KEY, epochs=20)
    assert history[-1]["loss"] < history[0]["loss"]
    z = posterior.sample_prior(KEY, (4, 2))
    assert objective.model.decode(state.params, z).shape == (4, 6)


def test_a_convolutional_encoder_and_a_dense_decoder_are_joined():
    encoder = aejax.convolutional(
        (6, 6, 1), (3,), units=(4,), code_activation=jax.nn.identity, activation=jnp.tanh
    )
    flat = aejax.dense((36, 2))
    decoder = flat._replace(
        decode=lambda params, z: flat.decode(params, z).reshape(len(z), 6, 6, 1)
    )
    model = models.with_posterior(encoder, decoder, POSTERIOR)
    params = model.init(KEY)
    x = jnp.asarray(np.random.default_rng(1).uniform(size=(5, 6, 6, 1)), jnp.float32)
    code = model.encode(params, x)
    assert code.mean.shape == (5, 2)
    np.testing.assert_array_equal(
        jnp.concatenate(code, axis=1), encoder.encode({"encoder": params["encoder"]}, x)
    )
    assert model.decode(params, code).shape == x.shape
    assert params["decoder"].keys() == flat.init(KEY)["decoder"].keys()


def test_mixed_precision_keeps_float32_codes():
    model = aejax.mixed_precision(aejax.variational((6, 5, 2)))
    code = model.encode(model.init(KEY), jnp.asarray(X))
    assert {leaf.dtype for leaf in code} == {jnp.dtype("float32")}


def test_wrong_arguments_are_refused():
    with pytest.raises(ValueError, match="outputs must be at least 1, got 0"):
        aejax.variational((6, 2), outputs=0)
    with pytest.raises(ValueError, match="at least two layers"):
        aejax.variational((6,))
    own = aejax.Autoencoder(
        lambda key: [jnp.zeros(3)], lambda params, x: x, lambda params, code: code
    )
    for pair in ((own, aejax.dense((6, 2))), (aejax.dense((6, 4)), own)):
        with pytest.raises(ValueError, match='with "encoder" and "decoder", got list'):
            models.with_posterior(*pair, POSTERIOR).init(KEY)
    model = aejax.variational((6, 2))
    params = model.init(KEY)
    with pytest.raises(ValueError, match=r"an array \[batch, 2\], got shape \[5, 3\]"):
        model.decode(params, jnp.zeros((5, 3)))
