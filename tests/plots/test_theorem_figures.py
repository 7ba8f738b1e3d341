"""Figures of theorems: drawn values, and errors for invalid arrays."""

import numpy as np
import pytest

from aejax import plots

NUMBERS = {"a": (0.0, 1e-10, 1.0), "b": (1e-3, 1e-2, None), "c": (None, None, None)}


def lines(axis):
    return {line.get_label(): line.get_xydata() for line in axis.get_lines()}


def legend(figure):
    return [text.get_text() for text in figure.legends[0].get_texts()]


class TestFormulas:
    x = np.array([1.0, 2.0, 4.0])

    def test_points_and_formulas_have_the_given_values_and_names(self):
        measured = {"found": (self.x, self.x**2), "control": (self.x, self.x)}
        formula = {"x²": (self.x, self.x**2)}
        figure = plots.against_formula(measured, formula, xlabel="step", ylabel="error")
        (axis,) = figure.axes
        drawn = lines(axis)
        for name, (x, y) in (measured | formula).items():
            np.testing.assert_array_equal(drawn[name], np.c_[x, y])
        assert legend(figure) == ["x²", "found", "control"]
        assert (axis.get_xlabel(), axis.get_ylabel()) == ("step", "error")

    def test_a_formula_has_the_colour_of_its_curve_and_points_without_formula_are_connected(self):
        figure = plots.against_formula(
            {"a": (self.x, self.x), "b": (self.x, self.x)},
            {"a's": (self.x, self.x)},
            xlabel="",
            ylabel="",
        )
        formula, first, second = figure.axes[0].get_lines()
        assert formula.get_color() == first.get_color() != second.get_color()
        assert (first.get_linewidth(), second.get_linewidth() > 0) == (0, True)
        assert first.get_marker() != second.get_marker()

    def test_a_logarithmic_axis_omits_values_that_are_not_positive(self):
        y = np.array([0.0, 1e-3, 1.0])
        settings = {"xlabel": "", "ylabel": "", "yscale": "log"}
        figure = plots.against_formula({"a": (self.x, y)}, {}, **settings)
        assert figure.axes[0].get_yscale() == "log"
        np.testing.assert_array_equal(lines(figure.axes[0])["a"], [[2, 1e-3], [4, 1]])

    def test_no_curves_too_many_curves_and_infinite_values_are_refused(self):
        many = {str(i): (self.x, self.x) for i in range(8)}
        for curves in ({}, many):
            with pytest.raises(ValueError, match="expected 1 to 7 measured curves"):
                plots.against_formula(curves, {}, xlabel="", ylabel="")
        with pytest.raises(ValueError, match="broken contains 1 values that are NaN"):
            plots.against_formula(
                {"broken": (self.x, self.x * [1, np.nan, 1])}, {}, xlabel="", ylabel=""
            )


class TestAlignment:
    def test_every_matrix_is_drawn_with_units_and_components_counted_from_one(self):
        matrices = {str(i): np.random.default_rng(i).random((3, 4)) for i in range(4)}
        axes = [axis for axis in plots.alignment(matrices).axes if axis.images]
        assert [axis.get_title(loc="left") for axis in axes] == list(matrices)
        for axis, matrix in zip(axes, matrices.values(), strict=True):
            np.testing.assert_array_equal(axis.images[0].get_array(), matrix)
            assert axis.images[0].get_extent() == [0.5, 4.5, 3.5, 0.5]
            assert axis.images[0].get_clim() == (0, 1)

    def test_empty_input_is_refused(self):
        with pytest.raises(ValueError, match="no code to compare"):
            plots.alignment({})


class TestCertificates:
    def test_each_value_is_in_its_row_and_zero_at_the_floor(self):
        (axis,) = plots.certificates(NUMBERS).axes
        drawn = lines(axis)
        np.testing.assert_allclose(drawn["residual"], [[1e-18, 0], [1e-3, 1]])
        np.testing.assert_allclose(drawn["tolerance"], [[1e-10, 0], [1e-2, 1]])
        np.testing.assert_allclose(drawn["control"], [[1, 0]])
        assert [label.get_text() for label in axis.get_yticklabels()] == ["a", "b", "c"]
        assert [text.get_text() for text in axis.texts] == ["not measured"]

    def test_large_controls_stay_within_the_axis(self):
        (axis,) = plots.certificates({"a": (1e-9, 1e-8, 1e4)}).axes
        assert axis.get_xlim()[1] > 1e4

    def test_empty_input_is_refused(self):
        with pytest.raises(ValueError, match="no certificate to draw"):
            plots.certificates({})


class TestLandscape:
    def test_counted_and_predicted_indices_against_the_loss(self):
        loss, counted, predicted = np.array([1.0, 2.0]), np.array([0, 3]), np.array([0, 2])
        drawn = lines(plots.critical_points(loss, counted, predicted).axes[0])
        np.testing.assert_array_equal(drawn["counted"], [[1, 0], [2, 3]])
        np.testing.assert_array_equal(drawn["predicted"], [[1, 0], [2, 2]])

    def test_final_losses_of_searches_are_sorted_over_the_levels(self):
        (axis,) = plots.search_ends(np.array([3.0, 1.0]), np.array([1.0, 3.0])).axes
        np.testing.assert_array_equal(lines(axis)["end of a search"], [[1, 1], [2, 3]])
        (levels,) = axis.collections
        assert sorted(path.vertices[0, 1] for path in levels.get_paths()) == [1, 3]

    def test_escape_from_a_saddle(self):
        offsets, path = np.linspace(-1, 1, 5), np.array([2.0, 1.5, 1.0])
        along = 2 - offsets**2 + offsets**4
        figure = plots.saddle_escape(offsets, along, -2.0, path, (2.0, 1.0))
        slope, descent = figure.axes
        np.testing.assert_array_equal(lines(slope)["loss"], np.c_[offsets, along])
        np.testing.assert_allclose(lines(slope)["quadratic model"][:, 1], 2 - offsets**2)
        assert [text.get_text() for text in descent.texts] == ["saddle", "minimum"]
        np.testing.assert_array_equal(descent.get_lines()[0].get_ydata(), path)

    def test_losses_that_are_not_finite_are_refused(self):
        broken, one = np.array([np.nan]), np.array([1])
        with pytest.raises(ValueError, match="the losses contains 1 values"):
            plots.critical_points(broken, one, one)


def test_losses_and_their_bound():
    figure = plots.losses_above({"tanh": 3.0, "ReLU": 2.0}, 1.5, name="PCA")
    (axis,) = figure.axes
    np.testing.assert_array_equal(axis.get_lines()[0].get_xydata(), [[3, 0], [2, 1]])
    np.testing.assert_array_equal(axis.get_lines()[1].get_xdata(), [1.5, 1.5])
    assert [label.get_text() for label in axis.get_yticklabels()] == ["tanh", "ReLU"]
    assert legend(figure) == ["PCA"]
    with pytest.raises(ValueError, match="the losses contains 1 values"):
        plots.losses_above({"tanh": np.inf}, 1.5, name="PCA")
