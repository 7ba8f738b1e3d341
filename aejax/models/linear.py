"""The linear autoencoder, x̂ = x W_e W_d with biases, whose optimum is PCA."""

import jax
import jax.numpy as jnp
from jax.typing import DTypeLike
from jaxtyping import Float

from aejax.models.dense import dense
from aejax.types import Array, Autoencoder, Params


def linear(
    features: int, code: int, *, tied: bool = False, bias: bool = True, dtype: DTypeLike = float
) -> Autoencoder:
    """The linear autoencoder: h = x W_e + b, x̂ = h W_d + c.

    Args:
        features: n, the width of x.
        code: k, the width of the code h.
        tied: W_d = W_eᵀ.
        bias: whether b and c exist.
        dtype: of the parameters; `float` is JAX's default.

    Returns:
        An `Autoencoder` from [batch, features] to [batch, features], with `dense`'s params.

    Raises:
        ValueError: for a size below one.

    Source: Bourlard & Kamp 1988; Baldi & Hornik 1989.
    """
    return dense((features, code), activation=jax.nn.identity, tied=tied, bias=bias, dtype=dtype)


def pca_params(
    components: Float[Array, "code features"], mean: Float[Array, " features"]
) -> Params:
    """Parameters of `linear` that project on principal components: x̂ = x̄ + (x − x̄) V_k V_kᵀ.

    Args:
        components: V_kᵀ, one unit principal direction a row (scikit-learn's `components_`).
        mean: x̄, the mean of the data.

    Returns:
        Params with W_e = V_k, b = −x̄ V_k, W_d = V_kᵀ, c = x̄.

    Source: Bourlard & Kamp 1988.
    """
    kernel = jnp.transpose(components)
    return {
        "encoder": {"layer_0": {"kernel": kernel, "bias": -mean @ kernel}},
        "decoder": {"layer_0": {"kernel": components, "bias": mean}},
    }
