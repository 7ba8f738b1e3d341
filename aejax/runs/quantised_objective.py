"""Model, penalties, optimizer and first codebook of a discrete code from the settings of a run."""

import math
from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np
import optax

from aejax import penalties, training
from aejax.losses import squared
from aejax.models import (
    finite_scalar_quantised,
    lookup_free_quantised,
    residual_quantised,
    vector_quantised,
)
from aejax.objectives import objective
from aejax.runs.configuration import Training
from aejax.runs.quantisation_settings import QuantisationSettings, group_size
from aejax.runs.unused_settings import refuse_unused
from aejax.training import TrainState
from aejax.types import Array, Autoencoder, Code, Params, Penalty

UNUSED = {"refinement_steps": "--refinement-steps", "linear_path": "--linear-path"}
"""Settings of an autoencoder that one with a discrete code does not have, and their options."""

CODEBOOKS = "vector", "residual"
"""Quantisers with codebooks."""

MAX_START_EXAMPLES = 4096
"""Maximum number of train examples whose codes the first and restarted codewords are drawn from."""


def is_quantised(settings: Training) -> bool:
    """Whether the settings are those of a discrete code.

    Args:
        settings: settings of a run.

    Returns:
        True if they name a quantiser.
    """
    return settings.quantised.quantiser is not None


def has_codebook(settings: Training) -> bool:
    """Whether the parameters have a codebook, whose codewords are exponential averages.

    Args:
        settings: settings of a run.

    Returns:
        True for a vector or residual quantiser.
    """
    return settings.quantised.quantiser in CODEBOOKS


def quantise_code_of(model: Autoencoder, settings: Training) -> Autoencoder:
    """Make the code of a model discrete: each group of units becomes one index.

    Args:
        model: autoencoder with a code [batch, units].
        settings: complete settings of a run, with a quantiser.

    Returns:
        A model whose code is a `Quantised` of groups [batch, positions, channels].

    Raises:
        ValueError: for settings that it has no use for, or an activation of the code.
    """
    refuse_unused(settings, UNUSED, "a discrete code")
    if settings.code_activation != "identity":
        raise ValueError(
            "the code that is quantised has no activation: say --code-activation identity, got "
            f"{settings.code_activation or settings.activation}"
        )
    chosen = settings.quantised
    group = group_size(chosen)
    grouped = _grouped(model, group)
    match chosen.quantiser:
        case "finite-scalar":
            return finite_scalar_quantised(grouped, levels=chosen.levels)
        case "lookup-free":
            return lookup_free_quantised(grouped, bits=group)
    codewords, depth = chosen.codewords, chosen.depth
    assert codewords is not None, "complete settings have the number of codewords"
    if depth is None:
        return vector_quantised(grouped, codewords=codewords, channels=group, averaged=True)
    return residual_quantised(
        grouped, depth=depth, codewords=codewords, channels=group, averaged=True
    )


def quantisation_penalties(settings: QuantisationSettings) -> dict[str, tuple[float, Penalty]]:
    """Weights and penalties of a discrete code by name.

    Args:
        settings: complete settings of a quantiser.

    Returns:
        "commitment", "codebook" and "entropy", as far as they are used.
    """
    found: dict[str, tuple[float, Penalty]] = {}
    if settings.commitment:
        found["commitment"] = settings.commitment, penalties.commitment()
    if settings.quantiser in CODEBOOKS:
        found["codebook"] = 1.0, penalties.codebook()
    if settings.entropy:
        found["entropy"] = settings.entropy, penalties.bit_entropy()
    return found


def with_averaged_codebook(
    optimizer: optax.GradientTransformation, settings: Training
) -> optax.GradientTransformation:
    """Average the codewords, and train all else by an optimizer.

    Args:
        optimizer: optimizer of all parameters.
        settings: settings of a run.

    Returns:
        The optimizer; the one that was given for a model without a codebook.
    """
    if not has_codebook(settings):
        return optimizer
    decay = settings.quantised.decay
    assert decay is not None, "complete settings have the decay"
    return training.averaged_codebook(optimizer, decay=decay)


def codebook_start(model: Autoencoder, x: np.ndarray) -> Callable[[Params], Params]:
    """Make the function that starts codewords as codes of train examples by the first encoder.

    Args:
        model: model of the run.
        x: train examples; of many, evenly spaced ones are used.

    Returns:
        A pure function: random initial parameters -> initial parameters of the run. It draws with a
        constant key, so that the members of a sweep start as single runs.
    """
    chosen = jnp.asarray(start_examples(x))
    objective_of_codes, optimizer = objective(model, squared), optax.identity()
    zero = jnp.zeros((), jnp.int32)

    @jax.jit
    def started(params: Params, x: Array) -> Params:
        key = jax.random.key(0)
        state = TrainState(params, optimizer.init(params), zero, zero, key)
        codebook = params["quantiser"]["codebook"]
        for _ in range(1 if codebook.ndim == 2 else len(codebook)):  # each time one more level
            state = training.restart_codewords(
                objective_of_codes, optimizer, state, x, key, dead_below=math.inf
            )
        return state.params

    return lambda params: started(params, chosen)


def start_examples(x: np.ndarray) -> np.ndarray:
    """Examples whose codes codewords are drawn from: at most a few thousand.

    Args:
        x: train examples.

    Returns:
        All of them; of many, evenly spaced ones.
    """
    return x[:: math.ceil(len(x) / MAX_START_EXAMPLES)]


def _grouped(model: Autoencoder, group: int) -> Autoencoder:
    """Code [batch, units] as [batch, positions, channels]."""

    def encode(params: Params, x: Array) -> Code:
        code = model.encode(params, x)
        return code.reshape(code.shape[0], -1, group)

    def decode(params: Params, code: Code) -> Array:
        return model.decode(params, code.reshape(code.shape[0], -1))

    return Autoencoder(model.init, encode, decode)
