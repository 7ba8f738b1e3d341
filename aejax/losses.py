"""Elementwise reconstruction losses, each with the link function g that maps the output to x̂.

The formulas are functions of arrays; each `Loss` pairs a formula with its link. Nothing is reduced
here: `objective` sums over features and averages over the batch, once.
"""

from collections.abc import Sequence
from itertools import accumulate

import jax
import jax.numpy as jnp
from jaxtyping import Float, Integer

from aejax.hyperparameters import check_range
from aejax.likelihoods import continuous_bernoulli as continuous_bernoulli
from aejax.likelihoods import discretised_logistic as discretised_logistic
from aejax.likelihoods import gaussian as gaussian
from aejax.likelihoods import gaussian_with_variance as gaussian_with_variance
from aejax.types import Array, Loss


def squared_error(
    x_hat: Float[Array, "*shape"], x: Float[Array, "*shape"]
) -> Float[Array, "*shape"]:
    """Squared error (x̂ − x)² of each element, without a factor ½.

    Args:
        x_hat: reconstruction x̂, any real value.
        x: target, any real value.

    Returns:
        The error of each element, with the target's shape and dtype.

    Raises:
        ValueError: if the shapes differ; nothing is broadcast.

    Example:
        >>> import jax.numpy as jnp
        >>> from aejax.losses import squared_error
        >>> squared_error(jnp.array([1.0, 2.0]), jnp.array([0.0, 4.0]))
        Array([1., 4.], dtype=float32)

    Source: Bourlard & Kamp 1988, eq. 1 (summed over elements).
    """
    _check_shapes(x_hat, x)
    return jnp.square(x_hat - x)


def squared_error_from_logits(
    logits: Float[Array, "*shape"], x: Float[Array, "*shape"]
) -> Float[Array, "*shape"]:
    """Squared error of sigmoid outputs, (σ(logits) − x)², for targets in [0, 1].

    Args:
        logits: output before the sigmoid σ(a) = 1/(1 + e^{−a}).
        x: target; values outside [0, 1] cannot be reached.

    Returns:
        The error of each element, with the target's shape and dtype.

    Raises:
        ValueError: if the shapes differ; nothing is broadcast.

    Source: Hinton & Salakhutdinov 2006 (the error measure of their fig. 2).
    """
    return squared_error(jax.nn.sigmoid(logits), x)


def squared_error_from_tanh(
    output: Float[Array, "*shape"], x: Float[Array, "*shape"]
) -> Float[Array, "*shape"]:
    """Squared error of tanh outputs, (tanh(output) − x)², for targets in [−1, 1].

    Args:
        output: output before the tanh.
        x: target; values outside [−1, 1] cannot be reached.

    Returns:
        The error of each element, with the target's shape and dtype.

    Raises:
        ValueError: if the shapes differ; nothing is broadcast.

    Source: Vincent et al. 2010, §2.2 (outputs in the range of the inputs).
    """
    return squared_error(jnp.tanh(output), x)


def bernoulli_cross_entropy(
    logits: Float[Array, "*shape"], x: Float[Array, "*shape"]
) -> Float[Array, "*shape"]:
    """Bernoulli cross-entropy −x log x̂ − (1 − x) log(1 − x̂), x̂ = σ(logits), in nats.

    Computed from log σ(±logits), so it is accurate in both tails and finite for any finite logit;
    its derivative with respect to the logit is x̂ − x.

    Args:
        logits: output before the sigmoid.
        x: target, a probability in [0, 1] (binary or a grey value).

    Returns:
        The loss of each element, with the target's shape and dtype.

    Raises:
        ValueError: if the shapes differ; nothing is broadcast.

    Example:
        >>> import jax.numpy as jnp
        >>> from aejax.losses import bernoulli_cross_entropy
        >>> bernoulli_cross_entropy(jnp.array([0.0, 2.0]), jnp.array([1.0, 0.0])).round(3)
        Array([0.693, 2.127], dtype=float32)

    Source: Vincent et al. 2010, eq. 3.
    """
    _check_shapes(logits, x)
    return -x * jax.nn.log_sigmoid(logits) - (1 - x) * jax.nn.log_sigmoid(-logits)


def categorical_cross_entropy(
    logits: Float[Array, "*shape classes"], x: Float[Array, "*shape classes"]
) -> Float[Array, "*shape classes"]:
    """Term −x_k log x̂_k of each class in the cross-entropy, x̂ = softmax(logits), in nats.

    The sum over classes, which the objective takes, is the cross-entropy of x and x̂; for counts it
    is the multinomial negative log-likelihood up to a constant.

    Args:
        logits: output before the softmax over the last axis.
        x: non-negative target: one-hot classes, probabilities or counts.

    Returns:
        The term of each class, with the target's shape and dtype.

    Raises:
        ValueError: if the shapes differ; nothing is broadcast.

    Source: Bridle 1990; Bishop 2006, eq. 4.108.
    """
    _check_shapes(logits, x)
    return -x * jax.nn.log_softmax(logits)


