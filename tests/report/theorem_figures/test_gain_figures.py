"""Figures of penalties and noise accept all certificates of their theorem."""

import numpy as np

from aejax import theory
from aejax.report.theorem_figures.gain_figures import draws


def test_draws_have_one_row_for_each_kind_of_noise():
    problem = theory.pose(np.random.default_rng(0).normal(size=(30, 4)), 2)
    figure = draws(problem, theory.sampled_denoising(problem)).figure
    (axis,) = figure.axes
    assert [label.get_text() for label in axis.get_yticklabels()] == ["Gaussian noise", "masks"]
