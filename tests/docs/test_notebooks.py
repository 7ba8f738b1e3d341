"""The notebooks run with small settings and reach the results that they describe."""

import re
from pathlib import Path

import jupytext
import matplotlib
import numpy as np
import pytest

NOTEBOOKS = Path(__file__).parents[2] / "docs" / "notebooks"


def run(name: str, quick: str) -> dict:
    """Run all cells of a notebook with smaller settings, in one namespace, which is returned."""
    source = (NOTEBOOKS / f"{name}.py").read_text(encoding="utf-8")
    source, changed = re.subn(r"^EPOCHS, \w+ = .*$", quick, source, flags=re.MULTILINE)
    assert changed == 1
    names = {}
    with matplotlib.rc_context({"backend": "agg"}):
        exec(source, names)
    return names


def test_pca_and_the_linear_autoencoder_share_a_subspace_but_not_a_basis():
    names = run("pca_and_the_linear_autoencoder", "EPOCHS, CODE = 50, 4")
    assert names["least"] <= names["history"][-1]["loss"] < 1.01 * names["least"]
    assert names["angles"].max() < 10
    assert names["cosines"].max(axis=0).min() < 0.95
    assert float(names["by_hand"]) == pytest.approx(names["least"], rel=1e-5)


def test_training_with_noise_lowers_the_denoising_error():
    names = run("denoising", "EPOCHS, SEEDS = 15, 2")
    none, quarter, _ = np.asarray(names["errors"]).mean(axis=1)
    assert quarter < none


@pytest.mark.parametrize("path", sorted(NOTEBOOKS.glob("*.py")), ids=lambda path: path.stem)
def test_jupytext_reads_the_notebook(path):
    cells = jupytext.read(path).cells
    assert len(cells) > 8
    assert {cell.cell_type for cell in cells} == {"markdown", "code"}
    assert cells[0].source.startswith("# ")
