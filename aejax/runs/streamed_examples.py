"""Examples of a run, streamed from disk: flat, normalised, with a validation part split off."""

from collections.abc import Iterable, Sequence
from functools import partial
from math import prod
from typing import NamedTuple, cast

import jax.numpy as jnp
import numpy as np
import optax

from aejax import training
from aejax.data import (
    Dataset,
    LazyArray,
    Normalisation,
    fingerprint,
    guarded,
    normalise,
    open_stream,
)
from aejax.objectives import Objective
from aejax.runs.builders import make_normalisation
from aejax.runs.configuration import Training
from aejax.runs.in_memory_examples import ShownExamples
from aejax.training import Placement, Stream, TrainState
from aejax.training.batches import resolve_batch_size
from aejax.training.index_shuffle import permute_indices
from aejax.training.records import Callback, Record
from aejax.training.stream_batches import sequential_indices
from aejax.types import Array, Batch

MAX_FINGERPRINT_EXAMPLES = 256
"""Maximum number of evenly spaced examples per split that enter a stream's fingerprint."""

MAX_SHOWN_EXAMPLES = 1000
"""Maximum number of a stream's test examples that reports and the explorer show."""

MAX_PCA_EXAMPLES = 2**14
"""Maximum number of a stream's train examples that PCA is fitted to."""

MAX_PCA_BYTES = 2**28
"""Maximum size of these examples in bytes."""


class StreamedExamples(NamedTuple):
    """`aejax.runs.examples.Examples`, read from disk batch by batch.

    rows: all train examples, validation included, flat and normalised.
    raw:  test examples in the units of the data set.
    """

    shape: tuple[int, ...]
    fingerprint: str
    normalisation: Normalisation
    train: Stream
    validation: Stream | None
    test: Stream
    rows: LazyArray
    raw: LazyArray
    skipped: set[int]

    @property
    def train_size(self) -> int:
        """Number of train examples, without validation."""
        return self.train.examples

    def check(self, configuration: Training, objective: Objective, state: TrainState) -> None:
        """Raise the ValueError that `fit` would raise for the first batch."""
        training.check_stream(
            objective,
            state.params,
            self.train,
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
        """Train on the stream of train examples."""
        training.fit_stream(
            objective,
            optimizer,
            self.train,
            steps_per_epoch=configuration.steps_per_epoch,
            epochs=configuration.epochs,
            validation=self.validation,
            patience=configuration.patience,
            state=state,
            history=history,
            callbacks=callbacks,
            placement=placement,
        )

    def test_batches(self) -> Iterable[np.ndarray]:
        """Test examples in batches of the train batch size, in order."""
        steps = (range(step, step + 1) for step in range(training.steps_per_pass(self.test)))
        return (np.asarray(self.test.read(sequential_indices(self.test, step)).x) for step in steps)

    def pca_examples(self) -> tuple[np.ndarray, dict[str, int]]:
        """Evenly spaced train and validation examples, and how many they are."""
        count = min(MAX_PCA_EXAMPLES, max(1, MAX_PCA_BYTES // (4 * prod(self.shape))))
        indices = np.unique(np.linspace(0, len(self.rows) - 1, count).astype(int))
        batches = np.array_split(indices, -(-len(indices) // self.train.batch_size))
        x_train = np.concatenate([self.rows[batch] for batch in batches])
        return x_train, {"pca_examples": len(x_train)}

    def shown(self) -> ShownExamples:
        """The first test examples, without labels."""
        indices = np.arange(min(MAX_SHOWN_EXAMPLES, self.test.examples))
        batch = Batch(jnp.asarray(self.test.read(indices).x))
        return ShownExamples(self.raw[indices], None, batch)


def load_streamed(configuration: Training) -> StreamedExamples:
    """Open, normalise and split the data set of a configuration without loading it into memory.

    Args:
        configuration: settings of a run.

    Returns:
        The examples. Validation examples are the first of a pseudorandom permutation with the seed
        of the configuration.
    """
    skipped: set[int] = set()
    dataset = open_stream(
        configuration.data,
        data_dir=configuration.data_dir,
        guard=partial(guarded, skip=configuration.skip, skipped=skipped),
        image_mode=configuration.image_mode,
    )
    shape = dataset.train.shape[1:]
    normalisation = make_normalisation(
        configuration, dataset.train, low=dataset.low, high=dataset.high
    )

    def flat_normalised(raw: np.ndarray) -> np.ndarray:
        normalised = np.asarray(normalise(normalisation, raw, dtype=np.float32))
        return normalised.reshape(len(raw), prod(shape))

    def stream(x: LazyArray) -> Stream:
        return Stream(lambda rows: Batch(cast(Array, x[rows])), len(x), size)

    rows, test = (
        x.map(flat_normalised, features=(prod(shape),), dtype=np.float32)
        for x in (dataset.train, dataset.test)
    )
    held_out = round(configuration.validation * len(rows))
    size = resolve_batch_size(configuration.batch_size, len(rows) - held_out)
    permutation = partial(permute_indices, len(rows), configuration.seed)
    return StreamedExamples(
        shape,
        _fingerprint(dataset.train, dataset.test),
        normalisation,
        train=stream(rows.select(len(rows) - held_out, lambda i: permutation(i + held_out))),
        validation=stream(rows.select(held_out, permutation)) if held_out else None,
        test=stream(test),
        rows=rows,
        raw=dataset.test,
        skipped=skipped,
    )


def _fingerprint(train: LazyArray, test: LazyArray) -> str:
    """Fingerprint of the sizes and of a sample: reading everything could take hours."""

    def sample(x: LazyArray) -> np.ndarray:
        return x[np.unique(np.linspace(0, len(x) - 1, MAX_FINGERPRINT_EXAMPLES).astype(int))]

    sizes = np.array([len(train), len(test)])
    return fingerprint(Dataset("", sample(train), sample(test), sizes))
