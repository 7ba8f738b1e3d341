# ---
# jupyter:
#   jupytext:
#     formats: py:percent
# ---

# %% [markdown]
# # Denoising autoencoders
#
# An autoencoder with more code units than pixels can copy its input. If the input is corrupted and
# the target is clean, copying is not optimal: to restore missing pixels, the autoencoder must learn
# the structure of digits. This notebook compares three rates of masking noise.

# %%
# %matplotlib inline
import jax
import jax.numpy as jnp
import numpy as np
import optax

import aejax
from aejax import corruptions, data, losses, plots, training

EPOCHS, SEEDS = 60, 3
digits = data.digits()
x, x_test = (
    jnp.asarray(images.reshape(-1, 64) / 16, float) for images in (digits.x_train, digits.x_test)
)
model = aejax.dense((64, 128))

# %% [markdown]
# ## Three rates, several seeds, one program
#
# The rate may be a traced array, so all rates and seeds train at once, as one population in one
# compiled program.

# %%
rates = jnp.array([0.0, 0.25, 0.5])


def make(rate):
    noise = corruptions.masking(rate=rate)
    return aejax.objective(model, losses.bernoulli, corruption=noise), optax.adam(1e-2)


def trained(rate, key):
    objective, optimizer = make(rate)
    return training.train(objective, optimizer, aejax.Batch(x), key, epochs=EPOCHS, batch_size=128)


every_seed = jax.vmap(trained, in_axes=(None, 0))
every_rate = jax.jit(jax.vmap(every_seed, in_axes=(0, None)))
states, measured = every_rate(rates, jax.random.split(jax.random.key(0), SEEDS))
curves = {f"q = {q:g}": np.asarray(loss) for q, loss in zip(rates, measured["loss"], strict=True)}
plots.seed_curves(curves, quantity="training loss, nats")

# %% [markdown]
# ## Denoising error
#
# Each autoencoder reconstructs the same test digits with a quarter of their pixels missing. The
# remaining squared error, as a mean over seeds:

# %%
plain, _ = make(0.0)
damaged = corruptions.masking(rate=0.25)(jax.random.key(1), x_test)


def error(params):
    return jnp.mean(jnp.sum((aejax.reconstruct(plain, params, damaged) - x_test) ** 2, axis=1))


errors = jax.vmap(jax.vmap(error))(states.params)
print(f"masked: {jnp.mean(jnp.sum((damaged - x_test) ** 2, axis=1)):.2f}")
for rate, of_seeds in zip(rates, errors, strict=True):
    print(f"q = {rate:g}: {of_seeds.mean():.2f}, seeds {np.round(of_seeds.astype(float), 2)}")

# %% [markdown]
# ## Filters and reconstructions
#
# Filters of the first seed without noise:

# %%
first = jax.tree.map(lambda leaf: leaf[:, 0], states.params)
kernels = first["encoder"]["layer_0"]["kernel"]
plots.filters(kernels[0], (8, 8), count=32)

# %% [markdown]
# With half of the pixels missing during training:

# %%
plots.filters(kernels[2], (8, 8), count=32)

# %% [markdown]
# Test digits, masked digits and reconstructions, trained with a rate of 0.25:

# %%
params = jax.tree.map(lambda leaf: leaf[1], first)
x_hat = aejax.reconstruct(plain, params, damaged)
plots.reconstructions(*(np.asarray(a) for a in (x_test, x_hat)), (8, 8), np.asarray(damaged))
