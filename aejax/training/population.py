"""Many trainings in one compiled program."""

from collections.abc import Callable
from typing import Any

import jax
import optax

from aejax.objective import Objective
from aejax.training.batches import Measurements
from aejax.training.checks import check_training
from aejax.training.steps import TrainState, train
from aejax.types import Batch, Key


def fit_population(
    make: Callable[[Any], tuple[Objective, optax.GradientTransformation]],
    data: Batch,
    *,
    hyperparameters: Any,
    key: Key,
    epochs: int,
    batch_size: int = 128,
) -> tuple[TrainState, Measurements]:
    """Train one model for each member of a population, all in one compiled program.

    Args:
        make: one member's hyperparameters -> its objective and optimizer. Weights, rates, noise
            levels and learning rates may be hyperparameters; shapes may not.
        data: all examples, shared by the members.
        hyperparameters: a tree of arrays, each [members, …].
        key: split into one key a member.
        epochs: passes over the data.
        batch_size: examples a step.

    Returns:
        The members' last states and the epochs' mean measurements, each with a leading axis
        [members].

    Raises:
        ValueError: for no or unequal members, for any member's hyperparameters out of range, or for
            what `fit` would refuse.
    """
    lengths = {leaf.shape[:1] for leaf in jax.tree.leaves(hyperparameters)}
    if len(lengths) != 1 or lengths & {(), (0,)}:
        raise ValueError(
            "hyperparameters must be arrays with one leading axis of members, got leading axes "
            f"{sorted(lengths)}"
        )
    ((members,),) = lengths
    objectives = [
        make(jax.tree.map(lambda leaf, member=member: leaf[member], hyperparameters))[0]
        for member in range(members)
    ]
    params = jax.eval_shape(objectives[0].model.init, key)
    check_training(objectives[0], params, data, batch_size=batch_size)

    @jax.jit
    @jax.vmap
    def train_member(hyperparameters: Any, key: Key) -> tuple[TrainState, Measurements]:
        objective, optimizer = make(hyperparameters)
        return train(objective, optimizer, data, key, epochs=epochs, batch_size=batch_size)

    return train_member(hyperparameters, jax.random.split(key, members))
