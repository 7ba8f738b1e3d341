"""A 30-dimensional autoencoder of MNIST has a lower test error than PCA."""

import json

import pytest


@pytest.mark.slow
def test_30_dimensional_autoencoder_beats_pca_on_mnist(aejax, shared_data, tmp_path):
    if not (shared_data / "mnist").is_dir():
        pytest.skip(f"no archives of MNIST in {shared_data}")
    settings = "--sizes 784 500 30 --activation gelu --code-activation identity --loss squared"
    out = tmp_path / "run"
    done = aejax(f"train --epochs 5 {settings} --data", shared_data / "mnist", "--out", out)
    assert done.code == 0, done.err
    metrics = json.loads((out / "metrics.json").read_text())
    # PCA-30 fitted on the train images: 13.87 in Hinton & Salakhutdinov 2006, fig. 2B.
    assert metrics["pca_test_error"] == pytest.approx(13.87, abs=0.005)
    assert metrics["test_examples"] == 10_000
    assert metrics["test_error"] < 10.0
