"""Priors p(z) of the code, with parameters of their own: mixtures, pseudo-inputs, and flows."""

from aejax.priors.autoregressive_flow import autoregressive_flow as autoregressive_flow
from aejax.priors.normal_priors import gaussian_mixture as gaussian_mixture
from aejax.priors.normal_priors import standard_normal as standard_normal
from aejax.priors.prior_types import Prior as Prior
from aejax.priors.prior_types import with_prior as with_prior
from aejax.priors.pseudo_inputs import vamp_prior as vamp_prior
