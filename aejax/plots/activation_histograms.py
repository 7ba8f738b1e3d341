"""Histograms of the activations of a code and of its units' mean activations."""

from jaxtyping import Float
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from aejax.plots.style import INK, Array, figure_style, finite


def activations(
    code: Float[Array, "examples units"], *, rho: float | None = None, bins: int = 40
) -> Figure:
    """Draw histograms of all activations h and of the units' means ρ̂_j = mean_b h_bj.

    Args:
        code: activations of the units, one row per example.
        rho: target mean activation of a sparsity penalty, drawn as a line (default: none).
        bins: number of equal bins from the minimum to the maximum of each histogram.

    Returns:
        A figure with two panels: counts of activations on a logarithmic axis, and counts of units.

    Raises:
        ValueError: if the code is empty or not finite, or bins < 1.

    Source: Ng 2011, Sparse autoencoder, §3 (ρ̂).
    """
    h = finite("the code", code)
    if h.size == 0 or bins < 1:
        raise ValueError(f"expected at least one activation and one bin, got {h.size} and {bins}")
    with figure_style():
        figure = Figure(figsize=(7.2, 2.8))
        every, means = figure.subplots(1, 2)
        every.hist(h.ravel(), bins)
        every.set(title="activations", xlabel="activation h", ylabel="count", yscale="log")
        every.set_ylim(bottom=0.8)  # so that a bar of height one is visible
        means.hist(h.mean(axis=0), bins)
        means.set(title="units", xlabel="mean activation ρ̂", ylabel="number of units")
        means.yaxis.set_major_locator(MaxNLocator(integer=True))
        if rho is not None:
            means.axvline(rho, color=INK, linestyle="--", linewidth=1, label=f"ρ = {rho:g}")
            means.legend(loc="lower right", bbox_to_anchor=(1, 1), borderaxespad=0)
    return figure
