"""What the components of an objective must return, checked by shape and dtype while tracing.

Broadcasting makes a number of nearly any two shapes. Here one that was not meant is an error, which
names the component; nothing is computed, so a compiled step costs nothing more.
"""

import inspect
from typing import Any

import jax
import jax.numpy as jnp

from aejax.types import Array, Batch


def describe(value: Any) -> str:
    """A value in the words of an error: "float32 [4, 5]", or a tree of such, or its type's name.

    Args:
        value: an array, a tree of arrays, or anything else.

    Returns:
        The words.
    """
    if hasattr(value, "shape") and hasattr(value, "dtype"):
        return f"{value.dtype} {list(value.shape)}"
    if value is None or jax.tree_util.treedef_is_leaf(jax.tree.structure(value)):
        return type(value).__name__
    return str(jax.tree.map(describe, value)).replace("'", "")


def check_callable(component: str, function: Any, arguments: str) -> None:
    """Refuse what cannot be called as a component is: no function, or the factory of one.

    Args:
        component: its name in the message.
        function: what was given.
        arguments: the names of the arguments that it will be called with.

    Raises:
        ValueError: naming the component, with how it is called.
    """
    names = ", ".join(arguments.split())
    if not callable(function):
        given = repr(function) if isinstance(function, str) else describe(function)
        raise ValueError(f"the {component} must be a function of ({names}), got {given}")
    try:
        signature = inspect.signature(function)
    except (TypeError, ValueError):  # of a builtin: only the call tells
        return
    try:
        signature.bind(*arguments.split())
    except TypeError:
        name = getattr(function, "__qualname__", type(function).__name__)
        raise ValueError(
            f"the {component} is called with ({names}), but {name} takes "
            f"({', '.join(signature.parameters)}); of a factory, give what it returns"
        ) from None


def check_components(model: Any, loss: Any) -> None:
    """Refuse what is no autoencoder, or no loss with its link.

    Args:
        model: with encode and decode.
        loss: with elementwise, mean and support.

    Raises:
        ValueError: naming which of the two it is.
    """
    if not hasattr(model, "encode") or not hasattr(model, "decode"):
        raise ValueError(
            "the model must be an aejax.Autoencoder(init, encode, decode), such as "
            f"aejax.dense((784, 30)), got {describe(model)}"
        )
    check_callable("model's encode", model.encode, "params x")
    check_callable("model's decode", model.decode, "params code")
    if not all(hasattr(loss, name) for name in ("elementwise", "mean", "support")):
        given = repr(loss) if isinstance(loss, str) else getattr(loss, "__name__", describe(loss))
        raise ValueError(
            "the loss must be an aejax.Loss, which has its link, such as aejax.losses.squared, "
            f"got {given}"
        )


def check_shape_and_dtype(component: str, given: Any, returned: Any) -> None:
    """Refuse a component that changes the shape or the dtype of what it is given.

    Args:
        component: its name in the message.
        given: an array, or a tree of arrays.
        returned: what the component made of it. A tree may become another one (a mean and a
            variance a sample), of which nothing more is asked.

    Raises:
        ValueError: naming the component, with what it was given and what it returned.
    """
    if jax.tree.structure(given) == jax.tree.structure(returned):
        pairs = zip(jax.tree.leaves(given), jax.tree.leaves(returned), strict=True)
        kept = all(describe(before) == describe(after) for before, after in pairs)
    else:
        kept = not hasattr(given, "shape") and bool(jax.tree.leaves(returned))
    if not kept:
        raise ValueError(
            f"the {component} must keep shape and dtype: it was given {describe(given)} and "
            f"returned {describe(returned)}"
        )


def check_output(batch: Batch, output: Any) -> None:
    """Refuse an output, or a target, that is not one for each example.

    Args:
        batch: the examples [batch, *input] and their targets.
        output: what `decode` returned for them.

    Raises:
        ValueError: naming which of the two it is.
    """
    examples = batch.x.shape[:1]
    for name, value in (("target", batch.target), ("output of decode", output)):
        missing = value is None and name == "target"  # then it is x
        if not missing and getattr(value, "shape", ())[:1] != examples:
            raise ValueError(
                f"the {name} must be [batch, …] with one entry for each of the {examples[0]} "
                f"examples, got {describe(value)}"
            )


def check_losses(output: Array, target: Array, losses: Any) -> None:
    """Refuse element-wise losses of another shape than the target: output and target do not match.

    Args:
        output: [batch, *output], with at least as many elements as the target.
        target: [batch, *target].
        losses: what the loss returned for them.

    Raises:
        ValueError: with the three shapes.
    """
    elements = jnp.size(target)
    if jnp.shape(losses) != jnp.shape(target) or jnp.size(output) < elements:
        raise ValueError(
            "the loss must return one value for each element of the target and broadcast nothing: "
            f"output {describe(output)} and target {describe(target)} gave {describe(losses)}; "
            "give output and target one shape"
        )


def broadcastable_weight(losses: Array, weight: Any) -> Array:
    """The weights of a batch, laid out so that they multiply its element-wise losses.

    Args:
        losses: [batch, *elements].
        weight: [batch], one for each example; or [batch, *elements], each of the elements' axes as
            long as the losses' or 1.

    Returns:
        [batch, …] with as many axes as the losses.

    Raises:
        ValueError: for weights of another shape.
    """
    weight = jnp.asarray(weight)
    batch, *elements = losses.shape
    if weight.shape == (batch,):
        return weight.reshape(batch, *[1] * len(elements))
    fits = weight.ndim == losses.ndim and weight.shape[0] == batch
    if not fits or any(
        size not in (1, whole) for size, whole in zip(weight.shape[1:], elements, strict=True)
    ):
        one = [batch, *[1] * len(elements)]
        raise ValueError(
            f"weight must be [{batch}], a value for each example, or have the axes of the losses, "
            f"{list(losses.shape)}, each but the first as long or 1 ({one} to {list(losses.shape)})"
            f", got {describe(weight)}"
        )
    return weight


def check_penalty(name: str, value: Any, examples: int) -> None:
    """Refuse what a penalty may not return: anything but a scalar or one value for each example.

    Args:
        name: of the penalty.
        value: what it returned.
        examples: of the batch.

    Raises:
        ValueError: naming the penalty.
    """
    if not _is_real(value) or jnp.shape(value) not in ((), (examples,)):
        raise ValueError(
            f"the penalty {name!r} must return a scalar or one value for each of the {examples} "
            f"examples, [{examples}], got {describe(value)}; sum over the other axes, as "
            "aejax.penalties.l1 does"
        )


def check_weighted_penalty(name: str, weighted: Any) -> None:
    """Refuse what is no penalty with its weight, one number.

    Args:
        name: of the penalty.
        weighted: (λ, penalty); λ may be traced.

    Raises:
        ValueError: naming the penalty.
    """
    if not isinstance(weighted, tuple) or len(weighted) != 2 or not callable(weighted[1]):
        raise ValueError(
            f"penalties are name -> (weight, penalty), such as {name!r}: (0.1, penalties.l1()), "
            f"got {describe(weighted)}"
        )
    weight, penalty = weighted
    check_callable(f"penalty {name!r}", penalty, "record")
    if not _is_real(weight) or jnp.shape(weight) != ():
        raise ValueError(
            f"the weight of the penalty {name!r} must be one number, got {describe(weight)}"
        )


def _is_real(value: Any) -> bool:
    """Whether it is a number or an array, and not complex: only its real part would count."""
    if isinstance(value, (int, float)):
        return True
    return hasattr(value, "dtype") and not jnp.issubdtype(value.dtype, jnp.complexfloating)
