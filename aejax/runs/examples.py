"""Examples of a run in memory: normalised, in the shape of its model, and split."""

from collections.abc import Callable, Collection, Iterable, Mapping
from functools import partial
from operator import itemgetter
from pathlib import Path
from typing import Any, NamedTuple, cast

import jax
import jax.numpy as jnp
import numpy as np

from aejax import training
from aejax.data import Column, LazyArray, Normalisation, Schema, fingerprint, load, normalise
from aejax.data.catalogue import is_named
from aejax.data.files import is_folder_of_images
from aejax.data.image_file import form_text
from aejax.runs.builders import input_shape
from aejax.runs.configuration import Options, Training, image_form, validation_seed
from aejax.runs.default_settings import DataFacts, complete
from aejax.runs.fitted_normalisation import make_normalisation
from aejax.training.batches import resolve_batch_size
from aejax.types import Array, Batch

MAX_LISTED_CLASSES = 10
"""Maximum number of class names in a message."""

SMALL_RANGE = 0.25
"""Fraction of the range of bounded values, such as those of uint8, below which a note is given."""


class ShownExamples(NamedTuple):
    """Test examples that reports and the explorer show.

    raw:     [examples, *features], in the units of the data set.
    labels:  class of each example, or None.
    batch:   the same examples, normalised, in the shape of the model.
    classes: names of the classes (a label is an index in it), or None.
    others:  index of the row of each example in a table, and text of the columns that are not
             features, by name; or None.
    """

    raw: np.ndarray
    labels: np.ndarray | None
    batch: Batch
    classes: tuple[str, ...] | None = None
    others: Mapping[str, np.ndarray] | None = None

    @property
    def class_names(self) -> np.ndarray | None:
        """Name of the class of each example, or its label if classes have no names; or None."""
        if self.labels is None or self.classes is None:
            return self.labels
        return np.asarray(self.classes)[self.labels]


class InMemory(NamedTuple):
    """Train and validation examples in memory, flat and normalised.

    fit:        `training.fit_population` for the train examples.
    train:      train examples without validation [examples, features].
    validation: validation examples [examples, features], or None.
    """

    fit: Callable[..., Any]
    train: Batch
    validation: Batch | None


class Examples(NamedTuple):
    """Examples of a run, in memory or streamed from disk.

    configuration: settings of the run, which the data have completed.
    facts:         properties of the data that settings depend on.
    fingerprint:   fingerprint of the data.
    normalisation: normalisation, fitted to the train and validation examples.
    check:         `training.check_training` or `check_stream` for the train examples.
    fit:           `training.fit` or `fit_stream` for the train examples.
    test_batches:  () -> test examples in batches, in order.
    train_sample:  () -> train examples without validation, at most a sample of a stream.
    pca_examples:  () -> train examples for PCA, validation included, and their entry in
                   `metrics.json`.
    pca_weight:    () -> weights of their elements, zero for missing values, or None.
    shown:         () -> test examples for reports and the explorer.
    skipped:       indices of the unreadable examples that have been skipped so far.
    schema:        columns of a table, or None.
    in_memory:     the examples of a population, or None for a stream.
    classes:       names of the classes (a label is an index in it), or None.
    """

    configuration: Training
    facts: DataFacts
    fingerprint: str
    normalisation: Normalisation
    check: Callable[..., None]
    fit: Callable[..., Any]
    test_batches: Callable[[], Iterable[Batch]]
    train_sample: Callable[[], np.ndarray]
    pca_examples: Callable[[], tuple[np.ndarray, dict[str, int]]]
    pca_weight: Callable[[], np.ndarray | None]
    shown: Callable[[], ShownExamples]
    skipped: Collection[int] = ()
    schema: Schema | None = None
    in_memory: InMemory | None = None
    classes: tuple[str, ...] | None = None

    @property
    def columns(self) -> tuple[Column, ...]:
        """Columns of a table; none for other data."""
        return () if self.schema is None else self.schema.columns

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
    images = image_form(options)
    dataset = load(
        options.data,
        data_dir=options.data_dir,
        label=options.label,
        ignore=options.ignore,
        missing=options.missing,
        image_mode=images.mode,
        resize=images.resize,
        crop=images.crop,
    )
    facts = facts_of(options, dataset.x_train, low=dataset.low, high=dataset.high)
    facts = facts._replace(is_table=dataset.schema is not None)
    configuration = complete(options, facts)
    normalisation = make_normalisation(
        configuration,
        dataset.x_train,
        low=dataset.low,
        high=dataset.high,
        observed=dataset.observed_train,
        columns=() if dataset.schema is None else dataset.schema.columns,
    )
    shape = input_shape(configuration, facts.shape)
    every, test = (
        Batch(cast(Array, model_rows(normalisation, x, shape)), weight=weight_of(observed))
        for x, observed in (
            (dataset.x_train, dataset.observed_train),
            (dataset.x_test, dataset.observed_test),
        )
    )
    test = jax.tree.map(jnp.asarray, test)
    # On the host: training copies to each device the examples that it stores.
    train, validation = _split(configuration, every)
    data = {"data": train, "batch_size": configuration.batch_size, "validation": validation}

    def joined(part: Callable[[Batch], Array | None]) -> np.ndarray | None:
        parts = [part(batch) for batch in (train, validation) if batch is not None]
        return None if parts[0] is None else np.concatenate([np.asarray(x) for x in parts])

    def pca_examples() -> tuple[np.ndarray, dict[str, int]]:
        x_train = joined(lambda batch: batch.x)
        assert x_train is not None
        return x_train, {}

    return Examples(
        configuration,
        facts,
        fingerprint(dataset),
        normalisation,
        check=partial(training.check_training, **data),
        fit=partial(training.fit, **data),
        test_batches=lambda: [test],
        train_sample=lambda: np.asarray(train.x),
        pca_examples=pca_examples,
        pca_weight=lambda: joined(lambda batch: batch.weight),
        shown=lambda: ShownExamples(dataset.x_test, dataset.labels_test, test, dataset.classes),
        schema=dataset.schema,
        in_memory=InMemory(partial(training.fit_population, **data), train, validation),
        classes=dataset.classes,
    )


