"""Restricted Boltzmann machines: energy, free energy, Gibbs sampling, contrastive divergence.

p(v, h) ∝ exp(−E(v, h)),   E(v, h) = Σ_i e(v_i) + Σ_j e(h_j) − v·c − h·b − v W h

The parameters are those of a tied one-layer autoencoder, `dense((visible, hidden), tied=True)`:
kernel W, encoder bias b, decoder bias c. So all functions that train, save or unroll autoencoders
also apply to RBMs. `hidden_mean` and `visible_mean` are encoder and decoder for units of any kind.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.scipy.special import logsumexp
from jaxtyping import Float

from aejax.hyperparameters import as_integer
from aejax.types import Array, Key, Params, Pass, Penalty

MAX_ENUMERATED_UNITS = 20


class Units(NamedTuple):
    """A type of unit, the exponential family p(x | a) = exp(a x − e(x) − A(a)).

    The natural parameter a is bias plus input.

    energy:        x -> e(x), elementwise.
    log_partition: a -> A(a), elementwise.
    mean:          a -> E[x | a] = A′(a).
    sample:        (key, a) -> x ~ p(x | a).
    support:       range (low, high) of x, or of its mean.
    """

    energy: Callable[[Array], Array]
    log_partition: Callable[[Array], Array]
    mean: Callable[[Array], Array]
    sample: Callable[[Key, Array], Array]
    support: tuple[float, float]


def _sample_bernoulli(key: Key, a: Array) -> Array:
    return jax.random.bernoulli(key, jax.nn.sigmoid(a)).astype(a.dtype)


def _sample_gaussian(key: Key, a: Array) -> Array:
    return a + jax.random.normal(key, a.shape, a.dtype)


bernoulli = Units(
    jnp.zeros_like, jax.nn.softplus, jax.nn.sigmoid, _sample_bernoulli, support=(0.0, 1.0)
)
"""Binary units: x is 1 with probability σ(a). e = 0, A = log(1 + e^a)."""

gaussian = Units(
    lambda x: jnp.square(x) / 2,
    lambda a: jnp.square(a) / 2 + jnp.log(2 * jnp.pi) / 2,
    jax.nn.identity,
    _sample_gaussian,
    support=(-jnp.inf, jnp.inf),
)
"""Linear units with unit variance: x ~ N(a, 1). e = x²/2, A = a²/2 + ½ log 2π.

