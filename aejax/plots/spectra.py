"""Spectra of the data's covariance and of encoder Jacobians."""

from collections.abc import Mapping

import numpy as np
from jaxtyping import Float
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from aejax.plots.style import INK, Array, figure_style, finite


def spectrum(eigenvalues: Float[Array, " features"], code: int) -> Figure:
    """Draw the PCA spectrum λ_1 ≥ λ_2 ≥ … (scree plot), cut at the code size.

    Args:
        eigenvalues: eigenvalues of the data's covariance, descending. Values that are zero up to
            rounding, λ_i ≤ n ε λ_1, are below the logarithmic axis.
        code: number k of retained components.

    Returns:
        A figure with one panel. The legend shows the share of variance that k components retain
        and Σ_{i>k} λ_i, the minimum squared error of linear autoencoders with k units.

    Raises:
        ValueError: if eigenvalues are not finite, negative beyond rounding, all zero or not
            descending, or code is not in [1, features].

    Source: Eckart & Young 1936; Baldi & Hornik 1989.
    """
    values = finite("the eigenvalues", eigenvalues)
    rounding = values.size * np.finfo(np.result_type(eigenvalues, np.float32)).eps
    rounding *= values.max(initial=0)
    if rounding == 0 or values.min() < -rounding or np.diff(values).max(initial=0) > rounding:
        raise ValueError("eigenvalues must be descending, non-negative and not all zero")
    if not 1 <= code <= len(values):
        raise ValueError(f"code must be between 1 and {len(values)}, got {code}")
    index = np.arange(1, len(values) + 1)
    left_out = values[code:].sum()
    kept = 1 - left_out / values.sum()
    with figure_style():
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
    """Draw singular values σ_1 ≥ σ_2 ≥ … of encoder Jacobians ∂h/∂x over examples.

    A contractive code has few large singular values: the directions along the data manifold.

    Args:
        spectra: name -> singular values at each example, descending, as returned by
            `jnp.linalg.svd(jacobian, compute_uv=False)`.

    Returns:
        A figure with one logarithmic panel: the median over examples, with a band from the first
        to the third quartile.

    Raises:
        ValueError: if there is no spectrum or an empty one, or values are not finite, negative or
            not descending.

    Source: Rifai et al. 2011, Contractive auto-encoders, §5.3.
    """
    if not spectra:
        raise ValueError("expected the spectrum of at least one encoder")
    with figure_style():
        figure = Figure(figsize=(6.4, 3.2))
        axis = figure.subplots()
        for (name, given), style in zip(spectra.items(), ("-", "--", "-.", ":") * 9, strict=False):
            values = finite(f"the spectrum {name}", given)
            if values.size == 0 or values.min() < 0 or np.diff(values).max(initial=0) > 0:
                raise ValueError(f"the spectrum {name} must be descending and non-negative")
            index = np.arange(1, values.shape[1] + 1)
            low, middle, high = np.quantile(values, (0.25, 0.5, 0.75), axis=0)
            (line,) = axis.plot(index, middle, style, label=name)
            axis.fill_between(index, low, high, color=line.get_color(), alpha=0.2, linewidth=0)
        axis.set(xlabel="i", ylabel="singular value σ of ∂h/∂x")
        if any(np.any(values) for values in spectra.values()):  # not for a dead code
            axis.set_yscale("log")
        axis.xaxis.set_major_locator(MaxNLocator(8, steps=[1, 2, 5, 10], integer=True))
        axis.legend()
    return figure
