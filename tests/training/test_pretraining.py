"""Greedy layer-wise pretraining, unrolling, and comparison with random initialisation."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

import aejax
from aejax import Batch, corruptions, data, losses, penalties, training
from aejax.models import boltzmann
from aejax.models.boltzmann import RBM, bernoulli, gaussian, mean_field

KEY = jax.random.key(0)
BATCH = 100


@pytest.fixture(scope="module")
def digits():
    """Train and test digits in [0, 1]; only full batches, so that steps compile once."""
    loaded = data.digits()
    return tuple(
        jnp.asarray(x.reshape(len(x), -1) / 16, jnp.float32)
        for x in (loaded.x_train[: 14 * BATCH], loaded.x_test)
    )


def boltzmann_layers(sizes, examples):
    """Hinton & Salakhutdinov's recipe: probabilities as data, a linear code, weight decay."""
    switch = 5 * -(-examples // BATCH)
    decay = {"decay": (1e-4, penalties.l2())}
    *hidden, last = itertools.pairwise(sizes)
    probabilities = mean_field(bernoulli)
    layers = [(pair, RBM(probabilities), 0.1) for pair in hidden]
    layers.append((last, RBM(probabilities, gaussian), 0.01))
    return [
        (
            training.rbm_objective(pair, rbm, penalties=decay),
            training.rbm_optimizer(learning_rate=rate, switch=switch),
        )
        for pair, rbm, rate in layers
    ]


def denoising_layers(sizes, _):
    corruption = corruptions.masking(rate=0.1)
    *hidden, last = itertools.pairwise(sizes)
    models = [*map(aejax.dense, hidden), aejax.dense(last, code_activation=jax.nn.identity)]
    optimizer = optax.adam(3e-3)
    return [
        (aejax.objective(model, losses.bernoulli, corruption=corruption), optimizer)
        for model in models
    ]


def errors(layers, sizes, digits, *, pretrained, tuned):
    """Test errors after unrolling and fine-tuning, and after equal training from a random start."""
    x, x_test = digits
    model = aejax.dense(sizes, code_activation=jax.nn.identity)
    objective = aejax.objective(model, losses.bernoulli)
    optimizer = optax.sgd(0.05, momentum=0.9)

    @jax.jit
    def run_epoch(state):
        return training.epoch(objective, optimizer, state, Batch(x), batch_size=BATCH)[0]

    @jax.jit
    def error(params):
        x_hat = aejax.reconstruct(objective, params, x_test)
        return jnp.mean(jnp.sum(jnp.square(x_hat - x_test), axis=1))

    def tuned_error(state, epochs):
        for _ in range(epochs):
            state = run_epoch(state)
        return error(state.params)

    trained, _ = training.pretrain(layers, x, key=KEY, epochs=pretrained, batch_size=BATCH)
    params = training.unroll(trained)
    if "kernel" not in params["decoder"]["layer_0"]:
        params = aejax.untied(params)
    start = training.init_state(objective, optimizer, KEY)
    random = tuned_error(start, len(layers) * pretrained + tuned)
    return error(params), tuned_error(start._replace(params=params), tuned), random


@pytest.mark.parametrize(
    "make_layers", [denoising_layers, pytest.param(boltzmann_layers, marks=pytest.mark.slow)]
)
def test_a_deep_logistic_network_learns_after_pretraining_alone(digits, make_layers):
    """From a random start, as many epochs do not improve on the mean of the data."""
    sizes = (64, 100, 50, 25, 6)
    layers = make_layers(sizes, len(digits[0]))
    unrolled, tuned, random = errors(layers, sizes, digits, pretrained=20, tuned=40)
    x, x_test = digits
    mean = np.mean(np.sum(np.square(x_test - x.mean(0)), axis=1))
    assert random == pytest.approx(mean, rel=0.01)
    assert unrolled < 0.6 * random
    assert tuned < 0.4 * random


def test_each_layer_trains_on_codes_of_clean_data():
    x = jnp.asarray(np.random.default_rng(0).uniform(size=(40, 6)), jnp.float32)
    layers, options = denoising_layers((6, 4, 2), len(x)), {"epochs": 2, "batch_size": 20}
    (first, second), (_, history) = training.pretrain(layers, x, key=KEY, **options)
    (objective, _), (next_objective, optimizer) = layers
    codes = jax.jit(objective.model.encode)(first, x)
    _, key = jax.random.split(KEY)
    state, expected = training.fit(next_objective, optimizer, Batch(codes), key=key, **options)
    jax.tree.map(np.testing.assert_array_equal, second, state.params)
    assert [record["loss"] for record in history] == [record["loss"] for record in expected]


def params_like(model, seed):
    """Random parameters with the structure of a model, including biases."""
    generator = np.random.default_rng(seed)
    return jax.tree.map(
        lambda leaf: jnp.asarray(generator.normal(size=leaf.shape)), jax.eval_shape(model.init, KEY)
    )


def test_the_unrolled_network_is_the_layers_one_inside_the_other(x64):
    below = aejax.dense((6, 5, 4), decoder_sizes=(4, 7, 6), activation=jnp.tanh)
    above = aejax.dense((4, 2), activation=jnp.tanh)
    deep = aejax.dense((6, 5, 4, 2), decoder_sizes=(2, 4, 7, 6), activation=jnp.tanh)
    params = [params_like(below, 0), params_like(above, 1)]
    x = jnp.asarray(np.random.default_rng(2).normal(size=(3, 6)))
    unrolled = training.unroll(params)
    code = above.encode(params[1], below.encode(params[0], x))
    np.testing.assert_allclose(deep.encode(unrolled, x), code, rtol=1e-14)
    output = below.decode(params[0], jnp.tanh(above.decode(params[1], code)))
    np.testing.assert_allclose(deep.decode(unrolled, code), output, rtol=1e-14)


def test_rbms_unroll_tied_or_into_transposed_copies(x64):
    machines = [aejax.dense(sizes, tied=True) for sizes in ((6, 4), (4, 3), (3, 2))]
    params = [params_like(machine, seed) for seed, machine in enumerate(machines)]
    unrolled = training.unroll(params)
    x = jnp.asarray(np.random.default_rng(3).uniform(size=(5, 6)))
    linear = {"code_activation": jax.nn.identity}
    tied, copied = (aejax.dense((6, 4, 3, 2), tied=tied, **linear) for tied in (True, False))
    binary, to_linear = RBM(), RBM(bernoulli, gaussian)
    h = [x]
    for rbm, layer in zip((binary, binary, to_linear), params, strict=True):
        h.append(boltzmann.hidden_mean(rbm, layer, h[-1]))
    x_hat = h[-1]
    for rbm, layer in zip((to_linear, binary, binary), params[::-1], strict=True):
        x_hat = boltzmann.visible_mean(rbm, layer, x_hat)
    for model, own in ((tied, unrolled), (copied, aejax.untied(unrolled))):
        code = model.encode(own, x)
        np.testing.assert_allclose(code, h[-1], rtol=1e-13)
        np.testing.assert_allclose(jax.nn.sigmoid(model.decode(own, code)), x_hat, rtol=1e-13)


def test_contrastive_divergence_exceeds_the_likelihood_of_independent_pixels():
    """Four binary pixels, of which the last two repeat the first two."""
    pairs = np.random.default_rng(0).random((200, 2)) < (0.5, 0.3)
    x = jnp.asarray(np.tile(pairs, (1, 2)), float)
    rbm = RBM()
    objective = training.rbm_objective((4, 3), rbm, steps=5)

    def log_likelihood(params):
        free = boltzmann.free_energy(rbm, params, x)
        return float(-jnp.mean(free) - boltzmann.log_partition(rbm, params))

    optimizer = training.rbm_optimizer(learning_rate=0.1, switch=100)
    state, measured = jax.jit(
        lambda key: training.train(objective, optimizer, Batch(x), key, epochs=150, batch_size=20)
    )(KEY)
    rate = np.asarray(x.mean(0))
    entropies = -rate * np.log(rate) - (1 - rate) * np.log(1 - rate)
    independent, best = -entropies.sum(), -entropies[:2].sum()
    found = log_likelihood(state.params)
    assert independent + 0.8 * (best - independent) < found < best + 0.05
    assert measured["reconstruction"][-1] < 0.2 * measured["reconstruction"][0]


def test_the_reconstruction_of_an_rbm_is_monitored_but_not_minimised(x64):
    objective = training.rbm_objective((4, 3), RBM(gaussian, bernoulli))
    params = params_like(objective.model, 0)
    x = jnp.asarray(np.random.default_rng(1).normal(size=(6, 4)))
    _, terms = objective(params, Batch(x), KEY)
    kernel, code = params["encoder"]["layer_0"]["kernel"], objective.model.encode(params, x)
    x_hat = code @ kernel.T + params["decoder"]["layer_0"]["bias"]
    np.testing.assert_allclose(
        terms["reconstruction"], np.mean(np.sum(np.square(x_hat - x), 1)), rtol=1e-13
    )
    gradient = jax.grad(lambda params: objective(params, Batch(x), KEY)[1]["reconstruction"])
    assert all(not leaf.any() for leaf in jax.tree.leaves(gradient(params)))


def test_the_optimizer_is_gradient_descent_with_rising_momentum():
    optimizer = training.rbm_optimizer(learning_rate=0.1, switch=2)
    gradients = np.random.default_rng(0).normal(size=(4, 3))
    state, theta, speed = optimizer.init(jnp.zeros(3)), np.zeros(3), np.zeros(3)
    found = jnp.zeros(3)
    for gradient, momentum in zip(gradients, (0.5, 0.5, 0.9, 0.9), strict=True):
        update, state = optimizer.update(jnp.asarray(gradient, jnp.float32), state)
        found = optax.apply_updates(found, update)
        speed = momentum * speed - 0.1 * gradient
        theta = theta + speed
        np.testing.assert_allclose(found, theta, rtol=1e-5)


def test_layers_that_cannot_be_stacked_are_refused():
    tied, untied = ({"decoder": {"layer_0": layer}} for layer in ({"bias": 0}, {"kernel": 0}))
    with pytest.raises(ValueError, match="at least one layer, an \\(objective, optimizer"):
        training.pretrain([], jnp.ones((2, 3)), key=KEY, epochs=1)
    with pytest.raises(ValueError, match="params of at least one layer"):
        training.unroll([])
    with pytest.raises(ValueError, match="all tied or all untied"):
        training.unroll([tied, untied])
    layers = [params_like(aejax.dense(sizes), 0) for sizes in ((6, 4), (3, 2))]
    with pytest.raises(ValueError, match="3 inputs cannot follow one of 4 units"):
        training.unroll(layers)


def test_a_second_contrastive_divergence_is_refused():
    twice = {"contrastive_divergence": (1.0, boltzmann.contrastive_divergence(RBM()))}
    with pytest.raises(ValueError, match="rbm_objective adds"):
        training.rbm_objective((4, 3), penalties=twice)


@pytest.mark.parametrize("others", [{"weight": jnp.arange(4.0)}, {"target": jnp.zeros((4, 3))}])
def test_targets_and_weights_are_refused(others):
    layer = (aejax.objective(aejax.dense((3, 2)), losses.squared), optax.sgd(0.1))
    with pytest.raises(ValueError, match="pretrain accepts only x"):
        training.pretrain([layer], Batch(jnp.ones((4, 3)), **others), key=KEY, epochs=1)
