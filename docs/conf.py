"""Sphinx: Markdown pages through MyST, and an API reference from the docstrings as they stand."""

import pkgutil
import re
from pathlib import Path

import aejax

project = "aejax"
author = "The aejax authors"
release = version = aejax.__version__
html_title = f"aejax {version}"

extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.mathjax", "sphinx.ext.napoleon"]
myst_enable_extensions = ["dollarmath"]
myst_fence_as_directive = ["math"]  # as GitHub writes it
myst_heading_anchors = 3
exclude_patterns = ["results"]
html_theme = "furo"
suppress_warnings = ["ref.python"]  # several records have a field called x, key or code

autodoc_typehints = "none"  # shapes and ranges stand in the docstrings

PAGE = """# aejax.{room}

```{{eval-rst}}
.. automodule:: aejax.{room}
   :members:
{imported}   :member-order: bysource
```
"""


def write_api_pages(app):
    """One page a room, so that a new room has its page without a word of ours."""
    folder = Path(app.srcdir) / "api"
    folder.mkdir(exist_ok=True)
    for room in pkgutil.iter_modules(aejax.__path__):
        if room.name != "cli":
            imported = "   :imported-members:\n" if room.ispkg else ""
            page = PAGE.format(room=room.name, imported=imported)
            (folder / f"{room.name}.md").write_text(page, encoding="utf-8")


def as_written(_app, what, _name, _object, _options, lines):
    """Docstrings are plain text: backticks are markup there, stars and underscores are not.

    The fields of a record, `name: what it is`, become a list of them.
    """
    for i, line in enumerate(lines):
        if what == "class":
            line = re.sub(r"^(\w+(?:, \w+)*):\s+(?=\S)", r":\1: ", line)
        parts = re.split(r"(`[^`]+`)", line)
        lines[i] = "".join(
            f"`{part}`" if part.startswith("`") else re.sub(r"([*|_`\\])", r"\\\1", part)
            for part in parts
        )


def pages_outside(app, document, source):
    """Markdown that lies outside this folder is a file to fetch, not a page of this book."""
    book = Path(app.srcdir)
    folder = (book / document).parent

    def as_file(link):
        inside = (folder / link[1]).resolve().is_relative_to(book)
        return link[0] if inside else f"](path:{link[1]})"

    source[0] = re.sub(r"\]\(([\w./-]+\.md)\)", as_file, source[0])


def setup(app):
    """The pages before they are read; the text before napoleon makes markup of its sections."""
    app.connect("builder-inited", write_api_pages)
    app.connect("source-read", pages_outside)
    app.connect("autodoc-process-docstring", as_written, priority=100)
