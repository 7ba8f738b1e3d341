"""Examples of a run in memory: normalised, in the shape of its model, and split."""

from collections.abc import Callable, Collection, Iterable
from functools import partial
from typing import Any, NamedTuple

import jax.numpy as jnp
import numpy as np

from aejax import training
from aejax.data import LazyArray, Normalisation, Schema, fingerprint, load, normalise
from aejax.runs.builders import input_shape, make_normalisation
from aejax.runs.configuration import Options, Training, validation_seed
from aejax.runs.default_settings import DataFacts, complete
from aejax.training.batches import resolve_batch_size
from aejax.types import Array, Batch


class ShownExamples(NamedTuple):
    """Test examples that reports and the explorer show.

    raw:    [examples, *features], in the units of the data set.
    labels: class of each example, or None.
    batch:  the same examples, normalised, in the shape of the model.
    """

    raw: np.ndarray
    labels: np.ndarray | None
    batch: Batch


class InMemory(NamedTuple):
    """Train and validation examples in memory, flat and normalised.

    fit:        `training.fit_population` for the train examples.
    train:      train examples without validation [examples, features].
    validation: validation examples [examples, features], or None.
    """

    fit: Callable[..., Any]
    train: Array
    validation: Array | None


class Examples(NamedTuple):
    """Examples of a run, in memory or streamed from disk.

    facts:         properties of the data that settings depend on.
    fingerprint:   fingerprint of the data.
    normalisation: normalisation, fitted to the train and validation examples.
    check:         `training.check_training` or `check_stream` for the train examples.
    fit:           `training.fit` or `fit_stream` for the train examples.
    test_batches:  () -> test examples in batches, in order.
    train_sample:  () -> train examples without validation, at most a sample of a stream.
    pca_examples:  () -> train examples for PCA, validation included, and their entry in
                   `metrics.json`.
    shown:         () -> test examples for reports and the explorer.
    skipped:       indices of the unreadable examples that have been skipped so far.
    schema:        columns of a table, or None.
    in_memory:     the examples of a population, or None for a stream.
    """

    facts: DataFacts
    fingerprint: str
    normalisation: Normalisation
    check: Callable[..., None]
    fit: Callable[..., Any]
    test_batches: Callable[[], Iterable[np.ndarray]]
    train_sample: Callable[[], np.ndarray]
    pca_examples: Callable[[], tuple[np.ndarray, dict[str, int]]]
    shown: Callable[[], ShownExamples]
    skipped: Collection[int] = ()
    schema: Schema | None = None
    in_memory: InMemory | None = None

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of one raw example."""
        return self.facts.shape


def load_in_memory(options: Options) -> Examples:
    """Load, normalise, reshape and split the data set of a run.

    Args:
        options: settings of the run, which the data complete.

    Returns:
        The examples. Validation examples are drawn with the seed of the options; both parts keep
        the order of the data set.
    """
    dataset = load(
        options.data,
        data_dir=options.data_dir,
        label=options.label,
        ignore=options.ignore,
    )
    facts = facts_of(options, dataset.x_train, low=dataset.low, high=dataset.high)
    configuration = complete(options, facts)
    normalisation = make_normalisation(
        configuration, dataset.x_train, low=dataset.low, high=dataset.high
    )
    shape = input_shape(configuration, facts.shape)
    train, validation = _split(configuration, model_rows(normalisation, dataset.x_train, shape))
    test = Batch(model_rows(normalisation, dataset.x_test, shape))
    data = {"data": train, "batch_size": configuration.batch_size, "validation": validation}

    def pca_examples() -> tuple[np.ndarray, dict[str, int]]:
        x_train = np.asarray(train.x)
        if validation is None:
            return x_train, {}
        return np.concatenate([x_train, np.asarray(validation.x)]), {}

    return Examples(
        facts,
        fingerprint(dataset),
        normalisation,
        check=partial(training.check_training, **data),
        fit=partial(training.fit, **data),
        test_batches=lambda: [np.asarray(test.x)],
        train_sample=lambda: np.asarray(train.x),
        pca_examples=pca_examples,
        shown=lambda: ShownExamples(dataset.x_test, dataset.labels_test, test),
        schema=dataset.schema,
        in_memory=InMemory(
            partial(training.fit_population, **data),
            train.x,
            None if validation is None else validation.x,
        ),
    )


def model_rows(
    normalisation: Normalisation, x: Array | np.ndarray, shape: tuple[int, ...]
) -> Array:
    """Normalised float32 examples in the shape of the model.

    Args:
        normalisation: normalisation of raw examples.
        x: raw examples [examples, *features].
        shape: shape of one example for the model.

    Returns:
        The examples [examples, *shape].

    Raises:
        ValueError: for values beyond the range of float32.
    """
    normalised = jnp.asarray(normalise(normalisation, x, dtype=np.float32))
    return normalised.reshape(x.shape[0], *shape)


def total_steps(configuration: Training, examples: Examples) -> int:
    """Number of optimiser steps of a run with complete settings."""
    train_size = examples.facts.train_size
    size = resolve_batch_size(configuration.batch_size, train_size)
    return configuration.epochs * (configuration.steps_per_epoch or -(-train_size // size))


def facts_of(
    options: Options, x_train: np.ndarray | LazyArray, *, low: float | None, high: float | None
) -> DataFacts:
    """Properties of the data that settings depend on, after the validation examples are split off.

    Args:
        options: settings of the run.
        x_train: train examples, in memory or lazy, with those for validation.
        low: lower bound of the values, if it is known.
        high: upper bound of the values, if it is known.

    Returns:
        The properties.
    """
    held_out = round(options.validation * len(x_train))
    is_bounded = low is not None and high is not None
    return DataFacts(x_train.shape[1:], len(x_train) - held_out, held_out, is_bounded)


def _split(configuration: Training, x: Array) -> tuple[Batch, Batch | None]:
    """Train examples and randomly drawn validation examples, both in the order of x."""
    held_out = round(configuration.validation * len(x))
    if not held_out:
        return Batch(x), None  # without a copy: x may fill half of the memory
    order = np.random.default_rng(validation_seed(configuration)).permutation(len(x))
    return Batch(x[np.sort(order[held_out:])]), Batch(x[np.sort(order[:held_out])])
