"""Terms that train the gate of a gated dictionary: sparsity, and reconstruction by the gate."""

from collections.abc import Callable

import jax
import jax.numpy as jnp

from aejax.contracts import check_callable
from aejax.layers.dictionary_layers import decoded, encoder_of, pre_activations
from aejax.objectives import target_of
from aejax.penalties.code_selection import encoder_input
from aejax.types import Array, Params, Pass, Penalty


def unit_weights(params: Params) -> Array:
    """Weight 1 for each unit, for `gate_l1` as published.

    Args:
        params: parameters of a dictionary.

    Returns:
        Ones, [units].

    Source: Rajamanoharan, Conmy et al. 2024.
    """
    return jnp.ones_like(encoder_of(params)["bias"])


def gate_l1(*, weights: Callable[[Params], Array] = unit_weights) -> Penalty:
    """L1 of the positive part of the gate: Σ_l w_l max(π_l, 0), with pre-activations π.

    Args:
        weights: params -> weight w of each unit: `unit_weights`, or
            `layers.dictionary_layers.decoder_norms` for directions without a constraint.

    Returns:
        The penalty, one value per example: [batch].

    Raises:
        ValueError: if `weights` is not a function.

    Source: Rajamanoharan, Conmy et al. 2024.
    """
    check_callable("weights of gate_l1", weights, "params")

    def penalty(record: Pass) -> Array:
        gate = jax.nn.relu(pre_activations(record.params, encoder_input(record)))
        return jnp.sum(gate * weights(record.params).astype(gate.dtype), axis=1)

    return penalty


def gate_reconstruction(*, decoder: Callable[[Params], Params] = jax.lax.stop_gradient) -> Penalty:
    """Squared error of the reconstruction by the gate: ‖y − max(π, 0) W_d − c‖².

    Args:
        decoder: params -> those of the decoder in this term: constants by default, as published;
            `lambda params: params` also trains the decoder with it.

    Returns:
        The penalty, one value per example: [batch].

    Raises:
        ValueError: if `decoder` is not a function.

    Source: Rajamanoharan, Conmy et al. 2024.
    """
    check_callable("decoder of gate_reconstruction", decoder, "params")

    def penalty(record: Pass) -> Array:
        gate = jax.nn.relu(pre_activations(record.params, encoder_input(record)))
        output = decoded(decoder(record.params), gate)
        target = target_of(record)
        return jnp.sum(jnp.square(target.astype(output.dtype) - output), axis=1)

    return penalty
