"""Checks of the settings of estimators, and their conversion to Python values."""

from collections.abc import Callable, Mapping, Sequence
from numbers import Integral, Real
from typing import Any, NamedTuple

import jax
import numpy as np
from sklearn.utils import check_random_state

from aejax.types import Array, Corruption, Loss, Penalty


class Settings(NamedTuple):
    """Settings of an `AutoencoderTransformer` that determine its compiled model; all hashable."""

    n_components: int
    hidden_layer_sizes: tuple[int, ...]
    activation: str | Callable[[Array], Array]
    code_activation: str | Callable[[Array], Array] | None
    tied: bool
    loss: str | Loss
    corruption: str | Corruption
    corruption_level: float
    l2: float
    l1: float
    sparsity: float
    rho: float
    contraction: float
    penalties: tuple[tuple[str, tuple[float, Penalty]], ...]
    optimizer: str
    learning_rate: float


class Schedule(NamedTuple):
    """Settings of an `AutoencoderTransformer` that determine the length and data of training."""

    batch_size: int
    max_iter: int
    early_stopping: bool
    validation_fraction: float
    n_iter_no_change: int
    warm_start: bool


def settings_of(given: Mapping[str, Any]) -> Settings:
    """Settings of the compiled model, from the parameters of an estimator.

    Args:
        given: parameters of an `AutoencoderTransformer`, from `get_params`.

    Returns:
        The settings, with NumPy and JAX scalars converted to Python's, and sizes to a tuple.

    Raises:
        ValueError: if a value has the wrong type. Names and ranges are checked where used.
    """
    plain = shared_settings(given)
    for name in ("corruption_level", "l2", "l1", "sparsity", "rho", "contraction"):
        plain[name] = as_float(name, given[name])
    for name, kind, matches in (
        ("code_activation", "a name, a function or None", lambda v: v is None or callable(v)),
        ("corruption", "a name or a function (key, x) -> x", callable),
    ):
        plain[name] = _named(given, name, kind, matches)
    tied, penalties = as_bool("tied", given["tied"]), _penalties(given["penalties"])
    return Settings(**plain, tied=tied, penalties=penalties)


def shared_settings(given: Mapping[str, Any]) -> dict[str, Any]:
    """Settings that the compiled models of all estimators have, by name.

    Args:
        given: parameters of an estimator, from `get_params`.

    Returns:
        The settings, with NumPy and JAX scalars converted to Python's, and sizes to a tuple.

    Raises:
        ValueError: if a value has the wrong type.
    """
    return {
        "n_components": as_integer("n_components", given["n_components"], "units"),
        "hidden_layer_sizes": _sizes(given["hidden_layer_sizes"]),
        "learning_rate": _learning_rate(given["learning_rate"]),
        "activation": _named(given, "activation", "a name or a function", callable),
        "loss": _named(given, "loss", "a name or an aejax.Loss", lambda v: isinstance(v, Loss)),
        "optimizer": _named(given, "optimizer", "a name", lambda _: False),
    }


def schedule_of(given: Mapping[str, Any]) -> Schedule:
    """Settings of the length and data of training, from the parameters of an estimator.

    Args:
        given: parameters of an `AutoencoderTransformer`, from `get_params`.

    Returns:
        The schedule.

    Raises:
        ValueError: if a value has the wrong type, or max_iter is less than 1.
    """
    found = Schedule(
        batch_size=as_integer("batch_size", given["batch_size"], "examples"),
        max_iter=as_integer("max_iter", given["max_iter"], "epochs"),
        early_stopping=as_bool("early_stopping", given["early_stopping"]),
        validation_fraction=as_float("validation_fraction", given["validation_fraction"]),
        n_iter_no_change=as_integer("n_iter_no_change", given["n_iter_no_change"], "epochs"),
        warm_start=as_bool("warm_start", given["warm_start"]),
    )
    if found.max_iter < 1:
        raise ValueError(f"max_iter must be at least 1 epoch, got {found.max_iter}")
    return found


