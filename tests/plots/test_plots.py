"""Figures: drawn values, readable scales, and errors for invalid arrays."""

import inspect

import matplotlib
import numpy as np
import pytest
from jaxtyping import TypeCheckError
from matplotlib.colors import same_color
from scipy.stats import entropy

from aejax import plots

rng = np.random.default_rng(0)

as_users_call = inspect.unwrap
"""A function without the runtime shape checks of the tests, so that its own errors are raised."""


def record(epoch, loss, **more):
    """One of `fit`'s records."""
    return {
        "epoch": epoch,
        "step": 10 * epoch,
        "seconds": 0.1,
        "examples_per_second": 1e4,
        "loss": loss,
        "reconstruction": loss,
        "gradient_norm": 2.0,
        "parameter_norm": 20.0,
    } | more


def panels(figure):
    return {axis.get_title(loc="left"): axis for axis in figure.axes}


def curves(axis):
    return {line.get_label(): line.get_xydata().tolist() for line in axis.get_lines()}


def image_axes(figure):
    return [axis for axis in figure.axes if axis.images]


class TestFilters:
    def test_every_image_is_a_column_of_the_kernel(self):
        kernel = rng.normal(size=(12, 7)).astype("float32")
        axes = image_axes(plots.filters(kernel, (3, 4)))
        assert len(axes) == 7
        for axis, column in zip(axes, kernel.T, strict=True):
            np.testing.assert_array_equal(axis.images[0].get_array(), column.reshape(3, 4))

    def test_one_symmetric_scale_for_all(self):
        kernel = rng.normal(size=(12, 7))
        limit = np.abs(kernel).max()
        for axis in image_axes(plots.filters(kernel, (3, 4))):
            assert axis.images[0].get_clim() == (-limit, limit)

    def test_a_symmetric_scale_for_each(self):
        kernel = rng.normal(size=(12, 7))
        figure = plots.filters(kernel, (3, 4), shared_scale=False)
        limits = [axis.images[0].get_clim() for axis in figure.axes]
        assert limits == [(-limit, limit) for limit in np.abs(kernel).max(axis=0)]

    def test_the_shared_scale_has_a_colour_bar(self):
        labels = [axis.get_ylabel() for axis in plots.filters(np.eye(4), (2, 2)).axes]
        assert labels == ["", "", "", "", "weight"]

    def test_colour_images_show_zero_as_mid_grey_and_keep_signs(self):
        kernel = np.zeros((12, 1))
        kernel[:3, 0] = 2, -2, 1
        (axis,) = image_axes(plots.filters(kernel, (2, 2, 3)))
        pixels = np.asarray(axis.images[0].get_array())
        np.testing.assert_allclose(pixels[0, 0], [1, 0, 0.75])
        np.testing.assert_allclose(pixels[1], 0.5)

    def test_shows_at_most_count_units(self):
        assert len(image_axes(plots.filters(rng.normal(size=(4, 9)), (2, 2), count=5))) == 5

    def test_dead_units_can_be_drawn(self):
        figure = plots.filters(np.zeros((4, 2)), (2, 2))
        figure.canvas.draw()
        np.testing.assert_array_equal(figure.axes[0].images[0].get_array(), np.zeros((2, 2)))

    @pytest.mark.parametrize(
        ("kernel", "image_shape", "count", "message"),
        [
            (np.ones((12, 2)), (3, 5), 1, r"12 values, but images of shape \(3, 5\) have 15"),
            (np.ones((12, 2)), (12,), 1, r"got \(12,\)"),
            (np.ones((12, 2)), (2, 3, 2), 1, r"1 or 3 channels"),
            (np.ones((12, 0)), (3, 4), 1, "has 0 images"),
            (np.full((12, 2), np.nan), (3, 4), 2, "24 values that are NaN"),
            (np.ones((12, 2)), (3, 4), 0, "count must be at least 1"),
        ],
    )
    def test_refuses(self, kernel, image_shape, count, message):
        with pytest.raises(ValueError, match=message):
            plots.filters(kernel, image_shape, count=count)


