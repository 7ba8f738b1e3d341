"""Outputs of a named layer of a Flax module, as a pure function of its parameters and inputs."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from flax import linen, nnx

from aejax.types import Array

CALL = "__call__"


def linen_layer(
    module: linen.Module, layer: str, **arguments: Any
) -> Callable[[Mapping[str, Any], Any], Array]:
    """Output of one layer of a Linen module, or a value that it sows.

    Args:
        module: Linen module.
        layer: names of the submodules that lead to the layer, joined by dots, such as
            "encoder.Dense_0"; for a value of `sow`, followed by its name. "__call__" is the module.
        **arguments: keyword arguments of the module's call, such as `train=False`.

    Returns:
        (variables, x) -> output of the layer, with the variables of `module.apply`, such as
        {"params": …, "batch_stats": …}. It is pure and can be jitted. It raises ValueError for an
        unknown layer, with the names of all layers, and for one that is called several times.

    Example:
        >>> import jax, jax.numpy as jnp
        >>> from flax import linen
        >>> from aejax import interchange
        >>> module = linen.Sequential([linen.Dense(8), linen.relu, linen.Dense(2)])
        >>> variables = module.init(jax.random.key(0), jnp.ones((1, 4)))
        >>> interchange.linen_layer(module, "layers_0")(variables, jnp.ones((3, 4))).shape
        (3, 8)
    """

    def outputs(variables: Mapping[str, Any], x: Any) -> Array:
        _, found = module.apply(
            variables,
            x,
            capture_intermediates=True,
            mutable=["intermediates"],
            **arguments,
        )
        return _layer_output(found["intermediates"], layer)

    return outputs


def nnx_layer(module: nnx.Module, layer: str, **arguments: Any) -> Callable[[Any, Any], Array]:
    """Output of one layer of an NNX module, or a value that it sows as `nnx.Intermediate`.

    Args:
        module: NNX module, in the mode of use: call `module.eval()` before if it has dropout or
            batch normalisation.
        layer: attributes that lead to the layer, joined by dots, such as "blocks.0.linear"; for a
            value of `sow` or another method than the call, followed by its name. "__call__" is the
            module.
        **arguments: keyword arguments of the module's call.

    Returns:
        (state, x) -> output of the layer, with the state `nnx.state(module)`. It is pure and can be
        jitted. It raises ValueError as that of `linen_layer`.

    Example:
        >>> import jax.numpy as jnp
        >>> from flax import nnx
        >>> from aejax import interchange
        >>> rngs = nnx.Rngs(0)
        >>> module = nnx.Sequential(nnx.Linear(4, 8, rngs=rngs), nnx.relu)
        >>> function = interchange.nnx_layer(module, "layers.0")
        >>> function(nnx.state(module), jnp.ones((3, 4))).shape
        (3, 8)
    """
    graph = nnx.graphdef(module)

    def outputs(state: Any, x: Any) -> Array:
        forward = nnx.capture(
            nnx.merge(graph, state), nnx.Intermediate, method_outputs=nnx.Intermediate
        )
        _, found = forward(x, **arguments)
        return _layer_output(nnx.to_pure_dict(found), layer)

    return outputs


def _layer_output(intermediates: Mapping[Any, Any], layer: str) -> Array:
    found = dict(_named(intermediates))
    if layer not in found:
        names = ", ".join(found)
        raise ValueError(f"the module has no layer {layer!r}; its layers are: {names}")
    values = found[layer]
    if len(values) != 1:
        raise ValueError(
            f"the layer {layer!r} is called {len(values)} times; sow the value of one call in the "
            "module, under a name of its own"
        )
    (value,) = values
    if not hasattr(value, "shape"):
        raise ValueError(
            f"the layer {layer!r} returns a {type(value).__name__}, expected one array; sow one of "
            "its arrays in the module, under a name of its own"
        )
    return value


def _named(tree: Mapping[Any, Any], prefix: str = "") -> Iterator[tuple[str, tuple[Any, ...]]]:
    """Names and values of all calls; a call has the name of its module."""
    for name, value in tree.items():
        if isinstance(value, Mapping):
            yield from _named(value, f"{prefix}{name}.")
        elif name == CALL and prefix:
            yield prefix.removesuffix("."), value
        else:
            yield f"{prefix}{name}", value
