"""Compiled functions of a variational autoencoder for its estimator, cached by settings."""

from collections.abc import Callable, Mapping
from functools import lru_cache, partial
from typing import Any, NamedTuple

import jax

from aejax import losses, penalties, registry
from aejax.estimator.compiled_model import CompiledModel, activation_function
from aejax.estimator.settings import as_float, as_integer, shared_settings
from aejax.models import variational, with_shared_variance
from aejax.objectives import Objective, noiseless, objective
from aejax.posteriors import diagonal_gaussian
from aejax.training import init_state
from aejax.types import Array, Autoencoder, Batch, Loss, Params, Penalty

SCORE_SAMPLES = 64
"""Number of samples of the bound on log p(x)."""

SCORE_SEED = 0
"""Seed of these samples, whose noise is the same for every example."""


class VariationalSettings(NamedTuple):
    """Settings of a `VariationalAutoencoder` that determine its compiled model; all hashable."""

    n_components: int
    hidden_layer_sizes: tuple[int, ...]
    activation: str | Callable[[Array], Array]
    loss: str | Loss
    beta: float
    free_bits: float
    n_samples: int
    optimizer: str
    learning_rate: float


def variational_settings_of(given: Mapping[str, Any]) -> VariationalSettings:
    """Settings of the compiled model, from the parameters of an estimator.

    Args:
        given: parameters of a `VariationalAutoencoder`, from `get_params`.

    Returns:
        The settings, with NumPy and JAX scalars converted to Python's, and sizes to a tuple.

    Raises:
        ValueError: if a value has the wrong type, or β or the free bits are combined with several
            samples.
    """
    found = VariationalSettings(
        **shared_settings(given),
        beta=as_float("beta", given["beta"]),
        free_bits=as_float("free_bits", given["free_bits"]),
        n_samples=as_integer("n_samples", given["n_samples"], "samples"),
    )
    if found.n_samples > 1 and (found.beta != 1 or found.free_bits):
        raise ValueError(
            "an importance-weighted bound of several samples has no weight of a divergence: use "
            f"beta=1 and free_bits=0 with n_samples={found.n_samples}, got beta={found.beta} and "
            f"free_bits={found.free_bits}"
        )
    return found


@lru_cache(maxsize=128)
def compile_variational(settings: VariationalSettings, features: int, dtype: str) -> CompiledModel:
    """Build objective, optimizer and jitted functions; cached, so that JAX compiles only once.

    Args:
        settings: settings of an estimator.
        features: number of features of X.
        dtype: dtype of the parameters, "float32" or "float64".

    Returns:
        The `CompiledModel`: `encode` gives means, `decode` includes the link function, and `losses`
        are minus the importance-weighted bound of `SCORE_SAMPLES` samples.

    Raises:
        ValueError: if a setting is out of range, or a name is unknown.
    """
    posterior, loss = diagonal_gaussian(), _loss(settings.loss)
    model = _model(settings, features, dtype)

    def bounded(samples: int) -> Penalty:
        return penalties.importance_weighted(loss, posterior, samples=samples)

    def composed(name: str, weight: float, term: Penalty) -> Objective:
        terms = {name: (weight, term)}
        return objective(model, loss, perturbation=posterior.sample, penalties=terms)

    if settings.n_samples == 1:
        term = penalties.divergence(posterior, free_bits=settings.free_bits)
        trained = composed("divergence", settings.beta, term)
    else:
        trained = composed("bound", 1.0, bounded(settings.n_samples))
    score = noiseless(composed("bound", 1.0, bounded(SCORE_SAMPLES)))
    optimizer = registry.optimizer(settings.optimizer, settings.learning_rate)

    def encode(params: Params, x: Array) -> Array:
        return posterior.point(model.encode(params, x))

    def decode(params: Params, code: Array) -> Array:
        return loss.mean(model.decode(params, code))

    def negative_bounds(params: Params, x: Array) -> Array:
        def one(row: Array) -> Array:
            return score(params, Batch(row[None]), jax.random.key(SCORE_SEED))[0]

        return jax.vmap(one)(x)

    init = jax.jit(partial(init_state, trained, optimizer))
    return CompiledModel(
        trained, optimizer, init, jax.jit(encode), jax.jit(decode), jax.jit(negative_bounds)
    )


_LOSSES: Mapping[str, Loss] = {
    "gaussian": losses.gaussian_with_variance(),
    "bernoulli": losses.bernoulli,
    "continuous-bernoulli": losses.continuous_bernoulli,
}


def _loss(given: str | Loss) -> Loss:
    if isinstance(given, Loss):
        return given
    if given not in _LOSSES:
        raise ValueError(f"no loss is called {given!r}; there are {', '.join(_LOSSES)}")
    return _LOSSES[given]


def _model(settings: VariationalSettings, features: int, dtype: str) -> Autoencoder:
    model = variational(
        (features, *settings.hidden_layer_sizes, settings.n_components),
        activation=activation_function(settings.activation),
        dtype=dtype,
    )
    return with_shared_variance(model) if settings.loss == "gaussian" else model
