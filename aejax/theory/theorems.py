"""The table of theorems, and their certificates on data.

The table gives their order in `aejax verify`, in its report, in docs/theory and in the tests.
"""

from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from typing import NamedTuple

import numpy as np
from jaxtyping import Shaped
from threadpoolctl import threadpool_limits

from aejax.theory.checking.certificate import Certificate
from aejax.theory.checking.problem import Problem, Theorem, pose
from aejax.theory.course.theorem import course_conditions
from aejax.theory.dictionaries.amortisation_gap import amortisation_gap
from aejax.theory.dictionaries.best_term_codes import best_term_codes
from aejax.theory.dictionaries.greedy_recovery import greedy_recovery
from aejax.theory.dictionaries.linear_bridges import linear_bridges
from aejax.theory.dictionaries.mixed_features import mixed_features
from aejax.theory.dictionaries.soft_thresholds import soft_thresholds
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
from aejax.theory.variational.increasing_bounds import importance_weighting
from aejax.theory.variational.linear_vae import linear_vae
from aejax.theory.variational.posterior_collapse import posterior_collapse
from aejax.theory.variational.probabilistic_pca import probabilistic_pca
from aejax.theory.variational.rate_distortion import rate_distortion
from aejax.theory.variational.variational_landscape import variational_landscape
from aejax.theory.variational.wasserstein_autoencoder import wasserstein_autoencoder
from aejax.types import Array, Key


class TheoremRow(NamedTuple):
    """A row of the table of theorems.

    section: title of the section in the report, contained in the title of its page in docs/theory.
    theorem: function from a problem to the theorem's certificates.
    figures: name of a function in `aejax.report.theorem_figures` -> indices of its certificates;
             the figure is drawn if at least one of them was measured.
    """

    section: str
    theorem: Theorem
    figures: Mapping[str, tuple[int, ...]]

    @property
    def name(self) -> str:
        """Name on the command line, in results and in docs/theory."""
        return self.theorem.__name__


TABLE: tuple[TheoremRow, ...] = (
    TheoremRow("The course", course_conditions, {"conditions": (0, 1, 2, 3, 4, 5)}),
    TheoremRow("One minimum, and saddles", optimal_loss, {"spectrum": (0, 1)}),
    TheoremRow("One minimum, and saddles", optimal_map, {"least_squares": (0,)}),
    TheoremRow("One minimum, and saddles", gradient_training, {"training": (1,)}),
    TheoremRow("One minimum, and saddles", code_invariance, {"change_of_code": (0,)}),
    TheoremRow("One minimum, and saddles", landscape_index, {"index": (1,), "saddle": (1,)}),
    TheoremRow("One minimum, and saddles", critical_point_search, {"searches": (0,)}),
    TheoremRow("Biases", free_biases, {"biases": (2,)}),
    TheoremRow("Tied weights", tied_weights, {"tied": (1,)}),
    TheoremRow("L2 regularisation", sum_regularisation, {"sum_loss": (2, 3)}),
    TheoremRow("L2 regularisation", product_regularisation, {"product_loss": (0,)}),
    TheoremRow("From the subspace to the components", principal_components, {"components": (0, 1)}),
    TheoremRow("Ordered recovery", ordered_recovery, {"order": (0, 2, 3)}),
    TheoremRow("Denoising", gaussian_denoising, {"gaussian_noise": (0,)}),
    TheoremRow("Denoising", masking_denoising, {"masks": (1,)}),
    TheoremRow("Denoising", sampled_denoising, {"draws": (0, 1)}),
    TheoremRow("Contraction", contractive_optimum, {"stretched": (0,), "contracted": (1,)}),
    TheoremRow("Dynamics", learning_dynamics, {"logistic": (0,), "first_order": (1,)}),
    TheoremRow("Non-linear encoders", encoders_bounded_by_pca, {"bound": (0,)}),
    TheoremRow("Non-linear encoders", small_codes, {"excess": (0, 1, 2)}),
    TheoremRow("Samples, streams and scale", streamed_moments, {"stream": (1,)}),
    TheoremRow("Samples, streams and scale", online_rules, {"rules": (0,)}),
    TheoremRow("Samples, streams and scale", single_precision, {"precision": (0,)}),
    TheoremRow("Variational autoencoders", probabilistic_pca, {"likelihood_saddles": (1,)}),
    TheoremRow("Variational autoencoders", linear_vae, {"rotations": (1,)}),
    TheoremRow("Variational autoencoders", variational_landscape, {"evidence_saddles": (0,)}),
    TheoremRow("Variational autoencoders", posterior_collapse, {"collapse": (0, 1)}),
    TheoremRow("Variational autoencoders", rate_distortion, {"rates": (0,)}),
    TheoremRow("Variational autoencoders", importance_weighting, {"increasing_bounds": (1,)}),
    TheoremRow("Variational autoencoders", wasserstein_autoencoder, {}),
    TheoremRow("Dictionaries", linear_bridges, {"prefix_losses": (2,)}),
    TheoremRow("Dictionaries", soft_thresholds, {"shrunk_codes": (0, 1)}),
    TheoremRow("Dictionaries", best_term_codes, {"overlapping_pairs": (1,)}),
    TheoremRow("Dictionaries", amortisation_gap, {"convex_unit": (0,)}),
    TheoremRow("Dictionaries", mixed_features, {"mixed_angles": (0, 2)}),
    TheoremRow("Dictionaries", greedy_recovery, {"pursuit_steps": (0,)}),
)
"""One row per theorem, in the order of docs/theory."""

THEOREMS: dict[str, Theorem] = {row.name: row.theorem for row in TABLE}
"""Name -> theorem, in the order of the table."""


def certificates(
    x: Shaped[np.ndarray | Array, "..."],
    code: int,
    *,
    key: Key | None = None,
    theorems: Sequence[str] = tuple(THEOREMS),
) -> tuple[Certificate, ...]:
    """Check theorems about PCA and the linear autoencoder with k code units on data.

    Args:
        x: [examples, features], of any real dtype; converted to float64.
        code: k ≥ 1.
        key: PRNG key of random initialisations and draws (default: `jax.random.key(0)`).
        theorems: names in `THEOREMS` (default: all of them).

    Returns:
        The certificates of each theorem, in the order of the names.

    Raises:
        ValueError: if a name is not in `THEOREMS`, if x is not a finite real matrix, or if the code
            size is below one.
    """
    check_names(theorems)
    problem = pose(x, code, key=key)
    return tuple(certificate for name in theorems for certificate in THEOREMS[name](problem))


def certificates_by_theorem(
    problem: Problem, theorems: Sequence[str]
) -> dict[str, tuple[Certificate, ...]]:
    """Certificates of each theorem, computed on one BLAS thread.

    The solvers factorise tall, thin matrices thousands of times, where the synchronisation of
    several threads at each column would take many times as long.

    Args:
        problem: data, code size and key.
        theorems: names in `THEOREMS`.

    Returns:
        Certificates by name of the theorem.
    """
    with threadpool_limits(1, user_api="blas"):
        return {name: THEOREMS[name](problem) for name in theorems}


def check_names(theorems: Sequence[str]) -> None:
    """Raise ValueError for a name that is not in `THEOREMS`."""
    unknown = [name for name in theorems if name not in THEOREMS]
    if unknown:
        similar = [each for name in unknown for each in get_close_matches(name, THEOREMS, n=1)]
        advice = f"did you mean {', '.join(similar)}? There" if similar else "there"
        raise ValueError(f"no theorem {', '.join(unknown)}; {advice} are {', '.join(THEOREMS)}")
