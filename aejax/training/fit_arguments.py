"""What training is called with: an objective, an optimizer, a state of them, and callbacks."""

from collections.abc import Sequence
from typing import Any

import jax
import numpy as np

from aejax.layers.batch_normalisation import remove_statistics
from aejax.objectives import Objective


def check_objective(objective: Any) -> None:
    """Refuse what is no objective, such as a model alone.

    Args:
        objective: what was given.

    Raises:
        ValueError: with what was given and how an objective is made.
    """
    if not isinstance(objective, Objective):
        raise ValueError(
            f"the objective must be aejax.objective(model, loss), got {_of(objective)}"
        )


def check_optimizer(optimizer: Any) -> None:
    """Refuse what is no optimizer, such as its name, or the function that makes one.

    Args:
        optimizer: what was given.

    Raises:
        ValueError: with what was given and how an optimizer is made.
    """
    methods = (getattr(optimizer, name, None) for name in ("init", "update"))
    if isinstance(optimizer, type) or not all(map(callable, methods)):
        raise ValueError(
            "the optimizer must be an optax.GradientTransformation, such as optax.adam(1e-3), got "
            f"{_of(optimizer)}"
        )


def check_state(objective: Objective, optimizer: Any, state: Any) -> None:
    """Refuse a state of another model or optimizer, by names and shapes alone.

    Args:
        objective: gives the model.
        optimizer: any optax gradient transformation.
        state: a `TrainState`, from which training would continue.

    Raises:
        ValueError: naming the first array that differs.
    """
    if not all(hasattr(state, name) for name in ("params", "optimizer_state", "step", "key")):
        raise ValueError(
            f"the state must be a TrainState, as fit and init_state return it, got {_of(state)}"
        )
    params = remove_statistics(state.params)
    try:
        expected = jax.eval_shape(objective.model.init, jax.random.key(0))
    except TypeError:  # an init that cannot be traced tells no shapes
        expected = params
    _check_like("model", expected, params)
    with jax.numpy_dtype_promotion("standard"):
        expected = jax.eval_shape(optimizer.init, params)
    _check_like("optimizer", expected, state.optimizer_state)


def check_callbacks(callbacks: Any) -> None:
    """Refuse callbacks that are not a sequence of functions.

    Args:
        callbacks: what was given.

    Raises:
        ValueError: with what was given.
    """
    if not isinstance(callbacks, Sequence) or not all(map(callable, callbacks)):
        raise ValueError(
            f"callbacks must be a list of functions of (state, record), got {_of(callbacks)}"
        )


def _check_like(kind: str, expected: Any, found: Any) -> None:
    wanted, given = _shapes(expected), _shapes(found)
    for name in dict.fromkeys([*wanted, *given]):
        if wanted.get(name) != given.get(name):
            raise ValueError(
                f"the state is of another {kind}: the array at {name or 'its root'} has shape "
                f"{given.get(name, 'none, for there is none')}, and this {kind}'s "
                f"{wanted.get(name, 'none, for there is none')}; continue with what the state was "
                "trained with, or start anew with key"
            )


def _shapes(tree: Any) -> dict[str, list[int]]:
    leaves = jax.tree_util.tree_leaves_with_path(tree)
    return {jax.tree_util.keystr(path): list(np.shape(leaf)) for path, leaf in leaves}


def _of(value: Any) -> str:
    if isinstance(value, str):
        return repr(value)
    if callable(value) and hasattr(value, "__name__"):
        return f"{value.__name__} itself, not what it returns"
    return f"{type(value).__name__}"
