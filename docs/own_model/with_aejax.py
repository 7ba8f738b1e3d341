"""The task in aejax."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
from flax import linen
from sklearn.datasets import load_digits

import aejax
from aejax import losses, runs

x = np.random.default_rng(0).permutation(load_digits().data / 16).astype(np.float32)

encoder = linen.Sequential([linen.Dense(32), linen.gelu, linen.Dense(8)])
decoder = linen.Sequential([linen.Dense(32), linen.gelu, linen.Dense(64)])
model = aejax.Autoencoder(
    init=lambda key: {
        "encoder": encoder.init(key, jnp.zeros((1, 64))),
        "decoder": decoder.init(jax.random.fold_in(key, 1), jnp.zeros((1, 8))),
    },
    encode=lambda params, x: encoder.apply(params["encoder"], x),
    decode=lambda params, code: decoder.apply(params["decoder"], code),
)

run = runs.train(
    aejax.objective(model, losses.squared),
    optax.adam(1e-2),
    x[:1200],
    validation=x[1200:1500],
    out="run",
    epochs=100,
    batch_size=50,
    patience=5,
    save_every=1,
    key=0,
    resume=True,
)
np.save("x_hat.npy", runs.reconstruct(run, x[1200:1500]))
