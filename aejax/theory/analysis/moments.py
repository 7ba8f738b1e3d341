"""The first and second moments of data, all that a linear autoencoder can see of it.

The loss of any linear map W on normalised data R is ‖R − R W‖²_F = tr (I − W)ᵀ S (I − W), a
function of S = RᵀR alone. S is kept as a triangular factor T with TᵀT = S, so that R may be
replaced by T exactly, n rows instead of m, and no condition number is squared by forming S.
"""

from typing import NamedTuple

import numpy as np
from jaxtyping import Float64, Shaped

from aejax.theory.analysis.centring import centred, real_array
from aejax.types import Array


class Moments(NamedTuple):
    """Moments of x [m, n], float64.

    At an offset of 10¹² a mean in float64 is 10⁻⁴ off, and so would be the difference of two
    batches' means. So the mean is kept as an unevaluated sum of two numbers, mean + residue.

    examples:  m, the number of examples.
    mean:      x̄ [n].
    factor:    T [min(m, n), n], upper triangular (trapezoidal where m < n), TᵀT = S = RᵀR.
    magnitude: ‖x‖_F/√m, the root mean square length of a row before centring, which sets the
               rounding errors of x − x̄ and of a pass through a model with biases.
    residue:   what the rounding of `mean` to float64 leaves out of x̄ [n].
    """

    examples: int
    mean: Float64[np.ndarray, " features"]
    factor: Float64[np.ndarray, "rows features"]
    magnitude: float
    residue: Float64[np.ndarray, " features"] | float = 0.0


def moments(x: Shaped[np.ndarray | Array, "..."]) -> Moments:
    """Moments of the course's normalised data, r_ij = (x_ij − x̄_j)/√m.

    An offset of 10⁶ costs no accuracy beyond what x itself has lost: see `centring.centred`.

    Args:
        x: [examples, features], any real dtype; taken to float64.

    Returns:
        `Moments`, float64.

    Raises:
        ValueError: for another rank, no examples or features, values that are not real, NaN,
            infinity, or numbers whose squares overflow.

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
    """‖x‖_F/√m, the root mean square length of a row."""
    return float(np.linalg.norm(x) / np.sqrt(len(x)))


def equivalent_batch(factor: Float64[np.ndarray, "rows n"]) -> Float64[np.ndarray, "rows n"]:
    """√p T for the p rows of T: a batch whose second moments, averaged over its rows, are S."""
    return np.sqrt(len(factor)) * factor


def triangular_factor(
    r: Float64[np.ndarray, "m n"], *, block: int = 4096
) -> Float64[np.ndarray, "rows n"]:
    """T [min(m, n), n] with TᵀT = RᵀR: each block of rows is reduced with the T of those before.

    One QR factorisation of all rows gives the same, several times slower where there are many.
    """
    factor = r[:0]
    for start in range(0, len(r), block):
        rows = np.concatenate([factor, r[start : start + block]])
        factor = np.asarray(np.linalg.qr(rows, mode="r"))
    return factor


def real_matrix(x: Shaped[np.ndarray | Array, "..."]) -> Float64[np.ndarray, "examples features"]:
    """The data as a float64 matrix, or a `ValueError` that says what it is instead."""
    x = real_array(x).astype(np.float64)
    if not np.isfinite(np.vdot(x, x)):
        raise ValueError("x must hold finite numbers whose squares do not overflow float64")
    return x
