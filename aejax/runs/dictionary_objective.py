"""Objective and constraints of a sparse dictionary from the settings of a run."""

from dataclasses import replace
from typing import Any

import jax

from aejax import penalties
from aejax.layers.batch_top_k import batch_top_k
from aejax.layers.code_activations import CodeActivation, top_k_relu
from aejax.layers.dictionary_layers import decoder_norms
from aejax.layers.gated import gated
from aejax.layers.jump_relu import jump_relu
from aejax.models import dictionary, matching_pursuit, mixed_precision
from aejax.models.dictionary import ActivationLike
from aejax.objectives import Objective
from aejax.runs.configuration import Training
from aejax.runs.dictionary_settings import DictionarySettings
from aejax.runs.unused_settings import refuse_unused
from aejax.training import non_negative, unit_norm
from aejax.training.constraints import Constraint
from aejax.types import Array, Autoencoder, Params, Penalty

UNUSED = {
    "tied": "--tied",
    "channels": "--channels",
    "decoder_sizes": "--decoder-sizes",
    "refinement_steps": "--refinement-steps",
    "linear_path": "--linear-path",
    "code_activation": "--code-activation",
}
"""Settings of an autoencoder of layers, and their options."""


def make_dictionary(training: Training, *, in_use: bool) -> Autoencoder:
    """Make the dictionary of flattened examples.

    Args:
        training: settings of a run, with the activation of a dictionary.
        in_use: whether BatchTopK has a threshold in its parameters in place of the selection in a
            batch, so that each example has a code of its own.

    Returns:
        The model.

    Raises:
        ValueError: for settings of an autoencoder of layers, or hidden layers.
    """
    _check_layers(training)
    features, units = training.sizes
    settings = training.dictionary
    if settings.activation == "matching-pursuit":
        return matching_pursuit(features, units, k=_k(settings))
    return dictionary(features, units, activation=_activation(settings, in_use=in_use))


def dictionary_penalties(training: Training) -> dict[str, tuple[float, Penalty]]:
    """Weights and penalties of a dictionary by name.

    Args:
        training: settings of a run, with the activation of a dictionary.

    Returns:
        "sparsity", "gate", "auxk" and "prefixes", as far as they are used.
    """
    settings = training.dictionary
    found: dict[str, tuple[float, Penalty]] = {}
    if settings.sparsity:
        found["sparsity"] = settings.sparsity, _sparsity(settings)
    if settings.activation == "gated":
        found["gate"] = 1.0, penalties.gate_reconstruction()
    if settings.auxk:
        k = settings.auxk_units or 1
        found["auxk"] = settings.auxk, penalties.auxk(k=k, dead_after=settings.dead_after)
    if settings.prefixes:
        found["prefixes"] = 1.0, penalties.matryoshka(prefixes=settings.prefixes)
    return found


def with_active_units(
    objective: Objective, training: Training, k: Array, *, at_most: int
) -> Objective:
    """Objective for training of a dictionary with another number of active units.

    Args:
        objective: objective for training.
        training: its settings; the activation is topk, batchtopk or jumprelu.
        k: number of active units, a scalar, which may be traced.
        at_most: maximum of k.

    Returns:
        The objective, for the same parameters.
    """
    settings = training.dictionary
    if settings.activation == "jumprelu":
        weight, _ = objective.penalties["sparsity"]
        penalty = penalties.target_l0_of_each(target=k, bandwidth=settings.bandwidth)
        return replace(objective, penalties={**objective.penalties, "sparsity": (weight, penalty)})
    select = top_k_relu if settings.activation == "topk" else batch_top_k
    model = dictionary(*training.sizes, activation=select(k=k, at_most=at_most))
    if training.precision == "mixed":
        model = mixed_precision(model)
    return replace(objective, model=objective.model._replace(encode=model.encode))


def dictionary_constraints(settings: DictionarySettings) -> list[Constraint]:
    """Constraints of the parameters of a dictionary.

    Args:
        settings: settings of the dictionary.

    Returns:
        Directions of norm 1 and thresholds of 0 or more, as far as they are used.
    """
    found = []
    if settings.activation is not None and settings.unit_norm:
        found.append(unit_norm(select=_directions))
    if settings.activation == "jumprelu":
        found.append(non_negative(select=_thresholds))
    return found


def _check_layers(training: Training) -> None:
    refuse_unused(training, UNUSED, "a dictionary")
    for name, weight in vars(training.penalty).items():
        if name not in ("l2", "rho") and weight:
            raise ValueError(
                f"a dictionary has no use for --penalty.{name}: say --dictionary.sparsity"
            )
    if training.loss != "squared":
        raise ValueError(f"a dictionary needs --loss squared, got {training.loss}")
    if len(training.sizes) != 2:
        raise ValueError(
            "a dictionary has one layer of units: say --code UNITS in place of --sizes "
            f"{' '.join(map(str, training.sizes))}"
        )


def _activation(settings: DictionarySettings, *, in_use: bool) -> ActivationLike:
    match settings.activation:
        case "topk":
            return top_k_relu(k=_k(settings))
        case "batchtopk":
            return _fixed_threshold() if in_use else batch_top_k(k=_k(settings))
        case "jumprelu":
            return jump_relu(threshold=settings.threshold, bandwidth=settings.bandwidth)
        case "gated":
            return gated()
    return jax.nn.relu


def _fixed_threshold() -> CodeActivation:
    """BatchTopK in use: the threshold is a parameter, as of JumpReLU."""
    return jump_relu(threshold=0.0, bandwidth=1.0)


def _sparsity(settings: DictionarySettings) -> Penalty:
    match settings.activation:
        case "jumprelu":
            return penalties.target_l0_of_each(target=_k(settings), bandwidth=settings.bandwidth)
        case "gated":
            weights = penalties.unit_weights if settings.unit_norm else decoder_norms
            return penalties.gate_l1(weights=weights)
    return penalties.l1_by_decoder_norm()


def _k(settings: DictionarySettings) -> int:
    assert settings.k is not None, "complete settings have k"
    return settings.k


def _directions(params: Params) -> Any:
    return params["decoder"]["kernel"]


def _thresholds(params: Params) -> Any:
    return params["encoder"]["threshold"]
