"""Figures of codes and of several seeds: drawn values, and errors for invalid arrays."""

import inspect

import numpy as np
import pytest

from aejax import plots

rng = np.random.default_rng(0)

as_users_call = inspect.unwrap
"""A function without the runtime shape checks of the tests, so that its own errors are raised."""


def band(axis, i):
    """Lowest and highest edge of a filled band where it starts."""
    path = axis.collections[i].get_paths()[0].vertices
    at_start = path[path[:, 0] == path[:, 0].min(), 1]
    return at_start.min(), at_start.max()


class TestActivations:
    def test_each_activation_and_each_unit_is_counted_once(self):
        h = rng.random((50, 12))
        every, means = plots.activations(h, bins=7).axes
        edges = np.linspace(h.min(), h.max(), 8)
        heights = [patch.get_height() for patch in every.patches]
        np.testing.assert_array_equal(heights, np.histogram(h, edges)[0])
        lefts = np.array([patch.get_x() for patch in means.patches])
        counts = np.array([patch.get_height() for patch in means.patches])
        assert counts.sum() == 12
        assert lefts[0] == pytest.approx(h.mean(axis=0).min())
        assert every.get_yscale() == "log"

    def test_the_target_mean_is_a_line(self):
        _, means = plots.activations(rng.random((50, 12)), rho=0.05).axes
        (line,) = means.get_lines()
        assert list(line.get_xdata()) == [0.05, 0.05]
        assert line.get_label() == "ρ = 0.05"

    def test_empty_or_infinite_codes_are_refused(self):
        with pytest.raises(ValueError, match="one activation and one bin"):
            plots.activations(np.zeros((0, 3)))
        with pytest.raises(ValueError, match="one activation and one bin"):
            plots.activations(np.zeros((2, 3)), bins=0)
        with pytest.raises(ValueError, match="the code contains 1 values that are NaN"):
            plots.activations(np.array([[np.nan, 0.0]]))


class TestConfusion:
    def test_shares_of_each_row_in_colours_and_numbers(self):
        counts = np.array([[6, 2, 0], [0, 5, 0], [0, 0, 0]])
        axis = plots.confusion(counts, ["a", "b", "c"]).axes[0]
        wanted = np.array([[0.75, 0.25, 0], [0, 1, 0], [np.nan] * 3])
        np.testing.assert_array_equal(np.ma.filled(axis.images[0].get_array(), np.nan), wanted)
        written = {text.get_position(): text.get_text() for text in axis.texts}
        assert written == {(0, 0): "0.75", (1, 0): "0.25", (1, 1): "1.00"}
        assert [label.get_text() for label in axis.get_yticklabels()] == ["a", "b", "c"]
        assert (axis.get_ylabel(), axis.get_xlabel()) == ("class", "predicted as")

    def test_bad_counts_and_names_are_refused(self):
        with pytest.raises(ValueError, match="must not be negative, got -1"):
            plots.confusion(np.array([[1, -1], [0, 1]]))
        with pytest.raises(ValueError, match="one name for each of 2 classes, got 1"):
            plots.confusion(np.eye(2), ["a"])


class TestJacobianSpectra:
    def test_the_median_with_a_band_of_quartiles(self):
        values = np.sort(rng.random((40, 5)))[:, ::-1]
        (axis,) = plots.jacobian_spectra({"plain": values, "contractive": values / 9}).axes
        low, middle, high = np.quantile(values, (0.25, 0.5, 0.75), axis=0)
        first, second = axis.get_lines()
        np.testing.assert_array_equal(first.get_xydata(), np.transpose([np.arange(1, 6), middle]))
        np.testing.assert_allclose(second.get_ydata(), middle / 9)
        assert band(axis, 0) == (pytest.approx(low[0]), pytest.approx(high[0]))
        assert first.get_linestyle() != second.get_linestyle()

    def test_a_dead_code_has_a_linear_axis(self):
        (axis,) = plots.jacobian_spectra({"dead": np.zeros((4, 3))}).axes
        assert axis.get_yscale() == "linear"

    @pytest.mark.parametrize("values", [[[1.0, 2.0]], [[1.0, -1.0]], [[]], [[np.nan]]])
    def test_invalid_spectra_are_refused(self, values):
        with pytest.raises(ValueError, match="the spectrum plain"):
            plots.jacobian_spectra({"plain": np.array(values)})
        with pytest.raises(ValueError, match="at least one encoder"):
            plots.jacobian_spectra({})


class TestTraversals:
    def test_one_row_per_unit_with_its_values_on_a_common_scale(self):
        x_hat, values = rng.random((2, 3, 12)), rng.normal(size=(2, 3))
        axes = plots.traversals(x_hat, values, (3, 4), ["tilt", "width"]).axes
        for axis, image, value in zip(axes, x_hat.reshape(6, 3, 4), values.ravel(), strict=True):
            np.testing.assert_array_equal(axis.images[0].get_array(), image)
            assert axis.images[0].get_clim() == (x_hat.min(), x_hat.max())
            assert axis.get_xlabel() == f"{value:.2g}"
        assert [axis.get_ylabel() for axis in axes] == ["tilt", "", "", "width", "", ""]

    def test_arrays_of_inconsistent_shapes_are_refused(self):
        traversals = as_users_call(plots.traversals)
        with pytest.raises(ValueError, match="2 rows of 3 images"):
            traversals(np.zeros((2, 3, 4)), np.zeros((2, 2)), (2, 2))
        with pytest.raises(ValueError, match="and 1 names"):
            traversals(np.zeros((2, 3, 4)), np.zeros((2, 3)), (2, 2), ["a"])
        with pytest.raises(ValueError, match="images of shape"):
            traversals(np.zeros((2, 3, 4)), np.zeros((2, 3)), (2, 3))


class TestSamples:
    def test_images_are_in_one_grid_on_a_common_scale(self):
        x_hat = rng.random((7, 12))
        axes = plots.samples(x_hat, (3, 4), count=5).axes
        assert len(axes) == 5
        for axis, image in zip(axes, x_hat[:5].reshape(5, 3, 4), strict=True):
            np.testing.assert_array_equal(axis.images[0].get_array(), image)
            assert axis.images[0].get_clim() == (x_hat[:5].min(), x_hat[:5].max())

    def test_images_of_another_shape_are_refused(self):
        with pytest.raises(ValueError, match="the samples has 7 images of 12 values"):
            as_users_call(plots.samples)(np.zeros((7, 12)), (3, 5))


class TestSeedCurves:
    def test_the_mean_of_the_seeds_with_a_band_over_their_range(self):
        curve = np.geomspace(100, 1, 6) * np.array([[1.0], [2.0], [3.0]])
        (axis,) = plots.seed_curves({"plain": curve}, quantity="nats").axes
        (line,) = axis.get_lines()
        np.testing.assert_allclose(line.get_xydata()[:, 1], curve.mean(axis=0))
        assert list(line.get_xdata()) == [1, 2, 3, 4, 5, 6]
        assert band(axis, 0) == (pytest.approx(100), pytest.approx(300))
        assert (axis.get_yscale(), axis.get_ylabel()) == ("log", "nats")
        assert line.get_label() == "plain, 3 seeds"

    def test_empty_and_infinite_curves_are_refused(self):
        for curves in ({}, {"plain": np.zeros((0, 3))}):
            with pytest.raises(ValueError, match="one seed and one epoch"):
                plots.seed_curves(curves)
        with pytest.raises(ValueError, match="plain contains 1 values that are NaN"):
            plots.seed_curves({"plain": np.array([[np.inf]])})