def as_random_state(random_state: Any) -> np.random.RandomState:
    """scikit-learn's `check_random_state`, extended to JAX integers."""
    return check_random_state(as_python_scalar(random_state))


def as_integer(name: str, value: Any, unit: str) -> int:
    """Convert an integer of Python, NumPy or JAX; ValueError for anything else."""
    found = as_python_scalar(value)
    if isinstance(found, Integral) and not isinstance(found, bool):
        return int(found)
    raise ValueError(f"{name} must be an integer number of {unit}, got {value!r}")


def as_float(name: str, value: Any) -> float:
    """Convert a real scalar of Python, NumPy or JAX; ValueError for NaN and anything else."""
    found = as_python_scalar(value)
    if isinstance(found, Real) and not isinstance(found, bool) and not np.isnan(float(found)):
        return float(found)
    raise ValueError(f"{name} must be a number, got {value!r}")


def as_bool(name: str, value: Any) -> bool:
    """Convert a boolean of Python, NumPy or JAX; ValueError for anything else, such as "no"."""
    found = as_python_scalar(value)
    if isinstance(found, bool):
        return found
    raise ValueError(f"{name} must be True or False, got {value!r}")


def as_python_scalar(value: Any) -> Any:
    """Convert scalars of NumPy and JAX to Python's; return anything else unchanged."""
    is_key = isinstance(value, jax.Array) and jax.numpy.issubdtype(value.dtype, jax.dtypes.prng_key)
    return value.item() if getattr(value, "shape", None) == () and not is_key else value


def _sizes(value: Any) -> tuple[int, ...]:
    name = "hidden_layer_sizes"
    listed = isinstance(value, Sequence) and not isinstance(value, str | bytes)
    if listed or len(getattr(value, "shape", ())) == 1:
        try:
            return tuple(as_integer(name, size, "units") for size in value)
        except ValueError as error:
            raise ValueError(
                f"{name} must be integer numbers of units, such as (8, 4), got {value!r}"
            ) from error
    return (as_integer(name, value, "units"),)


def _learning_rate(value: Any) -> float:
    try:
        found = as_float("learning_rate", value)
    except ValueError as error:
        raise ValueError(
            f"learning_rate must be a number above 0, got {value!r}; for a schedule, use "
            "aejax.training.fit with an optax optimizer"
        ) from error
    if not 0 < found < float("inf"):
        raise ValueError(f"learning_rate must be above 0, got {value}")
    return found


def _penalties(given: Any) -> tuple[tuple[str, tuple[float, Penalty]], ...]:
    """Custom penalties, as a hashable tuple."""
    if given is None:
        return ()
    if not isinstance(given, Mapping):
        raise ValueError(f"penalties must be a dict of name: (weight, penalty), got {given!r}")
    return tuple((name, _weighted(name, pair)) for name, pair in given.items())


def _weighted(name: Any, pair: Any) -> tuple[float, Any]:
    if not (isinstance(pair, tuple | list) and len(pair) == 2 and callable(pair[1])):
        raise ValueError(f"penalty {name!r} must be (weight, penalty), got {pair!r}")
    if not isinstance(name, str) or not _hashable(pair[1]):
        raise ValueError(
            f"a penalty must be hashable and its name a string, got {name!r}: {pair[1]!r}"
        )
    return as_float(f"the weight of penalty {name!r}", pair[0]), pair[1]


def _named(given: Mapping[str, Any], name: str, kind: str, matches: Callable[[Any], bool]) -> Any:
    """A hashable setting that is a name, or that matches."""
    value = given[name]
    if not (isinstance(value, str) or matches(value)) or not _hashable(value):
        raise ValueError(f"{name} must be {kind}, hashable, got {value!r}")
    return value


def _hashable(value: Any) -> bool:
    try:
        hash(value)
    except TypeError:
        return False
    return True
