"""What experiments share: intervals against SciPy, results that can be read back."""

import json
from dataclasses import dataclass

import numpy as np
from matplotlib.figure import Figure
from scipy import stats

from experiments import results


@dataclass(frozen=True)
class Config:
    level: float = 0.5


def test_the_interval_is_scipys(x64):
    values = np.random.default_rng(0).normal(1, 2, size=9)
    mean, low, high = results.interval(values)
    expected = stats.ttest_1samp(values, 0).confidence_interval(0.95)
    np.testing.assert_allclose([mean, low, high], [values.mean(), expected.low, expected.high])


def test_results_are_written_beside_their_figure_and_the_summary_where_asked(
    tmp_path, monkeypatch, capsys
):
    monkeypatch.setattr(results, "ROOT", tmp_path)
    results.publish("quick", Config(), {"error": 0.25}, Figure(), summary=False)
    results.publish("full", Config(), {"error": 0.25}, Figure(), summary=True)
    (record,) = (tmp_path / "results" / "quick").glob("*/quick.json")
    assert json.loads(record.read_text(encoding="utf-8"))["metrics"] == {"error": 0.25}
    assert record.with_suffix(".png").exists()
    assert not (tmp_path / "docs" / "results" / "quick.json").exists()
    assert (tmp_path / "docs" / "results" / "full.png").exists()
    assert '"level": 0.5' in capsys.readouterr().out


def test_each_configuration_has_a_folder_of_its_own(tmp_path, monkeypatch):
    monkeypatch.setattr(results, "ROOT", tmp_path)
    for level in (0.1, 0.2, 0.2):
        results.publish("name", Config(level), {}, Figure(), summary=False)
    assert len(list((tmp_path / "results" / "name").iterdir())) == 2
