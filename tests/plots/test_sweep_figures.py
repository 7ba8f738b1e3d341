"""Figures of sweeps and compared runs show the values that they are given."""

import numpy as np
import pytest

from aejax import plots

SIZES, ERRORS = [1, 2, 8], np.array([20.0, 3.0, 1.0])


def test_the_curve_of_code_sizes_shows_errors_intervals_and_pca():
    intervals = np.stack([ERRORS - 0.5, ERRORS + 1], axis=1)
    figure = plots.code_sizes(SIZES, ERRORS, intervals=intervals, pca=[30.0, 4.0, None])
    (axis,) = figure.axes
    assert (axis.get_xscale(), axis.get_yscale()) == ("log", "log")
    autoencoder, pca = (axis.lines[0], axis.lines[-1])
    np.testing.assert_array_equal(autoencoder.get_xydata(), np.stack([SIZES, ERRORS], axis=1))
    np.testing.assert_array_equal(pca.get_xydata(), [[1, 30], [2, 4]])
    (bars,) = axis.collections
    ends = [segment[:, 1] for segment in bars.get_segments()]
    np.testing.assert_allclose(ends, intervals)
    figure.canvas.draw()
    assert [label.get_text() for label in axis.get_xticklabels()] == ["1", "2", "8"]
    shown = {label.get_text() for label in axis.get_yticklabels()}
    assert {"1", "2", "5", "10", "20"} <= shown
    assert [text.get_text() for text in axis.get_legend().get_texts()] == ["PCA", "autoencoder"]


def test_near_sizes_and_errors_have_linear_axes_from_zero():
    (axis,) = plots.code_sizes([2, 4], np.array([3.0, 2.0])).axes
    assert (axis.get_xscale(), axis.get_yscale(), axis.get_ylim()[0]) == ("linear", "linear", 0)


def test_explained_variances_are_points_of_their_group_beside_pca():
    points = [4.0, 8.0, 5.0], [0.8, 0.9, -0.1]
    groups = ["topk", "topk", "relu"]
    figure = plots.explained_variances(*points, groups=groups, pca={4: 0.5, 8: 0.7})
    (axis,) = figure.axes
    found = {line.get_label(): line.get_xydata().tolist() for line in axis.lines}
    assert found == {
        "topk": [[4, 0.8], [8, 0.9]],
        "relu": [[5, 0]],  # worse than the mean of the data
        "PCA": [[4, 0.5], [8, 0.7]],
    }
    with pytest.raises(ValueError, match="a group of each, got 3 and 1"):
        plots.explained_variances(*points, groups=["topk"], pca={})


def test_parallel_coordinates_join_settings_and_error():
    settings = {"rate": [0.1, 0.01, 0.1], "loss": ["a", "b", "a"]}
    errors = np.array([1.0, 2.0, 3.0])
    figure = plots.parallel_coordinates(settings, errors, quantity="error")
    (axis,) = figure.axes
    lines = {
        tuple(line.get_ydata()[[-1]]): line for line in axis.lines if len(line.get_xdata()) == 3
    }
    assert sorted(end for (end,) in lines) == [0, 0.5, 1]
    np.testing.assert_allclose(lines[(0.5,)].get_ydata(), [0, 1, 0.5], atol=0.02)
    np.testing.assert_allclose(lines[(0,)].get_ydata(), [1, 0, 0], atol=0.02)
    shown = [text.get_text() for text in axis.texts]
    assert shown == ["0.01", "0.1", "a", "b", "1", "2", "3"]
    single = plots.parallel_coordinates({"rate": [0.1]}, np.array([2.0]), quantity="error")
    assert [text.get_text() for text in single.axes[0].texts] == ["0.1", "2"]


def test_curves_of_runs_have_their_own_lengths():
    curves = {"a": ([1, 2, 3], [3.0, 2.0, 1.0]), "b": ([1], [5.0])}
    (axis,) = plots.run_curves(curves, quantity="loss").axes
    assert [line.get_label() for line in axis.lines] == ["a", "b"]
    np.testing.assert_array_equal(axis.lines[0].get_xydata(), [[1, 3], [2, 2], [3, 1]])
    assert axis.lines[1].get_marker() == "o"


@pytest.mark.parametrize(
    "draw",
    [
        lambda: plots.code_sizes([], np.zeros(0)),
        lambda: plots.code_sizes([2, 1], np.ones(2)),
        lambda: plots.code_sizes([1, 2], np.ones(3)),
        lambda: plots.code_sizes([1, 2], np.array([1.0, np.nan])),
        lambda: plots.parallel_coordinates({}, np.ones(1), quantity="error"),
        lambda: plots.parallel_coordinates({"a": [1]}, np.ones(2), quantity="error"),
        lambda: plots.parallel_coordinates({"a": [1]}, np.array([np.inf]), quantity="error"),
        lambda: plots.run_curves({}),
        lambda: plots.run_curves({"a": ([], [])}),
        lambda: plots.run_curves({"a": ([1], [np.nan])}),
    ],
)
def test_figures_refuse_what_cannot_be_drawn(draw):
    with pytest.raises(ValueError, match=r"expected|NaN"):
        draw()
