"""Journey 1: from a CSV file to codes, anomaly scores and a report."""

import numpy as np
import pandas as pd
import pytest
from sklearn.datasets import load_breast_cancer
from sklearn.metrics import roc_auc_score

from tests.journeys.journey import shell

USER = """
aejax train --data normal.csv --label diagnosis --ignore patient --out runs/tumours \
  --normalise standardise --loss squared
aejax encode runs/tumours new.csv --out codes.csv
aejax score runs/tumours new.csv --contamination 0.05 --out scores.csv
aejax report runs/tumours --out report.html
"""


def write_tables(folder):
    """Tumours with an identifier, a text column beyond ASCII, and the diagnosis."""
    tumours = load_breast_cancer(as_frame=True)
    table = tumours.data.assign(diagnosis=tumours.target_names[tumours.target])
    table.insert(0, "patient", [f"P{row:04}" for row in range(len(table))])
    table["clinic"] = np.where(np.arange(len(table)) % 3, "São Paulo", "Zürich")
    normal, malignant = (table[tumours.target == benign] for benign in (1, 0))
    normal[::2].to_csv(folder / "normal.csv", index=False)
    new = pd.concat([normal[1::2], malignant])
    new.to_csv(folder / "new.csv", index=False)
    return new


@pytest.mark.slow
def test_a_table_to_codes_and_anomalies(journey):
    new = write_tables(journey.folder)
    printed = shell(journey, USER).out
    codes, scores = (pd.read_csv(journey.folder / f"{name}.csv") for name in ("codes", "scores"))
    for table in (codes, scores):
        assert table.patient.tolist() == new.patient.tolist()
        assert table.diagnosis.tolist() == new.diagnosis.tolist()
    assert np.isfinite(codes.filter(like="code_").to_numpy()).all()
    assert roc_auc_score(scores.diagnosis == "malignant", scores.error) > 0.9
    is_outlier = scores.outlier == 1
    assert scores.error[is_outlier].min() > scores.error[~is_outlier].max()
    # The threshold is interpolated between the errors of two of the 144 training examples.
    between = scores[is_outlier != (scores["rank"] > 0.95)]
    assert (abs(between["rank"] - 0.95) < 1 / 144).all()
    worst = scores.loc[scores.error.idxmax()]
    assert f"error {worst.error:.4g}, rank 1.000, largest in {worst.largest}" in printed
    report = (journey.folder / "report.html").read_text(encoding="utf-8")
    assert worst.largest in report
    assert "clinic" in report
