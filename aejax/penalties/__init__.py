"""Penalties: unweighted functions of one forward `Pass`, and their formulas as array functions.

A penalty on the code has the argument `select`, which selects one array of the code's pytree
(default: the code itself).
"""

from aejax.penalties.active_units import l0 as l0
from aejax.penalties.active_units import l1_by_decoder_norm as l1_by_decoder_norm
from aejax.penalties.active_units import tanh_l0 as tanh_l0
from aejax.penalties.active_units import target_l0 as target_l0
from aejax.penalties.active_units import target_l0_of_each as target_l0_of_each
from aejax.penalties.annealing import scheduled as scheduled
from aejax.penalties.auxk import auxk as auxk
from aejax.penalties.auxk import by_dead_share as by_dead_share
from aejax.penalties.auxk import by_residual_variance as by_residual_variance
from aejax.penalties.auxk import by_target_variance as by_target_variance
from aejax.penalties.code_selection import Select as Select
from aejax.penalties.contractive import contractive as contractive
from aejax.penalties.contractive import contractive_logistic as contractive_logistic
from aejax.penalties.contractive import (
    logistic_squared_jacobian_norm as logistic_squared_jacobian_norm,
)
from aejax.penalties.contractive import squared_jacobian_norm as squared_jacobian_norm
from aejax.penalties.decay import kernels as kernels
from aejax.penalties.decay import l2 as l2
from aejax.penalties.decoder_smoothness import code_norm as code_norm
from aejax.penalties.decoder_smoothness import decoder_gradient as decoder_gradient
from aejax.penalties.estimation import contractive_estimated as contractive_estimated
from aejax.penalties.estimation import (
    estimated_squared_jacobian_norm as estimated_squared_jacobian_norm,
)
from aejax.penalties.gate_terms import gate_l1 as gate_l1
from aejax.penalties.gate_terms import gate_reconstruction as gate_reconstruction
from aejax.penalties.gate_terms import unit_weights as unit_weights
from aejax.penalties.higher_order import higher_order_contractive as higher_order_contractive
from aejax.penalties.higher_order import squared_jacobian_change as squared_jacobian_change
from aejax.penalties.importance_weighting import importance_weighted as importance_weighted
from aejax.penalties.layer_norms import l1_by_layer_norms as l1_by_layer_norms
from aejax.penalties.layer_norms import layer_norms as layer_norms
from aejax.penalties.matryoshka import matryoshka as matryoshka
from aejax.penalties.matryoshka import random_matryoshka as random_matryoshka
from aejax.penalties.mean_discrepancy import Kernel as Kernel
from aejax.penalties.mean_discrepancy import gaussian_kernel as gaussian_kernel
from aejax.penalties.mean_discrepancy import inverse_multiquadratic as inverse_multiquadratic
from aejax.penalties.mean_discrepancy import maximum_mean_discrepancy as maximum_mean_discrepancy
from aejax.penalties.mean_discrepancy import squared_mean_discrepancy as squared_mean_discrepancy
from aejax.penalties.posterior_divergence import divergence as divergence
from aejax.penalties.posterior_divergence import sampled_divergence as sampled_divergence
from aejax.penalties.quantisation import bit_entropy as bit_entropy
from aejax.penalties.quantisation import codebook as codebook
from aejax.penalties.quantisation import commitment as commitment
from aejax.penalties.sparsity import bernoulli_kl as bernoulli_kl
from aejax.penalties.sparsity import kl_sparsity as kl_sparsity
from aejax.penalties.sparsity import l1 as l1
from aejax.penalties.total_correlation import total_correlation as total_correlation
from aejax.penalties.total_correlation import (
    weighted_total_correlation as weighted_total_correlation,
)
