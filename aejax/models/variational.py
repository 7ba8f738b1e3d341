"""Variational autoencoders: an encoder whose outputs are the parameters of a posterior q(z | x)."""

from collections.abc import Callable, Sequence

import jax
import jax.numpy as jnp
from jax.typing import DTypeLike

from aejax.models.dense import Initializers, dense
from aejax.posteriors import Posterior, diagonal_gaussian, latent_point
from aejax.types import Array, Autoencoder, Code, Key, Params


def variational(
    sizes: Sequence[int],
    *,
    posterior: Posterior | None = None,
    decoder_sizes: Sequence[int] | None = None,
    outputs: int = 1,
    activation: Callable[[Array], Array] = jax.nn.gelu,
    initializers: Initializers = Initializers(),
    dtype: DTypeLike = float,
) -> Autoencoder:
    """Dense variational autoencoder: q(z | x) from the encoder, p(x | z) from the decoder.

    `encode` returns the code, a record of the posterior's parameters. `decode` takes a sample z
    [batch, units], or a code, whose point (the mean) it decodes. An objective samples by
    `perturbation=posterior.sample`.

    Args:
        sizes: numbers of features of the input, the hidden layers and z: (784, 200, 200, 50).
        posterior: family of q(z | x) (default: `posteriors.diagonal_gaussian()`).
        decoder_sizes: numbers of features from z to x (default: `sizes` reversed).
        outputs: number of parameters of p(x | z) per feature; more than one is a last axis of the
            output, such as 2 for `losses.gaussian_with_variance` and `losses.discretised_logistic`.
        activation: activation of the hidden layers; the last layers of both halves are affine.
        initializers: initialisers of kernels and biases.
        dtype: dtype of the parameters; `float` is JAX's default, float64 if x64 is enabled.

    Returns:
        An `Autoencoder` with the parameters of `dense`, {"encoder": …, "decoder": …}.

    Raises:
        ValueError: if `dense` refuses the sizes, or `outputs` is less than 1.

    Source: Kingma & Welling 2014.

    Example:
        >>> import aejax, jax, jax.numpy as jnp
        >>> posterior = aejax.posteriors.diagonal_gaussian()
        >>> model = aejax.variational((64, 32, 8), posterior=posterior)
        >>> objective = aejax.objective(
        ...     model, aejax.losses.bernoulli, perturbation=posterior.sample,
        ...     penalties={"divergence": (1.0, aejax.penalties.divergence(posterior))})
        >>> params = model.init(jax.random.key(0))
        >>> model.encode(params, jnp.zeros((5, 64))).mean.shape
        (5, 8)
    """
    if outputs < 1:
        raise ValueError(f"outputs must be at least 1, got {outputs}")
    if len(sizes) < 2:
        raise ValueError(f"sizes must have at least two layers, x and z, got {tuple(sizes)}")
    posterior = diagonal_gaussian() if posterior is None else posterior
    *hidden, units = sizes
    features = (decoder_sizes or sizes[::-1])[-1]
    first, *middle, _ = decoder_sizes or sizes[::-1]
    settings = {"activation": activation, "initializers": initializers, "dtype": dtype}
    encoder = dense(
        (*hidden, posterior.outputs(units)), code_activation=jax.nn.identity, **settings
    )
    decoder = dense(
        (*sizes[:1], units), decoder_sizes=(first, *middle, features * outputs), **settings
    )

    def decode(params: Params, code: Array) -> Array:
        output = decoder.decode(params, code)
        return output.reshape(output.shape[0], features, outputs) if outputs > 1 else output

    return with_posterior(encoder, decoder._replace(decode=decode), posterior)


def with_posterior(encoder: Autoencoder, decoder: Autoencoder, posterior: Posterior) -> Autoencoder:
    """Variational autoencoder from the encoder of one autoencoder and the decoder of another.

    Args:
        encoder: autoencoder whose code is an array with `posterior.outputs(units)` values on the
            last axis, without a last activation. Its own decoder is not used.
        decoder: autoencoder whose code is an array with `units` values on the last axis. Its own
            encoder is not used, so its kernels cannot be tied.
        posterior: family of q(z | x).

    Returns:
        An `Autoencoder` with the encoder's parameters, and the decoder's under "decoder".

    Raises:
        ValueError: `init` raises it if the parameters of one of them are not a dict with "encoder"
            and "decoder".

    Source: Kingma & Welling 2014.

    Example:
        >>> import aejax, jax, jax.numpy as jnp
        >>> encoder = aejax.convolutional((8, 8, 1), (4,), units=(6,), code_activation=jnp.asarray)
        >>> decoder = aejax.convolutional((8, 8, 1), (4,), units=(3,))
        >>> posterior = aejax.posteriors.diagonal_gaussian()
        >>> model = aejax.models.with_posterior(encoder, decoder, posterior)
        >>> params = model.init(jax.random.key(0))
        >>> model.decode(params, jnp.zeros((5, 3))).shape
        (5, 8, 8, 1)
    """

    def init(key: Key) -> Params:
        key_encoder, key_decoder = jax.random.split(key)
        params, decoder_params = encoder.init(key_encoder), decoder.init(key_decoder)
        for name, found in (("encoder", params), ("decoder", decoder_params)):
            if not isinstance(found, dict) or not {"encoder", "decoder"} <= found.keys():
                raise ValueError(
                    f"with_posterior joins parameters by their names, so the {name} must have a "
                    'dict of parameters with "encoder" and "decoder", got '
                    f"{sorted(found) if isinstance(found, dict) else type(found).__name__}"
                )
        return params | {"decoder": decoder_params["decoder"]}

    def encode(params: Params, x: Array) -> Code:
        return posterior.code(encoder.encode(params, x))

    def decode(params: Params, code: Code) -> Array:
        return decoder.decode(params, latent_point(posterior, code))

    return Autoencoder(init, encode, decode)


def with_shared_variance(model: Autoencoder) -> Autoencoder:
    """An autoencoder whose decoder learns one variance for all elements of x.

    The output gets a last axis of two, the output of the model and log v, as
    `losses.gaussian_with_variance` takes it.

    Args:
        model: autoencoder whose parameters are a dict with a dict "decoder".

    Returns:
        An `Autoencoder` with the parameter params["decoder"]["log_variance"], which is 0 at first.

    Source: Rybkin, Daniilidis & Levine 2021.

    Example:
        >>> import aejax, jax, jax.numpy as jnp
        >>> model = aejax.models.with_shared_variance(aejax.variational((6, 2)))
        >>> params = model.init(jax.random.key(0))
        >>> model.decode(params, jnp.zeros((5, 2))).shape
        (5, 6, 2)
    """

    def init(key: Key) -> Params:
        params = model.init(key)
        dtype = jax.tree.leaves(params["decoder"])[0].dtype
        return params | {"decoder": params["decoder"] | {"log_variance": jnp.zeros((), dtype)}}

    def decode(params: Params, code: Code) -> Array:
        decoder = dict(params["decoder"])
        log_variance = decoder.pop("log_variance")
        output = model.decode(params | {"decoder": decoder}, code)
        return jnp.stack([output, jnp.broadcast_to(log_variance, output.shape)], axis=-1)

    return Autoencoder(init, model.encode, decode)
