"""Evaluation of codes by classification: linear classifiers and fine-tuned networks."""

from collections.abc import Sequence
from functools import partial

import jax
import numpy as np
import optax
from numpy.typing import ArrayLike
from sklearn.linear_model import RidgeClassifierCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import aejax
from aejax import Batch, losses, training
from aejax.types import Autoencoder, Key, Params

ALPHAS = np.logspace(-1, 4, 6)
FEW_LABEL_ALPHAS = np.logspace(0, 4, 5)


def linear_accuracy(
    code: ArrayLike, labels: ArrayLike, code_test: ArrayLike, labels_test: ArrayLike
) -> float:
    """Test accuracy of a ridge classifier on standardised codes.

    Ridge regression of one-hot labels; leave-one-out cross-validation selects the penalty among
    `ALPHAS`, so that nothing is tuned by hand.

    Args:
        code: training codes [examples, units].
        labels: class of each training example.
        code_test: test codes [test examples, units].
        labels_test: class of each test example.

    Returns:
        Accuracy in [0, 1].
    """
    classifier = make_pipeline(StandardScaler(), RidgeClassifierCV(ALPHAS))
    classifier.fit(np.asarray(code), labels)
    return float(classifier.score(np.asarray(code_test), labels_test))


def few_label_accuracy(
    code: np.ndarray,
    code_test: np.ndarray,
    labels: np.ndarray,
    labels_test: np.ndarray,
    draws: Sequence[np.ndarray],
) -> float:
    """Mean test accuracy of ridge classifiers over draws of few labelled examples.

    A code is centred and divided by one scale for all its units, those of all examples: a few
    labelled ones cannot standardise single units. Leave-one-out cross-validation on the labelled
    examples selects the penalty among `FEW_LABEL_ALPHAS`.

    Args:
        code: codes of all training examples, of which the draws are labelled.
        code_test: test codes [test examples, units].
        labels: class of each training example.
        labels_test: class of each test example.
        draws: indices of the labelled examples of each draw.

    Returns:
        Accuracy in [0, 1].
    """
    mean, scale = code.mean(axis=0), code.std(axis=0)
    scale = np.sqrt(np.mean(np.square(scale)))
    code, code_test = (code - mean) / scale, (code_test - mean) / scale
    fits = [RidgeClassifierCV(FEW_LABEL_ALPHAS).fit(code[rows], labels[rows]) for rows in draws]
    return float(np.mean([fitted.score(code_test, labels_test) for fitted in fits]))


def balanced_order(labels: np.ndarray, seed: int) -> np.ndarray:
    """Random order of examples whose every prefix is as class-balanced as possible.

    Args:
        labels: class of each example.
        seed: seed of the order.

    Returns:
        Permutation of the indices of the examples.
    """
    order = np.random.default_rng(seed).permutation(len(labels))
    rank = np.empty(len(labels), int)
    for label in np.unique(labels):
        members = labels[order] == label
        rank[members] = np.arange(members.sum())
    return order[np.argsort(rank, kind="stable")]


@partial(
    jax.jit, static_argnums=0, static_argnames=("classes", "steps", "batch_size", "learning_rate")
)
def train_classifier(
    model: Autoencoder,
    start: Params,
    batch: Batch,
    key: Key,
    *,
    classes: int,
    steps: int,
    batch_size: int,
    learning_rate: float,
) -> Params:
    """Train a network from inputs to class logits by Adam, for at least four epochs.

    Args:
        model: network whose decoder outputs the logits.
        start: initial parameters.
        batch: labelled examples.
        key: key of the order of the examples.
        classes: number of classes.
        steps: approximate number of steps, if more than four epochs.
        batch_size: examples per step, at most the number of examples.
        learning_rate: learning rate of Adam.

    Returns:
        Trained parameters.
    """
    loss = losses.categorical_labels(classes=classes)
    objective = aejax.objective(model._replace(init=lambda _: start), loss)
    size = min(batch_size, len(batch.x))
    epochs = max(4, steps * size // len(batch.x))
    optimizer = optax.adam(learning_rate)
    state, _ = training.train(objective, optimizer, batch, key, epochs=epochs, batch_size=size)
    return state.params
