# ---
# jupyter:
#   jupytext:
#     formats: py:percent
# ---

# %% [markdown]
# # PCA and the linear autoencoder
#
# An autoencoder with linear units and squared error finds the same subspace as PCA, but another
# basis of it. This notebook fits both to the same digits.

# %%
# %matplotlib inline
import jax
import jax.numpy as jnp
import numpy as np
import optax
from scipy.linalg import subspace_angles

import aejax
from aejax import data, losses, models, plots, theory, training

EPOCHS, CODE = 200, 4
digits = data.digits()
x = jnp.asarray(digits.x_train.reshape(-1, 64) / 16, float)

# %% [markdown]
# ## PCA
#
# The minimum loss of a linear autoencoder with four units is the variance that PCA does not
# explain, the sum of the remaining eigenvalues:

# %%
analysis = theory.pca(x)
components, least = analysis.components[:CODE], analysis.eigenvalues[CODE:].sum()
print(f"minimum loss {least:.4f}")
plots.spectrum(analysis.eigenvalues, CODE)

# %% [markdown]
# ## The autoencoder, by gradient descent
#
# `linear` has no activations. `squared` sums over features and averages over examples, so that its
# value is comparable with the eigenvalues.

# %%
objective = aejax.objective(aejax.linear(64, CODE), losses.squared)
rate = optax.cosine_decay_schedule(3e-2, EPOCHS * -(-len(x) // 128))
state, history = training.fit(
    objective, optax.adam(rate), aejax.Batch(x), key=jax.random.key(0), epochs=EPOCHS
)
print(f"loss {history[-1]['loss']:.4f}, PCA's {least:.4f}")

# %% [markdown]
# ## The same subspace, another basis
#
# The principal angles between the span of the decoder's rows and PCA's components are close to
# zero. The cosines between single rows and single components are not close to one, because the loss
# does not depend on the basis.

# %%
decoder = np.asarray(state.params["decoder"]["layer_0"]["kernel"], float)
angles = np.degrees(subspace_angles(decoder.T, components.T))
rows = decoder / np.linalg.norm(decoder, axis=1, keepdims=True)
cosines = np.abs(rows @ components.T)
print(f"largest angle between the subspaces {angles.max():.2f}°")
print(f"best cosine of each component {np.round(cosines.max(axis=0), 2)}")
plots.alignment({"plain linear autoencoder": cosines})

# %% [markdown]
# ## PCA's own parameters
#
# The parameters of PCA are one of the minima. `aejax verify --data digits` checks this and the
# other theorems of the [theory](../theory.md), each beside a false statement.

# %%
pca_params = models.pca_params(
    jnp.asarray(components, x.dtype), jnp.asarray(analysis.mean, x.dtype)
)
by_hand, _ = objective(pca_params, aejax.Batch(x), jax.random.key(0))
print(f"loss of PCA's parameters {by_hand:.4f}")
