"""A run's settings to the library's calls, for examples in memory and for a stream."""

from typing import Any

import optax

from aejax import training
from aejax.cli.configuration import Training
from aejax.cli.run import Examples
from aejax.cli.streamed import Streamed
from aejax.objective import Objective
from aejax.training import Placement, TrainState
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


def steps_of(configuration: Training, examples: Examples | Streamed) -> int:
    """Steps of the whole run."""
    if isinstance(examples, Streamed):
        one = configuration.steps_per_epoch or training.steps_of_pass(examples.train)
    else:
        one = -(-len(examples.train.x) // configuration.batch_size)
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
