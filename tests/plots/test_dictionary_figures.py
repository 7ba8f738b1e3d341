"""Figures of dictionaries: drawn images and counts, and errors for arrays that do not fit."""

import inspect

import numpy as np
import pytest
from matplotlib.patches import StepPatch

from aejax import plots

rng = np.random.default_rng(0)
X = rng.random((6, 12))
EXAMPLES = np.array([[4, 0, -1], [2, 5, 1]])
ACTIVATIONS = np.array([[3.0, 1.5, 0.0], [2.0, 1.0, 0.25]])
NAMES = ["latent 7", "latent 8"]


def test_densities_draw_each_living_latent_once():
    frequency = np.array([0, 0, 1e-3, 0.2, 0.2, 1])
    (axis,) = plots.densities(frequency).axes
    (steps,) = axis.patches
    assert isinstance(steps, StepPatch)
    assert sum(steps.get_data().values) == 4
    assert axis.get_title(loc="left") == "4 latents are active, 2 are dead"
    assert axis.get_xscale() == "log"


def drawn(figure):
    return [[np.asarray(image.get_array()) for image in axis.images] for axis in figure.axes]


def test_each_place_has_its_image_and_activation():
    figure = plots.top_example_images(X, EXAMPLES, ACTIVATIONS, NAMES, (3, 4))
    images = drawn(figure)
    for place, index in enumerate(EXAMPLES.flat):
        if index < 0:
            assert images[place] == []
        else:
            np.testing.assert_array_equal(images[place][0], X[index].reshape(3, 4))
    labels = [axis.get_xlabel() for axis in figure.axes]
    assert labels == ["3", "1.5", "", "2", "1", "0.25"]
    assert [figure.axes[i].get_ylabel() for i in (0, 3)] == NAMES
    limits = {image.get_clim() for axis in figure.axes for image in axis.images}
    used = X[[4, 0, 2, 5, 1]]
    assert limits == {(used.min(), used.max())}


def test_directions_are_drawn_first_with_zero_in_the_middle():
    directions = rng.normal(size=(2, 12))
    figure = plots.top_example_images(
        X, EXAMPLES, ACTIVATIONS, NAMES, (3, 4), directions=directions
    )
    for row in range(2):
        (image,) = figure.axes[4 * row].images
        np.testing.assert_array_equal(image.get_array(), directions[row].reshape(3, 4))
        low, high = image.get_clim()
        assert -low == high == np.abs(directions[row]).max()


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"examples": EXAMPLES + 1}, r"lie in \[-1, 5\], got 0 to 6"),
        ({"activations": ACTIVATIONS[:, :2]}, "an activation for each example"),
        ({"names": NAMES[:1]}, "1 names"),
        ({"image_shape": (3, 5)}, r"must have the shape \[3, 5\]"),
        ({"directions": np.ones((2, 11))}, r"must have the shape \[3, 4\]"),
        ({"x": np.full_like(X, np.nan)}, "x contains"),
    ],
)
def test_arrays_that_do_not_fit_are_refused(changed, message):
    arguments = {
        "x": X,
        "examples": EXAMPLES,
        "activations": ACTIVATIONS,
        "names": NAMES,
        "image_shape": (3, 4),
        "directions": None,
    }
    with pytest.raises(ValueError, match=message):
        inspect.unwrap(plots.top_example_images)(**arguments | changed)


def test_frequencies_outside_the_unit_interval_are_refused():
    with pytest.raises(ValueError, match="expected frequencies"):
        plots.densities(np.array([0.5, 1.5]))
