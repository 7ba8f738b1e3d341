"""Checks of the shapes and dtypes that the components of an objective return.

The checks run while tracing and add no cost to a compiled step. They turn silent broadcasting into
an error that names the component.
"""

import inspect
import math
from typing import Any

import jax
import jax.numpy as jnp
from jax.core import Tracer

from aejax.types import Array, Batch


def describe(value: Any) -> str:
    """Describe a value for an error message: "float32 [4, 5]", a tree of these, or its type.

    Args:
        value: an array, a tree of arrays, or anything else.

    Returns:
        The description.
    """
    if hasattr(value, "shape") and hasattr(value, "dtype"):
        return f"{value.dtype} {list(value.shape)}"
    if value is None or jax.tree_util.treedef_is_leaf(jax.tree.structure(value)):
        return type(value).__name__
    return str(jax.tree.map(describe, value)).replace("'", "")


def check_callable(component: str, function: Any, arguments: str) -> None:
    """Check that a component is a function of the expected arguments, not a factory of one.

    Args:
        component: name in the error message.
        function: the component.
        arguments: names of the positional arguments, separated by spaces.

    Raises:
        ValueError: if the component is not callable with these arguments.
    """
    names = ", ".join(arguments.split())
    if not callable(function):
        given = repr(function) if isinstance(function, str) else describe(function)
        raise ValueError(f"the {component} must be a function of ({names}), got {given}")
    try:
        signature = inspect.signature(function)
    except (TypeError, ValueError):  # builtins may have no signature
        return
    try:
        signature.bind(*arguments.split())
    except TypeError:
        name = getattr(function, "__qualname__", type(function).__name__)
        raise ValueError(
            f"the {component} is called with ({names}), but {name} takes "
            f"({', '.join(signature.parameters)}); call a factory first and pass its result"
        ) from None