Standardise real inputs first. If both layers are Gaussian, the energy is bounded below only while
the largest singular value of W is less than 1.
"""


def mean_field(units: Units) -> Units:
    """Replace sampling by the mean: E[x | a] instead of x ~ p(x | a).

    Hinton & Salakhutdinov use it for the visible units: reconstructions are probabilities, which
    have less noise, but the chain no longer samples the distribution of the RBM.

    Args:
        units: any type of unit.

    Returns:
        The same type, with `sample` replaced by `mean`.

    Source: Hinton 2012, A practical guide to training restricted Boltzmann machines, §3.2.
    """
    return units._replace(sample=lambda _, a: units.mean(a))


class RBM(NamedTuple):
    """A restricted Boltzmann machine: the types of its visible and hidden units."""

    visible: Units = bernoulli
    hidden: Units = bernoulli


def energy(
    rbm: RBM,
    params: Params,
    v: Float[Array, "batch visible"],
    h: Float[Array, "batch hidden"],
) -> Float[Array, " batch"]:
    """Energy E(v, h) = Σ_i e(v_i) + Σ_j e(h_j) − v·c − h·b − v W h of joint states.

    Args:
        rbm: types of the units.
        params: parameters of `dense((visible, hidden), tied=True)`.
        v: visible states or probabilities.
        h: hidden states.

    Returns:
        One value per pair of states.

    Raises:
        ValueError: if `params` are those of another model.

    Source: Welling, Rosen-Zvi & Hinton 2005; Hinton & Salakhutdinov 2006, eq. 1 (binary).
    """
    kernel, visible_bias, hidden_bias = _weights(params)
    base = jnp.sum(rbm.visible.energy(v), axis=1) + jnp.sum(rbm.hidden.energy(h), axis=1)
    return base - v @ visible_bias - h @ hidden_bias - jnp.sum((v @ kernel) * h, axis=1)


def free_energy(
    rbm: RBM, params: Params, v: Float[Array, "batch visible"]
) -> Float[Array, " batch"]:
    """Free energy F(v) = −log Σ_h e^{−E(v, h)} = Σ_i e(v_i) − v·c − Σ_j A(b_j + (v W)_j).

    For binary hidden units A(a) = log(1 + e^a). p(v) ∝ e^{−F(v)}.

    Args:
        rbm: types of the units.
        params: parameters of `dense((visible, hidden), tied=True)`.
        v: visible states or probabilities.

    Returns:
        One value per example.

    Raises:
        ValueError: if `params` are those of another model.

    Source: Hinton 2012, §16.1 (binary).

    Example:
        >>> import aejax, jax, jax.numpy as jnp
        >>> from aejax.models import boltzmann
        >>> params = aejax.dense((4, 2), tied=True).init(jax.random.key(0))
        >>> boltzmann.free_energy(boltzmann.RBM(), params, jnp.zeros((3, 4))).shape
        (3,)
    """
    kernel, visible_bias, hidden_bias = _weights(params)
    hidden = rbm.hidden.log_partition(v @ kernel + hidden_bias)
    return jnp.sum(rbm.visible.energy(v), axis=1) - v @ visible_bias - jnp.sum(hidden, axis=1)


def hidden_mean(
    rbm: RBM, params: Params, v: Float[Array, "batch visible"]
) -> Float[Array, "batch hidden"]:
    """Conditional mean E[h | v] of the hidden units: σ(v W + b) for binary units.

    Args:
        rbm: types of the units.
        params: parameters of `dense((visible, hidden), tied=True)`.
        v: visible states or probabilities.

    Returns:
        The mean of each hidden unit, the code of the autoencoder with the same parameters.

    Raises:
        ValueError: if `params` are those of another model.

    Source: Hinton & Salakhutdinov 2006 (binary).
    """
    kernel, _, hidden_bias = _weights(params)
    return rbm.hidden.mean(v @ kernel + hidden_bias)


def visible_mean(
    rbm: RBM, params: Params, h: Float[Array, "batch hidden"]
) -> Float[Array, "batch visible"]:
    """Conditional mean E[v | h] of the visible units: σ(h Wᵀ + c) for binary units.

    Args:
        rbm: types of the units.
        params: parameters of `dense((visible, hidden), tied=True)`.
        h: hidden states or probabilities.

    Returns:
        The mean of each visible unit, the reconstruction.

    Raises:
        ValueError: if `params` are those of another model.

    Source: Hinton & Salakhutdinov 2006 (binary).
    """
    kernel, visible_bias, _ = _weights(params)
    return rbm.visible.mean(h @ kernel.T + visible_bias)


def gibbs_step(
    rbm: RBM, params: Params, v: Float[Array, "batch visible"], key: Key
) -> Float[Array, "batch visible"]:
    """One step of block Gibbs sampling: h ~ p(h | v), then v′ ~ p(v | h).

    Args:
        rbm: types of the units.
        params: parameters of `dense((visible, hidden), tied=True)`.
        v: initial visible states.
        key: PRNG key, split between the two layers.

    Returns:
        v′, with the shape of v.

    Raises:
        ValueError: if `params` are those of another model.

    Source: Hinton 2002.
    """
    kernel, visible_bias, hidden_bias = _weights(params)
    key_hidden, key_visible = jax.random.split(key)
    h = rbm.hidden.sample(key_hidden, v @ kernel + hidden_bias)
    return rbm.visible.sample(key_visible, h @ kernel.T + visible_bias)


def gibbs_chain(
    rbm: RBM, params: Params, v: Float[Array, "batch visible"], key: Key, *, steps: int
) -> Float[Array, "batch visible"]:
    """Final state of a chain of Gibbs steps, for the negative phase.

    Args:
        rbm: types of the units.
        params: parameters of `dense((visible, hidden), tied=True)`.
        v: initial visible states.
        key: PRNG key, split into one key per step.
        steps: number of steps k ≥ 1.

    Returns:
        v_k, with the shape of v.

    Raises:
        ValueError: if `steps` is less than 1 or `params` are those of another model.

    Source: Hinton 2002.
    """
    _check_steps(steps)

    def step(v: Array, key: Key) -> tuple[Array, None]:
        return gibbs_step(rbm, params, v, key), None

    end, _ = jax.lax.scan(step, v, jax.random.split(key, steps))
    return end


def contrastive_divergence(rbm: RBM, *, steps: int = 1) -> Penalty:
    """Contrastive divergence CD-k: F(v) − F(v_k), with the sample v_k of k Gibbs steps constant.

    Its gradient is the CD-k rule: for W, ⟨v_k hᵀ⟩ − ⟨v hᵀ⟩ with E[h | v] for h in both phases. The
    value is not a likelihood and must not be used in a line search.

    Args:
        rbm: types of the units, matching the layer of the model.
        steps: number of Gibbs steps k ≥ 1; as k grows, the expected gradient converges to that of
            the negative log-likelihood.

    Returns:
        The penalty, with one value per example, [batch].

    Raises:
        ValueError: if `steps` is less than 1. The penalty raises it if the model is not a single
            tied layer.

    Source: Hinton 2002; Hinton & Salakhutdinov 2006, eq. 2.
    """
    _check_steps(steps)

    def penalty(record: Pass) -> Array:
        params, v = record.params, record.batch.x
        fixed = jax.lax.stop_gradient(params)
        end = gibbs_chain(rbm, fixed, jax.lax.stop_gradient(v), record.key, steps=steps)
        return free_energy(rbm, params, v) - free_energy(rbm, params, end)

    return penalty


def log_partition(rbm: RBM, params: Params) -> Float[Array, ""]:
    """Exact log Z = log Σ_v e^{−F(v)}, by enumerating all states of at most 20 visible units.

    The mean log-likelihood is −mean F(v) − log Z.

    Args:
        rbm: types of the units; the visible units must be binary.
        params: parameters of `dense((visible, hidden), tied=True)`.

    Returns:
        log Z.

    Raises:
        ValueError: if the visible units are not binary or more than 20, or `params` are those of
            another model.

    Source: Hinton 2012, §2.
    """
    kernel, visible_bias, _ = _weights(params)
    if rbm.visible.support != bernoulli.support or len(visible_bias) > MAX_ENUMERATED_UNITS:
        raise ValueError(
            f"log_partition enumerates at most {MAX_ENUMERATED_UNITS} binary visible units, got "
            f"{len(visible_bias)} with values in {list(rbm.visible.support)}"
        )
    states = np.indices((2,) * len(visible_bias)).reshape(len(visible_bias), -1).T
    return logsumexp(-free_energy(rbm, params, jnp.asarray(states, kernel.dtype)))


def _weights(params: Params) -> tuple[Array, Array, Array]:
    """W [visible, hidden], the visible bias c and the hidden bias b."""
    halves = params if isinstance(params, dict) else {}
    encoder, decoder = halves.get("encoder", {}), halves.get("decoder", {})
    expected = {"kernel", "bias"}, {"bias"}
    if len(encoder) != 1 or (encoder["layer_0"].keys(), decoder["layer_0"].keys()) != expected:
        raise ValueError(
            "an RBM has the params of dense((visible, hidden), tied=True), one layer with biases; "
            f"got encoder layers {_layer_names(encoder)}, decoder layers {_layer_names(decoder)}"
        )
    layer = encoder["layer_0"]
    return layer["kernel"], decoder["layer_0"]["bias"], layer["bias"]


def _layer_names(layers: Params) -> list[str]:
    return [f"{name} ({', '.join(layer)})" for name, layer in layers.items()]


def _check_steps(steps: Any) -> None:
    if as_integer("steps", steps) < 1:
        raise ValueError(f"contrastive divergence needs at least one Gibbs step, got {steps}")
