"""HTML preview of a data set in a notebook: sizes, and the first images or rows."""

import base64
import io
from collections.abc import Mapping
from html import escape

import numpy as np

from aejax.data.columns import Schema, feature_names
from aejax.data.image_size import is_image_shape
from aejax.repr_text import array_text, entries_html

MAX_IMAGES = 10
"""Maximum number of images."""

MAX_ROWS = 5
"""Maximum number of rows of a table."""

MAX_COLUMNS = 20
"""Maximum number of features of a row."""

IMAGE_HEIGHT = 56
"""Height of an image on the page, in pixels."""


def preview_html(name: str, arrays: Mapping[str, np.ndarray], schema: Schema | None) -> str:
    """Render a data set.

    Args:
        name: name of the data set.
        arrays: "train" -> train examples, and further arrays; only the first examples are read.
        schema: columns of a table, or None.

    Returns:
        HTML: name and shapes; the first train images, or the first rows of a table.
    """
    x = arrays["train"]
    shapes = {part: array_text(array) for part, array in arrays.items()}
    return entries_html(f"Dataset {name}", shapes) + _images(x) + _first_rows(x, schema)


def _images(x: np.ndarray) -> str:
    """The first examples side by side as one PNG, from black (minimum) to white (maximum)."""
    shape = x.shape[1:]
    if len(x) == 0 or not is_image_shape(shape):
        return ""
    from PIL import Image  # slow to import

    first = np.asarray(x[:MAX_IMAGES], np.float64)
    low, high = first.min(), first.max()
    pixels = np.round(255 * (first - low) / (high - low or 1)).astype(np.uint8)
    strip = np.concatenate([*pixels.reshape(*pixels.shape[:3], -1)], axis=1)
    buffer = io.BytesIO()
    Image.fromarray(strip[..., 0] if strip.shape[2] == 1 else strip).save(buffer, "PNG")
    data = base64.b64encode(buffer.getvalue()).decode()
    return (
        f'<img alt="the first {len(first)} train examples" src="data:image/png;base64,{data}" '
        f'style="height:{IMAGE_HEIGHT}px;max-width:100%;image-rendering:pixelated">'
    )


def _first_rows(x: np.ndarray, schema: Schema | None) -> str:
    """The first rows of a table below the names of its features."""
    if schema is None:
        return ""
    names = feature_names(schema.columns)
    head = "".join(f"<th>{escape(name)}</th>" for name in names[:MAX_COLUMNS])
    body = "".join(
        f"<tr>{''.join(f'<td>{value:.4g}</td>' for value in row)}</tr>"
        for row in np.asarray(x[:MAX_ROWS, :MAX_COLUMNS], np.float64)
    )
    more = len(names) - MAX_COLUMNS
    note = f"<p>… and {more} more features</p>" if more > 0 else ""
    return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>{note}"
