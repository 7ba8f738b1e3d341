"""History and errors of a member of a sweep, and the errors of PCA beside them."""

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

import jax
import numpy as np

from aejax.objectives import Objective
from aejax.runs.code_rates import code_rates, rate_names
from aejax.runs.code_units import array_of, count_units
from aejax.runs.configuration import Training
from aejax.runs.examples import Examples, InMemory
from aejax.runs.inference import compiled_reconstruct
from aejax.runs.metrics import batch_blocks, mean_error, pca_error, sparsity_metrics
from aejax.training import TrainState
from aejax.training.records import Record, stalled

ERRORS: tuple[str, ...] = ("epoch", "validation_loss", "validation_error", "test_error")
SPARSITY = ("active_units", "dead_units", "explained_variance")


def member_history(means: Mapping[str, Any], training: Training, steps: int) -> list[Record]:
    """Records of the epochs of a member, without those that early stopping repeats.

    Args:
        means: measurement -> its value in each epoch.
        training: settings of the member.
        steps: number of steps of all epochs.

    Returns:
        The records.
    """
    columns = {name: np.asarray(values, float).tolist() for name, values in means.items()}
    validation = columns.pop("validation_loss")
    records: list[Record] = []
    for epoch, values in enumerate(zip(*columns.values(), strict=True), start=1):
        terms = dict(zip(columns, values, strict=True))
        loss = {"loss": validation[epoch - 1]}
        step = epoch * steps // training.epochs
        records.append({"epoch": epoch, "step": step, **terms, "validation": loss})
        if stalled(records, training.patience):
            break
    return records


def member_errors(
    objective: Objective,
    training: Training,
    state: TrainState,
    history: Sequence[Record],
    examples: Examples,
) -> dict[str, Any]:
    """Errors of a member by column of the table.

    Args:
        objective: objective in use.
        training: settings of the member.
        state: best state of the member, with the parameters in use.
        history: records of its epochs.
        examples: examples of the data.

    Returns:
        The columns, of a dictionary also its `sparsity_metrics` of the test examples, of a discrete
        code or a posterior its `code_rates`; None in each for a member that has diverged.
    """
    values = [
        value
        for record in history
        for value in (record | record["validation"]).values()
        if value is not record["validation"]
    ]
    sparsity = SPARSITY if training.dictionary.activation is not None else ()
    if not np.isfinite(values).all():
        return dict.fromkeys((*ERRORS, *sparsity, *rate_names(training)))
    reconstructed = partial(compiled_reconstruct, objective, state.params)
    epoch = int(state.epoch)
    held_out = _in_memory(examples).validation
    assert held_out is not None, "a sweep needs validation examples"
    _, validation = mean_error(reconstructed, batch_blocks(held_out))
    _, test = mean_error(reconstructed, examples.test_batches())
    loss = history[epoch - 1]["validation"]["loss"]
    errors = (epoch, loss, validation, test)
    found: dict[str, Any] = dict(zip(ERRORS, errors, strict=True))
    if sparsity:
        found |= sparsity_metrics(objective, state.params, examples.test_batches, test)
    return found | code_rates(training, objective, state.params, examples.test_batches)


def pca_errors(examples: Examples, components: int | None) -> dict[str, Any]:
    """Validation and test error of PCA.

    For the validation error, PCA is fitted without the validation examples.

    Args:
        examples: examples of the data.
        components: number of components: that of the code units, or of a dictionary of those that
            an example activates; None for a code whose size is not comparable.

    Returns:
        The columns of the table.
    """
    if components is None:
        return dict.fromkeys(("pca_validation_error", "pca_test_error", "pca_components"))
    data = _in_memory(examples)
    x_train, _ = examples.pca_examples()
    assert data.validation is not None, "a sweep needs validation examples"
    validation, _ = pca_error(np.asarray(data.train.x), [data.validation], components)
    test, _ = pca_error(x_train, examples.test_batches(), components)
    return {
        "pca_validation_error": validation,
        "pca_test_error": test,
        "pca_components": components,
    }


def code_size(objective: Objective, examples: Examples) -> tuple[int, bool]:
    """Number of code units of an example.

    Args:
        objective: objective whose model encodes flat examples.
        examples: examples of the data.

    Returns:
        The number, of a discrete code that of its indices; and whether the code is one array, which
        PCA with as many components is comparable with, as in `metrics.measure`.
    """
    example = jax.ShapeDtypeStruct((1, int(np.prod(examples.shape))), np.float32)
    params = jax.eval_shape(objective.model.init, jax.random.key(0))
    like = jax.eval_shape(objective.model.encode, params, example)
    return count_units(array_of(like)), isinstance(like, jax.ShapeDtypeStruct)


def _in_memory(examples: Examples) -> InMemory:
    assert examples.in_memory is not None, "a sweep refuses streams"
    return examples.in_memory
