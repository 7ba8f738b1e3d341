"""Figures of dictionaries are drawn from any data that the theorems cover."""

import numpy as np
import pytest

from aejax import theory
from aejax.report.theorem_figures import coding_figures
from aejax.theory.theorems import TABLE

FIGURES = [name for row in TABLE if row.section == "Dictionaries" for name in row.figures]


@pytest.mark.parametrize("name", FIGURES)
def test_every_figure_is_drawn_with_finite_values(name):
    problem = theory.pose(np.random.default_rng(0).normal(size=(30, 4)), 2)
    found = getattr(coding_figures, name)(problem, ())
    (axis,) = found.figure.axes
    assert len(axis.lines) >= 2 or name == "convex_unit"
    for line in axis.lines:
        assert np.isfinite(np.asarray(line.get_ydata(), float)).all()
    assert found.title
    assert found.alt


def test_one_component_has_one_curve_of_prefixes():
    problem = theory.pose(np.random.default_rng(0).normal(size=(30, 4)), 1)
    (axis,) = coding_figures.prefix_losses(problem, ()).figure.axes
    assert len(axis.lines) == 2


def test_the_bound_of_pursuit_is_above_its_errors():
    problem = theory.pose(np.random.default_rng(0).normal(size=(30, 4)), 2)
    (axis,) = coding_figures.pursuit_steps(problem, ()).figure.axes
    bound, measured = (np.asarray(line.get_ydata(), float) for line in axis.lines)
    assert (measured <= bound[: len(measured)] + 1e-12).all()
