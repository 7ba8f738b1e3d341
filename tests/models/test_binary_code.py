"""Binary codes: the decoder's input, and saturation of the logits by noise."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from scipy.special import expit
from sklearn.metrics import adjusted_rand_score

import aejax
from aejax import Batch, corruptions, losses, training

LOGITS = aejax.dense((5, 3), code_activation=jax.nn.identity)


@pytest.mark.parametrize(
    ("activation", "reference"),
    [(jax.nn.sigmoid, expit), (aejax.straight_through, lambda z: np.where(z > 0, 1.0, 0.0))],
)
def test_the_code_is_logits_and_the_decoder_receives_their_activation(activation, reference, x64):
    model = aejax.binary_code(LOGITS, activation=activation)
    params = model.init(jax.random.key(0))
    x = np.random.default_rng(0).normal(size=(6, 5))
    (encoder,), (decoder,) = params["encoder"].values(), params["decoder"].values()
    z = x @ np.asarray(encoder["kernel"]) + np.asarray(encoder["bias"])
    output = reference(z) @ np.asarray(decoder["kernel"]) + np.asarray(decoder["bias"])
    code = model.encode(params, jnp.asarray(x))
    np.testing.assert_allclose(code, z, rtol=1e-13)
    np.testing.assert_allclose(model.decode(params, code), output, rtol=1e-13)


def blobs(key):
    """Eight clusters at the corners of a cube in 12 dimensions, which three bits identify."""
    key_corner, key_axes, key_noise = jax.random.split(key, 3)
    corners = jax.random.bernoulli(key_corner, 0.5, (512, 3)) * 4.0 - 2.0
    axes = jnp.linalg.qr(jax.random.normal(key_axes, (12, 3)))[0]
    return corners @ axes.T + 0.1 * jax.random.normal(key_noise, (512, 12)), corners > 0


def trained(activation, sigma):
    x, _ = blobs(jax.random.key(0))
    model = aejax.binary_code(
        aejax.dense((12, 3), code_activation=jax.nn.identity), activation=activation
    )
    noise = corruptions.gaussian(sigma=sigma)
    objective = aejax.objective(model, losses.squared, perturbation=noise)
    state, _ = training.fit(
        objective, optax.adam(0.03), Batch(x), key=jax.random.key(1), epochs=60, batch_size=64
    )
    logits = model.encode(state.params, x)
    error = jnp.mean(jnp.sum(jnp.square(aejax.reconstruct(objective, state.params, x) - x), axis=1))
    return logits, error


def test_noise_on_the_logits_saturates_them():
    soft, _ = trained(jax.nn.sigmoid, 0.0)
    sharp, _ = trained(jax.nn.sigmoid, 4.0)

    def unsaturated_share(z):
        h = jax.nn.sigmoid(z)
        return float(jnp.mean((h > 0.05) & (h < 0.95)))

    assert unsaturated_share(sharp) < 0.05
    assert unsaturated_share(soft) > 0.3


@pytest.mark.parametrize(
    ("activation", "sigma"), [(jax.nn.sigmoid, 4.0), (aejax.straight_through, 0.0)]
)
def test_three_bits_separate_eight_clusters(activation, sigma):
    logits, error = trained(activation, sigma)
    assert error < 0.1 * 12  # total variance about 12; the noise within clusters remains
    _, corners = blobs(jax.random.key(0))
    ours, theirs = (np.asarray(bits) @ [1, 2, 4] for bits in (logits > 0, np.asarray(corners)))
    assert adjusted_rand_score(theirs, ours) > 0.95  # one code per cluster
