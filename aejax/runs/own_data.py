"""Examples of a run of `aejax.runs.train`: normalised, in memory or as a stream."""

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple, SupportsIndex

import jax
import numpy as np

from aejax import training
from aejax.batch_inputs import as_batch, check_lengths
from aejax.data import Normalisation, identity, normalise
from aejax.data.dataset import fingerprint_arrays
from aejax.training import Stream
from aejax.training.batches import resolve_batch_size
from aejax.training.stream_batches import checked_stream
from aejax.types import Batch, BatchLike

MAX_FINGERPRINT_EXAMPLES = 256
"""Maximum number of evenly spaced examples of a stream that enter its fingerprint."""


class OwnData(NamedTuple):
    """Examples for training.

    check:         `training.check_training` or `check_stream` for the train examples.
    fit:           `training.fit` or `fit_stream` for the train examples.
    shape:         shape of one example.
    dtype:         dtype of the examples in training.
    batch_size:    number of examples per step.
    fingerprint:   fingerprint of train and validation examples.
    normalisation: normalisation, with the shape of one example.
    has_target:    whether the model predicts targets that are not the examples.
    """

    check: Callable[..., None]
    fit: Callable[..., Any]
    shape: tuple[int, ...]
    dtype: str
    batch_size: int
    fingerprint: str
    normalisation: Normalisation
    has_target: bool


def prepare(
    data: BatchLike | Stream,
    *,
    validation: BatchLike | Stream | None,
    normalisation: Normalisation | None,
    batch_size: SupportsIndex | None,
    steps_per_epoch: SupportsIndex | None,
) -> OwnData:
    """Normalise the examples of a user, and bind them to the functions that train on them.

    Args:
        data: train examples: a `Batch`, x alone, or a `training.Stream`.
        validation: validation examples of the same kind, or None.
        normalisation: normalisation of x (default: none, x is used as it is).
        batch_size: number of examples per step (default: 128, or all examples if fewer).
        steps_per_epoch: number of steps of an epoch of a stream (default: one pass).

    Returns:
        The examples.

    Raises:
        ValueError: if an argument does not belong to this kind of data, or the normalisation does
            not fit the examples.
    """
    if isinstance(data, Stream):
        return _streamed(data, validation, normalisation, batch_size, steps_per_epoch)
    if steps_per_epoch is not None:
        raise ValueError("steps_per_epoch needs a training.Stream; an epoch is all examples")
    train = normalised_batch(data, normalisation)
    held_out = (
        None
        if validation is None
        else normalised_batch(validation, normalisation, "the validation data")
    )
    size = resolve_batch_size(batch_size, train.x.shape[0])
    bound = {"data": train, "batch_size": size, "validation": held_out}
    return OwnData(
        partial(training.check_training, **bound),
        partial(training.fit, **bound),
        *_kind(train),
        size,
        _fingerprint(train, held_out),
        _of_shape(normalisation, train),
        train.target is not None,
    )


def normalised_batch(
    data: BatchLike, normalisation: Normalisation | None, name: str = "the data"
) -> Batch:
    """Convert examples to a `Batch`, and normalise its x.

    Args:
        data: a `Batch` or x alone.
        normalisation: normalisation of x, or None.
        name: name of the data in error messages.

    Returns:
        The batch.

    Raises:
        ValueError: as `as_batch` and `normalise`; if targets would not be normalised.
    """
    batch = as_batch(data, name)
    check_lengths(batch)
    if normalisation is None:
        return batch
    if batch.target is not None:
        raise ValueError(
            f"normalisation applies to x alone, but {name} have targets: normalise both before, "
            "and leave normalisation out"
        )
    return batch._replace(x=normalise(normalisation, batch.x))


def _streamed(
    data: Stream,
    validation: Any,
    normalisation: Normalisation | None,
    batch_size: SupportsIndex | None,
    steps_per_epoch: SupportsIndex | None,
) -> OwnData:
    if batch_size is not None:
        raise ValueError("leave batch_size out: a training.Stream has its own")
    train, held_out = (
        None if stream is None else _normalised_stream(stream, normalisation)
        for stream in (data, validation)
    )
    assert train is not None
    sample = _sample(train)
    return OwnData(
        partial(training.check_stream, stream=train, validation=held_out),
        partial(
            training.fit_stream, stream=train, validation=held_out, steps_per_epoch=steps_per_epoch
        ),
        *_kind(sample),
        train.batch_size,
        _fingerprint(sample, None if held_out is None else _sample(held_out)),
        _of_shape(normalisation, sample),
        sample.target is not None,
    )


def _normalised_stream(stream: Stream, normalisation: Normalisation | None) -> Stream:
    checked = checked_stream(stream)

    def read(rows: np.ndarray) -> Batch:
        return normalised_batch(checked.read(rows), normalisation)

    return checked if normalisation is None else checked._replace(read=read)


def _sample(stream: Stream) -> Batch:
    """Evenly spaced examples of a stream."""
    indices = np.linspace(0, stream.examples - 1, MAX_FINGERPRINT_EXAMPLES).astype(int)
    return as_batch(stream.read(np.unique(indices)))


def _kind(batch: Batch) -> tuple[tuple[int, ...], str]:
    """Shape and dtype of one example in training."""
    return tuple(batch.x.shape[1:]), str(jax.dtypes.canonicalize_dtype(batch.x.dtype))


def _fingerprint(train: Batch, validation: Batch | None) -> str:
    parts = {"train": train, "validation": validation}
    return fingerprint_arrays(
        {
            f"{part} {field}": array
            for part, batch in parts.items()
            if batch is not None
            for field, array in batch._asdict().items()
            if array is not None
        }
    )


def _of_shape(normalisation: Normalisation | None, batch: Batch) -> Normalisation:
    found = identity() if normalisation is None else normalisation
    parts = (np.broadcast_to(np.asarray(part, float), batch.x.shape[1:]) for part in found)
    return Normalisation(*map(np.array, parts))
