"""The one place where terms are reduced, weighted and summed."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import aejax
from aejax import Batch, corruptions, losses, penalties

KEY = jax.random.key(0)
MODEL = aejax.dense((5, 3))
PARAMS = MODEL.init(jax.random.key(1))
X = jax.random.uniform(jax.random.key(2), (4, 5))


def output_of(x: jax.Array) -> np.ndarray:
    return np.asarray(MODEL.decode(PARAMS, MODEL.encode(PARAMS, x)))


def test_sum_over_features_mean_over_the_batch():
    total, terms = aejax.objective(MODEL, losses.squared)(PARAMS, Batch(X), KEY)
    expected = np.mean(np.sum((output_of(X) - X) ** 2, axis=1))
    np.testing.assert_allclose(terms["reconstruction"], expected, rtol=1e-6)
    assert total == terms["reconstruction"]


def test_terms_are_unweighted_and_the_total_weighs_them():
    weighed = {"decay": (0.5, penalties.l2()), "sparse": (2.0, penalties.l1())}
    total, terms = aejax.objective(MODEL, losses.squared, penalties=weighed)(PARAMS, Batch(X), KEY)
    record = aejax.forward(aejax.objective(MODEL, losses.squared), PARAMS, Batch(X), KEY)
    np.testing.assert_allclose(terms["decay"], penalties.l2()(record), rtol=1e-6)
    np.testing.assert_allclose(terms["sparse"], np.mean(penalties.l1()(record)), rtol=1e-6)
    expected = terms["reconstruction"] + 0.5 * terms["decay"] + 2.0 * terms["sparse"]
    np.testing.assert_allclose(total, expected, rtol=1e-6)


def test_the_target_stays_clean_under_corruption():
    wiped = aejax.objective(MODEL, losses.squared, corruption=corruptions.masking(rate=1.0))
    _, terms = wiped(PARAMS, Batch(X), KEY)
    expected = np.mean(np.sum((output_of(jnp.zeros_like(X)) - X) ** 2, axis=1))
    np.testing.assert_allclose(terms["reconstruction"], expected, rtol=1e-6)


def test_target_and_weight_of_the_batch_are_used():
    target, weight = X[::-1], jnp.zeros_like(X).at[:, 2].set(3.0)
    _, terms = aejax.objective(MODEL, losses.squared)(PARAMS, Batch(X, target, weight), KEY)
    expected = np.mean(3 * (output_of(X)[:, 2] - target[:, 2]) ** 2)
    np.testing.assert_allclose(terms["reconstruction"], expected, rtol=1e-6)


def test_the_perturbation_reaches_the_decoder_and_not_the_code():
    objective = aejax.objective(
        MODEL, losses.squared, perturbation=lambda key, code: code + jax.random.normal(key, (4, 3))
    )
    record = aejax.forward(objective, PARAMS, Batch(X), KEY)
    np.testing.assert_array_equal(record.code, MODEL.encode(PARAMS, X))
    assert not np.array_equal(record.latent, record.code)
    np.testing.assert_array_equal(record.output, MODEL.decode(PARAMS, record.latent))


def test_corruption_and_perturbation_draw_from_different_keys():
    seen = []

    def spy(key, array):
        seen.append(jax.random.key_data(key).tolist())
        return array

    objective = aejax.objective(MODEL, losses.squared, corruption=spy, perturbation=spy)
    record = aejax.forward(objective, PARAMS, Batch(X), KEY)
    seen.append(jax.random.key_data(record.key).tolist())
    assert len({tuple(key) for key in seen}) == 3


def test_noiseless_and_reconstruct_leave_the_noise_out():
    noisy = aejax.objective(
        MODEL,
        losses.bernoulli,
        corruption=corruptions.gaussian(sigma=1.0),
        perturbation=corruptions.gaussian(sigma=1.0),
    )
    quiet = aejax.objective(MODEL, losses.bernoulli)
    clean, expected = aejax.noiseless(noisy), quiet(PARAMS, Batch(X), KEY)[0]
    assert clean(PARAMS, Batch(X), KEY)[0] == expected
    x_hat = 1 / (1 + np.exp(-output_of(X)))
    np.testing.assert_allclose(aejax.reconstruct(noisy, PARAMS, X), x_hat, rtol=1e-6)


def test_weights_and_rates_may_be_vmapped():
    def total(weight, rate):
        objective = aejax.objective(
            MODEL,
            losses.squared,
            corruption=corruptions.masking(rate=rate),
            penalties={"sparsity": (weight, penalties.kl_sparsity(rho=rate))},
        )
        return objective(PARAMS, Batch(X), KEY)[0]

    weights, rates = jnp.asarray([0.0, 1.0, 3.0]), jnp.asarray([0.1, 0.3, 0.5])
    one_by_one = [total(float(w), float(r)) for w, r in zip(weights, rates, strict=True)]
    np.testing.assert_allclose(jax.vmap(total)(weights, rates), one_by_one, rtol=1e-6)


@pytest.mark.parametrize("name", ["reconstruction", "loss"])
def test_a_penalty_cannot_take_a_name_of_the_objectives(name):
    with pytest.raises(ValueError, match=f"cannot be called '{name}'"):
        aejax.objective(MODEL, losses.squared, penalties={name: (1.0, penalties.l2())})


def test_an_empty_batch_is_refused():
    with pytest.raises(ValueError, match="the batch is empty"):
        aejax.objective(MODEL, losses.squared)(PARAMS, Batch(X[:0]), KEY)


def test_integers_are_refused_with_what_to_do():
    with pytest.raises(ValueError, match="floating point, got int32; scale it first"):
        aejax.objective(MODEL, losses.squared)(PARAMS, Batch(X.astype(int)), KEY)
