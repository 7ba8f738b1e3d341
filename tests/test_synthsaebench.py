"""The learning curve of SynthSAEBench on a small law: resumed, and beside the published scores."""

import json
from dataclasses import replace

import pytest

from aejax import data
from benchmarks import synthsaebench

LAW = data.DictionaryLaw(features=64, dimensions=32, roots=2, branching=3, depth=2)
CONFIG = synthsaebench.Config(
    law=LAW, activation="BatchTopK", units=48, k=5, samples=2 * 256, batch_size=16, test_samples=512
)


@pytest.mark.slow
def test_a_learning_curve_continues_where_it_ended(tmp_path, monkeypatch):
    monkeypatch.setattr(synthsaebench, "RESULTS", tmp_path / "curve")
    config = replace(CONFIG, out=str(tmp_path / "run"), learning_rate=1e-2)
    synthsaebench.main(config)
    first = json.loads((tmp_path / "curve.json").read_text())["curve"]
    assert list(first) == ["256", "512"]
    synthsaebench.main(replace(config, samples=32 * 256))
    record = json.loads((tmp_path / "curve.json").read_text())
    assert list(record["curve"]) == ["256", "512", "1024", "2048", "4096", "8192"]
    assert all(record["curve"][samples] == scores for samples, scores in first.items())
    assert record["curve"]["8192"]["explained variance"] > first["256"]["explained variance"]
    assert "| published: 200,000,000 |" in (tmp_path / "curve.md").read_text()
