"""PCA and the linear autoencoder: closed forms, solvers, and theorems as certificates."""

from aejax.theory.certificate import Certificate as Certificate
from aejax.theory.gradient import gradient_training as gradient_training
from aejax.theory.invariance import code_invariance as code_invariance
from aejax.theory.moments import Moments as Moments
from aejax.theory.moments import moments as moments
from aejax.theory.optimum import optimal_loss as optimal_loss
from aejax.theory.optimum import optimal_map as optimal_map
from aejax.theory.pca import PCA as PCA
from aejax.theory.pca import least_loss as least_loss
from aejax.theory.pca import pca as pca
from aejax.theory.problem import Problem as Problem
from aejax.theory.problem import Theorem as Theorem
from aejax.theory.problem import pose as pose
from aejax.theory.solvers import Solution as Solution
from aejax.theory.solvers import alternating_least_squares as alternating_least_squares
from aejax.theory.solvers import train_linear as train_linear
from aejax.theory.theorems import THEOREMS as THEOREMS
from aejax.theory.theorems import certificates as certificates