def categorical_cross_entropy_of_labels(
    logits: Float[Array, "*shape classes"], labels: Integer[Array, "*shape"]
) -> Float[Array, "*shape"]:
    """Cross-entropy −log softmax(logits)_label of one integer class per element, in nats.

    Args:
        logits: output before the softmax over the last axis, which indexes the classes.
        labels: class of each element, in [0, classes − 1].

    Returns:
        The loss of each element, with the shape of the labels and the dtype of the logits.

    Raises:
        ValueError: if the shapes do not match, or a concrete label is out of range.

    Example:
        >>> import jax.numpy as jnp
        >>> from aejax.losses import categorical_cross_entropy_of_labels
        >>> categorical_cross_entropy_of_labels(jnp.zeros((2, 4)), jnp.array([0, 3])).round(3)
        Array([1.386, 1.386], dtype=float32)

    Source: Bridle 1990; Long, Shelhamer & Darrell 2015 (per pixel).
    """
    if logits.shape[:-1] != labels.shape:
        raise ValueError(
            f"logits must have the shape of the labels and a last axis of classes, got logits "
            f"{list(logits.shape)} and labels {list(labels.shape)}"
        )
    check_range("labels", labels, 0, logits.shape[-1] - 1)
    chosen = jnp.take_along_axis(jax.nn.log_softmax(logits), labels[..., None], axis=-1)
    return -chosen[..., 0]


def _check_shapes(output: Array, target: Array) -> None:
    if output.shape != target.shape:
        raise ValueError(
            f"output and target must have the same shape, got {list(output.shape)} "
            f"and {list(target.shape)}"
        )


squared = Loss(squared_error, jax.nn.identity, support=(-jnp.inf, jnp.inf))
"""Squared error with a linear output, for real inputs."""

squared_logistic = Loss(squared_error_from_logits, jax.nn.sigmoid, support=(0.0, 1.0))
"""Squared error with a sigmoid output, for inputs in [0, 1]."""

squared_tanh = Loss(squared_error_from_tanh, jnp.tanh, support=(-1.0, 1.0))
"""Squared error with a tanh output, for inputs in [−1, 1]."""

bernoulli = Loss(bernoulli_cross_entropy, jax.nn.sigmoid, support=(0.0, 1.0))
"""Bernoulli cross-entropy with a sigmoid output, for binary inputs and grey values in [0, 1]."""

categorical = Loss(categorical_cross_entropy, jax.nn.softmax, support=(0.0, jnp.inf))
"""Categorical cross-entropy with a softmax output, for one-hot targets, probabilities or counts."""


def categorical_labels(*, classes: int) -> Loss:
    """Categorical cross-entropy with a softmax output, for integer targets without a class axis.

    The target of an image has shape [batch, height, width]; a `Batch.weight` of that shape masks
    pixels.

    Args:
        classes: length of the output's last axis, at least two; labels are in [0, classes − 1].

    Returns:
        The loss; its link gives class probabilities [..., classes].

    Raises:
        ValueError: for fewer than two classes; and from the loss, if the output's last axis has
            another length.
    """
    if classes < 2:
        raise ValueError(f"classes must be at least 2, got {classes}")

    def elementwise(logits: Array, labels: Array) -> Array:
        if logits.shape[-1:] != (classes,):
            raise ValueError(
                f"expected logits with a last axis of {classes}, got shape {list(logits.shape)}"
            )
        return categorical_cross_entropy_of_labels(logits, labels)

    return Loss(elementwise, jax.nn.softmax, support=(0.0, classes - 1.0))


def by_blocks(blocks: Sequence[tuple[Loss, int]]) -> Loss:
    """Loss of examples whose features are blocks of different kinds, each with its own loss.

    The losses and links of consecutive blocks of the last axis are concatenated:

    ℓ(output, x) = (ℓ_1(output_1, x_1), …, ℓ_B(output_B, x_B))
    x̂ = (g_1(output_1), …, g_B(output_B))

    The objective sums over features, so that it is the sum of the losses of the blocks: for real
    columns and one-hot columns of a table, the squared error and one cross-entropy per column.

    Args:
        blocks: loss and number of features of each block, in the order of the features.

    Returns:
        The loss. Its support is the smallest interval that contains those of all blocks, so that
        the values of a block are checked less strictly than by its own loss.

    Raises:
        ValueError: if there are no blocks, or one has no features; and from the loss, if the last
            axis of output or target has another length than all blocks.

    Example:
        >>> import jax.numpy as jnp
        >>> from aejax import losses
        >>> loss = losses.by_blocks([(losses.squared, 1), (losses.categorical, 2)])
        >>> loss.mean(jnp.array([3.0, 0.0, 0.0])).tolist()
        [3.0, 0.5, 0.5]
        >>> loss.elementwise(jnp.array([3.0, 0.0, 0.0]), jnp.array([1.0, 1.0, 0.0])).round(3)
        Array([4.   , 0.693, 0.   ], dtype=float32)
    """
    if not blocks or any(width < 1 for _, width in blocks):
        raise ValueError(
            "expected one or more blocks of at least one feature, got the widths "
            f"{[width for _, width in blocks]}"
        )
    *starts, features = accumulate(width for _, width in blocks)

    def split(array: Array) -> list[Array]:
        if array.shape[-1:] != (features,):
            raise ValueError(
                f"expected a last axis of {features}, the features of all blocks, got shape "
                f"{list(array.shape)}"
            )
        return jnp.split(array, starts, axis=-1)

    def elementwise(output: Array, x: Array) -> Array:
        parts = zip(blocks, split(output), split(x), strict=True)
        return jnp.concatenate([loss.elementwise(o, t) for (loss, _), o, t in parts], axis=-1)

    def mean(output: Array) -> Array:
        parts = zip(blocks, split(output), strict=True)
        return jnp.concatenate([loss.mean(o) for (loss, _), o in parts], axis=-1)

    lows, highs = zip(*(loss.support for loss, _ in blocks), strict=True)
    return Loss(elementwise, mean, support=(min(lows), max(highs)))
