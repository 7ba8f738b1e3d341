"""Segmentation, a class for every pixel: batches that leave void out, and measures of success.

Void is any label outside [0, classes − 1]: pixels that nobody named. They train and count nothing.
"""

from typing import NamedTuple

import jax.numpy as jnp
from jaxtyping import Float, Integer

from aejax.types import Array, Batch


class SegmentationMeasures(NamedTuple):
    """How well classes were found.

    global_accuracy: share of all pixels whose class was found.
    class_accuracy:  share of each class's pixels that were found (its recall).
    class_average:   mean of the class accuracies.
    iou:             of each class, labelled and predicted pixels: intersection over union.
    mean_iou:        mean of the IoUs.

    A class without labelled pixels has accuracy NaN, one neither labelled nor predicted IoU NaN;
    the means leave these out, and are NaN only where there is no pixel at all.
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
    """A batch for `losses.categorical_labels`: each pixel weighs as its class, void nothing.

    Args:
        x: images.
        labels: the class of each pixel, or void.
        class_weights: weight of each class.

    Returns:
        The `Batch`: void pixels have label 0 and weight 0. Weights are divided by the number of
        pixels, so that the objective, a sum over pixels, is a mean over them.
    """
    classes = class_weights.shape[0]
    named = (labels >= 0) & (labels < classes)
    target = jnp.where(named, labels, 0)
    pixels = labels[0].size
    weight = jnp.where(named, class_weights[target], 0) / pixels
    return Batch(x, target, weight)


def median_frequency_weights(
    labels: Integer[Array, "examples *spatial"], *, classes: int
) -> Float[Array, " classes"]:
    """Class weights that balance rare classes: median(f)/f_c.

    f_c is the share of class c among the pixels, void ones included, of the images that hold c.

    Args:
        labels: the class of each pixel, or void.
        classes: number of classes.

    Returns:
        The weights; 0 for a class that no image holds, which the median leaves out.

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
    """How many pixels of each class, a row, were given each class, a column. Void is left out.

    Matrices of parts of the data add up to that of the whole. Counts are int32, for fewer than
    2³¹ pixels.

    Args:
        labels: the class of each pixel, or void.
        predicted: the class given to it, in [0, classes − 1].
        classes: number of classes.

    Returns:
        The counts.
    """
    named = (labels >= 0) & (labels < classes)
    cell = jnp.where(named, labels.astype(int) * classes + predicted, classes * classes)
    counts = jnp.bincount(cell.ravel(), length=classes * classes + 1)
    return counts[:-1].reshape(classes, classes)


def segmentation_measures(
    confusion: Integer[Array, "classes classes"],
) -> SegmentationMeasures:
    """Global accuracy, class average and mean IoU of a confusion matrix.

    Args:
        confusion: of `confusion_matrix`, summed over all data: the means over classes are taken
            once, of the sums.

    Returns:
        The `SegmentationMeasures`.

    Source: Badrinarayanan, Kendall & Cipolla 2017, §4.1; Long, Shelhamer & Darrell 2015, §5.
    """
    found = jnp.diagonal(confusion)
    labelled, predicted = confusion.sum(axis=1), confusion.sum(axis=0)
    class_accuracy, iou = found / labelled, found / (labelled + predicted - found)
    return SegmentationMeasures(
        global_accuracy=found.sum() / confusion.sum(),
        class_accuracy=class_accuracy,
        class_average=jnp.nanmean(class_accuracy),
        iou=iou,
        mean_iou=jnp.nanmean(iou),
    )
