"""Divergence penalties: free bits, estimates from a sample, and annealed weights."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from jaxtyping import TypeCheckError

import aejax
from aejax import checkpoints, losses, penalties, posteriors, trackers, training

POSTERIOR = posteriors.diagonal_gaussian()
X = np.random.default_rng(0).uniform(size=(40, 6)).astype(np.float32)
KEY = jax.random.key(0)
OPTIMIZER = optax.adam(1e-2)
SCHEDULE = optax.linear_schedule(0.0, 1.0, 7)


def objective_of(penalty, **settings) -> aejax.Objective:
    return aejax.objective(
        aejax.variational((6, 5, 3)),
        losses.bernoulli,
        perturbation=POSTERIOR.sample,
        penalties={"divergence": (1.0, penalty)},
        **settings,
    )


def annealed(**settings) -> aejax.Objective:
    settings = {"tracker": trackers.steps()} | settings
    penalty = penalties.scheduled(penalties.divergence(POSTERIOR), SCHEDULE)
    return objective_of(penalty, **settings)


@pytest.mark.parametrize("free_bits", [0.0, 0.02, 0.5])
def test_free_bits_bound_the_mean_divergence_of_each_unit_from_below(free_bits):
    objective = objective_of(penalties.divergence(POSTERIOR, free_bits=free_bits))
    params = objective.model.init(KEY)
    mean, log_variance = map(np.asarray, objective.model.encode(params, jnp.asarray(X)))
    units = ((np.exp(log_variance) + mean**2 - 1 - log_variance) / 2).mean(axis=0)
    assert units.min() < 0.5  # so that the largest bound is active
    _, terms = objective(params, X, KEY)
    np.testing.assert_allclose(terms["divergence"], np.maximum(units, free_bits).sum(), rtol=1e-5)


def test_units_below_their_free_bits_have_no_gradient():
    objective = objective_of(penalties.divergence(POSTERIOR, free_bits=1e3))
    gradient = jax.grad(lambda params: objective(params, X, KEY)[1]["divergence"])
    params = objective.model.init(KEY)
    assert all(not leaf.any() for leaf in jax.tree.leaves(gradient(params)))
    with pytest.raises(ValueError, match=r"free_bits must lie in \[0,"):
        penalties.divergence(POSTERIOR, free_bits=-0.1)


@pytest.mark.parametrize(
    "posterior",
    [POSTERIOR, posteriors.full_covariance_gaussian(), posteriors.von_mises_fisher()],
    ids=["diagonal", "full", "von Mises–Fisher"],
)
def test_the_sampled_divergence_and_its_gradient_estimate_the_closed_form(posterior, x64):
    """Mean over keys within six standard errors, at one example."""
    model = aejax.variational((6, 3), posterior=posterior)
    params = jax.tree.map(lambda leaf: leaf.astype(float), model.init(KEY))
    x = X[:1].astype(float)
    record = aejax.forward(aejax.objective(model, losses.bernoulli), params, x, KEY)
    exact, sampled = penalties.divergence(posterior), penalties.sampled_divergence(posterior)

    def flat(penalty, key):
        def value(params):
            code = model.encode(params, jnp.asarray(x))
            return penalty(record._replace(params=params, code=code, latent=code, key=key))[0]

        found, gradient = jax.value_and_grad(value)(params)
        return jnp.append(gradient["encoder"]["layer_0"]["bias"], found)

    keys = jax.random.split(jax.random.key(1), 4000)
    estimates = np.asarray(jax.jit(jax.vmap(lambda key: flat(sampled, key)))(keys))
    error = estimates.std(axis=0) / np.sqrt(len(keys))
    assert (np.abs(estimates.mean(axis=0) - flat(exact, KEY)) < 6 * error + 1e-12).all()
    assert estimates.std() > 0.01


def test_a_sampled_divergence_uses_the_sample_of_the_pass_and_a_given_prior():
    shifted = penalties.sampled_divergence(
        POSTERIOR, prior=lambda model, params, z: POSTERIOR.log_prior(z - 1)
    )
    objective = objective_of(shifted)
    params = objective.model.init(KEY)
    record = aejax.forward(objective, params, X, KEY)
    expected = POSTERIOR.log_density(record.code, record.latent)
    expected = expected - POSTERIOR.log_prior(record.latent - 1)
    np.testing.assert_allclose(shifted(record), expected, rtol=1e-6)


def test_the_weight_of_each_step_is_that_of_the_schedule():
    objective, plain = annealed(), objective_of(penalties.divergence(POSTERIOR))
    state = training.init_state(objective, OPTIMIZER, 0)
    for step in range(10):
        key = jax.random.fold_in(jax.random.split(state.key)[1], step)
        _, terms = plain(state.params, X, key)
        state, measured = training.step(objective, OPTIMIZER, state, aejax.Batch(jnp.asarray(X)))
        weight = min(step / 7, 1)
        np.testing.assert_allclose(measured["divergence"], weight * terms["divergence"], rtol=1e-5)
        assert state.tracked == step + 1


def test_an_annealed_run_resumes_bit_identically_from_a_checkpoint(tmp_path):
    objective = annealed()
    settings = {"batch_size": 16, "validation": X[:20]}
    whole, _ = training.fit(objective, OPTIMIZER, X, key=1, epochs=4, **settings)
    half, history = training.fit(objective, OPTIMIZER, X, key=1, epochs=2, **settings)
    assert 0 < half.tracked < 7 < whole.tracked  # the schedule ends after the checkpoint
    checkpoints.save(tmp_path, half, configuration={})
    restored, _ = checkpoints.restore(tmp_path, like=half)
    again, _ = training.fit(
        objective, OPTIMIZER, X, state=restored, history=history, epochs=4, **settings
    )
    for found, expected in zip(
        jax.tree.leaves(again._replace(key=None)),
        jax.tree.leaves(whole._replace(key=None)),
        strict=True,
    ):
        np.testing.assert_array_equal(found, expected)


def test_a_population_over_weights_and_seeds_is_one_program_equal_to_single_runs():
    """Weights β and free bits of the members, by `fit_population`, against `fit`."""

    def make(settings):
        penalty = penalties.scheduled(
            penalties.divergence(POSTERIOR, free_bits=settings["free_bits"]), SCHEDULE
        )
        model = aejax.variational((6, 5, 3))
        return (
            aejax.objective(
                model,
                losses.bernoulli,
                perturbation=POSTERIOR.sample,
                penalties={"divergence": (settings["beta"], penalty)},
                tracker=trackers.steps(),
            ),
            OPTIMIZER,
        )

    settings = {
        "beta": jnp.array([0.1, 0.1, 4.0, 4.0]),
        "free_bits": jnp.array([0.01, 0.01, 0.05, 0.05]),
    }
    keys = jnp.stack([jax.random.key(seed) for seed in (0, 1, 0, 1)])
    states, measured = training.fit_population(
        make, X, hyperparameters=settings, key=keys, epochs=3, batch_size=20
    )
    for member in range(4):
        alone, history = training.fit(
            *make({name: values[member] for name, values in settings.items()}),
            X,
            key=keys[member],
            epochs=3,
            batch_size=20,
        )
        np.testing.assert_allclose(measured["loss"][member][-1], history[-1]["loss"], rtol=1e-4)
        jax.tree.map(
            lambda found, expected, member=member: np.testing.assert_allclose(
                found[member], expected, rtol=1e-3, atol=1e-4
            ),
            states.params,
            alone.params,
        )
    assert measured["divergence"][0, -1] > measured["divergence"][2, -1]


def test_combined_trackers_see_their_own_state():
    seen = []
    active = trackers.steps_since_active(3, select=lambda code: code.mean)

    def measure(record):
        seen.append(record.tracked.shape)
        return active.measure(record)

    tracker = trackers.combined(
        {"steps": trackers.steps(), "active": active._replace(measure=measure)}
    )
    penalty = penalties.scheduled(
        penalties.divergence(POSTERIOR), SCHEDULE, select=lambda tracked: tracked["steps"]
    )
    state, _ = training.fit(
        objective_of(penalty, tracker=tracker), OPTIMIZER, X, key=0, epochs=2, batch_size=20
    )
    assert state.tracked["steps"] == 4
    np.testing.assert_array_equal(state.tracked["active"], np.zeros(3))
    assert set(seen) == {(3,)}


def test_wrong_trackers_are_refused():
    with pytest.raises(ValueError, match=r"add tracker=trackers\.steps\(\)"):
        annealed(tracker=None)(aejax.variational((6, 5, 3)).init(KEY), X, KEY)
    combined = annealed(tracker=trackers.combined({"steps": trackers.steps()}))
    with pytest.raises(ValueError, match="select the state"):
        combined(combined.model.init(KEY), X, KEY)
    with pytest.raises(ValueError, match="one or more trackers"):
        trackers.combined({})
    for wrong in (None, trackers.steps):
        with pytest.raises((ValueError, TypeCheckError), match="trackers"):
            trackers.combined({"steps": wrong})
