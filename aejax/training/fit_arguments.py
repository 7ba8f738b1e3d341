"""Checks of the arguments of training: objective, optimizer, state and callbacks."""

from collections.abc import Sequence
from typing import Any

import jax
import numpy as np

from aejax.layers.batch_normalisation import remove_statistics
from aejax.objectives import Objective


def check_objective(objective: Any) -> None:
    """Check that the argument is an `Objective`, not for example a model.

    Args:
        objective: argument to check.

    Raises:
        ValueError: if it is not.
    """
    if not isinstance(objective, Objective):
        raise ValueError(
            f"the objective must be aejax.objective(model, loss), got {_describe(objective)}"
        )


def check_optimizer(optimizer: Any) -> None:
    """Check that the argument is an optax optimizer, not for example its name or factory.

    Args:
        optimizer: argument to check.

    Raises:
        ValueError: if it is not.
    """
    methods = (getattr(optimizer, name, None) for name in ("init", "update"))
    if isinstance(optimizer, type) or not all(map(callable, methods)):
        raise ValueError(
            "the optimizer must be an optax.GradientTransformation, such as optax.adam(1e-3), got "
            f"{_describe(optimizer)}"
        )


def check_params(params: Any) -> None:
    """Check that all leaves of parameters are arrays or numbers, not for example functions.

    Args:
        params: tree that the model's `init` returned.

    Raises:
        ValueError: if one is not, naming it.
    """
    for path, leaf in jax.tree_util.tree_leaves_with_path(params):
        is_array = hasattr(leaf, "shape") and hasattr(leaf, "dtype")
        if not is_array and not isinstance(leaf, (int, float, complex)):
            raise ValueError(
                f"the params must consist of arrays, got {_describe(leaf)} at "
                f"{jax.tree_util.keystr(path) or 'their root'}; keep it out of the tree, as a "
                "static field or with equinox.partition(model, equinox.is_array)"
            )


def check_state(objective: Objective, optimizer: Any, state: Any) -> None:
    """Check that a state belongs to the model and optimizer, by names and shapes of its arrays.

    Args:
        objective: objective with the model.
        optimizer: optax gradient transformation.
        state: `TrainState` from which training is to continue.

    Raises:
        ValueError: if it does not, naming the first array that differs.
    """
    if not all(hasattr(state, name) for name in ("params", "optimizer_state", "step", "key")):
        raise ValueError(
            f"the state must be a TrainState from fit or init_state, got {_describe(state)}"
        )
    params = remove_statistics(state.params)
    try:
        expected = jax.eval_shape(objective.model.init, jax.random.key(0))
    except TypeError:  # the shapes of an init that cannot be traced are unknown
        expected = params
    _check_like("model", expected, params)
    with jax.numpy_dtype_promotion("standard"):
        expected = jax.eval_shape(optimizer.init, params)
    _check_like("optimizer", expected, state.optimizer_state)
    tracker, tracked = objective.tracker, getattr(state, "tracked", None)
    expected = None if tracker is None else jax.eval_shape(tracker.init, params)
    _check_like("tracker", expected, tracked)


def check_callbacks(callbacks: Any) -> None:
    """Check that callbacks are a sequence of functions.

    Args:
        callbacks: argument to check.

    Raises:
        ValueError: if they are not.
    """
    if not isinstance(callbacks, Sequence) or not all(map(callable, callbacks)):
        raise ValueError(
            f"callbacks must be a list of functions of (state, record), got {_describe(callbacks)}"
        )


def _check_like(kind: str, expected: Any, found: Any) -> None:
    needed, given = _shapes(expected), _shapes(found)
    for name in dict.fromkeys([*needed, *given]):
        if needed.get(name) != given.get(name):
            raise ValueError(
                f"the state belongs to another {kind}: the array at {name or 'its root'} has shape "
                f"{given.get(name, 'none (it is missing)')}, but this {kind} needs "
                f"{needed.get(name, 'none (it has no such array)')}; use the {kind} that the state "
                "was trained with, or start a new run with key"
            )


def _shapes(tree: Any) -> dict[str, list[int]]:
    leaves = jax.tree_util.tree_leaves_with_path(tree)
    return {jax.tree_util.keystr(path): list(np.shape(leaf)) for path, leaf in leaves}


def _describe(value: Any) -> str:
    if isinstance(value, str):
        return repr(value)
    if callable(value) and hasattr(value, "__name__"):
        return f"the function {value.__name__} instead of its result"
    return f"{type(value).__name__}"
