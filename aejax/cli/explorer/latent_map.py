"""Map of codes of test examples and of the prior, and orders of units and examples."""

from typing import Any

import numpy as np

from aejax.cli.explorer.explored_run import View
from aejax.cli.explorer.json_values import UnknownIndexError, as_list, checked_index
from aejax.cli.explorer.views import class_of

MAX_MAP_EXAMPLES = 2000
"""Maximum number of examples in the map, evenly spaced."""

MAX_SEED = 2**32
"""Number of different samples of the prior; JAX truncates larger seeds."""

MAX_RANKED_EXAMPLES = 1000
"""Maximum number of examples in the order of the largest errors."""


def latent_map(view: View) -> dict[str, Any]:
    """Examples of the map, and the order of the units.

    Args:
        view: run and examples.

    Returns:
        Indices of the examples, their classes (None without labels), and the units in descending
        order of their variance over all examples.
    """
    examples = _map_examples(view)
    variance = view.codes.var(axis=0, dtype=np.float64)
    return {
        "examples": examples.tolist(),
        "classes": [class_of(view, int(number)) for number in examples],
        "units": np.argsort(-variance, kind="stable").tolist(),
    }


def coordinates(view: View, number: int) -> dict[str, Any]:
    """Activations of a unit on the examples of the map.

    Args:
        view: run and examples.
        number: index of the unit.

    Returns:
        The activations, in the order of the examples of `latent_map`.

    Raises:
        UnknownIndexError: there is no such unit.
    """
    unit = checked_index("unit", number, view.codes.shape[1])
    return {"activations": as_list(view.codes[_map_examples(view), unit])}


def worst(view: View) -> dict[str, Any]:
    """Examples with the largest squared errors in normalised units, as in the report.

    Args:
        view: run and examples.

    Returns:
        Indices of the examples, in descending order of their errors.
    """
    x_hat = np.asarray(view.decode(view.codes), np.float64)
    errors = np.square((x_hat - view.x) / view.scale).reshape(len(view.x), -1).sum(axis=1)
    return {"examples": np.argsort(-errors, kind="stable")[:MAX_RANKED_EXAMPLES].tolist()}


def prior_sample(view: View, number: int) -> dict[str, Any]:
    """A code from the prior of a variational run.

    Args:
        view: run and examples.
        number: seed of the sample.

    Returns:
        The code.

    Raises:
        UnknownIndexError: the run has no prior, or the seed is 2³² or more.
    """
    if view.sample is None:
        raise UnknownIndexError("the run is not variational: it has no prior to sample")
    return {"code": as_list(view.sample(checked_index("sample", number, MAX_SEED)))}


def _map_examples(view: View) -> np.ndarray:
    """Indices of the examples in the map."""
    count = min(len(view.x), MAX_MAP_EXAMPLES)
    return np.linspace(0, len(view.x) - 1, count).round().astype(int)
