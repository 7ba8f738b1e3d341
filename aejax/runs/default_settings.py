"""Default settings of a run, chosen from its data."""

from dataclasses import fields, replace
from math import ceil, floor, isfinite, log2, prod
from typing import Any, NamedTuple

from aejax import registry
from aejax.runs.builders import linear_path_conflict
from aejax.runs.configuration import Options, Scale, Training, check
from aejax.runs.dictionary_settings import complete_dictionary
from aejax.runs.quantisation_settings import complete_quantisation, group_size
from aejax.training.batches import resolve_batch_size

HIDDEN_UNITS = 128
MAX_CODE = 16
FEATURES_PER_CODE_UNIT = 4
"""Number of features for each code unit, up to `MAX_CODE` units."""

UNITS_PER_FEATURE, EXAMPLES_PER_UNIT = 4, 10
"""Units of a dictionary for each feature; fewer, but as many as features, if examples are few."""

LEARNING_RATE, DICTIONARY_LEARNING_RATE = 1e-3, 3e-3

MIN_EPOCHS, MIN_STEPS = 20, 2000
"""Minimum length of a run: whichever is longer."""

MIN_STEPS_PER_EPOCH = 16
"""Steps per epoch at which batches of small data stop shrinking."""

MIN_BATCH_SIZE, MAX_BATCH_SIZE = 8, 128

EPOCHS_PER_WARM_UP, EPOCHS_PER_PATIENCE = 10, 3
"""Epochs of a run for each epoch of its warm-up, and of the patience of early stopping."""


class DataFacts(NamedTuple):
    """Properties of the data that default settings depend on.

    shape:           shape of one example.
    train_size:      number of train examples, without validation.
    validation_size: number of validation examples.
    is_bounded:      whether the format bounds the values, as that of images does.
    is_table:        whether the features are columns of a table, each with a unit of its own.
    """

    shape: tuple[int, ...]
    train_size: int
    validation_size: int
    is_bounded: bool
    is_table: bool = False


def complete(options: Options, facts: DataFacts) -> Training:
    """Choose the settings that a user has left open.

    Args:
        options: settings of the user; or complete ones, of a run or a recipe, of which only the
            size of the code and the batch size may be open.
        facts: properties of the data.

    Returns:
        Settings that depend on no default value.

    Raises:
        ValueError: for a setting outside its range.
    """
    check(options)
    layers = _layers(options, facts)
    if options.dictionary.activation is not None and len(layers["sizes"]) == 2:
        found = complete_dictionary(options.dictionary, *layers["sizes"])
        layers |= {"dictionary": found}
    if layers["sizes"]:
        layers |= {"quantised": complete_quantisation(options.quantised, layers["sizes"][-1])}
    if isinstance(options, Training):
        size = resolve_batch_size(options.batch_size, facts.train_size)
        return replace(options, **layers, batch_size=size)
    settings: dict[str, Any] = {each.name: getattr(options, each.name) for each in fields(options)}
    settings |= layers | _activations(options, layers["sizes"]) | _length(options, facts)
    settings |= {"loss": options.loss or "squared", "linear_path": False, "normalise": "none"}
    training = Training(**settings)
    has_path = options.linear_path
    if has_path is None:
        has_path = _gains_from_linear_path(training, facts)
    scale, loss = _scale_and_loss(options, facts, has_path=has_path)
    training = replace(training, linear_path=has_path, normalise=scale, loss=loss)
    check(training)
    return training


