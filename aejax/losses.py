"""Reconstruction losses, element by element, each with the link g that turns output to x̂.

The formulas are functions of arrays; the `Loss`es below them pair each with its link. Nothing is
reduced here: `objective` sums over features and means over the batch, once.
"""

import jax
import jax.numpy as jnp
from jaxtyping import Float, Integer

from aejax.hyperparameters import check_range
from aejax.types import Array, Loss


def squared_error(
    x_hat: Float[Array, "*shape"], x: Float[Array, "*shape"]
) -> Float[Array, "*shape"]:
    """Squared error (x̂ − x)² of each element, without a factor ½.

    Args:
        x_hat: reconstruction x̂, any real value.
        x: target, any real value.

    Returns:
        The error of each element, shaped and typed like the target.

    Raises:
        ValueError: where the shapes differ; nothing is broadcast.

    Source: Bourlard & Kamp 1988, eq. 1 (summed over elements).
    """
    _check_shapes(x_hat, x)
    return jnp.square(x_hat - x)


def squared_error_from_logits(
    logits: Float[Array, "*shape"], x: Float[Array, "*shape"]
) -> Float[Array, "*shape"]:
    """Squared error of logistic outputs, (σ(logits) − x)², for targets in [0, 1].

    Args:
        logits: output before the logistic σ(a) = 1/(1 + e^{−a}).
        x: target; values outside [0, 1] cannot be reached.

    Returns:
        The error of each element, shaped and typed like the target.

    Raises:
        ValueError: where the shapes differ; nothing is broadcast.

    Source: Hinton & Salakhutdinov 2006 (the measure of their fig. 2).
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
        The error of each element, shaped and typed like the target.

    Raises:
        ValueError: where the shapes differ; nothing is broadcast.

    Source: Vincent et al. 2010, §2.2 (outputs of the range of the inputs).
    """
    return squared_error(jnp.tanh(output), x)


def bernoulli_cross_entropy(
    logits: Float[Array, "*shape"], x: Float[Array, "*shape"]
) -> Float[Array, "*shape"]:
    """Bernoulli cross-entropy −x log x̂ − (1 − x) log(1 − x̂), x̂ = σ(logits), in nats.

    Written with log σ of both signs, exact in both tails and finite at any finite logit; its
    derivative with respect to the logit is x̂ − x.

    Args:
        logits: output before the logistic.
        x: target, a probability in [0, 1] (a bit, or a grey value).

    Returns:
        The loss of each element, shaped and typed like the target.

    Raises:
        ValueError: where the shapes differ; nothing is broadcast.

    Source: Vincent et al. 2010, eq. 3.
    """
    _check_shapes(logits, x)
    return -x * jax.nn.log_sigmoid(logits) - (1 - x) * jax.nn.log_sigmoid(-logits)


def categorical_cross_entropy(
    logits: Float[Array, "*shape classes"], x: Float[Array, "*shape classes"]
) -> Float[Array, "*shape classes"]:
    """Each class's share −x_k log x̂_k of the cross-entropy in nats, x̂ = softmax(logits).

    Summed over classes, as the objective does, it is the cross-entropy of x, or with counts the
    multinomial's negative log-likelihood but for a constant.

    Args:
        logits: output before the softmax over the last axis.
        x: target, zero or above: one-hot classes, probabilities or counts.

    Returns:
        The share of each class, shaped and typed like the target.

    Raises:
        ValueError: where the shapes differ; nothing is broadcast.

    Source: Bridle 1990; Bishop 2006, eq. 4.108.
    """
    _check_shapes(logits, x)
    return -x * jax.nn.log_softmax(logits)


def categorical_cross_entropy_of_labels(
    logits: Float[Array, "*shape classes"], labels: Integer[Array, "*shape"]
) -> Float[Array, "*shape"]:
    """Cross-entropy −log softmax(logits)_label in nats, for one class of each element.

    Args:
        logits: output before the softmax over the last axis, the classes.
        labels: the class of each element, in [0, classes − 1].

    Returns:
        The loss of each element, shaped like the labels and typed like the logits.

    Raises:
        ValueError: where the shapes disagree, or a concrete label is out of range.

    Source: Bridle 1990; Long, Shelhamer & Darrell 2015 (per pixel).
    """
    if logits.shape[:-1] != labels.shape:
        raise ValueError(
            f"logits must have the labels' shape and an axis of classes, got {list(logits.shape)} "
            f"and labels {list(labels.shape)}"
        )
    check_range("labels", labels, 0, logits.shape[-1] - 1)
    chosen = jnp.take_along_axis(jax.nn.log_softmax(logits), labels[..., None], axis=-1)
    return -chosen[..., 0]


def _check_shapes(output: Array, target: Array) -> None:
    if output.shape != target.shape:
        raise ValueError(
            f"output and target must have one shape, got {list(output.shape)} "
            f"and {list(target.shape)}"
        )


squared = Loss(squared_error, jax.nn.identity, support=(-jnp.inf, jnp.inf))
"""Squared error with a linear output, for real inputs."""

squared_logistic = Loss(squared_error_from_logits, jax.nn.sigmoid, support=(0.0, 1.0))
"""Squared error with a logistic output, for inputs in [0, 1]."""

squared_tanh = Loss(squared_error_from_tanh, jnp.tanh, support=(-1.0, 1.0))
"""Squared error with a tanh output, for inputs in [−1, 1]."""

bernoulli = Loss(bernoulli_cross_entropy, jax.nn.sigmoid, support=(0.0, 1.0))
"""Bernoulli cross-entropy with a logistic output, for binary inputs and grey values in [0, 1]."""

categorical = Loss(categorical_cross_entropy, jax.nn.softmax, support=(0.0, jnp.inf))
"""Categorical cross-entropy with a softmax output, for one-hot targets, probabilities or counts."""


def categorical_labels(*, classes: int) -> Loss:
    """Categorical cross-entropy with a softmax output, for integer targets without a class axis.

    A target of images is [batch, height, width]: `Batch.weight` of that shape leaves pixels out.

    Args:
        classes: length of the output's last axis, two or more; labels lie in [0, classes − 1].

    Returns:
        The loss; its mean gives class probabilities [..., classes].

    Raises:
        ValueError: for fewer than two classes; and from the loss, for an output of another number.
    """
    if classes < 2:
        raise ValueError(f"there must be two classes or more, got {classes}")

    def elementwise(logits: Array, labels: Array) -> Array:
        if logits.shape[-1:] != (classes,):
            raise ValueError(
                f"expected logits of {classes} classes on the last axis, got {list(logits.shape)}"
            )
        return categorical_cross_entropy_of_labels(logits, labels)

    return Loss(elementwise, jax.nn.softmax, support=(0.0, classes - 1.0))
