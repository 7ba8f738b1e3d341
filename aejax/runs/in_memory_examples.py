"""Examples of a run, loaded into memory: flat, normalised, with a validation part split off."""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

import jax.numpy as jnp
import numpy as np
import optax

from aejax import training
from aejax.data import Dataset, Normalisation, fingerprint, load, normalise
from aejax.objectives import Objective
from aejax.runs.builders import make_normalisation
from aejax.runs.configuration import Training
from aejax.training import Placement, TrainState
from aejax.training.records import Callback, Record
from aejax.types import Array, Batch


class ShownExamples(NamedTuple):
    """Test examples that reports and the explorer show.

    raw:    [examples, *features], in the units of the data set.
    labels: class of each example, or None.
    batch:  the same examples, flat and normalised.
    """

    raw: np.ndarray
    labels: np.ndarray | None
    batch: Batch


class InMemoryExamples(NamedTuple):
    """`aejax.runs.examples.Examples` in memory."""

    dataset: Dataset
    fingerprint: str
    normalisation: Normalisation
    train: Batch
    validation: Batch | None
    test: Batch

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of one raw example."""
        return self.dataset.x_train.shape[1:]

    @property
    def train_size(self) -> int:
        """Number of train examples, without validation."""
        return len(self.train.x)

    @property
    def skipped(self) -> frozenset[int]:
        """Empty: all examples have been read."""
        return frozenset()

    def check(self, configuration: Training, objective: Objective, state: TrainState) -> None:
        """Raise the ValueError that `fit` would raise."""
        training.check_training(
            objective,
            state.params,
            self.train,
            batch_size=configuration.batch_size,
            validation=self.validation,
            patience=configuration.patience,
        )

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
        """Train on the train examples."""
        training.fit(
            objective,
            optimizer,
            self.train,
            batch_size=configuration.batch_size,
            epochs=configuration.epochs,
            validation=self.validation,
            patience=configuration.patience,
            state=state,
            history=history,
            callbacks=callbacks,
            placement=placement,
        )

    def test_batches(self) -> Iterable[np.ndarray]:
        """All test examples as one batch."""
        return [np.asarray(self.test.x)]

    def pca_examples(self) -> tuple[np.ndarray, dict[str, int]]:
        """All train and validation examples; no entry for the metrics."""
        x_train = np.asarray(self.train.x)
        if self.validation is None:
            return x_train, {}
        return np.concatenate([x_train, np.asarray(self.validation.x)]), {}

    def shown(self) -> ShownExamples:
        """All test examples."""
        return ShownExamples(self.dataset.x_test, self.dataset.labels_test, self.test)


def load_in_memory(configuration: Training) -> InMemoryExamples:
    """Load, normalise, flatten and split the data set of a configuration.

    Args:
        configuration: settings of a run.

    Returns:
        The examples. Validation examples are drawn with the seed of the configuration; both parts
        keep the order of the data set.
    """
    dataset = load(configuration.data, data_dir=configuration.data_dir)
    normalisation = make_normalisation(
        configuration, dataset.x_train, low=dataset.low, high=dataset.high
    )
    train, validation = _split(configuration, flat_normalised(normalisation, dataset.x_train))
    return InMemoryExamples(
        dataset,
        fingerprint(dataset),
        normalisation,
        train=train,
        validation=validation,
        test=Batch(flat_normalised(normalisation, dataset.x_test)),
    )


def flat_normalised(normalisation: Normalisation, x: Array | np.ndarray) -> Array:
    """Normalised examples as float32 rows; ValueError for values beyond the range of float32."""
    return jnp.asarray(normalise(normalisation, x, dtype=np.float32)).reshape(x.shape[0], -1)


def _split(configuration: Training, x: Array) -> tuple[Batch, Batch | None]:
    """Train examples and randomly drawn validation examples, both in the order of x."""
    held_out = round(configuration.validation * len(x))
    if not held_out:
        return Batch(x), None  # without a copy: x may fill half of the memory
    order = np.random.default_rng(configuration.seed).permutation(len(x))
    return Batch(x[np.sort(order[held_out:])]), Batch(x[np.sort(order[:held_out])])
