"""Linear autoencoder x̂ = x W_e W_d with biases, whose optimum is PCA."""

import jax
import jax.numpy as jnp
from jax.typing import DTypeLike
from jaxtyping import Float

from aejax.models.dense import dense
from aejax.types import Array, Autoencoder, Params


def linear(
    features: int, code: int, *, tied: bool = False, bias: bool = True, dtype: DTypeLike = float
) -> Autoencoder:
    """Linear autoencoder: h = x W_e + b, x̂ = h W_d + c.

    Args:
        features: number of input features n.
        code: number of code units k.
        tied: whether W_d = W_eᵀ.
        bias: whether to add the biases b and c.
        dtype: dtype of the parameters; `float` is JAX's default.

    Returns:
        An `Autoencoder` from [batch, features] to [batch, features], with the parameter tree of
        `dense`.

    Raises:
        ValueError: if a size is less than 1.

    Source: Bourlard & Kamp 1988; Baldi & Hornik 1989.

    Example:
        >>> import aejax, jax, jax.numpy as jnp
        >>> model = aejax.linear(4, 2)
        >>> params = model.init(jax.random.key(0))
        >>> model.decode(params, model.encode(params, jnp.ones((3, 4)))).shape
        (3, 4)
    """
    return dense((features, code), activation=jax.nn.identity, tied=tied, bias=bias, dtype=dtype)


def pca_params(
    components: Float[Array, "code features"], mean: Float[Array, " features"]
) -> Params:
    """Parameters of `linear` that project onto principal components: x̂ = x̄ + (x − x̄) V_k V_kᵀ.

    Args:
        components: V_kᵀ, unit principal directions as rows (scikit-learn's `components_`).
        mean: mean x̄ of the data.

    Returns:
        Parameters with W_e = V_k, b = −x̄ V_k, W_d = V_kᵀ, c = x̄.

    Source: Bourlard & Kamp 1988.
    """
    kernel = jnp.transpose(components)
    return {
        "encoder": {"layer_0": {"kernel": kernel, "bias": -mean @ kernel}},
        "decoder": {"layer_0": {"kernel": components, "bias": mean}},
    }
