"""The theorems, by name and in order, and the certificates of all that are asked for."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Shaped

from aejax.theory.checking.certificate import Certificate
from aejax.theory.checking.problem import Theorem, pose
from aejax.theory.course.theorem import course_conditions
from aejax.theory.learning.dynamics import learning_dynamics
from aejax.theory.learning.encoder_bound import encoders_bounded_by_pca
from aejax.theory.learning.nonlinear_encoders import small_codes
from aejax.theory.learning.online import online_rules
from aejax.theory.learning.single_precision import single_precision
from aejax.theory.learning.streamed_moments import streamed_moments
from aejax.theory.noise.contraction import contractive_optimum
from aejax.theory.noise.gaussian import gaussian_denoising
from aejax.theory.noise.masking import masking_denoising
from aejax.theory.noise.monte_carlo import sampled_denoising
from aejax.theory.optimum.critical_points import critical_point_search
from aejax.theory.optimum.gradient import gradient_training
from aejax.theory.optimum.invariance import code_invariance
from aejax.theory.optimum.landscape import landscape_index
from aejax.theory.optimum.optimum import optimal_loss, optimal_map
from aejax.theory.parameters.biases import free_biases
from aejax.theory.parameters.component_recovery import ordered_recovery
from aejax.theory.parameters.components import principal_components
from aejax.theory.parameters.l2_on_each_kernel import sum_regularisation
from aejax.theory.parameters.l2_on_the_product import product_regularisation
from aejax.theory.parameters.tied import tied_weights
from aejax.types import Array, Key

THEOREMS: dict[str, Theorem] = {
    "optimal_loss": optimal_loss,
    "optimal_map": optimal_map,
    "gradient_training": gradient_training,
    "code_invariance": code_invariance,
    "free_biases": free_biases,
    "tied_weights": tied_weights,
    "sum_regularisation": sum_regularisation,
    "product_regularisation": product_regularisation,
    "principal_components": principal_components,
    "ordered_recovery": ordered_recovery,
    "course_conditions": course_conditions,
    "landscape_index": landscape_index,
    "critical_point_search": critical_point_search,
    "gaussian_denoising": gaussian_denoising,
    "masking_denoising": masking_denoising,
    "sampled_denoising": sampled_denoising,
    "contractive_optimum": contractive_optimum,
    "learning_dynamics": learning_dynamics,
    "encoders_bounded_by_pca": encoders_bounded_by_pca,
    "small_codes": small_codes,
    "streamed_moments": streamed_moments,
    "online_rules": online_rules,
    "single_precision": single_precision,
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
    check_names(theorems)
    problem = pose(x, code, key=key)
    return tuple(certificate for name in theorems for certificate in THEOREMS[name](problem))


def check_names(theorems: Sequence[str]) -> None:
    """ValueError for a name that is no theorem's."""
    unknown = [name for name in theorems if name not in THEOREMS]
    if unknown:
        raise ValueError(f"no theorem {', '.join(unknown)}; there are {', '.join(THEOREMS)}")