class TestReconstructions:
    x = rng.uniform(size=(6, 4))
    x_hat = rng.uniform(size=(6, 4))

    def test_rows_are_inputs_corrupted_inputs_and_reconstructions(self):
        x_corrupted = np.zeros_like(self.x)
        figure = plots.reconstructions(self.x, self.x_hat, (2, 2), x_corrupted, count=3)
        shown = np.array([axis.images[0].get_array() for axis in figure.axes]).reshape(3, 3, 4)
        given = [self.x[:3], x_corrupted[:3], self.x_hat[:3]]
        np.testing.assert_array_equal(shown, given)
        assert [figure.axes[i].get_ylabel() for i in (0, 3, 6)] == [
            "input",
            "corrupted",
            "reconstruction",
        ]

    def test_without_corruption_there_are_two_rows_on_the_inputs_scale(self):
        figure = plots.reconstructions(self.x, 9 * self.x_hat, (2, 2), count=3)
        assert len(figure.axes) == 6
        low, high = self.x[:3].min(), self.x[:3].max()
        assert {axis.images[0].get_clim() for axis in figure.axes} == {(low, high)}

    def test_each_reconstruction_is_labelled_with_its_squared_error(self):
        figure = plots.reconstructions(np.zeros((2, 4)), np.diag([1.0, 3, 0, 0])[:2], (2, 2))
        assert [axis.get_xlabel() for axis in figure.axes] == ["", "", "1", "9"]

    def test_another_method_is_a_further_row_with_its_own_errors(self):
        others = {"PCA": np.full((6, 4), 0.5)}
        figure = plots.reconstructions(self.x, self.x_hat, (2, 2), others=others, count=2)
        assert [figure.axes[i].get_ylabel() for i in (0, 2, 4)] == [
            "input",
            "reconstruction",
            "PCA",
        ]
        errors = [((x_hat - self.x) ** 2).sum(axis=1)[:2] for x_hat in (self.x_hat, others["PCA"])]
        found = [axis.get_xlabel() for axis in figure.axes]
        assert found == ["", "", *(f"{error:.3g}" for error in np.ravel(errors))]

    @pytest.mark.parametrize(("side", "length"), [(8, 10), (32, 10), (64, 5), (96, 4), (480, 4)])
    def test_images_of_many_pixels_are_fewer_and_larger(self, side, length):
        assert plots.row_length((side // 2, side, 3)) == length
        x = np.zeros((12, side * side))
        assert len(plots.reconstructions(x, x, (side, side)).axes) == 2 * length

    def test_large_images_are_drawn_as_means_of_blocks(self):
        image = np.arange(600.0 * 5).reshape(5, 600)
        figure = plots.reconstructions(image.reshape(1, -1), image.reshape(1, -1), (5, 600))
        expected = image[:3].reshape(1, 3, 200, 3).mean(axis=(1, 3))
        np.testing.assert_allclose(figure.axes[0].images[0].get_array(), expected)

    def test_colour_images_with_their_own_axes(self):
        x = rng.uniform(size=(2, 4, 5, 3))
        figure = plots.reconstructions(x, x, (4, 5, 3))
        shown = np.asarray(figure.axes[1].images[0].get_array())
        np.testing.assert_allclose(shown, (x[1] - x.min()) / (x.max() - x.min()))

    def test_refuses_unequal_shapes(self):
        with pytest.raises(ValueError, match=r"input \[6, 4\], reconstruction \[6, 9\]"):
            as_users_call(plots.reconstructions)(self.x, np.ones((6, 9)), (2, 2))

    def test_refuses_infinite_values_by_name(self):
        with pytest.raises(ValueError, match="the corrupted contains 24 values that are NaN"):
            plots.reconstructions(self.x, self.x, (2, 2), self.x * np.inf)


class TestErrorHistogram:
    def test_counts_are_those_of_numpy_and_lines_are_quantiles(self):
        errors = rng.uniform(5, 9, size=500)
        (axis,) = plots.error_histogram(errors, bins=7).axes
        counts, _ = np.histogram(errors, 7)
        np.testing.assert_array_equal([bar.get_height() for bar in axis.patches], counts)
        lines = [line.get_xdata()[0] for line in axis.get_lines()]
        np.testing.assert_allclose(lines, np.percentile(errors, [50, 90, 99]))
        assert axis.get_xscale() == "linear"

    def test_errors_of_several_decades_have_a_logarithmic_axis(self):
        errors = 10 ** rng.uniform(-3, 3, size=300)
        (axis,) = plots.error_histogram(errors).axes
        assert axis.get_xscale() == "log"
        assert sum(bar.get_height() for bar in axis.patches) == 300
        plots.error_histogram(np.zeros(3)).canvas.draw()

    @pytest.mark.parametrize("errors", [np.zeros(0), np.array([-1.0, 1]), np.array([np.nan])])
    def test_refuses(self, errors):
        with pytest.raises(ValueError, match=r"errors of 0 or more|1 values that are NaN"):
            plots.error_histogram(errors)


class TestCodeMap:
    def test_two_units_are_drawn_without_projection(self):
        code = rng.normal(size=(9, 2))
        (axis,) = plots.code_map(code).axes
        np.testing.assert_array_equal(axis.collections[0].get_offsets(), code)
        assert (axis.get_xlabel(), axis.get_ylabel()) == ("code unit 1", "code unit 2")

    def test_more_units_are_drawn_in_their_principal_plane(self):
        plane = rng.normal(size=(50, 2)) * [3, 1]
        rotation, _ = np.linalg.qr(rng.normal(size=(5, 5)))
        code = np.pad(plane - plane.mean(axis=0), ((0, 0), (0, 3))) @ rotation + 7
        (axis,) = plots.code_map(code).axes
        points = np.asarray(axis.collections[0].get_offsets())
        np.testing.assert_allclose(points @ points.T, (code - 7) @ (code - 7).T, atol=1e-9)
        assert abs((points[:, 0] * points[:, 1]).sum()) < 1e-9
        assert points[:, 0].var() > points[:, 1].var()
        shares = np.var(points, axis=0) / np.var(code, axis=0).sum()
        assert f"component 1 of the code ({shares[0]:.0%} of its variance)" in axis.get_xlabel()
        assert f"component 2 of the code ({shares[1]:.0%} of its variance)" in axis.get_ylabel()

    def test_classes_have_their_points_and_names(self):
        code, labels = rng.normal(size=(30, 2)), np.arange(30) % 10
        figure = plots.code_map(code, labels)
        dots = figure.axes[0].collections
        np.testing.assert_array_equal(dots[4].get_offsets(), code[labels == 4])
        assert [text.get_text() for text in figure.legends[0].get_texts()] == list("0123456789")

    def test_each_class_has_a_distinct_colour_and_marker(self):
        labels = np.arange(35)
        dots = plots.code_map(rng.normal(size=(35, 2)), labels).axes[0].collections
        looks = {(*dot.get_facecolor()[0], dot.get_paths()[0].vertices.tobytes()) for dot in dots}
        assert len(looks) == 35

    def test_equal_codes_can_be_drawn(self):
        figure = plots.code_map(np.ones((4, 3)))
        figure.canvas.draw()
        np.testing.assert_array_equal(figure.axes[0].collections[0].get_offsets(), np.zeros((4, 2)))

    @pytest.mark.parametrize(
        ("code", "labels", "message"),
        [
            (np.ones((4, 1)), None, r"got shape \[4, 1\]"),
            (np.ones((0, 2)), None, r"got shape \[0, 2\]"),
            (np.full((4, 2), np.inf), None, "8 values"),
            (np.ones((40, 2)), np.arange(40), "40 classes are too many"),
        ],
    )
    def test_refuses(self, code, labels, message):
        with pytest.raises(ValueError, match=message):
            plots.code_map(code, labels)

    def test_refuses_labels_of_another_length(self):
        with pytest.raises(ValueError, match=r"expected 4 labels, got shape \[3\]"):
            as_users_call(plots.code_map)(np.ones((4, 2)), np.arange(3))


class TestLearningCurves:
    def test_train_and_validation_of_every_term(self):
        history = [
            record(i, 9.0 / i, sparsity=0.5, validation={"loss": 8.0 / i, "sparsity": 0.4})
            for i in (1, 2)
        ]
        axes = panels(plots.learning_curves(history))
        assert list(axes) == ["loss", "reconstruction", "sparsity", "norms"]
        assert curves(axes["loss"]) == {"train": [[1, 9], [2, 4.5]], "validation": [[1, 8], [2, 4]]}
        assert curves(axes["reconstruction"]) == {"train": [[1, 9], [2, 4.5]]}
        assert curves(axes["norms"])["parameter"] == [[1, 20], [2, 20]]

    def test_the_loss_has_no_panel_if_it_is_the_reconstruction(self):
        figure = plots.learning_curves([record(1, 3.0)])
        assert list(panels(figure)) == ["reconstruction", "norms"]

    def test_validation_may_be_missing_from_some_epochs(self):
        history = [record(1, 3.0), record(2, 2.0, validation={"reconstruction": 1.0})]
        axis = panels(plots.learning_curves(history))["reconstruction"]
        assert curves(axis)["validation"] == [[2, 1]]

    @pytest.mark.parametrize(
        ("losses", "scale"), [((100, 1), "log"), ((2, 1), "linear"), ((1, 0), "linear")]
    )
    def test_logarithmic_beyond_one_decade(self, losses, scale):
        history = [record(i, float(loss)) for i, loss in enumerate(losses)]
        assert panels(plots.learning_curves(history))["reconstruction"].get_yscale() == scale

    def test_axes_have_units(self):
        figure = plots.learning_curves([record(1, 3.0)], units={"reconstruction": "nats"})
        axis = panels(figure)["reconstruction"]
        assert (axis.get_xlabel(), axis.get_ylabel()) == ("epoch", "nats per example")

    def test_a_single_epoch_is_visible(self):
        axis = panels(plots.learning_curves([record(1, 3.0)]))["reconstruction"]
        assert axis.get_lines()[0].get_marker() == "o"

    def test_refuses_an_empty_history_and_nan(self):
        with pytest.raises(ValueError, match="history is empty"):
            plots.learning_curves([])
        with pytest.raises(ValueError, match="train contains 1 values that are NaN"):
            plots.learning_curves([record(1, np.nan)])


class TestSpectrum:
    values = np.array([4.0, 3, 2, 1])

    def test_the_cut_separates_retained_and_discarded_components(self):
        (axis,) = plots.spectrum(self.values, 1).axes
        kept, left_out, cut = axis.get_lines()
        assert kept.get_xydata().tolist() == [[1, 4]]
        assert left_out.get_xydata().tolist() == [[2, 3], [3, 2], [4, 1]]
        assert list(cut.get_xdata()) == [1.5, 1.5]
        assert kept.get_label() == "kept: 40.0% of the variance"
        assert left_out.get_label() == "left out: Σ λ = 6"
        assert axis.get_xlabel() == "component i"
        assert axis.get_yscale() == "log"

    def test_eigenvalues_that_are_rounding_do_not_stretch_the_axis(self):
        (axis,) = plots.spectrum(np.append(self.values, [1e-17, -1e-18]), 4).axes
        assert axis.get_ylim()[0] == 0.5

    @pytest.mark.parametrize(
        ("values", "code", "message"),
        [
            (values[::-1], 1, "descending"),
            (-values[::-1], 1, "non-negative"),
            (values * 0, 1, "not all zero"),
            (values[:0], 1, "not all zero"),
            (values, 0, "between 1 and 4, got 0"),
            (values, 5, "between 1 and 4, got 5"),
            (values * np.nan, 1, "4 values that are NaN"),
        ],
    )
    def test_refuses(self, values, code, message):
        with pytest.raises(ValueError, match=message):
            plots.spectrum(values, code)


class TestKLSparsity:
    def test_curves_are_scipys_divergence_and_the_courses_derivative(self):
        axes = panels(plots.kl_sparsity([0.2]))
        (rho_hat, value) = np.array(curves(axes["Ω = KL(ρ ‖ ρ̂)"])["ρ = 0.2"]).T
        expected = [entropy([0.2, 0.8], [r, 1 - r]) for r in rho_hat]
        np.testing.assert_allclose(value, expected, rtol=1e-4, atol=1e-6)
        _, slope = np.array(curves(axes["dΩ/dρ̂"])["ρ = 0.2"]).T
        np.testing.assert_allclose(
            slope, -0.2 / rho_hat + 0.8 / (1 - rho_hat), rtol=1e-4, atol=1e-4
        )

    def test_each_rho_has_a_curve_with_its_minimum_marked(self):
        figure = plots.kl_sparsity([0.05, 0.3])
        for axis in figure.axes:
            marks = [line.get_xydata().tolist() for line in axis.get_lines()]
            assert [[0.05, 0.0]] in marks
            assert [[0.3, 0.0]] in marks
        for rho in (0.05, 0.3):
            curve = np.array(curves(figure.axes[0])[f"ρ = {rho:g}"])
            assert curve[np.argmin(curve[:, 1]), 0] == pytest.approx(rho, abs=2e-3)

    def test_measured_means_are_drawn_as_ticks(self):
        figure = plots.kl_sparsity([0.1], np.array([0.02, 0.5], "float32"))
        ticks = np.array(curves(figure.axes[0])["measured ρ̂"])[:, 0]
        np.testing.assert_allclose(ticks, [0.02, 0.5])

    @pytest.mark.parametrize(
        ("rhos", "rho_hat", "message"),
        [
            ([], None, "at least one ρ"),
            ([0.1, 1.0], None, r"each in \(0, 1\)"),
            ([0.1], np.array([1.2]), "mean activations must lie in"),
        ],
    )
    def test_refuses(self, rhos, rho_hat, message):
        with pytest.raises(ValueError, match=message):
            plots.kl_sparsity(rhos, rho_hat)


class TestSegmentations:
    labels = np.array([[[0, 1, 2], [1, 5, 0]]])

    def test_inputs_labels_and_predictions_are_rows_of_named_colours(self):
        x = rng.uniform(size=(1, 2, 3, 3))
        predicted = {"one": self.labels % 3, "two": 2 - self.labels % 3}
        figure = plots.segmentations(x, self.labels, predicted, ("a", "b", "c"))
        first, *maps = image_axes(figure)
        np.testing.assert_array_equal(first.images[0].get_array(), x[0])
        names = [axis.get_ylabel() for axis in (first, *maps)]
        assert names == ["input", "labels", "one", "two"]
        shown = [axis.images[0] for axis in maps]
        np.testing.assert_array_equal(shown[2].get_array(), predicted["two"][0])
        (legend,) = figure.legends
        for patch, text in zip(legend.get_patches(), legend.get_texts(), strict=True):
            label = ("a", "b", "c").index(text.get_text())
            assert same_color(patch.get_facecolor(), shown[0].cmap(shown[0].norm(label)))

    def test_void_is_white(self):
        figure = plots.segmentations(np.zeros((1, 2, 3, 1)), self.labels, {}, ("a", "b", "c"))
        image = image_axes(figure)[1].images[0]
        void = self.labels[0] == 5
        assert same_color(image.cmap(image.norm(image.get_array()[void][0])), "white")
        assert len({tuple(image.cmap(image.norm(c))) for c in range(12)}) == 12

    def test_arrays_of_inconsistent_shapes_are_refused(self):
        x = np.zeros((1, 2, 3, 1))
        with pytest.raises(ValueError, match="expected 1 to 11 classes"):
            plots.segmentations(x, self.labels, {}, "abcdefghijkl")
        with pytest.raises((ValueError, TypeCheckError), match=r"predicted|maps must be"):
            plots.segmentations(x, self.labels, {"one": self.labels[:, :1]}, "abc")


def test_drawing_restores_the_settings_of_matplotlib():
    before = dict(matplotlib.rcParams.copy())
    figure = plots.spectrum(np.array([2.0, 1]), 1)
    changed = [name for name, value in matplotlib.rcParams.copy().items() if before[name] != value]
    assert changed == []
    assert same_color(figure.axes[0].spines["left"].get_edgecolor(), plots.INK)
    assert same_color(figure.axes[0].xaxis.label.get_color(), plots.INK)
