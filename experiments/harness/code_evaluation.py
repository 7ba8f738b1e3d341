"""Training and evaluation of codes as features: an autoencoder's and PCA scores of equal size."""

from collections.abc import Callable, Sequence
from functools import partial
from typing import NamedTuple, Protocol

import jax
import jax.numpy as jnp
import numpy as np
from sklearn.decomposition import PCA

import aejax
from aejax import Batch, corruptions, data, losses, training
from experiments.harness.experiment import Results
from experiments.harness.features import (
    LabelledCodes,
    clustering_agreement,
    density_measures,
    fit_clusters,
    neighbour_accuracy,
)
from experiments.harness.records import PartCache, stack_seeds
from experiments.harness.training import adam_with_cosine_decay, flatten_and_scale

METHODS = OURS, THEIRS = ("autoencoder", "PCA")

Project = Callable[[np.ndarray], np.ndarray]
"""Map from examples to codes, or back."""


class CodeSettings(Protocol):
    """Fields of a `Config` that determine data, model and training of a code."""

    train: int
    known: int
    validation: int
    test: int
    size: int
    hidden: tuple[int, ...]
    masked: float
    epochs: int
    batch_size: int
    learning_rate: float
    seeds: int
    seed: int
    held_out: bool


class Parts(NamedTuple):
    """Examples with labels: to learn codes, for clusters and neighbours, for bandwidths, test."""

    learned: LabelledCodes
    known: LabelledCodes
    validation: LabelledCodes
    test: LabelledCodes


def evaluate_codes(settings: CodeSettings, dataset: data.Dataset, cache: PartCache) -> Results:
    """Train an autoencoder with every seed; evaluate its code and PCA scores as features.

    Args:
        settings: settings of data, model and training.
        dataset: data set with bounds and labels.
        cache: cache of the results of each seed.

    Returns:
        By method, "accuracy of clusters" and the other measures of `measure_codes`, one value per
        seed. Arrays of the first seed, by method: "codes" of the test examples, "centres" of
        k-means clusters, and "images", the centres decoded; and the "labels" of the test examples.
    """
    parts = split_examples(settings, dataset)
    sizes = (parts.test.code.shape[1], *settings.hidden, settings.size)
    model = aejax.dense(sizes, activation=jax.nn.gelu, code_activation=jax.nn.identity)
    masking = corruptions.masking(rate=settings.masked) if settings.masked else None
    objective = aejax.objective(model, losses.bernoulli, corruption=masking)
    optimizer = adam_with_cosine_decay(settings, settings.train)

    def evaluate(seed: int) -> Results:
        state, _ = training.fit(
            objective,
            optimizer,
            Batch(parts.learned.code),
            key=jax.random.fold_in(jax.random.key(settings.seed), seed),
            epochs=settings.epochs,
            batch_size=settings.batch_size,
        )
        encode = jax.jit(partial(model.encode, state.params))

        def decode(code: np.ndarray) -> np.ndarray:
            return np.asarray(objective.loss.mean(model.decode(state.params, jnp.asarray(code))))

        return measure_codes(parts, encode, decode, [settings.seed + seed])

    def evaluate_scores() -> Results:
        pca = PCA(settings.size, random_state=settings.seed).fit(parts.learned.code)
        seeds = [settings.seed + seed for seed in range(settings.seeds)]
        return measure_codes(parts, pca.transform, pca.inverse_transform, seeds)

    theirs = cache(THEIRS, evaluate_scores)
    ours = [cache(f"seed {seed}", partial(evaluate, seed)) for seed in range(settings.seeds)]
    arrays = {
        f"{method} {name}": array
        for method, part in zip(METHODS, (ours[0], theirs), strict=True)
        for name, array in part.arrays.items()
    }
    metrics = {
        name: [value for part in ours for value in part.metrics[name]] for name in ours[0].metrics
    }
    return Results({OURS: metrics, THEIRS: theirs.metrics}, arrays | {"labels": parts.test.labels})


def split_examples(settings: CodeSettings, dataset: data.Dataset) -> Parts:
    """Split flattened examples; if `held_out`, the last training examples replace the test set."""
    x, x_test = map(np.asarray, flatten_and_scale(dataset))
    labels, labels_test = np.asarray(dataset.labels_train), np.asarray(dataset.labels_test)
    if settings.held_out:
        x, x_test = x[: -settings.test], x[-settings.test :]
        labels, labels_test = labels[: -settings.test], labels[-settings.test :]
    step, end = max(1, len(x_test) // settings.test), settings.train + settings.validation
    return Parts(
        LabelledCodes(x[: settings.train], labels[: settings.train]),
        LabelledCodes(x[: settings.known], labels[: settings.known]),
        LabelledCodes(x[settings.train : end], labels[settings.train : end]),
        LabelledCodes(x_test[::step][: settings.test], labels_test[::step][: settings.test]),
    )


def measure_codes(parts: Parts, encode: Project, decode: Project, seeds: Sequence[int]) -> Results:
    """Measure codes as features: clusters, nearest neighbours and kernel densities.

    Args:
        parts: examples with labels.
        encode: examples -> codes.
        decode: codes -> examples.
        seeds: seeds of k-means, one value of each measure per seed.
    """
    known, validation, test = (
        LabelledCodes(np.asarray(encode(part.code)), part.labels) for part in parts[1:]
    )
    fixed = {
        "accuracy of neighbours": neighbour_accuracy(known, test),
        **density_measures(known, validation, test),
    }
    metrics = stack_seeds([clustering_agreement(known, test, seed) | fixed for seed in seeds])
    centres = fit_clusters(known, seeds[0]).cluster_centers_
    return Results(metrics, {"codes": test.code, "centres": centres, "images": decode(centres)})
