"""AuxK against PyTorch, the support of its gradient, and its normalisations."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import torch

import aejax
from aejax import losses, penalties, trackers

FEATURES, UNITS, BATCH, K = 6, 15, 9, 4
MODEL = aejax.dictionary(FEATURES, UNITS, activation=aejax.top_k_relu(k=2))
DEAD = np.arange(UNITS) % 3 == 0
STEPS = jnp.where(DEAD, 20, 1)
NORMALISATIONS = {
    "residual variance": penalties.by_residual_variance,
    "target variance": penalties.by_target_variance,
    "dead share": penalties.by_dead_share,
}


def draw(dtype):
    rng = np.random.default_rng(2)
    params = jax.tree.map(
        lambda leaf: jnp.asarray(rng.normal(size=leaf.shape), dtype),
        jax.eval_shape(MODEL.init, jax.random.key(0)),
    )
    return params, jnp.asarray(rng.normal(size=(BATCH, FEATURES)), dtype)


def value(penalty, params, x, steps=STEPS):
    objective = aejax.objective(MODEL, losses.squared, tracker=trackers.steps_since_active(UNITS))
    return penalty(aejax.forward(objective, params, x, jax.random.key(0), steps))


def reference(params, x, normalise):
    """AuxK in PyTorch, on the dead units alone."""
    leaves = {
        (part, name): torch.tensor(np.asarray(leaf), requires_grad=True)
        for part, group in params.items()
        for name, leaf in group.items()
    }
    kernel, bias = leaves["encoder", "kernel"], leaves["encoder", "bias"]
    directions, centre = leaves["decoder", "kernel"], leaves["centre", "bias"]
    target = torch.tensor(np.asarray(x))
    with torch.no_grad():
        z = (target - centre) @ kernel + bias
        values, units = torch.topk(z, 2)
        code = torch.zeros_like(z).scatter(1, units, values.relu())
        residual = target - (code @ directions + centre)
        by = {"residual variance": residual, "target variance": target}.get(normalise)
        share = min(DEAD.sum() / K, 1.0)
        factor = 1.0 if by is None else 1 / by.var(dim=0, correction=0).sum()
        factor = factor * (1.0 if normalise == "residual variance" else share)
    dead = torch.tensor(np.flatnonzero(DEAD))
    z = (target - centre.detach()) @ kernel[:, dead] + bias[dead]
    values, units = torch.topk(z, K)
    code = torch.zeros_like(z).scatter(1, units, values.relu())
    loss = factor * (residual - code @ directions[dead]).square().sum(dim=1).mean()
    loss.backward()
    return loss.item(), leaves


@pytest.mark.parametrize(
    "normalise",
    [
        "residual variance",
        pytest.param("target variance", marks=pytest.mark.slow),
        pytest.param("dead share", marks=pytest.mark.slow),
    ],
)
def test_value_and_gradient_are_pytorchs(x64, normalise):
    params, x = draw(float)
    penalty = penalties.auxk(k=K, dead_after=10, normalise=NORMALISATIONS[normalise])
    compiled = jax.jit(jax.value_and_grad(lambda params: value(penalty, params, x)))
    found, gradient = compiled(params)
    expected, leaves = reference(params, x, normalise)
    assert found == pytest.approx(expected, rel=1e-12)
    for (part, name), leaf in leaves.items():
        wanted = np.zeros(leaf.shape) if leaf.grad is None else leaf.grad.numpy()
        np.testing.assert_allclose(gradient[part][name], wanted, rtol=1e-9, atol=1e-12)


PENALTY = penalties.auxk(k=K, dead_after=20)


@jax.jit
def value_and_gradient(params, x, steps):
    return jax.value_and_grad(lambda params: value(PENALTY, params, x, steps))(params)


def test_the_gradient_reaches_dead_units_and_only_those():
    _, gradient = value_and_gradient(*draw(jnp.float32), STEPS)
    assert not gradient["centre"]["bias"].any()
    for found, axis in (
        (gradient["encoder"]["kernel"], 0),
        (gradient["encoder"]["bias"][None], 0),
        (gradient["decoder"]["kernel"], 1),
    ):
        reached = np.asarray(found != 0).any(axis=axis)
        assert not reached[~DEAD].any()
        assert reached[DEAD].sum() >= K


def test_without_dead_units_value_and_gradient_are_zero():
    found, gradient = value_and_gradient(*draw(jnp.float32), STEPS - 1)
    assert found == 0
    assert not any(np.any(leaf) for leaf in jax.tree.leaves(gradient))


def test_a_residual_without_variance_gives_no_nan():
    params, x = draw(jnp.float32)
    found, gradient = value_and_gradient(params, np.tile(x[:1], (BATCH, 1)), STEPS)
    assert np.isfinite(found)
    assert all(np.isfinite(leaf).all() for leaf in jax.tree.leaves(gradient))


def test_what_auxk_cannot_use_is_refused():
    params, x = draw(jnp.float32)
    penalty = penalties.auxk(k=K, dead_after=10)
    objective = aejax.objective(MODEL, losses.squared, penalties={"auxk": (1.0, penalty)})
    with pytest.raises(ValueError, match=r"tracker=aejax\.trackers\.steps_since_active"):
        objective(params, x, 0)
    with pytest.raises(ValueError, match="one number of steps for each of the 15 units"):
        value(penalty, params, x, STEPS[:-1])
    with pytest.raises(ValueError, match="dead_after"):
        penalties.auxk(k=K, dead_after=0)
    with pytest.raises(ValueError, match="k"):
        penalties.auxk(k=0, dead_after=1)
    with pytest.raises(ValueError, match=r"needs a code \[batch, 3\]"):
        trackers.steps_since_active(3).measure(
            aejax.forward(aejax.objective(MODEL, losses.squared), params, x, 0)
        )
