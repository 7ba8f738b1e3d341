"""Parameters of a linear autoencoder from its two kernels."""

from aejax.types import Array, Params


def linear_params(encoder: Array, decoder: Array) -> Params:
    """W_e [n, k] and W_d [k, n] as parameters of `aejax.linear(n, k, bias=False)`."""
    return {
        "encoder": {"layer_0": {"kernel": encoder}},
        "decoder": {"layer_0": {"kernel": decoder}},
    }