def _layers(options: Options, facts: DataFacts) -> dict[str, Any]:
    """Sizes of the layers. The size of the code, if it is given, replaces the last of them."""
    if options.factory is not None:
        return {"code": None, "sizes": (), "decoder_sizes": ()}
    features, code = prod(facts.shape), options.code
    sizes, decoder_sizes = options.sizes, options.decoder_sizes
    is_dictionary = options.dictionary.activation is not None
    is_quantised = options.quantised.quantiser is not None
    is_open = not isinstance(options, Training) or is_dictionary or is_quantised
    if not sizes and (code is not None or is_open):
        default = min(MAX_CODE, max(1, features // FEATURES_PER_CODE_UNIT))
        sizes = (features, HIDDEN_UNITS, default)
        if is_dictionary:
            most = max(features, facts.train_size // EXAMPLES_PER_UNIT)
            sizes = (features, min(UNITS_PER_FEATURE * features, most))
        elif is_quantised:
            group = group_size(options.quantised)
            sizes = (*sizes[:-1], max(1, default // group) * group)
    if code is not None:
        sizes = (*sizes[:-1], code)
        decoder_sizes = (code, *decoder_sizes[1:]) if decoder_sizes else ()
    return {"code": None, "sizes": sizes, "decoder_sizes": decoder_sizes}


def _activations(options: Options, sizes: tuple[int, ...]) -> dict[str, Any]:
    """Linear code behind hidden layers, for which no penalty needs a code in [0, 1]."""
    code_activation = options.code_activation
    if options.dictionary.activation is not None:
        return {"activation": options.activation or "relu", "code_activation": code_activation}
    if options.quantised.quantiser is not None and code_activation is None:
        code_activation = "identity"
    if options.activation is None and code_activation is None:
        has_hidden_layers = len(sizes) > 2 or options.channels
        is_penalised = options.penalty.sparsity or options.penalty.contraction
        code_activation = "identity" if has_hidden_layers and not is_penalised else "sigmoid"
    return {"activation": options.activation or "gelu", "code_activation": code_activation}


def _scale_and_loss(
    options: Options, facts: DataFacts, *, has_path: bool
) -> tuple[Scale, registry.NamedLoss]:
    """Unit range for bounded values, or a loss that needs it; then Bernoulli without linear path.

    The loss of a factory's objective is unknown here, and may need it.

    A linear path, which starts as PCA, has a lower error on bounded values than logistic outputs.
    The loss by-column takes numbers of any scale, and leaves one-hot features as they are.
    """
    needs_unit = options.loss not in (None, "by-column") and isfinite(
        registry.loss(options.loss).support[0]
    )
    may_need_unit = needs_unit or options.factory is not None
    scale = "unit-range" if facts.is_bounded or may_need_unit else "standardise"
    if options.dictionary.activation is not None:
        scale = "standardise" if facts.is_table else "common-scale"
        return options.normalise or scale, options.loss or "squared"
    scale = options.normalise or scale
    is_unit = facts.is_bounded and scale == "unit-range"
    return scale, options.loss or ("bernoulli" if is_unit and not has_path else "squared")


def _length(options: Options, facts: DataFacts) -> dict[str, Any]:
    """Batch size, epochs, the settings that count in epochs, and the learning rate."""
    size = options.batch_size or default_batch_size(facts.train_size)
    steps = options.steps_per_epoch or max(1, ceil(facts.train_size / size))
    epochs = options.epochs or max(MIN_EPOCHS, ceil(MIN_STEPS / steps))
    warm_up, patience, rate = options.warm_up, options.patience, options.learning_rate
    if rate is None:
        is_dictionary = options.dictionary.activation is not None
        rate = DICTIONARY_LEARNING_RATE if is_dictionary else LEARNING_RATE
    if warm_up is None:
        warm_up = epochs / EPOCHS_PER_WARM_UP if options.schedule == "cosine" else 0.0
    if patience is None and options.epochs is None and facts.validation_size:
        patience = ceil(epochs / EPOCHS_PER_PATIENCE)
    length = {"batch_size": size, "epochs": epochs, "warm_up": warm_up, "patience": patience}
    return length | {"learning_rate": rate}


def default_batch_size(examples: int) -> int:
    """Power of two that gives `MIN_STEPS_PER_EPOCH`, between the bounds; all examples if fewer.

    Args:
        examples: number of train examples, without validation.

    Returns:
        The batch size.
    """
    size = 2 ** floor(log2(max(1, examples / MIN_STEPS_PER_EPOCH)))
    return max(1, min(examples, max(MIN_BATCH_SIZE, min(MAX_BATCH_SIZE, size))))


def _gains_from_linear_path(settings: Training, facts: DataFacts) -> bool:
    """Whether a linear path fits the model, and PCA does not reconstruct the train examples."""
    if len(settings.sizes) <= 2:  # those of a dictionary too
        return False
    fits = linear_path_conflict(settings) is None
    features, code = settings.sizes[0], settings.sizes[-1]
    return fits and code < min(features, facts.train_size)
