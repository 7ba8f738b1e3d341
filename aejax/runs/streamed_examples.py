"""Examples of a run, streamed from disk, and the choice between a stream and memory."""

from collections.abc import Iterator
from functools import partial
from math import prod
from typing import cast

import jax.numpy as jnp
import numpy as np

from aejax import training
from aejax.data import (
    Dataset,
    LazyArray,
    fingerprint,
    guarded,
    open_stream,
)
from aejax.runs.builders import input_shape
from aejax.runs.configuration import Options, image_form, validation_seed
from aejax.runs.default_settings import complete
from aejax.runs.examples import (
    Examples,
    ShownExamples,
    facts_of,
    load_in_memory,
    model_rows,
)
from aejax.runs.fitted_normalisation import make_normalisation
from aejax.runs.run import Run, with_data_path
from aejax.training import Stream
from aejax.training.batches import resolve_batch_size
from aejax.training.index_shuffle import permute_indices
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


def load_examples(options: Options) -> Examples:
    """Open the data set of a run, in memory or as a stream."""
    return load_streamed(options) if options.stream else load_in_memory(options)


def load_seen_examples(run: Run) -> ShownExamples:
    """Load the test examples of a run; ValueError if its data have changed since."""
    return load_trained_examples(run).shown()


def load_trained_examples(run: Run) -> Examples:
    """Load all examples of a run; ValueError if its data have changed since."""
    examples = load_examples(with_data_path(run.configuration, run.about.folder))
    if examples.fingerprint != run.about.fingerprint:
        raise ValueError(
            f"{run.configuration.data} is no longer the data that the run was trained on"
        )
    return examples


def load_streamed(options: Options) -> Examples:
    """Open, normalise and split the data set of a run without loading it into memory.

    Args:
        options: settings of the run, which the data complete.

    Returns:
        The examples. Validation examples are the first of a pseudorandom permutation with the seed
        of the options.
    """
    skipped: set[int] = set()
    images = image_form(options)
    dataset = open_stream(
        options.data,
        data_dir=options.data_dir,
        guard=partial(guarded, skip=options.skip, skipped=skipped),
        image_mode=images.mode,
        resize=images.resize,
        crop=images.crop,
    )
    shape = dataset.train.shape[1:]
    facts = facts_of(options, dataset.train, low=dataset.low, high=dataset.high)
    configuration = complete(options, facts)
    normalisation = make_normalisation(
        configuration, dataset.train, low=dataset.low, high=dataset.high
    )

    model_shape = input_shape(configuration, shape)

    def stream(x: LazyArray) -> Stream:
        return Stream(lambda rows: Batch(cast(Array, x[rows])), len(x), size)

    rows, test_rows = (
        x.map(
            lambda raw: model_rows(normalisation, raw, model_shape),
            features=model_shape,
            dtype=np.float32,
        )
        for x in (dataset.train, dataset.test)
    )
    held_out = facts.validation_size
    size = resolve_batch_size(configuration.batch_size, facts.train_size)
    test = stream(test_rows)
    permutation = partial(permute_indices, len(rows), validation_seed(configuration))
    train_rows = rows.select(len(rows) - held_out, lambda i: permutation(i + held_out))
    train = stream(train_rows)
    validation = stream(rows.select(held_out, permutation)) if held_out else None

    def test_batches() -> Iterator[Batch]:
        for step in range(training.steps_per_pass(test)):
            yield test.read(sequential_indices(test, range(step, step + 1)))

    def sample(source: LazyArray) -> np.ndarray:
        count = min(MAX_PCA_EXAMPLES, max(1, MAX_PCA_BYTES // (4 * prod(shape))))
        indices = np.unique(np.linspace(0, len(source) - 1, count).astype(int))
        batches = np.array_split(indices, -(-len(indices) // size))
        return np.concatenate([source[batch] for batch in batches])

    def pca_examples() -> tuple[np.ndarray, dict[str, int]]:
        x_train = sample(rows)
        return x_train, {"pca_examples": len(x_train)}

    def shown() -> ShownExamples:
        indices = _shown_indices(test.examples, dataset.labels_test)
        batch = Batch(jnp.asarray(test.read(indices).x))
        labels = None if dataset.labels_test is None else dataset.labels_test[indices]
        return ShownExamples(dataset.test[indices], labels, batch, dataset.classes)

    return Examples(
        configuration,
        facts,
        _fingerprint(dataset.train, dataset.test),
        normalisation,
        check=partial(training.check_stream, stream=train, validation=validation),
        fit=partial(
            training.fit_stream,
            stream=train,
            steps_per_epoch=configuration.steps_per_epoch,
            validation=validation,
        ),
        test_batches=test_batches,
        train_sample=lambda: sample(train_rows),
        pca_examples=pca_examples,
        pca_weight=lambda: None,
        shown=shown,
        skipped=skipped,
        classes=dataset.classes,
    )


def _shown_indices(examples: int, labels: np.ndarray | None) -> np.ndarray:
    """Indices of the first test examples; of evenly spaced ones if they are sorted by class."""
    count = min(MAX_SHOWN_EXAMPLES, examples)
    return np.arange(count) if labels is None else np.arange(count) * examples // count


def _fingerprint(train: LazyArray, test: LazyArray) -> str:
    """Fingerprint of the sizes and of a sample: reading everything could take hours."""

    def sample(x: LazyArray) -> np.ndarray:
        return x[np.unique(np.linspace(0, len(x) - 1, MAX_FINGERPRINT_EXAMPLES).astype(int))]

    sizes = np.array([len(train), len(test)])
    return fingerprint(Dataset("", sample(train), sample(test), sizes))
