"""Codebooks by exponential averages of the codes that each codeword replaces."""

from typing import Any

import jax
import jax.numpy as jnp
import optax

from aejax.hyperparameters import check_range
from aejax.types import Array, Params


def averaged_codebook(
    optimizer: optax.GradientTransformation, *, decay: float | Array = 0.99
) -> optax.GradientTransformationExtraArgs:
    """Train the codebook by exponential averages, and all else by an optimizer.

    With n_k the mean number of codes of an example that codeword k replaces, and s_k the mean sum
    of these codes, N_k ← γ N_k + (1 − γ) n_k, M_k ← γ M_k + (1 − γ) s_k and e_k = M_k / N_k. Both
    start at 0, so e_k is an average with weights that sum to 1, and a codeword that was never used
    stays. Since M_k = N_k e_k, the update is the gradient step
    e_k ← e_k − (1 − γ)(n_k e_k − s_k) / N_k with a rate of its own for each codeword. n_k and
    n_k e_k − s_k are gradients of `penalties.codebook`, which the objective must have; its weight
    does not change the averages. Nothing is stored besides N_k, in the parameters.

    Args:
        optimizer: optax gradient transformation of the other parameters; it receives the gradient 0
            for the codebook.
        decay: γ, from 0 (the means of the last batch) to less than 1.

    Returns:
        The optimizer, with the state of the given one.

    Raises:
        ValueError: if γ is not in [0, 1); from the update, without parameters, or if they are not
            those of a vector-quantised model with `averaged=True`.

    Source: van den Oord, Vinyals & Kavukcuoglu 2017, appendix A.1.

    Example:
        >>> import aejax, jax, optax
        >>> from aejax import losses, models, penalties, training
        >>> base = aejax.dense((8, 3), code_activation=jax.nn.identity)
        >>> model = models.vector_quantised(base, codewords=16, channels=3, averaged=True)
        >>> terms = {"commitment": (0.25, penalties.commitment()),
        ...          "codebook": (1.0, penalties.codebook())}
        >>> objective = aejax.objective(model, losses.squared, penalties=terms)
        >>> optimizer = training.averaged_codebook(optax.adam(1e-3), decay=0.9)
        >>> x = jax.random.normal(jax.random.key(0), (40, 8))
        >>> state, _ = training.fit(objective, optimizer, x, key=1, epochs=1, batch_size=20)
        >>> state.params["quantiser"]["usage"].shape
        (16,)
    """
    check_range("the decay of averaged_codebook", decay, 0, 1 - 1e-6)
    inner = optax.with_extra_args_support(optimizer)

    def update(
        updates: Params, state: optax.OptState, params: Params | None = None, **extra: Any
    ) -> tuple[Params, optax.OptState]:
        if params is None:
            raise ValueError("averaged_codebook needs the parameters: update(…, params)")
        quantiser = params.get("quantiser", {}) if isinstance(params, dict) else {}
        if "usage" not in quantiser:
            raise ValueError(
                "averaged_codebook needs a vector-quantised model with averaged=True, but its "
                f'params["quantiser"] has {sorted(quantiser) or "nothing"}'
            )
        averages = _average(quantiser, updates["quantiser"], decay)
        constant = jax.tree.map(jnp.zeros_like, updates["quantiser"])
        updates, state = inner.update(updates | {"quantiser": constant}, state, params, **extra)
        return updates | {"quantiser": averages}, state

    return optax.GradientTransformationExtraArgs(inner.init, update)


def _average(
    quantiser: dict[str, Array], gradient: dict[str, Array], decay: float | Array
) -> dict[str, Array]:
    """Changes of codewords and usage; the gradient of Σ (sg[z] − e)² is 2 (n e − s)."""
    new = jnp.asarray(1 - decay, quantiser["usage"].dtype)
    change = new * (gradient["usage"] - quantiser["usage"])
    usage = quantiser["usage"] + change
    rate = new / (2 * jnp.where(usage > 0, usage, 1))
    return {"codebook": -rate[..., None] * gradient["codebook"], "usage": change}
