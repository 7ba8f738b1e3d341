"""Curve of the KL sparsity penalty and its derivative."""

from collections.abc import Sequence

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float
from matplotlib.figure import Figure

from aejax.hyperparameters import check_range
from aejax.penalties import bernoulli_kl
from aejax.plots.style import INK, Array, figure_style


def kl_sparsity(
    rhos: Sequence[float], rho_hat: Float[Array, " units"] | None = None, *, points: int = 999
) -> Figure:
    """Draw Ω(ρ̂) = KL(ρ ‖ ρ̂) of one unit, and its derivative −ρ/ρ̂ + (1−ρ)/(1−ρ̂).

    Args:
        rhos: values of ρ, each in (0, 1).
        rho_hat: mean activations of a trained code's units, drawn as ticks (default: none).
        points: number of points of each curve, strictly between 0 and 1.

    Returns:
        A figure with two panels: the penalty, with its minimum 0 at ρ̂ = ρ marked, and the
        derivative, which is 0 there.

    Raises:
        ValueError: if there is no ρ, a ρ is not in (0, 1), or a mean activation is not in [0, 1].

    Source: Ng 2011, Sparse autoencoder, §3.
    """
    if not rhos or not all(0 < rho < 1 for rho in rhos):
        raise ValueError(f"expected at least one ρ, each in (0, 1), got {list(rhos)}")
    if rho_hat is not None:
        check_range("mean activations", jnp.asarray(rho_hat), 0, 1)
    grid = jnp.arange(1, points + 1) / (points + 1)
    with figure_style():
        figure = Figure(figsize=(7.2, 3.0))
        penalty, derivative = figure.subplots(1, 2)
        for rho, style in zip(rhos, ("-", "--", "-.", ":") * len(rhos), strict=False):
            value, slope = _value_and_slope(rho, grid)
            (line,) = penalty.plot(grid, value, linestyle=style, label=f"ρ = {rho:g}")
            derivative.plot(grid, slope, linestyle=style, label=f"ρ = {rho:g}")
            for axis in (penalty, derivative):
                axis.plot(rho, 0, "o", color=line.get_color(), clip_on=False, zorder=3)
        if rho_hat is not None:
            zero = np.zeros(len(rho_hat))
            penalty.plot(rho_hat, zero, "|", ms=10, color=INK, clip_on=False, label="measured ρ̂")
        penalty.set(title="Ω = KL(ρ ‖ ρ̂)", xlabel="mean activation ρ̂", ylabel="nats", ylim=(0, 3))
        derivative.set(title="dΩ/dρ̂", xlabel="mean activation ρ̂", ylim=(-20, 20))
        derivative.axhline(0, color=INK, linewidth=0.8)
        penalty.legend(loc="upper center")
    return figure


def _value_and_slope(rho: float, grid: jax.Array) -> tuple[jax.Array, jax.Array]:
    return jax.vmap(jax.value_and_grad(lambda rho_hat: bernoulli_kl(rho, rho_hat)))(grid)
