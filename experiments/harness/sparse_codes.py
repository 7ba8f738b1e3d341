"""Logistic codes with a prescribed mean activation: training and measures."""

import jax
import jax.numpy as jnp
import numpy as np

import aejax
from aejax import Batch, evaluation, losses, penalties, training
from aejax.types import Array, Autoencoder, Key, Params
from experiments.harness.training import Schedule, adam_with_cosine_decay


def train_increasing(
    schedule: Schedule,
    model: Autoencoder,
    rho: Array,
    beta: Array,
    increase: Array,
    key: Key,
    x: Array,
) -> Params:
    """Train with the penalty β Σ KL(ρ ‖ ρ̂), whose weight increases linearly; can be jitted.

    A large β from the start keeps all activations constant and near ρ, where the gradient of the
    reconstruction is small; an increasing one sets the activations of a code that is learned.

    Args:
        schedule: length, batch size and initial learning rate.
        model: autoencoder of rows in [0, 1] with a logistic code.
        rho: target mean activation ρ.
        beta: final weight β.
        increase: share of the epochs over which the weight increases from zero to β, in [0, 1].
        key: key of the initial parameters and of the training run.
        x: training examples [examples, features].

    Returns:
        Parameters.
    """
    optimizer = adam_with_cosine_decay(schedule, len(x))

    def one_epoch(epoch: Array, state: training.TrainState) -> training.TrainState:
        share = jnp.minimum(1, (epoch + 1) / jnp.maximum(1, increase * schedule.epochs))
        terms = {"sparsity": (share * beta, penalties.kl_sparsity(rho=rho))}
        objective = aejax.objective(model, losses.bernoulli, penalties=terms)
        return training.epoch(
            objective, optimizer, state, Batch(x), batch_size=schedule.batch_size
        )[0]

    start = training.init_state(aejax.objective(model, losses.bernoulli), optimizer, key)
    return jax.lax.fori_loop(0, schedule.epochs, one_epoch, start).params


def measure_activations(code: Array, code_test: Array, rho: float) -> dict[str, float]:
    """Compare mean activations with their target ρ, and measure sparsity.

    Args:
        code: code of the training examples [examples, units], in [0, 1].
        code_test: code of the test examples.
        rho: target mean activation ρ of each unit.

    Returns:
        "mean" activation of the units on training examples and their mean "deviation" |ρ̂ − ρ|/ρ;
        "lifetime sparsity" on test examples, the mean over units.
    """
    means = np.asarray(code, float).mean(axis=0)
    statistics = evaluation.activation_statistics(code_test, threshold=0.05)
    return {
        "mean": float(means.mean()),
        "deviation": float(np.mean(np.abs(means - rho) / rho)),
        "lifetime sparsity": float(statistics.lifetime_sparsity.mean()),
    }
