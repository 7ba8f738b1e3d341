"""Examples that a run is trained on, in memory or streamed from disk, behind one interface."""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import replace
from typing import Protocol, runtime_checkable

import numpy as np
import optax

from aejax.data import Normalisation
from aejax.objectives import Objective
from aejax.runs.configuration import Training
from aejax.runs.in_memory_examples import ShownExamples, load_in_memory
from aejax.runs.run import Run, with_data_path
from aejax.runs.streamed_examples import load_streamed
from aejax.training import Placement, TrainState
from aejax.training.batches import resolve_batch_size
from aejax.training.records import Callback, Record


@runtime_checkable
class Examples(Protocol):
    """Flat, normalised train, validation and test examples of one data set."""

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of one raw example."""
        ...

    @property
    def fingerprint(self) -> str:
        """Fingerprint of the data."""
        ...

    @property
    def normalisation(self) -> Normalisation:
        """Normalisation that was fitted to the train and validation examples."""
        ...

    @property
    def train_size(self) -> int:
        """Number of train examples, without validation."""
        ...

    @property
    def skipped(self) -> Collection[int]:
        """Indices of the unreadable examples that have been skipped so far."""
        ...

    def check(self, configuration: Training, objective: Objective, state: TrainState) -> None:
        """Raise the ValueError that `fit` would raise, before the run's folder exists."""
        ...

    def fit(
        self,
        configuration: Training,
        objective: Objective,
        optimizer: optax.GradientTransformation,
        state: TrainState,
        history: Sequence[Record],
        callbacks: Sequence[Callback],
        placement: Placement,
    ) -> None:
        """Train on the train examples, from a state whose epochs are recorded in the history."""
        ...

    def test_batches(self) -> Iterable[np.ndarray]:
        """Test examples in batches [examples, features], in order."""
        ...

    def pca_examples(self) -> tuple[np.ndarray, dict[str, int]]:
        """Train examples for PCA, validation included, and their entry in `metrics.json`."""
        ...

    def shown(self) -> ShownExamples:
        """Test examples for reports and the explorer."""
        ...


def load_examples(configuration: Training) -> Examples:
    """Open the data set of a configuration, in memory or as a stream."""
    return load_streamed(configuration) if configuration.stream else load_in_memory(configuration)


def load_seen_examples(run: Run) -> ShownExamples:
    """Load the test examples of a run; ValueError if its data have changed since."""
    examples = load_examples(with_data_path(run.configuration, run.about.folder))
    if examples.fingerprint != run.about.fingerprint:
        raise ValueError(
            f"{run.configuration.data} is no longer the data that the run was trained on"
        )
    return examples.shown()


def with_batch_size(configuration: Training, examples: Examples) -> Training:
    """Settings with the default batch size filled in, so that resumed runs use the same batches."""
    size = resolve_batch_size(configuration.batch_size, examples.train_size)
    return replace(configuration, batch_size=size)


def total_steps(configuration: Training, examples: Examples) -> int:
    """Number of optimiser steps of a run."""
    size = resolve_batch_size(configuration.batch_size, examples.train_size)
    return configuration.epochs * (configuration.steps_per_epoch or -(-examples.train_size // size))
