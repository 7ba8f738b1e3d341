"""Preview of a data set in a notebook."""

import base64
import io
import re

import numpy as np
import pytest
from PIL import Image

from aejax import data
from aejax.data import Column, Dataset, Schema
from tests.report.test_page import Parsed


def shown_image(html) -> np.ndarray:
    encoded = re.search(r'src="data:image/png;base64,([^"]+)"', html)[1]
    with Image.open(io.BytesIO(base64.b64decode(encoded))) as image:
        return np.asarray(image)


def test_images_are_shown_side_by_side():
    digits = data.digits()
    html = digits._repr_html_()
    assert Parsed(html).tags.count("img") == 1
    assert "float64 [1438, 8, 8]" in html
    expected = np.hstack([*digits.x_train[:10]]) * 255 / 16
    np.testing.assert_allclose(shown_image(html), expected, atol=0.5)


@pytest.mark.parametrize("shape", [(5, 4), (5, 4, 1), (5, 4, 3)])
@pytest.mark.parametrize("count", [1, 12])
def test_images_of_any_size_and_range(shape, count):
    x = np.random.default_rng(0).normal(-3, 1, (count, *shape)).astype(np.float32)
    image = shown_image(Dataset("x", x, x)._repr_html_())
    assert image.shape == (5, 4 * min(count, 10), *([3] if shape[2:] == (3,) else []))
    assert (image.min(), image.max()) == (0, 255)
    constant = np.full((2, *shape), 7, np.uint8)
    assert shown_image(Dataset("x", constant, constant)._repr_html_()).max() == 0


def test_rows_of_a_table_have_the_names_of_the_features():
    columns = (Column("<b>"), Column("colour", ("blue", "red")))
    x = np.random.default_rng(0).normal(size=(9, 3))
    html = Dataset("own.csv", x, x, schema=Schema(columns))._repr_html_()
    parsed = Parsed(html)
    assert parsed.text["th"] == "traintest<b>colour=bluecolour=red"
    cells = re.findall(r"<td>([^<]+)</td>", html)
    np.testing.assert_allclose(np.array(cells, float).reshape(5, 3), x[:5], rtol=1e-3)
    wide = np.ones((9, 25))
    schema = Schema(tuple(Column(f"c{i}") for i in range(25)))
    assert "… and 5 more features" in Dataset("w", wide, wide, schema=schema)._repr_html_()


def test_vectors_without_names_are_described():
    x = np.ones((3, 4))
    html = Dataset("<x>", x, x, labels_train=np.arange(3))._repr_html_()
    assert "Dataset &lt;x&gt;" in html
    assert Parsed(html).text["td"] == "float64 [3, 4]float64 [3, 4]int64 [3]"
