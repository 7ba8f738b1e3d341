"""Spectra: where the variance of the data lies, and in how many directions a code moves."""

from collections.abc import Mapping

import numpy as np
from jaxtyping import Float
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from aejax.plots.style import INK, Array, finite, look


def spectrum(eigenvalues: Float[Array, " features"], code: int) -> Figure:
    """The PCA spectrum λ_1 ≥ λ_2 ≥ …, cut at the size of the code.

    Args:
        eigenvalues: of the data's covariance, descending. Those that are zero to rounding,
            λ_i ≤ n ε λ_1, lie below the logarithmic axis.
        code: how many components are kept, k.

    Returns:
        A figure of one panel; its legend gives the share of variance that k components keep and
        Σ_{i>k} λ_i, the least squared error of any linear autoencoder with k units.

    Raises:
        ValueError: for eigenvalues that are not finite, negative beyond rounding, all zero or not
            descending, or a code outside [1, features].

    Source: Eckart & Young 1936; Baldi & Hornik 1989.
    """
    values = finite("the eigenvalues", eigenvalues)
    rounding = values.size * np.finfo(np.result_type(eigenvalues, np.float32)).eps
    rounding *= values.max(initial=0)
    if rounding == 0 or values.min() < -rounding or np.diff(values).max(initial=0) > rounding:
        raise ValueError("eigenvalues must be descending and not negative, the first above zero")
    if not 1 <= code <= len(values):
        raise ValueError(f"code must lie between 1 and {len(values)}, got {code}")
    index = np.arange(1, len(values) + 1)
    left_out = values[code:].sum()
    kept = 1 - left_out / values.sum()
    with look():
        figure = Figure(figsize=(6.4, 3.2))
        axis = figure.subplots()
        axis.plot(index[:code], values[:code], "o", ms=4, label=f"kept: {kept:.1%} of the variance")
        axis.plot(index[code:], values[code:], "s", ms=3, label=f"left out: Σ λ = {left_out:.4g}")
        axis.axvline(code + 0.5, color=INK, linewidth=0.8, linestyle="--")
        axis.set(xlabel="component i", ylabel="eigenvalue λ, the variance along i", yscale="log")
        axis.set_ylim(bottom=values[values > rounding].min() / 2)
        axis.xaxis.set_major_locator(MaxNLocator(8, steps=[1, 2, 5, 10], integer=True))
        axis.legend(title=f"k = {code} of {len(values)}", alignment="left")
    return figure


def jacobian_spectra(spectra: Mapping[str, Float[Array, "examples values"]]) -> Figure:
    """Singular values σ_1 ≥ σ_2 ≥ … of encoders' Jacobians ∂h/∂x, over examples.

    A contractive code keeps few of them large: the directions along the data.

    Args:
        spectra: name -> singular values at each example, descending, as
            `jnp.linalg.svd(jacobian, compute_uv=False)` gives them.

    Returns:
        A figure of one panel, logarithmic: each name's median over the examples, in a band from the
        first to the third quartile.

    Raises:
        ValueError: for no spectra or an empty one, or values that are not finite, negative or not
            descending.

    Source: Rifai et al. 2011, Contractive auto-encoders, §5.3.
    """
    if not spectra:
        raise ValueError("give the spectrum of one encoder or more")
    with look():
        figure = Figure(figsize=(6.4, 3.2))
        axis = figure.subplots()
        for (name, given), style in zip(spectra.items(), ("-", "--", "-.", ":") * 9, strict=False):
            values = finite(f"the spectrum {name}", given)
            if values.size == 0 or values.min() < 0 or np.diff(values).max(initial=0) > 0:
                raise ValueError(f"the spectrum {name} must be descending and not negative")
            index = np.arange(1, values.shape[1] + 1)
            low, middle, high = np.quantile(values, (0.25, 0.5, 0.75), axis=0)
            (line,) = axis.plot(index, middle, style, label=name)
            axis.fill_between(index, low, high, color=line.get_color(), alpha=0.2, linewidth=0)
        axis.set(xlabel="i", ylabel="singular value σ of ∂h/∂x")
        if any(np.any(values) for values in spectra.values()):  # a dead code has none above zero
            axis.set_yscale("log")
        axis.xaxis.set_major_locator(MaxNLocator(8, steps=[1, 2, 5, 10], integer=True))
        axis.legend()
    return figure
