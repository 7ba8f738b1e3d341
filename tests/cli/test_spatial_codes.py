"""Spatial codes are compared with PCA by their number of scalars, in metrics and report."""

import json

import numpy as np
import pytest
from sklearn.decomposition import PCA

from tests.cli.conftest import check


@pytest.fixture(scope="module")
def x():
    """Low-rank images with noise, 120 × [6, 6]."""
    random = np.random.default_rng(0)
    images = random.normal(size=(120, 8)) @ random.normal(size=(8, 36))
    return (images + 0.1 * random.normal(size=images.shape)).reshape(120, 6, 6)


@pytest.mark.parametrize(
    ("channels", "scalars", "stream"),
    [("2", 3 * 3 * 2, ""), ("4 2", 2 * 2 * 2, "--stream")],
)
def test_pca_has_as_many_components_as_the_spatial_code_has_units(
    x, tmp_path, aejax, channels, scalars, stream
):
    np.save(tmp_path / "x.npy", x)
    words = f"--channels {channels} --sizes 36 --loss squared --batch-size 32 --epochs 1 --quiet"
    data = f"train {stream} --data {tmp_path / 'x.npy'} --normalise standardise"
    done = aejax(f"{data} {words} --out", tmp_path / "run")
    assert done.code == 0
    assert f"PCA, {scalars} components" in done.out
    metrics = json.loads((tmp_path / "run/metrics.json").read_text())
    flat = x.reshape(len(x), -1)
    test = np.arange(len(flat)) % 5 == 4
    flat = (flat - flat[~test].mean(axis=0)) / flat[~test].std(axis=0)
    pca = PCA(scalars, svd_solver="full").fit(flat[~test])
    lost = pca.inverse_transform(pca.transform(flat[test])) - flat[test]
    assert metrics["code"] == scalars
    assert metrics["pca_test_error"] == pytest.approx(np.mean(np.sum(lost**2, axis=1)), rel=1e-4)


def test_pca_is_omitted_for_a_code_as_large_as_the_data(x, tmp_path, aejax, undrawn):
    np.save(tmp_path / "x.npy", x)
    words = "--channels 4 --sizes 36 --loss squared --batch-size 32 --epochs 1 --quiet"
    data = f"train --data {tmp_path / 'x.npy'} --normalise standardise"
    done = aejax(f"{data} {words} --out", tmp_path / "run")
    assert "PCA, 36 components:  none; they would reconstruct" in done.out
    assert json.loads((tmp_path / "run/metrics.json").read_text())["pca_test_error"] is None
    found = aejax("report", tmp_path / "run")
    assert found.code == 0, found.err
    page = (tmp_path / "run/report.html").read_text()
    assert "Activations of the 36 units on the 24 test examples" in page
    assert "PCA with" not in page
    check(aejax("report", tmp_path / "run", "--checkpoint 5"), "no checkpoint of step 5")
