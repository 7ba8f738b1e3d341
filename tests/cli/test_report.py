"""`aejax report`: one page that holds everything and fetches nothing."""

import json
import re

from tests.cli.conftest import EPOCHS, history_of


def test_the_page_holds_settings_curves_figures_and_environment(finished, tmp_path, aejax):
    outcome = aejax("report", finished, "--out", tmp_path / "deep/page.html")
    page = (tmp_path / "deep/page.html").read_text()
    assert (outcome.code, outcome.err) == (0, "")
    assert str(tmp_path / "deep/page.html") in outcome.out
    for name, value in {"sizes": "[64, 12]", "corruption": "masking", "clip": "5.0"}.items():
        assert f'<th scope="row">{name}</th><td>{value}</td>' in page
    for title in ("Learning curves", "Reconstructions", "Filters", "Codes"):
        assert f"<h3>{title}</h3>" in page
    metrics = json.loads((finished / "metrics.json").read_text())
    assert f"{metrics['pca_test_error']:.4f}"[:5] in page
    assert f"{history_of(finished)[EPOCHS - 1]['loss']:#.4g}" in page
    assert json.loads((finished / "about.json").read_text())["environment"]["jax"] in page
    assert not re.findall(r'(?:src|href)="(?!data:|#)', page)


def test_certificates_of_verify_are_shown_where_they_are_given(run, tmp_path, aejax, monkeypatch):
    monkeypatch.setattr("aejax.cli.figures.illustrations", lambda *_: ())
    certificate = {
        **dict.fromkeys(("formula", "source", "reason"), "words"),
        **dict.fromkeys(("residual", "tolerance", "control"), 0.5),
        "claim": "squares are <positive>",
        "verdict": "holds",
    }
    (tmp_path / "found.json").write_text(json.dumps([certificate]))
    assert aejax("report", run, "--certificates", tmp_path / "found.json").code == 0
    assert "squares are &lt;positive&gt;" in (run / "report.html").read_text()


def test_another_checkpoint_goes_without_the_figures_of_the_best(run, tmp_path, aejax, monkeypatch):
    monkeypatch.setattr("aejax.cli.figures.illustrations", lambda *_: ())
    best = json.loads((run / "metrics.json").read_text())["step"]
    other = next(p.name for p in (run / "checkpoints").iterdir() if p.name != str(best))
    assert aejax("report", run).code == 0
    assert "test reconstruction error" in (run / "report.html").read_text()
    assert aejax("report", run, "--checkpoint", other).code == 0
    assert "test reconstruction error" not in (run / "report.html").read_text()
