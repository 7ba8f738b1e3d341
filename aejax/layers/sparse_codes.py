"""Sparse codes: values and indices of the active units, and products whose cost grows with them.

Products of a code of k active units with a kernel of many rows touch k rows per example, in the
forward pass and in the gradients. They are loops over the k active units, each of which gathers or
scatters one row for every example of the batch.
"""

from functools import partial
from typing import NamedTuple, cast

import jax
import jax.numpy as jnp
from jax import export
from jaxtyping import Float, Int

from aejax.layers.low_precision import matmul
from aejax.repr_text import record_text
from aejax.types import Array


class SparseCode(NamedTuple):
    """Code of k active units.

    values:  values of the active units, [batch, k]; 0 for those that are not needed.
    indices: indices of these units, [batch, k].
    """

    values: Float[Array, "batch k"]
    indices: Int[Array, "batch k"]

    def __repr__(self) -> str:
        return record_text(self)


export.register_namedtuple_serialization(SparseCode, serialized_name="aejax.layers.SparseCode")


def dense_code(code: SparseCode, *, units: int) -> Float[Array, "batch units"]:
    """The code as an array with zeros for the units that are not active.

    Args:
        code: values and indices.
        units: number of units.

    Returns:
        The array.

    Example:
        >>> import jax.numpy as jnp
        >>> from aejax.models import SparseCode, dense_code
        >>> dense_code(SparseCode(jnp.array([[2.0, 1.0]]), jnp.array([[3, 0]])), units=4).tolist()
        [[1.0, 0.0, 0.0, 2.0]]
    """
    values, indices = code
    rows = jnp.arange(len(values))[:, None]
    return jnp.zeros((len(values), units), values.dtype).at[rows, indices].set(values)


@jax.custom_vjp
def sparse_product(
    code: SparseCode, kernel: Float[Array, "units outputs"]
) -> Float[Array, "batch outputs"]:
    """Product of a sparse code and a kernel, Σ_j h_j W_i(j), and its sparse gradients.

    The values have the gradient of a dense product at the active units, and the kernel that of the
    whole product.

    Args:
        code: values h and indices i of the active units.
        kernel: kernel W of the same dtype, with one row per unit.

    Returns:
        The product. Reverse-mode derivatives are defined, forward-mode ones are not.

    Source: Gao et al. 2024 (sparse kernels).
    """

    def add(total: Array, active: tuple[Array, Array]) -> tuple[Array, None]:
        values, indices = active
        return total + values[:, None] * kernel[indices], None

    start = jnp.zeros((len(code.values), kernel.shape[1]), kernel.dtype)
    return jax.lax.scan(add, start, _by_unit(code))[0]


def _product_with_residuals(code: SparseCode, kernel: Array) -> tuple[Array, tuple]:
    return sparse_product(code, kernel), (code, kernel)


def _product_gradients(residuals: tuple[SparseCode, Array], gradient: Array) -> tuple:
    code, kernel = residuals
    values = jax.lax.map(
        lambda indices: jnp.sum(gradient * kernel[indices], axis=1), code.indices.T
    )
    to_kernel = _sum_of_outer_products(code, gradient, len(kernel))
    return SparseCode(values.T, cast(Array, None)), to_kernel  # integers have no gradient


sparse_product.defvjp(_product_with_residuals, _product_gradients)


@partial(jax.custom_vjp, nondiff_argnums=(4,))
def largest_units(
    x: Float[Array, "batch features"],
    centre: Float[Array, " features"],
    kernel: Float[Array, "features units"],
    bias: Float[Array, " units"],
    k: int,
) -> SparseCode:
    """The k largest units of max((x − c) W + b, 0), with sparse gradients.

    Args:
        x: inputs.
        centre: centre c, subtracted from the inputs.
        kernel: kernel W of the encoder.
        bias: its bias b.
        k: number of active units.

    Returns:
        The code. Reverse-mode derivatives are defined, forward-mode ones are not.

    Source: Gao et al. 2024.
    """
    return _largest(x - centre, kernel, bias, k)


def _largest_with_residuals(
    x: Array, centre: Array, kernel: Array, bias: Array, k: int
) -> tuple[SparseCode, tuple]:
    centred = x - centre
    code = _largest(centred, kernel, bias, k)
    return code, (centred, kernel, code)


def _largest_gradients(k: int, residuals: tuple, gradient: SparseCode) -> tuple:
    del k
    x, kernel, code = residuals
    active = SparseCode(jnp.where(code.values > 0, gradient.values, 0), code.indices)
    to_bias = jnp.zeros(kernel.shape[1], kernel.dtype).at[code.indices].add(active.values)
    return (
        sparse_product(active, kernel.T),
        -matmul(kernel, to_bias[:, None])[:, 0],
        _sum_of_outer_products(active, x, kernel.shape[1]).T,
        to_bias,
    )


largest_units.defvjp(_largest_with_residuals, _largest_gradients)


def _largest(centred: Array, kernel: Array, bias: Array, k: int) -> SparseCode:
    """Code of inputs from which the centre is subtracted."""
    values, indices = jax.lax.top_k(jax.nn.relu(matmul(centred, kernel) + bias), k)
    return SparseCode(values, indices)


def _sum_of_outer_products(code: SparseCode, rows: Array, units: int) -> Array:
    """Gradient of the kernel: hᵀ r for the dense code h, [units, columns of r]."""

    def add(total: Array, active: tuple[Array, Array]) -> tuple[Array, None]:
        values, indices = active
        return total.at[indices].add(values[:, None] * rows), None

    start = jnp.zeros((units, rows.shape[1]), rows.dtype)
    return jax.lax.scan(add, start, _by_unit(code))[0]


def _by_unit(code: SparseCode) -> tuple[Array, Array]:
    """Values and indices with the active units as the first axis."""
    return code.values.T, code.indices.T
