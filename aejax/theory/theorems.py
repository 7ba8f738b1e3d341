"""The theorems, by name and in order, and the certificates of all that are asked for."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Shaped

from aejax.theory.certificate import Certificate
from aejax.theory.gradient import gradient_training
from aejax.theory.invariance import code_invariance
from aejax.theory.optimum import optimal_loss, optimal_map
from aejax.theory.problem import Theorem, pose
from aejax.types import Array, Key

THEOREMS: dict[str, Theorem] = {
    "optimal_loss": optimal_loss,
    "optimal_map": optimal_map,
    "gradient_training": gradient_training,
    "code_invariance": code_invariance,
}


def certificates(
    x: Shaped[np.ndarray | Array, "..."],
    code: int,
    *,
    key: Key | None = None,
    theorems: Sequence[str] = tuple(THEOREMS),
) -> tuple[Certificate, ...]:
    """Check the theorems on data: PCA and the linear autoencoder with k code units.

    Args:
        x: [examples, features], any real dtype; taken to float64.
        code: k ≥ 1.
        key: for random starts and random changes of code; None means `jax.random.key(0)`.
        theorems: names in `THEOREMS`; all of them unless given.

    Returns:
        The certificates of each theorem, in the order of the names.

    Raises:
        ValueError: for a name that is no theorem's; where x is not a finite real matrix; or where
            the code size is below one.
    """
    unknown = [name for name in theorems if name not in THEOREMS]
    if unknown:
        raise ValueError(f"no theorem {', '.join(unknown)}; there are {', '.join(THEOREMS)}")
    problem = pose(x, code, key=key)
    return tuple(certificate for name in theorems for certificate in THEOREMS[name](problem))
