"""Penalties: functions of one `Pass`, unweighted, and the plain formulas beneath them.

A penalty on the code takes `select`, which picks the part of the code's tree that it means; the
default takes the code itself.
"""

from collections.abc import Callable

import jax
import jax.numpy as jnp
from jax.scipy.special import rel_entr
from jaxtyping import Float

from aejax.ranges import check_range
from aejax.types import Array, Code, Params, Pass, Penalty

Select = Callable[[Code], Array]


def kernels(params: Params) -> list[Array]:
    """All kernels in params, in tree order: the leaves named `kernel`. Biases are not among them.

    Args:
        params: a nested dict of parameters.

    Returns:
        The kernels; a tied kernel is stored, and so counted, once.
    """
    leaves = jax.tree_util.tree_leaves_with_path(params)
    return [leaf for path, leaf in leaves if path[-1] == jax.tree_util.DictKey("kernel")]


def l2() -> Penalty:
    """L2 penalty (weight decay) on kernels: Σ W². Biases are excluded.

    There is no factor ½, so the gradient of λ Σ W² is 2 λ W.

    Returns:
        The penalty, a scalar.

    Source: Krogh & Hertz 1991, eq. 2 (with λ/2).
    """

    def penalty(record: Pass) -> Array:
        return sum(
            (jnp.sum(jnp.square(kernel)) for kernel in kernels(record.params)),
            start=jnp.zeros((), record.output.dtype),
        )

    return penalty


def l1(*, select: Select = jax.nn.identity) -> Penalty:
    """L1 penalty on the code: Σ_l |h_l|.

    Args:
        select: the part of the code's tree that is meant.

    Returns:
        The penalty, one value an example: [batch].

    Source: Goodfellow, Bengio & Courville 2016, §14.2.1.
    """

    def penalty(record: Pass) -> Array:
        code = select(record.code)
        return jnp.sum(jnp.abs(code), axis=range(1, code.ndim))

    return penalty


def bernoulli_kl(
    rho: float | Float[Array, "*#units"], rho_hat: Float[Array, "*units"]
) -> Float[Array, "*units"]:
    """KL divergence between Bernoulli laws: ρ log(ρ/ρ̂) + (1−ρ) log((1−ρ)/(1−ρ̂)), in nats.

    Zero at ρ̂ = ρ, where it is least; its derivative is −ρ/ρ̂ + (1−ρ)/(1−ρ̂). ρ̂ is kept ε (the
    machine epsilon of its dtype) away from 0 and 1, so that the value stays finite there; beyond
    those bounds the derivative is zero, as is the logistic's own there.

    Args:
        rho: ρ, the wanted mean activation, in [0, 1].
        rho_hat: ρ̂, the measured one, in [0, 1].

    Returns:
        The divergence of each unit.

    Raises:
        ValueError: for a concrete ρ or ρ̂ outside [0, 1].

    Source: Ng 2011, Sparse autoencoder, §3.
    """
    check_range("rho", rho, 0, 1)
    check_range("rho_hat, the mean activation of a logistic code,", rho_hat, 0, 1)
    epsilon = jnp.finfo(rho_hat.dtype).eps
    rho_hat = jnp.clip(rho_hat, epsilon, 1 - epsilon)
    rho = jnp.asarray(rho, rho_hat.dtype)
    return rel_entr(rho, rho_hat) + rel_entr(1 - rho, 1 - rho_hat)


def kl_sparsity(*, rho: float | Array, select: Select = jax.nn.identity) -> Penalty:
    """KL sparsity: Σ_l KL(ρ ‖ ρ̂_l), with ρ̂ the mean of a logistic code over the batch.

    Args:
        rho: ρ, the wanted mean activation, in [0, 1].
        select: the part of the code's tree that is meant; its values must lie in [0, 1].

    Returns:
        The penalty, a scalar: it belongs to the batch.

    Raises:
        ValueError: for a concrete ρ outside [0, 1]; when called outside jit, for a mean
            activation outside [0, 1].

    Source: Ng 2011, Sparse autoencoder, §3.
    """
    check_range("rho", rho, 0, 1)

    def penalty(record: Pass) -> Array:
        return jnp.sum(bernoulli_kl(rho, jnp.mean(select(record.code), axis=0)))

    return penalty


def squared_jacobian_norm(
    encode: Callable[[Array], Array], x: Float[Array, "batch *input"]
) -> Float[Array, " batch"]:
    """Squared Frobenius norm of the encoder's Jacobian at each example: ‖∂h/∂x‖²_F, exact.

    Differentiates along the smaller of input and code: `jacfwd` or `jacrev`.

    Args:
        encode: [batch, *input] -> code [batch, *code], each example for itself.
        x: where the Jacobian is taken.

    Returns:
        One value an example.

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

    For one logistic layer `contractive_logistic` gives the same at a small part of the cost.

    Args:
        select: the part of the code's tree that is meant.

    Returns:
        The penalty, one value an example: [batch].

    Source: Rifai et al. 2011, eq. 1.
    """

    def penalty(record: Pass) -> Array:
        def encode(x: Array) -> Array:
            return select(record.model.encode(record.params, x))

        return squared_jacobian_norm(encode, record.batch.x)

    return penalty


def logistic_squared_jacobian_norm(
    kernel: Float[Array, "features units"], code: Float[Array, "batch units"]
) -> Float[Array, " batch"]:
    """‖∂h/∂x‖²_F of one logistic layer h = σ(x W + b): Σ_l (h_l (1 − h_l))² Σ_i W_il².

    Args:
        kernel: W.
        code: h, the layer's activations at the examples, in [0, 1].

    Returns:
        One value an example.

    Source: Rifai et al. 2011, §5.1 (their closed form for a logistic encoder).
    """
    return jnp.square(code * (1 - code)) @ jnp.sum(jnp.square(kernel), axis=0)


def contractive_logistic() -> Penalty:
    """Contractive penalty at the clean x for a dense encoder of one logistic layer, in closed form.

    Returns:
        The penalty, one value an example: [batch].

    Raises:
        ValueError: when called with an encoder of more than one layer.

    Source: Rifai et al. 2011, §5.1.
    """

    def penalty(record: Pass) -> Array:
        layers = record.params["encoder"]
        if len(layers) != 1:
            raise ValueError(
                f"contractive_logistic needs an encoder of one logistic layer, got {len(layers)} "
                "layers; use contractive()"
            )
        code = record.model.encode(record.params, record.batch.x)
        return logistic_squared_jacobian_norm(layers["layer_0"]["kernel"], code)

    return penalty
