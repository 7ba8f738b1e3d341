"""Penalties of JumpReLU and gated dictionaries against NumPy and PyTorch."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
import torch

import aejax
from aejax import losses, penalties, trackers, training
from aejax.layers.dictionary_layers import decoder_norms

FEATURES, UNITS, BATCH = 5, 11, 8


def draw(activation):
    """A dictionary with random parameters, and examples."""
    model = aejax.dictionary(FEATURES, UNITS, activation=activation)
    rng = np.random.default_rng(4)
    params = jax.tree.map(
        lambda leaf: jnp.asarray(rng.normal(size=leaf.shape), leaf.dtype),
        jax.eval_shape(model.init, jax.random.key(0)),
    )
    return model, params, jnp.asarray(rng.normal(size=(BATCH, FEATURES)), float)


def test_sparsity_of_jump_relu_is_numpys_and_moves_thresholds_alone(x64):
    bandwidth = 3.0
    model, params, x = draw(aejax.jump_relu(threshold=0.1, bandwidth=bandwidth))
    record = aejax.forward(aejax.objective(model, losses.squared), params, x, 0)
    arrays = jax.tree.map(np.asarray, params)
    z = (x - arrays["centre"]["bias"]) @ arrays["encoder"]["kernel"] + arrays["encoder"]["bias"]
    count = (z > arrays["encoder"]["threshold"]).sum(axis=1)
    norms = np.linalg.norm(arrays["decoder"]["kernel"], axis=1)
    magnitude = np.abs(record.code) * norms
    for penalty, expected in (
        (penalties.l0(bandwidth=bandwidth), count),
        (penalties.target_l0(target=3.0, bandwidth=bandwidth), (count.mean() / 3 - 1) ** 2),
        (penalties.target_l0_of_each(target=3.0, bandwidth=bandwidth), 2 / 3 * (count - 3) ** 2),
        (penalties.tanh_l0(scale=2.0), np.tanh(2 * magnitude).sum(axis=1)),
        (penalties.l1_by_decoder_norm(), magnitude.sum(axis=1)),
    ):
        np.testing.assert_allclose(penalty(record), expected, rtol=1e-12)

    penalty = penalties.l0(bandwidth=bandwidth)
    gradient = jax.jit(jax.grad(lambda params: penalty(record._replace(params=params)).sum()))(
        params
    )
    found = gradient["encoder"].pop("threshold")
    kernel = (np.abs(z - arrays["encoder"]["threshold"]) < bandwidth / 2) / bandwidth
    np.testing.assert_allclose(found, -kernel.sum(axis=0), rtol=1e-12)
    assert not any(np.any(leaf) for leaf in jax.tree.leaves(gradient))


@pytest.mark.parametrize("is_detached", [True, pytest.param(False, marks=pytest.mark.slow)])
def test_the_objective_of_a_gated_dictionary_is_pytorchs(x64, is_detached):
    model, params, x = draw(aejax.gated())
    frozen = jax.lax.stop_gradient if is_detached else lambda params: params
    weights = penalties.unit_weights if is_detached else decoder_norms
    objective = aejax.objective(
        model,
        losses.squared,
        penalties={
            "gate_l1": (0.3, penalties.gate_l1(weights=weights)),
            "gate": (1.0, penalties.gate_reconstruction(decoder=frozen)),
        },
    )
    loss = jax.jit(jax.value_and_grad(lambda params: objective(params, x, 0)[0]))
    found, gradient = loss(params)
    leaves = jax.tree.map(lambda leaf: torch.tensor(np.asarray(leaf), requires_grad=True), params)
    encoder, directions, centre = (
        leaves["encoder"],
        leaves["decoder"]["kernel"],
        leaves["centre"]["bias"],
    )
    y = torch.tensor(np.asarray(x))
    u = (y - centre) @ encoder["kernel"]
    gate = u + encoder["bias"]
    magnitude = (u * encoder["log_scale"].exp() + encoder["magnitude_bias"]).relu()
    code = (gate > 0) * magnitude
    fixed = [part.detach() if is_detached else part for part in (directions, centre)]
    scale = 1.0 if is_detached else directions.norm(dim=1)
    total = (
        (y - code @ directions - centre).square().sum(dim=1)
        + 0.3 * (gate.relu() * scale).sum(dim=1)
        + (y - gate.relu() @ fixed[0] - fixed[1]).square().sum(dim=1)
    ).mean()
    total.backward()
    assert found == pytest.approx(total.item(), rel=1e-12)
    for path, leaf in jax.tree_util.tree_leaves_with_path(gradient):
        part, name = (step.key for step in path)
        expected = leaves[part][name].grad.numpy()
        np.testing.assert_allclose(leaf, expected, rtol=1e-9, atol=1e-12)


@pytest.mark.slow
def test_a_target_l0_is_reached_and_thresholds_stay_non_negative():
    model = aejax.dictionary(
        FEATURES, 2 * UNITS, activation=aejax.jump_relu(threshold=0.01, bandwidth=0.5)
    )
    target = penalties.target_l0(target=3.0, bandwidth=0.5)
    objective = aejax.objective(model, losses.squared, penalties={"l0": (10.0, target)})
    thresholds = training.non_negative(select=lambda params: params["encoder"]["threshold"])
    optimizer = training.constrained(optax.adam(1e-2), thresholds)
    x = np.random.default_rng(0).normal(size=(128, FEATURES)).astype(np.float32)
    train = jax.jit(partial(training.train, objective, optimizer, epochs=150, batch_size=64))
    state, _ = train(jnp.asarray(x), jax.random.key(0))
    code = model.encode(state.params, jnp.asarray(x))
    assert np.mean(np.sum(code != 0, axis=1)) == pytest.approx(3, abs=0.4)
    assert state.params["encoder"]["threshold"].min() >= 0


def test_a_model_without_thresholds_is_refused():
    model, params, x = draw(jax.nn.relu)
    penalty = penalties.l0(bandwidth=0.1)
    objective = aejax.objective(model, losses.squared, penalties={"l0": (1.0, penalty)})
    with pytest.raises(ValueError, match="L0 needs a dictionary with thresholds"):
        objective(params, x, 0)


NORMALISED = {
    "l0": (aejax.jump_relu(threshold=0.1, bandwidth=0.1), penalties.l0(bandwidth=0.1)),
    "gate": (aejax.gated(), penalties.gate_l1()),
    "by the gate": (aejax.gated(), penalties.gate_reconstruction()),
    "auxk": (jax.nn.relu, penalties.auxk(k=2, dead_after=1)),
}


@pytest.mark.parametrize("name", NORMALISED)
def test_pre_activations_of_examples_that_the_model_normalises_are_refused(name):
    activation, penalty = NORMALISED[name]
    model, params, x = draw(activation)
    normalised = aejax.models.normalised_examples(model, by="norm")
    tracker = trackers.steps_since_active(UNITS, select=lambda code: code.code)
    objective = aejax.objective(
        normalised, losses.squared, penalties={name: (1.0, penalty)}, tracker=tracker
    )
    with pytest.raises(ValueError, match="the model normalises each example"):
        objective(params, x, 0)
