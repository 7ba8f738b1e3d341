"""Posteriors q(z | x): encoder outputs as distributions, with samples and divergences."""

from aejax.posteriors.gaussian_posteriors import CholeskyGaussian as CholeskyGaussian
from aejax.posteriors.gaussian_posteriors import Gaussian as Gaussian
from aejax.posteriors.gaussian_posteriors import diagonal_gaussian as diagonal_gaussian
from aejax.posteriors.gaussian_posteriors import (
    full_covariance_gaussian as full_covariance_gaussian,
)
from aejax.posteriors.importance_bounds import Bound as Bound
from aejax.posteriors.importance_bounds import LogWeights as LogWeights
from aejax.posteriors.importance_bounds import ciwae as ciwae
from aejax.posteriors.importance_bounds import combined_bound as combined_bound
from aejax.posteriors.importance_bounds import doubly_reparametrised as doubly_reparametrised
from aejax.posteriors.importance_bounds import (
    importance_weighted_bound as importance_weighted_bound,
)
from aejax.posteriors.importance_bounds import iwae as iwae
from aejax.posteriors.importance_bounds import mean_of_bounds as mean_of_bounds
from aejax.posteriors.importance_bounds import miwae as miwae
from aejax.posteriors.importance_bounds import piwae as piwae
from aejax.posteriors.posterior_types import LogPrior as LogPrior
from aejax.posteriors.posterior_types import Posterior as Posterior
from aejax.posteriors.posterior_types import is_sample as is_sample
from aejax.posteriors.posterior_types import latent_point as latent_point
from aejax.posteriors.sample_weights import log_weight as log_weight
from aejax.posteriors.von_mises_fisher import VonMisesFisher as VonMisesFisher
from aejax.posteriors.von_mises_fisher import von_mises_fisher as von_mises_fisher
