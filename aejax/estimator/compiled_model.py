"""Compiled functions for the settings of an estimator, cached by settings."""

from collections.abc import Callable
from functools import lru_cache, partial
from typing import NamedTuple

import jax
import optax

from aejax import registry
from aejax.estimator.settings import Settings
from aejax.models import dense
from aejax.objectives import Objective, forward, noiseless, objective, reconstruction_losses
from aejax.training import TrainState, init_state
from aejax.types import Array, Autoencoder, Batch, Corruption, Key, Params, Penalty


class CompiledModel(NamedTuple):
    """Objective and optimizer for `training.fit`, and jitted functions of parameters and arrays."""

    objective: Objective
    optimizer: optax.GradientTransformation
    init: Callable[[Key], TrainState]
    encode: Callable[[Params, Array], Array]
    decode: Callable[[Params, Array], Array]
    losses: Callable[[Params, Array], Array]


@lru_cache(maxsize=128)
def compile_model(settings: Settings, features: int, dtype: str) -> CompiledModel:
    """Build objective, optimizer and jitted functions; cached, so that JAX compiles only once.

    Args:
        settings: settings of an estimator.
        features: number of features of X.
        dtype: dtype of the parameters, "float32" or "float64".

    Returns:
        The `CompiledModel`; `decode` includes the link function; `losses` are per example.

    Raises:
        ValueError: if a setting is out of range, or a name is unknown.
    """
    composed = objective(
        _model(settings, features, dtype),
        registry.loss(settings.loss) if isinstance(settings.loss, str) else settings.loss,
        corruption=_corruption(settings),
        penalties=_penalties(settings),
    )
    optimizer = registry.optimizer(settings.optimizer, settings.learning_rate)

    def decode(params: Params, code: Array) -> Array:
        return composed.loss.mean(composed.model.decode(params, code))

    def losses(params: Params, x: Array) -> Array:
        record = forward(noiseless(composed), params, Batch(x), jax.random.key(0))
        return reconstruction_losses(composed.loss, record)

    init = jax.jit(partial(init_state, composed, optimizer))
    encode = jax.jit(composed.model.encode)
    return CompiledModel(composed, optimizer, init, encode, jax.jit(decode), jax.jit(losses))


def _model(settings: Settings, features: int, dtype: str) -> Autoencoder:
    return dense(
        (features, *settings.hidden_layer_sizes, settings.n_components),
        activation=activation_function(settings.activation),
        code_activation=activation_function(_code_activation(settings)),
        tied=settings.tied,
        dtype=dtype,
    )


def activation_function(given: str | Callable[[Array], Array]) -> Callable[[Array], Array]:
    """The activation of a setting, which is its name or the function itself."""
    return registry.activation(given) if isinstance(given, str) else given


def _code_activation(settings: Settings) -> str | Callable[[Array], Array]:
    given = settings.code_activation
    return settings.activation if given is None else given


def _corruption(settings: Settings) -> Corruption | None:
    if isinstance(settings.corruption, str):
        return registry.corruption(settings.corruption, settings.corruption_level)
    return settings.corruption


def _penalties(settings: Settings) -> dict[str, tuple[float, Penalty]]:
    names = ("l2", "l1", "sparsity", "contraction")
    one_layer = not settings.hidden_layer_sizes
    weighted = registry.weighted_penalties(
        {name: getattr(settings, name) for name in names},
        rho=settings.rho,
        one_logistic_layer=one_layer and _code_activation(settings) == "sigmoid",
    )
    custom = dict(settings.penalties)
    if reserved := custom.keys() & set(names):
        raise ValueError(
            f"a custom penalty cannot be called {reserved.pop()!r}: it is the name of a setting"
        )
    return weighted | custom