def check_components(model: Any, loss: Any) -> None:
    """Check that the model is an autoencoder and the loss has a link function.

    Args:
        model: object with encode and decode.
        loss: object with elementwise, mean and support.

    Raises:
        ValueError: if one of them is not.
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
            "the loss must be an aejax.Loss, a loss with its link function, such as "
            f"aejax.losses.squared, got {given}"
        )


def check_tracker(tracker: Any) -> None:
    """Check that a tracker, if there is one, consists of three functions.

    Args:
        tracker: object with init, measure and update, or None.

    Raises:
        ValueError: if it is anything else.
    """
    if tracker is None:
        return
    functions = {"init": "params", "measure": "record", "update": "tracked statistics"}
    if not all(hasattr(tracker, name) for name in functions):
        raise ValueError(
            "the tracker must be an aejax.Tracker(init, measure, update), got "
            f"{getattr(tracker, '__name__', describe(tracker))}"
        )
    for name, arguments in functions.items():
        check_callable(f"tracker's {name}", getattr(tracker, name), arguments)


def check_statistics(statistics: Any) -> None:
    """Check that the statistics of a tracker are floating point, as means over examples are.

    Args:
        statistics: tree that the tracker's `measure` returned, or None.

    Raises:
        ValueError: if an array has another dtype, whose mean over parts of a batch would be wrong.
    """
    if not all(
        jnp.issubdtype(jnp.result_type(leaf), jnp.floating) for leaf in jax.tree.leaves(statistics)
    ):
        raise ValueError(
            "the tracker's measure must return floating-point means over the examples, such as "
            f"jnp.mean(record.code != 0, axis=0), got {describe(statistics)}"
        )


def check_shape_and_dtype(component: str, given: Any, returned: Any) -> None:
    """Check that a component preserves the shape and dtype of its argument.

    Args:
        component: name in the error message.
        given: argument of the component, an array or a tree of arrays.
        returned: result of the component. A tree may be mapped to another structure (mean and
            variance to a sample), which is not checked further.

    Raises:
        ValueError: if shape or dtype differ.
    """
    if jax.tree.structure(given) == jax.tree.structure(returned):
        pairs = zip(jax.tree.leaves(given), jax.tree.leaves(returned), strict=True)
        preserved = all(describe(before) == describe(after) for before, after in pairs)
    else:
        preserved = not hasattr(given, "shape") and bool(jax.tree.leaves(returned))
    if not preserved:
        raise ValueError(
            f"the {component} must preserve shape and dtype: it was given {describe(given)} and "
            f"returned {describe(returned)}"
        )


def check_output(batch: Batch, output: Any) -> None:
    """Check that target and output have one entry per example.

    Args:
        batch: examples [batch, *input] with their targets.
        output: output of `decode` for these examples.

    Raises:
        ValueError: if one of them has another batch size.
    """
    examples = batch.x.shape[:1]
    for name, value in (("target", batch.target), ("output of decode", output)):
        default = value is None and name == "target"  # the target is x
        if not default and getattr(value, "shape", ())[:1] != examples:
            raise ValueError(
                f"the {name} must be [batch, …] with one entry for each of the {examples[0]} "
                f"examples, got {describe(value)}"
            )


def check_losses(output: Array, target: Array, losses: Any) -> None:
    """Check that elementwise losses have the shape of the target.

    Args:
        output: output of the decoder, [batch, *output], with at least as many elements as the
            target.
        target: target of the loss, [batch, *target].
        losses: result of the loss for them.

    Raises:
        ValueError: if the shapes do not match.
    """
    elements = jnp.size(target)
    if jnp.shape(losses) != jnp.shape(target) or jnp.size(output) < elements:
        raise ValueError(
            "the loss must return one value for each element of the target, without broadcasting: "
            f"output {describe(output)} and target {describe(target)} gave {describe(losses)}; "
            "give output and target the same shape"
        )


def broadcastable_weight(losses: Array, weight: Any) -> Array:
    """Reshape the weights of a batch so that they broadcast against its elementwise losses.

    Args:
        losses: elementwise losses, [batch, *elements].
        weight: one weight per example, [batch], or per element, [batch, *elements], where the axes
            after the first may have length 1.

    Returns:
        The weights, [batch, …] with as many axes as the losses.

    Raises:
        ValueError: if the weights have another shape.
    """
    weight = jnp.asarray(weight)
    batch, *elements = losses.shape
    if weight.shape == (batch,):
        return weight.reshape(batch, *[1] * len(elements))
    fits = weight.ndim == losses.ndim and weight.shape[0] == batch
    if not fits or any(
        size not in (1, full) for size, full in zip(weight.shape[1:], elements, strict=True)
    ):
        raise ValueError(
            f"weight must be [{batch}], one value per example, or have the axes of the losses, "
            f"{list(losses.shape)}, where all but the first may have length 1, got "
            f"{describe(weight)}"
        )
    return weight


def check_penalty(name: str, value: Any, examples: int) -> None:
    """Check that a penalty returned a scalar or one value per example.

    Args:
        name: name of the penalty.
        value: result of the penalty.
        examples: batch size.

    Raises:
        ValueError: if the result has another shape, or is not real.
    """
    if not _is_real(value) or jnp.shape(value) not in ((), (examples,)):
        raise ValueError(
            f"the penalty {name!r} must return a scalar or one value for each of the {examples} "
            f"examples, [{examples}], got {describe(value)}; sum over the other axes, as "
            "aejax.penalties.l1 does"
        )


def check_weighted_penalty(name: str, weighted: Any) -> None:
    """Check a pair of scalar weight and penalty.

    Args:
        name: name of the penalty.
        weighted: pair (λ, penalty); λ may be traced.

    Raises:
        ValueError: if it is not such a pair, or a concrete weight is not finite.
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
            f"the weight of the penalty {name!r} must be a scalar, got {describe(weight)}"
        )
    if not isinstance(weight, Tracer) and not math.isfinite(weight):
        raise ValueError(f"the weight of the penalty {name!r} must be finite, got {weight}")


def _is_real(value: Any) -> bool:
    """Whether a value is a real scalar or array: complex values would lose their imaginary part."""
    if isinstance(value, (int, float)):
        return True
    return hasattr(value, "dtype") and not jnp.issubdtype(value.dtype, jnp.complexfloating)
