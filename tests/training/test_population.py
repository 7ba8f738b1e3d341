"""A population in one program is its members one by one."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

import aejax
from aejax import Batch, corruptions, losses, penalties, training

KEY = jax.random.key(0)
X = jax.random.uniform(jax.random.key(1), (40, 6))


def make(hyperparameters):
    objective = aejax.objective(
        aejax.dense((6, 3)),
        losses.bernoulli,
        corruption=corruptions.masking(rate=hyperparameters["rate"]),
        penalties={
            "sparsity": (hyperparameters["weight"], penalties.kl_sparsity(rho=0.1)),
        },
    )
    return objective, optax.adam(hyperparameters["learning_rate"])


HYPERPARAMETERS = {
    "rate": jnp.asarray([0.0, 0.25, 0.5]),
    "weight": jnp.asarray([0.0, 1.0, 0.1]),
    "learning_rate": jnp.asarray([1e-2, 1e-3, 3e-3]),
}


def test_members_equal_trainings_one_by_one():
    states, measured = training.fit_population(
        make, Batch(X), hyperparameters=HYPERPARAMETERS, key=KEY, epochs=3, batch_size=16
    )
    assert measured["loss"].shape == (3, 3)

    @jax.jit
    def alone(hyperparameters, key):
        return training.train(*make(hyperparameters), Batch(X), key, epochs=3, batch_size=16)

    for member, key in enumerate(jax.random.split(KEY, 3)):
        chosen = jax.tree.map(lambda values, i=member: values[i], HYPERPARAMETERS)
        state, losses_alone = alone(chosen, key)
        jax.tree.map(
            lambda a, b, i=member: np.testing.assert_allclose(a[i], b, rtol=1e-3, atol=1e-5),
            states.params,
            state.params,
        )
        np.testing.assert_allclose(measured["loss"][member], losses_alone["loss"], rtol=1e-4)


@pytest.mark.parametrize(
    "hyperparameters",
    [{}, {"a": jnp.zeros(())}, {"a": jnp.zeros(2), "b": jnp.zeros(3)}, jnp.zeros(0)],
)
def test_hyperparameters_without_one_axis_of_members_are_refused(hyperparameters):
    with pytest.raises(ValueError, match="one leading axis of members"):
        training.fit_population(make, Batch(X), hyperparameters=hyperparameters, key=KEY, epochs=1)


def test_a_member_out_of_range_is_refused_before_anything_is_compiled():
    rates = HYPERPARAMETERS | {"rate": jnp.asarray([0.0, 0.25, 1.5])}
    with pytest.raises(ValueError, match=r"masking rate must lie in \[0, 1\], got 1.5"):
        training.fit_population(make, Batch(X), hyperparameters=rates, key=KEY, epochs=1)


def test_targets_outside_the_losss_support_are_refused():
    with pytest.raises(ValueError, match=r"x has values outside \[0, 1\]"):
        training.fit_population(
            make, Batch(X - 1), hyperparameters=HYPERPARAMETERS, key=KEY, epochs=1, batch_size=16
        )
