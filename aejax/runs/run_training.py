"""A run's settings to the library's calls, for examples in memory and for a stream."""

from dataclasses import replace
from typing import Any

import optax

from aejax import training
from aejax.objectives import Objective
from aejax.runs.configuration import Training
from aejax.runs.run import Examples
from aejax.runs.streamed_examples import Streamed
from aejax.training import Placement, TrainState
from aejax.training.batches import chosen_batch_size
from aejax.training.records import Callback, Record


def check_examples(
    configuration: Training, examples: Examples | Streamed, objective: Objective, state: TrainState
) -> None:
    """Refuse what `fit` refuses, before the run's folder exists."""
    patience = configuration.patience
    if isinstance(examples, Streamed):
        training.check_stream(
            objective,
            state.params,
            examples.train,
            validation=examples.validation,
            patience=patience,
        )
    else:
        training.check_training(
            objective,
            state.params,
            examples.train,
            batch_size=configuration.batch_size,
            validation=examples.validation,
            patience=patience,
        )


def with_batch_size(configuration: Training, examples: Examples | Streamed) -> Training:
    """The settings with the batch size in them, also where it was left to the number of examples.

    Args:
        configuration: settings of a run.
        examples: what it trains on.

    Returns:
        The settings, so that a resumed or repeated run takes the same batches.
    """
    count = examples.train.examples if isinstance(examples, Streamed) else len(examples.train.x)
    return replace(configuration, batch_size=chosen_batch_size(configuration.batch_size, count))


def steps_of(configuration: Training, examples: Examples | Streamed) -> int:
    """Steps of the whole run."""
    if isinstance(examples, Streamed):
        one = configuration.steps_per_epoch or training.steps_of_pass(examples.train)
    else:
        count = len(examples.train.x)
        one = -(-count // chosen_batch_size(configuration.batch_size, count))
    return configuration.epochs * one


def fit(
    configuration: Training,
    examples: Examples | Streamed,
    objective: Objective,
    optimizer: optax.GradientTransformation,
    state: TrainState,
    history: list[Record],
    callbacks: list[Callback],
    placement: Placement,
) -> None:
    """Train as the settings say, on examples in memory or on a stream."""
    common: dict[str, Any] = {
        "epochs": configuration.epochs,
        "state": state,
        "history": history,
        "patience": configuration.patience,
        "callbacks": callbacks,
        "placement": placement,
    }
    if isinstance(examples, Streamed):
        training.fit_stream(
            objective,
            optimizer,
            examples.train,
            steps_per_epoch=configuration.steps_per_epoch,
            validation=examples.validation,
            **common,
        )
    else:
        training.fit(
            objective,
            optimizer,
            examples.train,
            batch_size=configuration.batch_size,
            validation=examples.validation,
            **common,
        )
