"""Step, epoch and evaluation against plain loops."""

from itertools import pairwise

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

import aejax
from aejax import Batch, corruptions, losses, penalties, training

KEY = jax.random.key(0)
X = jax.random.uniform(jax.random.key(1), (23, 5))
OBJECTIVE = aejax.objective(
    aejax.dense((5, 3)),
    losses.bernoulli,
    corruption=corruptions.masking(rate=0.25),
    penalties={"sparsity": (0.1, penalties.kl_sparsity(rho=0.1))},
)
ADAM = optax.adam(1e-2)


def assert_same(a, b):
    jax.tree.map(np.testing.assert_array_equal, a, b)


def seen_in_two_epochs(batch_size):
    """Example indices of each step of two epochs, read from the examples themselves."""
    model = aejax.Autoencoder(
        init=lambda key: {"kernel": jnp.zeros(())},
        encode=lambda params, x: x + params["kernel"],
        decode=lambda params, code: code,
    )
    steps = []

    def spy(record):
        jax.debug.callback(
            lambda x: steps.append(x[:, 0].astype(int).tolist()), record.batch.x, ordered=True
        )
        return jnp.zeros(())

    objective = aejax.objective(model, losses.squared, penalties={"spy": (1.0, spy)})
    data = Batch(jnp.arange(10.0)[:, None])
    state = training.init_state(objective, optax.sgd(0.0), KEY)
    for _ in range(2):
        state, _ = jax.jit(
            lambda state: training.epoch(
                objective, optax.sgd(0.0), state, data, batch_size=batch_size
            )
        )(state)
        jax.effects_barrier()
        yield list(steps)
        steps.clear()


@pytest.mark.parametrize("batch_size", [1, 3, 5, 10])
def test_an_epoch_uses_every_example_once_in_a_new_order(batch_size):
    orders = []
    for steps in seen_in_two_epochs(batch_size):
        whole, remainder = divmod(10, batch_size)
        assert [len(step) for step in steps] == [batch_size] * whole + [remainder] * bool(remainder)
        orders.append([example for step in steps for example in step])
        assert sorted(orders[-1]) == list(range(10))
    assert orders[0] != orders[1]


def test_a_gradient_descent_step_subtracts_the_gradient_of_the_objective():
    state = training.init_state(OBJECTIVE, optax.sgd(0.1), KEY)
    after, measured = training.step(OBJECTIVE, optax.sgd(0.1), state, Batch(X))
    key_steps = jax.random.split(state.key)[1]
    key = jax.random.fold_in(key_steps, 0)
    (loss, terms), gradient = jax.value_and_grad(OBJECTIVE, has_aux=True)(
        state.params, Batch(X), key
    )
    expected = jax.tree.map(lambda p, g: p - 0.1 * g, state.params, gradient)
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-6), after.params, expected)
    assert measured["loss"] == loss
    assert measured["sparsity"] == terms["sparsity"]
    norm = np.sqrt(sum(np.sum(np.square(leaf)) for leaf in jax.tree.leaves(gradient)))
    np.testing.assert_allclose(measured["gradient_norm"], norm, rtol=1e-6)
    assert int(after.step) == 1
    assert int(after.epoch) == 0


def test_steps_use_different_noise():
    state = training.init_state(OBJECTIVE, optax.sgd(0.0), KEY)
    second, first_measured = training.step(OBJECTIVE, optax.sgd(0.0), state, Batch(X))
    _, second_measured = training.step(OBJECTIVE, optax.sgd(0.0), second, Batch(X))
    assert first_measured["loss"] != second_measured["loss"]


def test_an_epoch_equals_a_loop_of_steps():
    state = training.init_state(OBJECTIVE, ADAM, KEY)
    scanned, measured = training.epoch(OBJECTIVE, ADAM, state, Batch(X), batch_size=8)
    key_order, _ = jax.random.split(state.key)
    order = jax.random.permutation(jax.random.fold_in(key_order, 0), 23)
    looped, losses_seen = state, []
    step = jax.jit(lambda state, batch: training.step(OBJECTIVE, ADAM, state, batch))
    for rows in (order[:8], order[8:16], order[16:]):
        looped, one = step(looped, Batch(X[rows]))
        losses_seen.append(one["loss"])
    jax.tree.map(
        lambda a, b: np.testing.assert_allclose(a, b, rtol=2e-5, atol=1e-6),
        scanned.params,
        looped.params,
    )
    np.testing.assert_allclose(measured["loss"], losses_seen, rtol=1e-5)
    assert int(scanned.step) == 3
    assert int(scanned.epoch) == 1


def test_batched_evaluation_is_the_mean_over_examples():
    objective = aejax.objective(aejax.dense((5, 3)), losses.squared)
    params = objective.model.init(KEY)
    whole = objective(params, Batch(X), KEY)[0]
    for batch_size in (1, 7, 23, 100):
        found = training.evaluate(objective, params, Batch(X), KEY, batch_size=batch_size)
        np.testing.assert_allclose(found["loss"], whole, rtol=1e-5)


def test_line_searches_receive_the_value_function():
    objective = aejax.objective(aejax.linear(5, 2), losses.squared)
    optimizer = optax.lbfgs()
    state = training.init_state(objective, optimizer, KEY)
    run = jax.jit(lambda state: training.step(objective, optimizer, state, Batch(X)))
    losses_seen = []
    for _ in range(100):
        state, measured = run(state)
        losses_seen.append(float(measured["loss"]))
    assert all(b <= a + 1e-6 for a, b in pairwise(losses_seen))
    centred = np.asarray(X - X.mean(axis=0))
    least = np.sum(np.linalg.svd(centred)[1][2:] ** 2) / len(X)
    assert losses_seen[-1] == pytest.approx(least, rel=1e-2)


def test_targets_and_weights_are_shuffled_with_their_examples():
    """Targets are twice the inputs, so that a model that doubles x has zero loss in any order."""
    model = aejax.Autoencoder(
        init=lambda key: {"kernel": jnp.asarray(2.0)},
        encode=lambda params, x: x * params["kernel"],
        decode=lambda params, code: code,
    )
    objective = aejax.objective(model, losses.squared)
    data = Batch(X, target=2 * X, weight=jnp.ones_like(X))
    state = training.init_state(objective, optax.sgd(0.0), KEY)
    _, measured = training.epoch(objective, optax.sgd(0.0), state, data, batch_size=4)
    assert_same(measured["loss"], jnp.zeros(6))


@pytest.mark.parametrize("options", [{"patience": 2}, {"validation": X, "patience": 0}])
def test_patience_of_train_is_checked(options):
    """With patience 0 training would stop before its first epoch."""
    with pytest.raises(ValueError, match="patience"):
        training.train(OBJECTIVE, ADAM, X, KEY, epochs=2, batch_size=8, **options)
