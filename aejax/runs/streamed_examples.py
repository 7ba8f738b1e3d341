"""A data set that stays on disk as a run sees it: flat, normalised, with validation split off."""

from functools import partial
from math import prod
from typing import NamedTuple, cast

import jax.numpy as jnp
import numpy as np

from aejax.data import (
    Dataset,
    LazyArray,
    Normalisation,
    fingerprint,
    guarded,
    normalise,
    open_stream,
)
from aejax.runs.builders import make_normalisation
from aejax.runs.configuration import Training
from aejax.runs.run import Examples
from aejax.training import Stream
from aejax.training.batches import chosen_batch_size
from aejax.training.index_shuffle import permuted
from aejax.types import Array, Batch

FINGERPRINTED = 256
"""Examples of each split, evenly spread, that a stream's fingerprint is of."""

SHOWN = 1000
"""Test examples of a stream that a report shows."""


class Streamed(NamedTuple):
    """As `Examples`, but read from disk batch by batch.

    rows:    all train examples, validation included, flat and normalised.
    raw:     the test examples as the data set has them.
    skipped: numbers of examples left out so far, in the order of the data.
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


def load_streamed(configuration: Training) -> Streamed:
    """Open, split and normalise the data that the settings name; none of it stays in memory."""
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

    def flat(raw: np.ndarray) -> np.ndarray:
        found = np.asarray(normalise(normalisation, raw, dtype=np.float32))
        return found.reshape(len(raw), prod(shape))

    def stream(x: LazyArray) -> Stream:
        return Stream(lambda rows: Batch(cast(Array, x[rows])), len(x), size)

    rows, test = (
        x.map(flat, features=(prod(shape),), dtype=np.float32)
        for x in (dataset.train, dataset.test)
    )
    held_out = round(configuration.validation * len(rows))
    size = chosen_batch_size(configuration.batch_size, len(rows) - held_out)
    drawn = partial(permuted, len(rows), configuration.seed)
    return Streamed(
        shape,
        _fingerprint(dataset.train, dataset.test),
        normalisation,
        train=stream(rows.select(len(rows) - held_out, lambda i: drawn(i + held_out))),
        validation=stream(rows.select(held_out, drawn)) if held_out else None,
        test=stream(test),
        rows=rows,
        raw=dataset.test,
        skipped=skipped,
    )


def shown(configuration: Training) -> Examples:
    """As many test examples of a stream as a report shows, in memory."""
    streamed = load_streamed(configuration)
    rows = np.arange(min(SHOWN, streamed.test.examples))
    raw = streamed.raw[rows]
    dataset = Dataset(configuration.data, raw, raw)
    test = Batch(jnp.asarray(streamed.test.read(rows).x))
    return Examples(dataset, streamed.fingerprint, streamed.normalisation, test, None, test)


def _fingerprint(train: LazyArray, test: LazyArray) -> str:
    """Of some examples, and of how many there are: the whole would be read for hours."""

    def some(x: LazyArray) -> np.ndarray:
        return x[np.unique(np.linspace(0, len(x) - 1, FINGERPRINTED).astype(int))]

    sizes = np.array([len(train), len(test)])
    return fingerprint(Dataset("", some(train), some(test), sizes))
