"""Exact contractive penalties: the squared Frobenius norm of the encoder's Jacobian."""

from collections.abc import Callable

import jax
import jax.numpy as jnp
from jaxtyping import Float

from aejax.contracts import describe
from aejax.penalties.code_selection import Select, selected_encoder
from aejax.types import Array, Params, Pass, Penalty


def squared_jacobian_norm(
    encode: Callable[[Array], Array], x: Float[Array, "batch *input"]
) -> Float[Array, " batch"]:
    """Squared Frobenius norm ‖∂h/∂x‖²_F of the encoder's Jacobian at each example, exact.

    Uses `jacfwd` or `jacrev`, whichever needs fewer derivatives.

    Args:
        encode: [batch, *input] -> code [batch, *code], independent for each example.
        x: examples at which the Jacobian is evaluated.

    Returns:
        One value per example.

    Example:
        >>> import jax.numpy as jnp
        >>> from aejax import penalties
        >>> penalties.squared_jacobian_norm(lambda x: 2 * x[:, :3], jnp.ones((2, 5)))
        Array([12., 12.], dtype=float32)

    Source: Rifai et al. 2011, eq. 1.
    """

    def encode_one(example: Array) -> Array:
        return encode(example[None])[0]

    example = jax.eval_shape(lambda x: x[0], x)
    code_size = jax.eval_shape(encode_one, example).size
    jacobian = jax.jacrev(encode_one) if code_size < example.size else jax.jacfwd(encode_one)
    return jax.vmap(lambda example: jnp.sum(jnp.square(jacobian(example))))(x)


def contractive(*, select: Select = jax.nn.identity) -> Penalty:
    """Contractive penalty ‖∂h/∂x‖²_F at the clean x, exact for any encoder.

    For one sigmoid layer, `contractive_logistic` gives the same values at a fraction of the cost.

    Args:
        select: code -> the array of the code's pytree that is penalised (default: the code).

    Returns:
        The penalty, one value per example: [batch].

    Source: Rifai et al. 2011, eq. 1.
    """

    def penalty(record: Pass) -> Array:
        return squared_jacobian_norm(selected_encoder(record, select), record.batch.x)

    return penalty


def logistic_squared_jacobian_norm(
    kernel: Float[Array, "features units"], code: Float[Array, "batch units"]
) -> Float[Array, " batch"]:
    """‖∂h/∂x‖²_F of one sigmoid layer h = σ(x W + b): Σ_l (h_l (1 − h_l))² Σ_i W_il².

    Args:
        kernel: kernel W of the layer.
        code: activations h of the layer, in [0, 1].

    Returns:
        One value per example.

    Source: Rifai et al. 2011, §5.1 (their closed form for a sigmoid encoder).
    """
    return jnp.square(code * (1 - code)) @ jnp.sum(jnp.square(kernel), axis=0)


def contractive_logistic() -> Penalty:
    """Contractive penalty at the clean x for a dense encoder of one sigmoid layer, in closed form.

    Returns:
        The penalty, one value per example: [batch].

    Raises:
        ValueError: from the penalty, for an encoder of several layers or a convolutional one, or a
            code that is not the array of activations of the layer.

    Source: Rifai et al. 2011, §5.1.
    """

    def penalty(record: Pass) -> Array:
        kernel = _only_kernel(record.params)
        code = record.model.encode(record.params, record.batch.x)
        if getattr(code, "shape", ())[1:] != kernel.shape[1:]:
            raise ValueError(
                "contractive_logistic needs the activations of the layer as the code, "
                f"[batch, {kernel.shape[1]}], got {describe(code)}; use contractive(select=…)"
            )
        return logistic_squared_jacobian_norm(kernel, code)

    return penalty


def _only_kernel(params: Params) -> Array:
    encoder = params.get("encoder") if isinstance(params, dict) else None
    layers = list(encoder.values()) if isinstance(encoder, dict) else []
    kernels = [layer["kernel"] for layer in layers if isinstance(layer, dict) and "kernel" in layer]
    if len(layers) != 1 or [kernel.ndim for kernel in kernels] != [2]:
        raise ValueError(
            "contractive_logistic needs an encoder of one logistic dense layer, with the params of "
            f"aejax.dense, got {len(layers)} layers, or a convolution; use contractive()"
        )
    return kernels[0]
