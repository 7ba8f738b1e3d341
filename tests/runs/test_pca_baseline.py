"""PCA as a baseline of reports, against scikit-learn."""

import numpy as np
from sklearn.decomposition import PCA

from aejax.runs import pca_baseline
from aejax.runs.configuration import Training
from aejax.runs.examples import load_in_memory
from aejax.runs.pca_baseline import project, report_baseline


def test_the_baseline_is_scikit_learns_or_has_a_reason(monkeypatch):
    examples = load_in_memory(Training(data="digits"))
    x_train, _ = examples.pca_examples()
    baseline = report_baseline(x_train, 7)
    x = np.asarray(examples.shown().batch.x)
    reference = PCA(7, svd_solver="full").fit(x_train)
    expected = reference.inverse_transform(reference.transform(x))
    np.testing.assert_allclose(project(baseline.analysis, x), expected, atol=1e-5)
    assert baseline.method == "exact"
    assert report_baseline(x_train, 64).startswith("64 components would reconstruct all")
    monkeypatch.setattr(pca_baseline, "MAX_ENTRIES", x_train.size - 1)
    assert report_baseline(x_train, 7).startswith(f"the train examples have {x_train.size} values")
