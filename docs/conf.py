"""Sphinx configuration: Markdown pages, executed notebooks and the API reference."""

import sys
from pathlib import Path

import aejax

sys.path.insert(0, str(Path(__file__).parent))
import generated_pages

project = "aejax"
author = "The aejax authors"
release = version = aejax.__version__
html_title = f"aejax {version}"

extensions = [
    "mathml",
    "myst_nb",
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx.ext.napoleon",
    "sphinx.ext.viewcode",
]
myst_enable_extensions = ["dollarmath"]
myst_fence_as_directive = ["math"]  # as GitHub writes it
myst_heading_anchors = 3
exclude_patterns = ["_build", "results", "*.py", "notebooks/*.ipynb", "own_model"]
html_math_renderer = "mathml"
html_theme = "furo"
html_static_path = ["static"]
html_css_files = ["formulas.css", "narrow.css"]
html_show_copyright = False
suppress_warnings = ["ref.python"]  # several records have a field called x, key or code

nb_custom_formats = {".py": ["jupytext.reads", {"fmt": "py:percent"}]}  # docs/notebooks
nb_execution_mode = "cache"
nb_execution_cache_path = str(Path(__file__).parent / "_build" / ".jupyter_cache")
nb_execution_raise_on_error = True
nb_execution_timeout = 600

autodoc_typehints = "none"  # docstrings contain shapes and ranges
autosummary_generate = False


def setup(app):
    """Generate pages before Sphinx reads them; escape docstrings before napoleon parses them."""
    app.connect("builder-inited", generated_pages.write)
    app.connect("source-read", generated_pages.redirect_links)
    app.connect("autodoc-process-docstring", generated_pages.escape_docstring, priority=100)