def image_note(options: Options, examples: Examples) -> str:
    """Describe how a folder of images is read.

    Args:
        options: settings of a run.
        examples: its examples.

    Returns:
        The size of the images, conversions, and classes, for the user; "" for other data.
    """
    data = options.data
    if is_named(data) or not is_folder_of_images(Path(data).expanduser()):
        return ""
    size = " x ".join(map(str, examples.shape))
    converted = form_text(image_form(options))
    names = examples.classes or ()
    more = f", … ({len(names)})" if len(names) > MAX_LISTED_CLASSES else ""
    classes = ", ".join(names[:MAX_LISTED_CLASSES]) + more
    parts = [f"images of {size}", converted, classes and f"classes {classes}"]
    return ", ".join(part for part in parts if part)


def range_note(configuration: Training, examples: Examples) -> str:
    """Advice if examples in memory fill a small part of the range that their format allows.

    Args:
        configuration: complete settings of a run.
        examples: its examples.

    Returns:
        The fraction of the range, and other scales, for the user; "" if there is no advice.
    """
    is_scaled = configuration.normalise == "unit-range" and examples.facts.is_bounded
    if not is_scaled or examples.in_memory is None:
        return ""
    largest = float(examples.in_memory.train.x.max())
    if largest > SMALL_RANGE:
        return ""
    return (
        f"the largest value is only {largest:.2g} of the largest that the format of the data "
        "allows: say --normalise standardise, or store the data as floating-point numbers, which "
        "are scaled by their own range"
    )


def model_rows(
    normalisation: Normalisation, x: Array | np.ndarray, shape: tuple[int, ...]
) -> np.ndarray:
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
    normalised = np.asarray(normalise(normalisation, x, dtype=np.float32))
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


def weight_of(observed: np.ndarray | None) -> Any:
    """Weights of elements: 1 for observed values, 0 for others; None if all are observed."""
    if observed is None:
        return None
    return np.asarray(observed, np.float32).reshape(len(observed), -1)


def _split(configuration: Training, batch: Batch) -> tuple[Batch, Batch | None]:
    """Train examples and randomly drawn validation examples, both in the order of the batch."""
    held_out = round(configuration.validation * len(batch.x))
    if not held_out:
        return batch, None  # without a copy: x may fill half of the memory
    order = np.random.default_rng(validation_seed(configuration)).permutation(len(batch.x))
    train, validation = (
        jax.tree.map(itemgetter(np.sort(rows)), batch)
        for rows in (order[held_out:], order[:held_out])
    )
    return train, validation
