"""Statistics of a sparse dictionary over a stream of batches: sparsity, reconstruction, density.

Examples are summed in float64, whatever their dtype and number.
"""

from collections.abc import Iterable
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Bool, Float, Float64, Int

from aejax.types import Array

AnyArray = Array | np.ndarray


class DictionaryStatistics(NamedTuple):
    """Statistics of codes and reconstructions over all examples.

    examples:            number of examples.
    l0:                  mean number of non-zero latents of an example.
    explained_variance:  1 − E‖x − x̂‖²/(E‖x‖² − ‖E x‖²); 1 minus it is the fraction of variance
                         unexplained (FVU).
    norm_ratio:          mean of ‖x̂‖/‖x‖ over the examples with x ≠ 0; below 1, codes are shrunk.
    reconstruction_bias: γ = E‖x̂‖²/E[x·x̂]; 1/γ is the scale of x̂ with the smallest squared error.
    frequency:           fraction of examples on which each latent is not zero.
    """

    examples: int
    l0: float
    explained_variance: float
    norm_ratio: float
    reconstruction_bias: float
    frequency: Float64[np.ndarray, " units"]

    @property
    def dead(self) -> Bool[np.ndarray, " units"]:
        """True for a latent that is zero on all examples."""
        return self.frequency == 0


def dictionary_statistics(
    batches: Iterable[tuple[AnyArray, AnyArray, AnyArray]],
) -> DictionaryStatistics:
    """Sparsity and reconstruction over a stream of batches (x, code, x̂).

    Args:
        batches: x [batch, *input], code [batch, units] and reconstruction x̂ [batch, *input] of each
            batch; batches may differ in size.

    Returns:
        The `DictionaryStatistics`. `reconstruction_bias` is infinite if no x̂ overlaps its x.

    Raises:
        ValueError: for no examples, examples that are all equal, for which no variance is to be
            explained, shapes that do not fit, or a batch with a value that is not finite.

    Example:
        >>> import jax.numpy as jnp
        >>> from aejax import evaluation
        >>> x, code = jnp.array([[3.0, 0.0], [0.0, 4.0]]), jnp.array([[3.0, 0.0], [0.0, 2.0]])
        >>> found = evaluation.dictionary_statistics([(x, code, code)])
        >>> found.l0, round(found.explained_variance, 2), found.norm_ratio
        (1.0, 0.68, 0.75)

    Source: Rajamanoharan, Conmy et al. 2024 (reconstruction bias γ).
    """
    sums, origin = None, None
    for index, (x, code, x_hat) in enumerate(batches):
        x, x_hat = (np.asarray(part, float).reshape(len(part), -1) for part in (x, x_hat))
        _check_batch(index, x, code, x_hat)
        origin = x.mean(axis=0) if origin is None else origin  # against cancellation
        parts = _sums(x, code, x_hat, origin)
        sums = parts if sums is None else jax.tree.map(np.add, sums, parts)
    if sums is None:
        raise ValueError("no examples: pass at least one batch (x, code, x̂)")
    variance = sums.square - np.sum(np.square(sums.value)) / sums.examples
    if not variance > 0:
        raise ValueError(f"no variance to explain: {sums.examples} examples, all of them equal")
    return DictionaryStatistics(
        examples=int(sums.examples),
        l0=float(np.sum(sums.nonzero) / sums.examples),
        explained_variance=float(1 - sums.error / variance),
        norm_ratio=float(sums.norm_ratio / sums.with_norm),
        reconstruction_bias=float(sums.square_hat / sums.product) if sums.product else np.inf,
        frequency=sums.nonzero / sums.examples,
    )


class DensityHistogram(NamedTuple):
    """Histogram of the frequencies of latents, on a logarithmic scale.

    counts: number of latents in each bin.
    edges:  frequencies at the edges of the bins.
    dead:   number of latents that are never active, which are in no bin.
    """

    counts: Int[np.ndarray, " bins"]
    edges: Float64[np.ndarray, " edges"]
    dead: int


def density_histogram(
    frequency: Float[np.ndarray, " units"], *, bins: int = 50
) -> DensityHistogram:
    """Histogram of the frequencies of latents, in bins of equal ratio up to 1.

    Args:
        frequency: fraction of examples on which each latent is active.
        bins: number of bins, at least 1.

    Returns:
        The `DensityHistogram`. Its lowest edge is the power of 10 below the lowest frequency.

    Raises:
        ValueError: for frequencies outside [0, 1], or fewer than 1 bin.

    Source: Bricken et al. 2023 (density histogram).
    """
    frequency = np.asarray(frequency, float)
    if bins < 1 or not np.all((frequency >= 0) & (frequency <= 1)):
        raise ValueError(
            f"expected frequencies in [0, 1] and at least 1 bin, got {bins} bins and frequencies "
            f"from {np.min(frequency, initial=1)} to {np.max(frequency, initial=0)}"
        )
    alive = frequency[frequency > 0]
    lowest = np.floor(np.log10(np.min(alive, initial=0.1)))
    counts, edges = np.histogram(np.log10(alive), bins=bins, range=(lowest, 0))
    return DensityHistogram(counts, 10**edges, len(frequency) - len(alive))


class _Sums(NamedTuple):
    """Sums over examples; `value` and `square` are those of x minus a constant vector."""

    examples: int
    value: Float64[np.ndarray, " features"]
    square: np.float64
    error: np.float64
    square_hat: np.float64
    product: np.float64
    norm_ratio: np.float64
    with_norm: np.int64
    nonzero: Int[np.ndarray, " units"]


def _sums(x: np.ndarray, code: AnyArray, x_hat: np.ndarray, origin: np.ndarray) -> _Sums:
    norm, norm_hat = (np.linalg.norm(part, axis=1) for part in (x, x_hat))
    centred, has_norm = x - origin, norm > 0
    return _Sums(
        examples=len(x),
        value=np.sum(centred, axis=0),
        square=np.sum(np.square(centred)),
        error=np.sum(np.square(x - x_hat)),
        square_hat=np.sum(np.square(x_hat)),
        product=np.sum(x * x_hat),
        norm_ratio=np.sum(norm_hat[has_norm] / norm[has_norm]),
        with_norm=np.sum(has_norm),
        nonzero=np.asarray(jnp.count_nonzero(code, axis=0), np.int64),
    )


def _check_batch(index: int, x: np.ndarray, code: AnyArray, x_hat: np.ndarray) -> None:
    if not len(x) or np.ndim(code) != 2 or len(code) != len(x) or x_hat.shape != x.shape:
        raise ValueError(
            f"batch {index}: expected x [batch, *input], code [batch, units] and x̂ with the shape "
            f"of x, got {list(x.shape)}, {list(np.shape(code))} and {list(x_hat.shape)} (flattened)"
        )
    for name, part in (("x", x), ("x̂", x_hat)):
        if not np.isfinite(part).all():
            raise ValueError(f"batch {index}: {name} has a value that is not finite")
