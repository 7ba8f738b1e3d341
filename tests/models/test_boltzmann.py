"""Restricted Boltzmann machines against enumeration of all states and scikit-learn."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.special import expit, log_expit, logsumexp
from sklearn.neural_network import BernoulliRBM

import aejax
from aejax import Batch, losses
from aejax.models import boltzmann
from aejax.models.boltzmann import RBM, bernoulli, gaussian, mean_field

VISIBLE, HIDDEN = 4, 3
BINARY = RBM()
KINDS = {
    "binary": BINARY,
    "linear code": RBM(bernoulli, gaussian),
    "real inputs": RBM(gaussian, bernoulli),
    "both real": RBM(gaussian, gaussian),
}
STATES = np.array(list(itertools.product([0.0, 1.0], repeat=VISIBLE)))
HIDDEN_STATES = np.array(list(itertools.product([0.0, 1.0], repeat=HIDDEN)))
DATA = STATES[[1, 1, 1, 2, 7, 12, 12, 15]]


def params_of(kernel, visible_bias, hidden_bias):
    return jax.tree.map(
        jnp.asarray,
        {
            "encoder": {"layer_0": {"kernel": kernel, "bias": hidden_bias}},
            "decoder": {"layer_0": {"bias": visible_bias}},
        },
    )


@pytest.fixture
def weights():
    generator = np.random.default_rng(3)
    return [generator.normal(size=shape) for shape in ((VISIBLE, HIDDEN), VISIBLE, HIDDEN)]


@pytest.fixture
def params(x64, weights):
    return params_of(*weights)


def joint(weights):
    """−E(v, h) and p(v, h) of the binary RBM, [states, hidden states], by definition."""
    kernel, visible_bias, hidden_bias = weights
    minus_energy = (
        STATES @ kernel @ HIDDEN_STATES.T
        + (STATES @ visible_bias)[:, None]
        + (HIDDEN_STATES @ hidden_bias)[None]
    )
    return minus_energy, np.exp(minus_energy - logsumexp(minus_energy))


def statistics(law):
    """E[v hᵀ], E[v], E[h] under a joint distribution."""
    return [STATES.T @ law @ HIDDEN_STATES, law.sum(1) @ STATES, law.sum(0) @ HIDDEN_STATES]


def with_conditional(visible_law, weights):
    """Joint distribution of v from a given distribution and h from p(h | v)."""
    _, law = joint(weights)
    return visible_law[:, None] * law / law.sum(1, keepdims=True)


def empirical():
    """Empirical distribution of DATA over STATES."""
    return (DATA[None] == STATES[:, None]).all(-1).mean(1)


def transition(weights):
    """Exact transition matrix of one Gibbs step, T[v, v′] = Σ_h p(h | v) p(v′ | h)."""
    _, law = joint(weights)
    return (law / law.sum(1, keepdims=True)) @ (law / law.sum(0)).T


def exact_gradient(weights):
    """Gradient of −mean log p(v): model statistics minus data statistics."""
    model = statistics(joint(weights)[1])
    data = statistics(with_conditional(empirical(), weights))
    return [a - b for a, b in zip(model, data, strict=True)]


def expected_divergence_gradient(weights, steps):
    """Expected gradient of CD-k, by the k-th power of the transition matrix."""
    end = empirical() @ np.linalg.matrix_power(transition(weights), steps)
    model, data = (statistics(with_conditional(law, weights)) for law in (end, empirical()))
    return [a - b for a, b in zip(model, data, strict=True)]


def leaves(gradient):
    layer = gradient["encoder"]["layer_0"]
    return [layer["kernel"], gradient["decoder"]["layer_0"]["bias"], layer["bias"]]


def flat(arrays):
    return np.concatenate([np.ravel(array) for array in arrays])


def divergence_gradient(params, v, key, rbm=BINARY, steps=1):
    model = aejax.dense((VISIBLE, HIDDEN), tied=True)
    penalty = boltzmann.contrastive_divergence(rbm, steps=steps)

    def divergence(params):
        record = aejax.forward(aejax.objective(model, losses.bernoulli), params, Batch(v), key)
        return jnp.mean(penalty(record._replace(key=key)))

    return jax.grad(divergence)(params)


def test_energy_equals_its_definition(params, weights):
    minus_energy, _ = joint(weights)
    v = np.repeat(STATES, len(HIDDEN_STATES), axis=0)
    h = np.tile(HIDDEN_STATES, (len(STATES), 1))
    found = boltzmann.energy(BINARY, params, jnp.asarray(v), jnp.asarray(h))
    np.testing.assert_allclose(found, -minus_energy.ravel(), rtol=1e-13)


def test_free_energy_marginalises_the_hidden_units(params, weights):
    minus_energy, _ = joint(weights)
    found = boltzmann.free_energy(BINARY, params, jnp.asarray(STATES))
    np.testing.assert_allclose(found, -logsumexp(minus_energy, axis=1), rtol=1e-13)


@pytest.mark.parametrize("name", ["linear code", "both real"])
def test_free_energy_integrates_over_gaussian_hidden_units(x64, name):
    """−log ∫ e^{−E(v, h)} dh for one hidden unit, by the trapezoidal rule."""
    generator = np.random.default_rng(0)
    params = params_of(generator.normal(size=(2, 1)), generator.normal(size=2), np.array([0.3]))
    v = jnp.asarray(generator.uniform(size=(3, 2)))
    h = np.linspace(-12, 12, 4001)
    for example, found in zip(v, boltzmann.free_energy(KINDS[name], params, v), strict=True):
        energies = boltzmann.energy(
            KINDS[name], params, jnp.tile(example, (len(h), 1)), jnp.asarray(h)[:, None]
        )
        integral = np.trapezoid(np.exp(-np.asarray(energies)), h)
        np.testing.assert_allclose(found, -np.log(integral), rtol=1e-12)


def test_conditional_means_match_the_joint_distribution(params, weights):
    _, law = joint(weights)
    hidden = law / law.sum(1, keepdims=True) @ HIDDEN_STATES
    visible = (law / law.sum(0)).T @ STATES
    found = boltzmann.hidden_mean(BINARY, params, jnp.asarray(STATES))
    np.testing.assert_allclose(found, hidden, rtol=1e-12)
    found = boltzmann.visible_mean(BINARY, params, jnp.asarray(HIDDEN_STATES))
    np.testing.assert_allclose(found, visible, rtol=1e-12)


@pytest.mark.parametrize("name", KINDS)
def test_unit_means_are_derivatives_of_the_log_partition_and_means_of_samples(x64, name):
    a = jnp.linspace(-3.0, 3.0, 7)
    for units in KINDS[name]:
        mean = jax.grad(lambda a, units=units: units.log_partition(a).sum())(a)
        np.testing.assert_allclose(units.mean(a), mean, rtol=1e-12, atol=1e-15)
        samples = units.sample(jax.random.key(0), jnp.tile(a, (40_000, 1)))
        np.testing.assert_allclose(samples.mean(0), mean, atol=5 / np.sqrt(40_000))


def test_conditional_means_are_code_and_reconstruction_of_the_tied_autoencoder(params):
    model = aejax.dense((VISIBLE, HIDDEN), tied=True)
    v = jnp.asarray(STATES)
    h = boltzmann.hidden_mean(BINARY, params, v)
    np.testing.assert_array_equal(model.encode(params, v), h)
    x_hat = jax.nn.sigmoid(model.decode(params, h))
    np.testing.assert_allclose(boltzmann.visible_mean(BINARY, params, h), x_hat, rtol=1e-14)


def test_log_partition_is_the_sum_over_all_joint_states(params, weights):
    minus_energy, _ = joint(weights)
    found = boltzmann.log_partition(BINARY, params)
    np.testing.assert_allclose(found, logsumexp(minus_energy), rtol=1e-14)


def test_the_enumerated_gradient_equals_jax_grad_of_the_likelihood(params, weights):
    def loss(params):
        data = boltzmann.free_energy(BINARY, params, jnp.asarray(DATA))
        return jnp.mean(data) + boltzmann.log_partition(BINARY, params)

    for found, expected in zip(
        leaves(jax.grad(loss)(params)), exact_gradient(weights), strict=True
    ):
        np.testing.assert_allclose(found, expected, rtol=1e-11, atol=1e-14)


def test_a_gibbs_step_has_the_exact_transition_probabilities(params, weights):
    draws = 4000
    start = jnp.asarray(np.repeat(STATES, draws, axis=0))
    end = np.asarray(boltzmann.gibbs_step(BINARY, params, start, jax.random.key(0)))
    index = (end @ 2 ** np.arange(VISIBLE)[::-1]).astype(int).reshape(len(STATES), draws)
    found = np.stack([np.bincount(row, minlength=len(STATES)) for row in index]) / draws
    expected = transition(weights)
    deviation = np.sqrt(expected * (1 - expected) / draws)
    assert (np.abs(found - expected) / (deviation + 1e-9)).max() < 5


def test_a_gibbs_step_samples_h_from_v_and_v_from_h(params):
    v, key = jnp.asarray(DATA), jax.random.key(0)
    key_hidden, _ = jax.random.split(key)
    a = v @ params["encoder"]["layer_0"]["kernel"] + params["encoder"]["layer_0"]["bias"]
    for name, hidden in {"binary": bernoulli, "linear": gaussian}.items():
        rbm = RBM(mean_field(bernoulli), hidden)
        expected = boltzmann.visible_mean(rbm, params, hidden.sample(key_hidden, a))
        found = boltzmann.gibbs_step(rbm, params, v, key)
        np.testing.assert_allclose(found, expected, rtol=1e-14, err_msg=name)


@pytest.mark.parametrize("name", KINDS)
def test_the_gradient_of_contrastive_divergence_is_the_difference_of_two_phases(params, name):
    rbm, v, key = KINDS[name], jnp.asarray(DATA), jax.random.key(5)
    end = np.asarray(boltzmann.gibbs_chain(rbm, params, v, key, steps=2))
    code, code_end = (
        np.asarray(boltzmann.hidden_mean(rbm, params, jnp.asarray(states))) for states in (v, end)
    )
    expected = [
        (end.T @ code_end - DATA.T @ code) / len(DATA),
        (end - DATA).mean(0),
        (code_end - code).mean(0),
    ]
    found = leaves(divergence_gradient(params, v, key, rbm, steps=2))
    np.testing.assert_allclose(flat(found), flat(expected), rtol=1e-11, atol=1e-13)


@pytest.mark.parametrize("steps", [1, 2])
def test_contrastive_divergence_samples_its_expectation_by_enumeration(params, weights, steps):
    repeats = 4000
    v = jnp.asarray(np.tile(DATA, (repeats, 1)))
    found = flat(leaves(divergence_gradient(params, v, jax.random.key(0), steps=steps)))
    expected = flat(expected_divergence_gradient(weights, steps))
    # Statistics lie in [0, 1], so the standard error of a mean of n is at most ½/√n.
    assert np.abs(found - expected).max() < 5 * 0.5 / np.sqrt(len(v))
    # The bound is tight enough to distinguish these few steps from the exact gradient.
    assert np.abs(expected - flat(exact_gradient(weights))).max() > 5 * 0.5 / np.sqrt(len(v))


def test_contrastive_divergence_points_along_the_exact_gradient_and_its_bias_vanishes(weights):
    exact = flat(exact_gradient(weights))
    steps = (1, 2, 4, 8, 16, 64)
    gradients = [flat(expected_divergence_gradient(weights, k)) for k in steps]
    cosines = [g @ exact / np.linalg.norm(g) / np.linalg.norm(exact) for g in gradients]
    biases = [np.linalg.norm(g - exact) / np.linalg.norm(exact) for g in gradients]
    assert min(cosines) > 0.5
    assert biases[0] > 0.05
    assert all(later < earlier for earlier, later in itertools.pairwise(biases))
    assert cosines[-1] > 1 - 1e-6
    # The bias decays by the second eigenvalue of the transition matrix per step.
    second = np.sort(np.abs(np.linalg.eigvals(transition(weights))))[-2]
    assert biases[-1] < 2 * biases[0] * second**63 + 1e-13


def test_free_energy_hidden_means_and_pseudo_likelihood_equal_scikit_learns(params, weights):
    kernel, visible_bias, hidden_bias = weights
    reference = BernoulliRBM(n_components=HIDDEN, n_iter=1, random_state=0).fit(STATES)
    reference.components_ = kernel.T
    reference.intercept_visible_, reference.intercept_hidden_ = visible_bias, hidden_bias
    v = jnp.asarray(STATES)
    found = boltzmann.free_energy(BINARY, params, v)
    np.testing.assert_allclose(found, reference._free_energy(STATES), rtol=1e-12)
    found = boltzmann.hidden_mean(BINARY, params, v)
    np.testing.assert_allclose(found, reference.transform(STATES), rtol=1e-12)
    rows = np.arange(len(STATES))
    chosen = np.random.RandomState(0).randint(0, VISIBLE, len(STATES))
    flipped = v.at[rows, chosen].set(1 - v[rows, chosen])
    rise = boltzmann.free_energy(BINARY, params, flipped) - boltzmann.free_energy(BINARY, params, v)
    np.testing.assert_allclose(
        VISIBLE * log_expit(np.asarray(rise)), reference.score_samples(STATES), rtol=1e-12
    )


def test_mean_field_units_return_their_mean(x64):
    a = jnp.linspace(-2.0, 2.0, 5)
    sample = mean_field(bernoulli).sample(jax.random.key(0), a)
    np.testing.assert_allclose(sample, expit(np.asarray(a)), rtol=1e-14)


@pytest.mark.parametrize("x64", [False, True])
def test_floating_dtype_is_preserved(x64, weights):
    with jax.enable_x64(x64):
        params, v = params_of(*weights), jnp.asarray(STATES)
        end = boltzmann.gibbs_chain(BINARY, params, v, jax.random.key(0), steps=1)
        outputs = end, boltzmann.free_energy(BINARY, params, v)
        outputs += (boltzmann.log_partition(BINARY, params),)
        expected = jnp.float64 if x64 else jnp.float32
        assert {output.dtype for output in outputs} == {jnp.dtype(expected)}


def test_params_of_other_models_are_refused(weights):
    params = params_of(*weights)
    layer = params["encoder"]["layer_0"]
    untied = aejax.untied(params)
    deep = {"encoder": {"layer_0": layer, "layer_1": layer}, "decoder": params["decoder"]}
    for other in (untied, deep):
        with pytest.raises(ValueError, match="an RBM has the params of dense"):
            boltzmann.free_energy(BINARY, other, jnp.ones((1, VISIBLE)))


def test_log_partition_refuses_many_or_real_visible_units(weights):
    many = params_of(np.zeros((21, 2)), np.zeros(21), np.zeros(2))
    with pytest.raises(ValueError, match="at most 20 binary visible units, got 21"):
        boltzmann.log_partition(BINARY, many)
    with pytest.raises(ValueError, match=r"got 4 with values in \[-inf, inf\]"):
        boltzmann.log_partition(RBM(gaussian, bernoulli), params_of(*weights))
    counts = bernoulli._replace(support=(0.0, np.inf))
    with pytest.raises(ValueError, match=r"got 4 with values in \[0.0, inf\]"):
        boltzmann.log_partition(RBM(counts, bernoulli), params_of(*weights))


def test_fewer_than_one_step_is_refused():
    with pytest.raises(ValueError, match="at least one Gibbs step, got 0"):
        boltzmann.contrastive_divergence(BINARY, steps=0)
