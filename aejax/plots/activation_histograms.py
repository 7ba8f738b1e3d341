"""Activations of a code: how they are spread, and how much each unit is on."""

from jaxtyping import Float
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from aejax.plots.style import INK, Array, finite, look


def activations(
    code: Float[Array, "examples units"], *, rho: float | None = None, bins: int = 40
) -> Figure:
    """Histograms of all activations h, and of the units' means ρ̂_j = mean_b h_bj.

    Args:
        code: activations of the units, one row an example.
        rho: the mean activation that a penalty asked for, drawn as a line, where there was one.
        bins: of each histogram, equally wide from the least to the greatest value.

    Returns:
        A figure of two panels: the number of activations, on a logarithmic axis, and the number of
        units.

    Raises:
        ValueError: for an empty code, one that is not finite, or fewer bins than one.

    Source: Ng 2011, Sparse autoencoder, §3 (ρ̂).
    """
    h = finite("the code", code)
    if h.size == 0 or bins < 1:
        raise ValueError(f"give one activation and one bin or more, got {h.size} and {bins}")
    with look():
        figure = Figure(figsize=(7.2, 2.8))
        every, means = figure.subplots(1, 2)
        every.hist(h.ravel(), bins)
        every.set(title="activations", xlabel="activation h", ylabel="number", yscale="log")
        every.set_ylim(bottom=0.8)  # a bar of one is seen
        means.hist(h.mean(axis=0), bins)
        means.set(title="units", xlabel="mean activation ρ̂", ylabel="number of units")
        means.yaxis.set_major_locator(MaxNLocator(integer=True))
        if rho is not None:
            means.axvline(rho, color=INK, linestyle="--", linewidth=1, label=f"ρ = {rho:g}")
            means.legend(loc="lower right", bbox_to_anchor=(1, 1), borderaxespad=0)
    return figure
