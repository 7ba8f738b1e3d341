"""The first and second moments of data, all that a linear autoencoder can see of it.

The loss of any linear map W on normalised data R is ‖R − R W‖²_F = tr (I − W)ᵀ S (I − W), a
function of S = RᵀR alone. S is kept as a triangular factor T with TᵀT = S, so that R may be
replaced by T exactly, n rows instead of m, and no condition number is squared by forming S.
"""

from typing import NamedTuple

import numpy as np
from jaxtyping import Float64, Shaped

from aejax.types import Array


class Moments(NamedTuple):
    """Moments of x [m, n], float64.

    examples:  m, the number of examples.
    mean:      x̄ [n].
    factor:    T [min(m, n), n], upper triangular (trapezoidal where m < n), TᵀT = S = RᵀR.
    magnitude: ‖x‖_F/√m, the root mean square length of a row before centring, which sets the
               rounding errors of x − x̄ and of a pass through a model with biases.
    """

    examples: int
    mean: Float64[np.ndarray, " features"]
    factor: Float64[np.ndarray, "rows features"]
    magnitude: float


def moments(x: Shaped[np.ndarray | Array, "..."]) -> Moments:
    """Moments of the course's normalised data, r_ij = (x_ij − x̄_j)/√m.

    The mean is subtracted twice: the first difference is exact where the mean is large against
    the spread (Sterbenz), so the second mean is that of small numbers, and an offset of 10⁶
    costs no accuracy beyond what x itself has lost.

    Args:
        x: [examples, features], any real dtype; taken to float64.

    Returns:
        `Moments`, float64.

    Raises:
        ValueError: for another rank, no examples or features, values that are not real, NaN,
            infinity, or numbers whose squares overflow.

    Source: Demmel et al. 2012 (T by QR factorisations of blocks of rows).
    """
    x = real_matrix(x)
    mean = x.mean(axis=0)
    r = x - mean
    correction = r.mean(axis=0)
    r -= correction
    r /= np.sqrt(len(x))
    magnitude = float(np.linalg.norm(x) / np.sqrt(len(x)))
    return Moments(len(x), mean + correction, triangular_factor(r), magnitude)


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
    x = np.asarray(x)
    if x.ndim != 2 or x.size == 0:
        raise ValueError(
            f"x must be [examples, features] with one of each or more, got shape {list(x.shape)}; "
            "flatten images with x.reshape(len(x), -1)"
        )
    if not (np.isrealobj(x) and (np.issubdtype(x.dtype, np.number) or x.dtype == bool)):
        raise ValueError(f"x must hold real numbers, got dtype {x.dtype}")
    x = x.astype(np.float64)
    if not np.isfinite(np.vdot(x, x)):  # false for NaN, for infinity, and for squares that overflow
        raise ValueError("x must hold finite numbers whose squares do not overflow float64")
    return x
