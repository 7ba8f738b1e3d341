"""Sparse codes of a given dictionary: greedy, by enumeration of supports, and by FISTA.

The rows of a dictionary are its directions, as those of the kernel of a decoder: x̂ = h W_d.
"""

import itertools
from typing import NamedTuple

import jax.numpy as jnp
import numpy as np
from jaxtyping import Float64, Int64

from aejax.theory.checking.certificate import Tolerance
from aejax.theory.checking.problem import DEFLATION, EPSILON
from aejax.theory.checking.tolerances import CLOSED_FORM_CAP
from aejax.types import Array, Params

Dictionary = Float64[np.ndarray, "units features"]
Rows = Float64[np.ndarray, "examples features"]
Codes = Float64[np.ndarray, "examples units"]


class BestCodes(NamedTuple):
    """The best codes with a given number of active units.

    codes:  code of each example with the least squared error.
    errors: squared error of each example [examples].
    """

    codes: Codes
    errors: Float64[np.ndarray, " examples"]


def supports(units: int, size: int) -> Int64[np.ndarray, "supports size"]:
    """All sets of active units of one size, in lexicographic order."""
    return np.array(list(itertools.combinations(range(units), size)), np.int64)


def squared_errors(
    dictionary: Dictionary, x: Rows, codes: Codes
) -> Float64[np.ndarray, " examples"]:
    """‖x − h W_d‖² of each example."""
    return np.sum(np.square(x - codes @ dictionary), axis=1)


def best_codes(dictionary: Dictionary, x: Rows, *, size: int) -> BestCodes:
    """Codes with at most `size` active units of least squared error, by enumeration.

    The values on each support are those of least squares.

    Args:
        dictionary: directions.
        x: examples.
        size: maximum number of active units, at least 1.

    Returns:
        The best codes and their errors; of equally good supports, the first.
    """
    codes, errors = np.zeros((len(x), len(dictionary))), np.full(len(x), np.inf)
    for support in supports(len(dictionary), size):
        values = np.linalg.lstsq(dictionary[support].T, x.T, rcond=None)[0].T
        found = squared_errors(dictionary[support], x, values)
        better = found < errors
        errors = np.where(better, found, errors)
        fitted = np.zeros_like(codes)
        fitted[:, support] = values
        codes = np.where(better[:, None], fitted, codes)
    return BestCodes(codes, errors)


def orthogonal_matching_pursuit(dictionary: Dictionary, x: Rows, *, steps: int) -> Codes:
    """Codes by orthogonal matching pursuit.

    Each step adds the unit of largest |r · d_l| for the residual r, and computes the values of all
    selected units by least squares.

    Args:
        dictionary: directions of norm 1.
        x: examples.
        steps: number of units that are selected.

    Returns:
        The codes.

    Source: Tropp 2004
    """
    codes = np.zeros((len(x), len(dictionary)))
    for row, code in zip(x, codes, strict=True):
        support: list[int] = []
        values = np.zeros(0)
        for _ in range(steps):
            scores = np.abs(dictionary @ (row - values @ dictionary[support]))
            scores[support] = -1
            support.append(int(scores.argmax()))
            values = np.linalg.lstsq(dictionary[support].T, row, rcond=None)[0]
        code[support] = values
    return codes


def fista(dictionary: Dictionary, x: Rows, *, weight: float, steps: int) -> Codes:
    """Minimise ‖x − h W_d‖² + λ ‖h‖₁ for each example by accelerated proximal gradient steps.

    The step is 1/L for the Lipschitz constant L = 2 ‖W_d‖₂² of the gradient.

    Args:
        dictionary: directions.
        x: examples.
        weight: λ.
        steps: number of steps.

    Returns:
        The codes.

    Source: Beck & Teboulle 2009
    """
    lipschitz = 2 * np.linalg.norm(dictionary, ord=2) ** 2
    codes = ahead = np.zeros((len(x), len(dictionary)))
    momentum = 1.0
    for _ in range(steps):
        moved = ahead - 2 * (ahead @ dictionary - x) @ dictionary.T / lipschitz
        shrunk = np.sign(moved) * np.maximum(np.abs(moved) - weight / lipschitz, 0)
        following = (1 + np.sqrt(1 + 4 * momentum**2)) / 2
        ahead = shrunk + (momentum - 1) / following * (shrunk - codes)
        codes, momentum = shrunk, following
    return codes


def dictionary_params(
    encoder: Array, decoder: Array, *, threshold: float | Array = 0.0, bias: float | Array = 0.0
) -> Params:
    """Parameters of an uncentred `aejax.dictionary`, `aejax.transcoder` or `aejax.crosscoder`.

    Args:
        encoder: W_e [features, units].
        decoder: W_d [units, outputs].
        threshold: subtracted from the pre-activations, a scalar or one value for each unit.
        bias: added to the output, a scalar or one value for each output.

    Returns:
        The parameters.
    """
    units, outputs = decoder.shape
    return {
        "encoder": {
            "kernel": jnp.asarray(encoder),
            "bias": -jnp.broadcast_to(jnp.asarray(threshold, decoder.dtype), units),
        },
        "decoder": {
            "kernel": jnp.asarray(decoder),
            "bias": jnp.broadcast_to(jnp.asarray(bias, decoder.dtype), outputs),
        },
    }


def coherence(dictionary: Dictionary) -> float:
    """Mutual coherence μ = max_{i≠j} |d_i · d_j| of directions of norm 1.

    Source: Tropp 2004
    """
    return float(np.abs(np.triu(dictionary @ dictionary.T, 1)).max())


def instance_tolerance(features: int, *, condition: float = 1.0) -> Tolerance:
    """Tolerance of a few products of orthonormal directions, 16 (n + 50) ε κ.

    LAPACK's singular vectors are orthonormal up to (n + 50) ε (`DEFLATION`), and a code of a few
    units of order one has a few times that error, multiplied by the condition number κ of the
    least squares problem that determines it.
    """
    value = 16 * EPSILON * (features + DEFLATION) * condition
    basis = f"rounding of orthonormal directions of {features} features, condition {condition:.1e}"
    return Tolerance(value, CLOSED_FORM_CAP, basis)
