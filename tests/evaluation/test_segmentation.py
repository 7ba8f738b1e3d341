"""Segmentation measures against scikit-learn, and class weights against their definition."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from sklearn import metrics

import aejax
from aejax import losses, training
from aejax.evaluation import (
    confusion_matrix,
    median_frequency_weights,
    segmentation_batch,
    segmentation_measures,
)

CLASSES, VOID = 4, 11


@pytest.fixture
def maps():
    """Labels with void pixels and without class 3, and predictions of every class."""
    rng = np.random.default_rng(0)
    labels = rng.choice([0, 1, 2, VOID], p=[0.6, 0.2, 0.1, 0.1], size=(5, 6, 7))
    return labels.astype(np.uint8), rng.integers(0, CLASSES, size=labels.shape)


def test_the_confusion_matrix_matches_scikit_learn_without_void_and_parts_add_up(maps):
    labels, predicted = maps
    found = confusion_matrix(*map(jnp.asarray, maps), classes=CLASSES)
    known = labels != VOID
    expected = metrics.confusion_matrix(labels[known], predicted[known], labels=range(CLASSES))
    np.testing.assert_array_equal(found, expected)
    halves = [[jnp.asarray(array[part]) for array in maps] for part in (np.s_[:2], np.s_[2:])]
    parts = [confusion_matrix(*half, classes=CLASSES) for half in halves]
    np.testing.assert_array_equal(sum(parts), expected)


def test_measures_are_scikit_learns(maps, x64):
    labels, predicted = maps
    found = segmentation_measures(confusion_matrix(*map(jnp.asarray, maps), classes=CLASSES))
    pixels = [array[labels != VOID] for array in (labels, predicted)]
    np.testing.assert_allclose(found.global_accuracy, metrics.accuracy_score(*pixels))
    recall = metrics.recall_score(*pixels, labels=range(3), average=None)
    np.testing.assert_allclose(found.class_accuracy, [*recall, np.nan])
    np.testing.assert_allclose(found.class_average, recall.mean())
    iou = metrics.jaccard_score(*pixels, labels=range(CLASSES), average=None)
    np.testing.assert_allclose(found.iou, iou)
    np.testing.assert_allclose(found.mean_iou, iou.mean())


def test_a_class_without_pixels_is_ignored_in_the_means():
    found = segmentation_measures(jnp.diag(jnp.array([5, 0, 2])))
    assert found.mean_iou == found.class_average == found.global_accuracy == 1
    assert np.isnan(found.iou[1])


def test_class_weights_match_their_definition(maps):
    labels, _ = maps
    labels = np.concatenate([labels, np.zeros((1, 6, 7), np.uint8)])  # an image without 1 and 2
    shares = []
    for c in range(3):
        holding = labels[(labels == c).any(axis=(1, 2))]
        shares.append((holding == c).sum() / holding.size)
    expected = [*(np.median(shares) / np.array(shares)), 0]
    found = median_frequency_weights(jnp.asarray(labels), classes=CLASSES)
    np.testing.assert_allclose(found, expected, rtol=1e-6)


def test_class_weights_of_camvid_are_near_the_published_ones(shared_data):
    path = shared_data / "camvid" / "camvid_120x90.npz"
    if not path.exists():
        pytest.skip(f"{path} is missing")
    with np.load(path) as arrays:
        found = median_frequency_weights(jnp.asarray(arrays["train_labels"]), classes=11)
    published = [0.2595, 0.1826, 4.5640, 0.1417, 0.9051, 0.3826, 1.8418, 0.6823, 6.2478, 7.3614]
    # From SegNet's training configuration, at 480x360. Its weight of class 6 (signs) is far from
    # the definition.
    np.testing.assert_allclose(np.delete(found, 6), published, rtol=0.2)


def test_void_pixels_change_neither_loss_nor_gradient(maps):
    labels, _ = maps
    weights = jnp.array([1.0, 2.0, 4.0, 0.0])
    x = jax.random.normal(jax.random.key(0), (*labels.shape, 2))
    batch = segmentation_batch(x, jnp.asarray(labels), weights)
    model = aejax.Autoencoder(
        lambda key: {"kernel": jax.random.normal(key, (2, CLASSES))},
        lambda params, x: x,
        lambda params, code: code @ params["kernel"],
    )
    objective = aejax.objective(model, losses.categorical_labels(classes=CLASSES))
    params = model.init(jax.random.key(1))
    training.check_training(objective, params, batch, batch_size=2)

    @jax.jit
    @jax.value_and_grad
    def loss_of(params, batch):
        return objective(params, batch, jax.random.key(2))[0]

    loss, gradient = loss_of(params, batch)
    log_probabilities = jax.nn.log_softmax(x @ params["kernel"])
    known = labels != VOID
    chosen = np.asarray(log_probabilities)[known, labels[known]]
    expected = -(np.asarray(weights)[labels[known]] * chosen).sum() / labels.size
    np.testing.assert_allclose(loss, expected, rtol=1e-5)
    elsewhere = batch._replace(x=jnp.where(known[..., None], x, 9.0))
    _, moved = loss_of(params, elsewhere)
    np.testing.assert_allclose(moved["kernel"], gradient["kernel"], rtol=1e-5)
