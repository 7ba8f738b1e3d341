"""PCA and the linear autoencoder: closed forms, solvers, and theorems as certificates.

Notation of all docstrings in this package:

- x [m, n]: data, m examples (rows) of n features, with mean x̄; "offset" is the size of x̄.
- R = (x − x̄)/√m = U Σ Vᵀ: normalised data, with singular values σ_i and ‖R‖²_F = Σλ.
- S = RᵀR: covariance, with eigenvalues λ_i = σ_i² in descending order and eigenvectors v_i; Σλ is
  the total variance. "For Σλ = 1" means after scaling the data to unit total variance.
- T: triangular factor of S, TᵀT = S, with at most n rows, which replaces R exactly in every loss.
- V_k [n, k]: the first k eigenvectors as columns; "eigengap" is λ_k − λ_{k+1}. Eigenvalues,
  singular values or components are called kept for i ≤ k and lost for i > k.
- W_e [n, k], W_d [k, n]: kernels, with biases b and c: code h = x W_e + b of size k, and
  x̂ = h W_d + c. The map is W = W_e W_d, with gains v_iᵀ W v_i; for tied kernels, W is W_e.
- tilt: rotation out of the principal subspace (span of V_k); stretch: change of scale within it.
- L: squared error, averaged over examples and summed over features; J: L plus penalties.
- G: an invertible map of the code h → h G ("change of code"); in tolerances, a gradient norm.
- ε: machine epsilon (of float64); ρ: rounding error, as given in each docstring.
- problem: data, code size and PRNG key on which a theorem is checked (`Problem`).
- residual: measured deviation from a claim; tolerance: maximum residual that rounding and inexact
  training explain; cap: maximum tolerance at which the claim can still be refuted.
- control: a similar but false claim, whose residual must exceed 1000 tolerances to be "rejected".
- verdicts: "holds"; "fails"; "not identifiable", if the data cannot decide the claim; "not
  applicable", if they violate its assumptions.
"""

from aejax.theory.analysis.logistic_pca import LogisticPCA as LogisticPCA
from aejax.theory.analysis.logistic_pca import logistic_codes as logistic_codes
from aejax.theory.analysis.logistic_pca import logistic_pca as logistic_pca
from aejax.theory.analysis.logistic_pca import logistic_reconstruction as logistic_reconstruction
from aejax.theory.analysis.moments import Moments as Moments
from aejax.theory.analysis.moments import moments as moments
from aejax.theory.analysis.pca import PCA as PCA
from aejax.theory.analysis.pca import least_loss as least_loss
from aejax.theory.analysis.pca import pca as pca
from aejax.theory.analysis.synthetic import with_spectrum as with_spectrum
from aejax.theory.checking.certificate import Certificate as Certificate
from aejax.theory.checking.problem import Problem as Problem
from aejax.theory.checking.problem import Theorem as Theorem
from aejax.theory.checking.problem import pose as pose
from aejax.theory.course.theorem import course_conditions as course_conditions
from aejax.theory.dictionaries.amortisation_gap import amortisation_gap as amortisation_gap
from aejax.theory.dictionaries.best_term_codes import best_term_codes as best_term_codes
from aejax.theory.dictionaries.greedy_recovery import greedy_recovery as greedy_recovery
from aejax.theory.dictionaries.linear_bridges import linear_bridges as linear_bridges
from aejax.theory.dictionaries.mixed_features import mixed_features as mixed_features
from aejax.theory.dictionaries.soft_thresholds import soft_thresholds as soft_thresholds
from aejax.theory.learning.dynamics import learning_dynamics as learning_dynamics
from aejax.theory.learning.encoder_bound import encoders_bounded_by_pca as encoders_bounded_by_pca
from aejax.theory.learning.nonlinear_encoders import small_codes as small_codes
from aejax.theory.learning.online import online_rules as online_rules
from aejax.theory.learning.single_precision import single_precision as single_precision
from aejax.theory.learning.streamed_moments import merge_moments as merge_moments
from aejax.theory.learning.streamed_moments import moments_of_stream as moments_of_stream
from aejax.theory.learning.streamed_moments import streamed_moments as streamed_moments
from aejax.theory.noise.contraction import contractive_optimum as contractive_optimum
from aejax.theory.noise.gaussian import gaussian_denoising as gaussian_denoising
from aejax.theory.noise.masking import masking_denoising as masking_denoising
from aejax.theory.noise.monte_carlo import sampled_denoising as sampled_denoising
from aejax.theory.optimum.critical_points import critical_point_search as critical_point_search
from aejax.theory.optimum.gradient import gradient_training as gradient_training
from aejax.theory.optimum.invariance import code_invariance as code_invariance
from aejax.theory.optimum.landscape import landscape_index as landscape_index
from aejax.theory.optimum.optimum import optimal_loss as optimal_loss
from aejax.theory.optimum.optimum import optimal_map as optimal_map
from aejax.theory.parameters.biases import free_biases as free_biases
from aejax.theory.parameters.component_recovery import ordered_recovery as ordered_recovery
from aejax.theory.parameters.components import principal_components as principal_components
from aejax.theory.parameters.l2_on_each_kernel import sum_regularisation as sum_regularisation
from aejax.theory.parameters.l2_on_the_product import (
    product_regularisation as product_regularisation,
)
from aejax.theory.parameters.tied import tied_weights as tied_weights
from aejax.theory.solvers.hebbian import learn_online as learn_online
from aejax.theory.solvers.linear_solvers import Solution as Solution
from aejax.theory.solvers.linear_solvers import (
    alternating_least_squares as alternating_least_squares,
)
from aejax.theory.solvers.linear_solvers import train_linear as train_linear
from aejax.theory.solvers.linear_solvers import train_preconditioned as train_preconditioned
from aejax.theory.theorems import THEOREMS as THEOREMS
from aejax.theory.theorems import certificates as certificates
from aejax.theory.trajectories.alignment_times import epochs_to_alignment as epochs_to_alignment
from aejax.theory.variational.increasing_bounds import importance_weighting as importance_weighting
from aejax.theory.variational.linear_vae import linear_vae as linear_vae
from aejax.theory.variational.posterior_collapse import posterior_collapse as posterior_collapse
from aejax.theory.variational.probabilistic_pca import probabilistic_pca as probabilistic_pca
from aejax.theory.variational.rate_distortion import rate_distortion as rate_distortion
from aejax.theory.variational.variational_landscape import (
    variational_landscape as variational_landscape,
)
from aejax.theory.variational.wasserstein_autoencoder import (
    wasserstein_autoencoder as wasserstein_autoencoder,
)
