"""Semantic segmentation: batches with masked void pixels, class weights and accuracy measures.

Unlabelled pixels are void: their label is any integer outside [0, classes − 1]. They are ignored in
training and in the measures.
"""

from typing import NamedTuple

import jax.numpy as jnp
from jaxtyping import Float, Integer

from aejax.types import Array, Batch


class SegmentationMeasures(NamedTuple):
    """Accuracy measures of a segmentation.

    global_accuracy: fraction of pixels with the correct class.
    class_accuracy:  recall of each class.
    class_average:   mean of the class accuracies.
    iou:             intersection over union of the labelled and predicted pixels of each class.
    mean_iou:        mean of the IoUs.

    The accuracy of a class without labelled pixels is NaN, and so is the IoU of a class without
    labelled or predicted pixels. The means ignore NaN; they are NaN if no pixel is labelled.
    """

    global_accuracy: Float[Array, ""]
    class_accuracy: Float[Array, " classes"]
    class_average: Float[Array, ""]
    iou: Float[Array, " classes"]
    mean_iou: Float[Array, ""]


def segmentation_batch(
    x: Float[Array, "examples *spatial channels"],
    labels: Integer[Array, "examples *spatial"],
    class_weights: Float[Array, " classes"],
) -> Batch:
    """Batch for `losses.categorical_labels`, with weights by class and weight 0 for void.

    Args:
        x: images.
        labels: class of each pixel, or void.
        class_weights: weight of each class.

    Returns:
        The `Batch`; void pixels have label 0 and weight 0. Weights are divided by the number of
        pixels, so that the objective, a sum over pixels, is a mean over them.
    """
    classes = class_weights.shape[0]
    labelled = (labels >= 0) & (labels < classes)
    target = jnp.where(labelled, labels, 0)
    pixels = labels[0].size
    weight = jnp.where(labelled, class_weights[target], 0) / pixels
    return Batch(x, target, weight)


def median_frequency_weights(
    labels: Integer[Array, "examples *spatial"], *, classes: int
) -> Float[Array, " classes"]:
    """Class weights median(f)/f_c, larger for rare classes (median frequency balancing).

    f_c is the frequency of class c among the pixels, void included, of the images that contain c.

    Args:
        labels: class of each pixel, or void.
        classes: number of classes.

    Returns:
        The weights; 0 for a class that no image contains, which the median ignores.

    Source: Eigen & Fergus 2015, §6.3 (median frequency balancing).
    """
    axes = tuple(range(1, labels.ndim))
    counts = jnp.stack([jnp.sum(labels == c, axis=axes) for c in range(classes)])
    pixels = jnp.sum(counts > 0, axis=1) * labels[0].size
    frequency = jnp.where(pixels > 0, jnp.sum(counts, axis=1) / jnp.maximum(pixels, 1), jnp.nan)
    return jnp.nan_to_num(jnp.nanmedian(frequency) / frequency, nan=0.0)


def confusion_matrix(
    labels: Integer[Array, "*shape"], predicted: Integer[Array, "*shape"], *, classes: int
) -> Integer[Array, "classes classes"]:
    """Confusion matrix: number of pixels by label (row) and predicted class (column), without void.

    Matrices of several batches can be added. Counts are int32, for fewer than 2³¹ pixels.

    Args:
        labels: class of each pixel, or void.
        predicted: predicted class of each pixel, in [0, classes − 1].
        classes: number of classes.

    Returns:
        The counts.

    Example:
        >>> import jax.numpy as jnp
        >>> from aejax import evaluation
        >>> labels, predicted = jnp.array([0, 1, 1, 255]), jnp.array([0, 1, 0, 1])
        >>> evaluation.confusion_matrix(labels, predicted, classes=2).tolist()
        [[1, 0], [1, 1]]
    """
    labelled = (labels >= 0) & (labels < classes)
    cell = jnp.where(labelled, labels.astype(int) * classes + predicted, classes * classes)
    counts = jnp.bincount(cell.ravel(), length=classes * classes + 1)
    return counts[:-1].reshape(classes, classes)


def segmentation_measures(
    confusion: Integer[Array, "classes classes"],
) -> SegmentationMeasures:
    """Global accuracy, class average and mean IoU of a confusion matrix.

    Args:
        confusion: sum of `confusion_matrix` over all data.

    Returns:
        The `SegmentationMeasures`.

    Source: Badrinarayanan, Kendall & Cipolla 2017, §4.1; Long, Shelhamer & Darrell 2015, §5.
    """
    correct = jnp.diagonal(confusion)
    labelled, predicted = confusion.sum(axis=1), confusion.sum(axis=0)
    class_accuracy, iou = correct / labelled, correct / (labelled + predicted - correct)
    return SegmentationMeasures(
        global_accuracy=correct.sum() / confusion.sum(),
        class_accuracy=class_accuracy,
        class_average=jnp.nanmean(class_accuracy),
        iou=iou,
        mean_iou=jnp.nanmean(iou),
    )
