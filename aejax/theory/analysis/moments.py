"""First and second moments of data, which determine the loss of every linear autoencoder.

The loss of a linear map W on normalised data R is ‖R − R W‖²_F = tr (I − W)ᵀ S (I − W), a function
of S = RᵀR only. S is represented by a triangular factor T with TᵀT = S, so that T (n rows) can
replace R (m rows) exactly, and the condition number is not squared.
"""

from typing import NamedTuple

import numpy as np
from jaxtyping import Float64, Shaped

from aejax.theory.analysis.centring import centred, real_array
from aejax.types import Array


class Moments(NamedTuple):
    """Moments of x [m, n], float64.

    The mean is stored as an unevaluated sum of two float64 numbers, mean + residue: at an offset of
    10¹² one number has an error of 10⁻⁴, as would the difference between the means of two batches.

    examples:  number of examples m.
    mean:      x̄ [n].
    factor:    T [min(m, n), n], upper triangular (trapezoidal where m < n), TᵀT = S = RᵀR.
    magnitude: ‖x‖_F/√m, the root mean square norm of a row before centring; it determines the
               rounding errors of x − x̄ and of a forward pass of a model with biases.
    residue:   x̄ − mean [n], the rounding error of `mean`.
    """

    examples: int
    mean: Float64[np.ndarray, " features"]
    factor: Float64[np.ndarray, "rows features"]
    magnitude: float
    residue: Float64[np.ndarray, " features"] | float = 0.0


def moments(x: Shaped[np.ndarray | Array, "..."]) -> Moments:
    """Moments of the course's normalised data, r_ij = (x_ij − x̄_j)/√m.

    A mean far from zero costs no accuracy beyond the rounding of x itself (`centring.centred`).

    Args:
        x: [examples, features], any real dtype; converted to float64.

    Returns:
        `Moments`, float64.

    Raises:
        ValueError: if x is not a finite real matrix, is empty, or its squares overflow.

    Source: Demmel et al. 2012 (T by QR factorisations of blocks of rows).
    """
    length = rms_row_norm(real_matrix(x))
    rows, mean, residue = centred(real_array(x))
    return moments_of_centred(rows, mean, length)._replace(residue=residue)


def moments_of_centred(
    rows: Float64[np.ndarray, "examples features"],
    mean: Float64[np.ndarray, " features"],
    magnitude: float,
) -> Moments:
    """Moments from x − x̄, x̄ and ‖x‖_F/√m."""
    return Moments(len(rows), mean, triangular_factor(rows / np.sqrt(len(rows))), magnitude)


def rms_row_norm(x: Float64[np.ndarray, "examples features"]) -> float:
    """‖x‖_F/√m, the root mean square norm of a row."""
    return float(np.linalg.norm(x) / np.sqrt(len(x)))


def equivalent_batch(factor: Float64[np.ndarray, "rows n"]) -> Float64[np.ndarray, "rows n"]:
    """√p T for the p rows of T: a batch whose second moments, averaged over its rows, are S."""
    return np.sqrt(len(factor)) * factor


def triangular_factor(
    r: Float64[np.ndarray, "m n"], *, block: int = 4096
) -> Float64[np.ndarray, "rows n"]:
    """T [min(m, n), n] with TᵀT = RᵀR, by sequential QR of blocks of rows (TSQR).

    For many rows this is several times faster than one QR factorisation of all of them.
    """
    factor = r[:0]
    for start in range(0, len(r), block):
        rows = np.concatenate([factor, r[start : start + block]])
        factor = np.asarray(np.linalg.qr(rows, mode="r"))
    return factor


def real_matrix(x: Shaped[np.ndarray | Array, "..."]) -> Float64[np.ndarray, "examples features"]:
    """x as a float64 matrix; `ValueError` if it is not a finite real matrix or squares overflow."""
    x = real_array(x).astype(np.float64)
    if not np.isfinite(np.vdot(x, x)):
        raise ValueError("x must contain finite numbers whose squares do not overflow float64")
    return x
