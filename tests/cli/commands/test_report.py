"""`aejax report`: self-contained pages of runs and experiments."""

import json
import re
import warnings
from html import escape
from pathlib import Path

import numpy as np
import pytest
from scipy.special import expit

from aejax.report.run_figures import run_figures
from aejax.runs.run import open_run
from aejax.runs.streamed_examples import load_seen_examples
from tests.cli.conftest import EPOCHS, check, history_of

TITLES = (
    "Learning curves",
    "Reconstructions",
    "Best and worst",
    "Filters",
    "Traversals",
    "Activations",
    "Jacobian",
    "Codes",
)


def test_report_contains_settings_curves_figures_and_environment(finished, tmp_path, aejax):
    outcome = aejax("report", finished, "--out", tmp_path / "deep/page.html")
    page = (tmp_path / "deep/page.html").read_text()
    assert (outcome.code, outcome.err) == (0, "")
    assert str(tmp_path / "deep/page.html") in outcome.out
    for name, value in {"sizes": "[64, 12]", "corruption": "masking", "clip": "5.0"}.items():
        assert f'<th scope="row">{name}</th><td>{value}</td>' in page
    for title in TITLES:
        assert f"<h3>{title}</h3>" in page
    assert f"aejax encode {finished} new.npy" in page
    metrics = json.loads((finished / "metrics.json").read_text())
    assert f"{metrics['pca_test_error']:.4f}"[:5] in page
    assert f"{history_of(finished)[EPOCHS - 1]['loss']:#.4g}" in page
    assert json.loads((finished / "about.json").read_text())["environment"]["jax"] in page
    assert not re.findall(r'(?:src|href)="(?!data:|#)', page)


def test_best_worst_and_jacobian_equal_numpy(finished):
    run = open_run(finished)
    examples = load_seen_examples(run)
    found = {shown.title: shown for shown in run_figures(run, examples, [])}
    encoder, decoder = (run.params[part]["layer_0"] for part in ("encoder", "decoder"))
    x = np.asarray(examples.batch.x, float)
    h = expit(x @ encoder["kernel"] + encoder["bias"])
    errors = np.sum((expit(h @ decoder["kernel"] + decoder["bias"]) - x) ** 2, axis=1)
    order = np.argsort(errors)
    wanted = [*order[:5], *order[-5:]]
    assert f": {', '.join(map(str, wanted))}." in found["Best and worst"].caption
    jacobians = (h * (1 - h))[:50, :, None] * np.asarray(encoder["kernel"], float).T
    (median,) = found["Jacobian"].figure.axes[0].get_lines()
    wanted = np.median(np.linalg.svd(jacobians, compute_uv=False), axis=0)
    np.testing.assert_allclose(median.get_ydata(), wanted, rtol=1e-4)


def test_report_shows_certificates_of_verify(run, tmp_path, aejax, monkeypatch):
    monkeypatch.setattr("aejax.report.run_figures.run_figures", lambda *_: ())
    certificate = {
        **dict.fromkeys(("formula", "source", "reason"), "words"),
        **dict.fromkeys(("residual", "tolerance", "control"), 0.5),
        "claim": "squares are <positive>",
        "verdict": "holds",
    }
    (tmp_path / "found.json").write_text(json.dumps([certificate]))
    assert aejax("report", run, "--certificates", tmp_path / "found.json").code == 0
    assert "squares are &lt;positive&gt;" in (run / "report.html").read_text()


def test_report_of_another_checkpoint_omits_metrics(run, tmp_path, aejax, monkeypatch):
    monkeypatch.setattr("aejax.report.run_figures.run_figures", lambda *_: ())
    best = json.loads((run / "metrics.json").read_text())["step"]
    other = next(p.name for p in (run / "checkpoints").iterdir() if p.name != str(best))
    assert aejax("report", run).code == 0
    assert "test reconstruction error" in (run / "report.html").read_text()
    assert aejax("report", run, "--checkpoint", other).code == 0
    assert "test reconstruction error" not in (run / "report.html").read_text()


def test_each_experiment_has_a_page_in_the_index(tmp_path, aejax):
    results = Path(__file__).parents[3] / "experiments" / "results"
    outcome = aejax("report", results, "--out", tmp_path / "pages")
    assert (outcome.code, outcome.err) == (0, "")
    records = [json.loads(file.read_text(encoding="utf-8")) for file in results.glob("*.json")]
    assert f"{tmp_path}/pages/index.html, of {len(records)} experiments" in outcome.out
    index = (tmp_path / "pages/index.html").read_text(encoding="utf-8")
    assert index.count('src="data:image/png;base64,') == len(records)
    for record in records:
        assert f'href="{record["experiment"]}.html"' in index
        page = (tmp_path / f"pages/{record['experiment']}.html").read_text(encoding="utf-8")
        for text in (record["verdict"], record["about"]["expected"], record["environment"]["jax"]):
            assert escape(text) in page
        for claim in record["comparisons"]:
            assert escape(claim) in page


def made(folder, **changes):
    """Write the record and figure of a small experiment in a subfolder."""
    record = {
        "experiment": "toy",
        "about": {"title": "It <doubles>.", "claim": "c", "figure": "A <b> bar."},
        "verdict": "not confirmed",
        "comparisons": {"a < b": [0.5, -0.25, 1.25, False]},
        "config": {"seeds": 2},
        "data": None,
        "environment": {"jax": "1"},
        "seconds": 3.0,
        "metrics": {"error": {"low": [1.0, 3.0], "all": 7.0}, "curve": [[9, 2.0], [9, 4.0]]},
    }
    folder.mkdir(parents=True)
    (folder / "toy.json").write_text(json.dumps(record | changes), encoding="utf-8")
    (folder / "toy.png").write_bytes(b"\x89PNG")


def test_seeds_are_averaged_with_standard_error_and_text_is_escaped(tmp_path, aejax):
    for name in ("first", "second"):
        made(tmp_path / "results/toy" / name)
    (tmp_path / "results/toy/other.json").write_text("[1]", encoding="utf-8")
    assert aejax("report", tmp_path / "results").code == 0
    names = {path.name for path in (tmp_path / "results/report").iterdir()}
    assert names == {"index.html", "toy-first.html", "toy-second.html"}
    page = (tmp_path / "results/report/toy-first.html").read_text(encoding="utf-8")
    rows = [re.sub("<[^>]+>", "|", row) for row in re.findall("<tr>.*?</tr>", page)]
    assert "||error, low||2.000||1.000||2||" in rows
    assert "||error, all||7.000||||||" in rows
    assert "||curve (last of 2)||3.000||1.000||2||" in rows
    assert "||a &lt; b||0.5000||−0.2500||1.250||undecided||" in rows
    assert "It &lt;doubles&gt;" in page
    assert 'alt="A &lt;b&gt; bar."' in page


PRIMARY = {
    "quantity": "squared error",
    "values": {"new": 2.565, "old": 13.87},
    "difference": [-11.3, -11.32, -11.28, True],
    "verdict": "confirmed",
}


def test_primary_comparison_comes_first_with_verdict_and_values(tmp_path, aejax):
    made(tmp_path / "results", primary=PRIMARY)
    assert aejax("report", tmp_path / "results", "--out", tmp_path / "pages").code == 0
    page, index = (
        (tmp_path / f"pages/{name}.html").read_text(encoding="utf-8") for name in ("toy", "index")
    )
    titles = re.findall("<h2[^>]*>([^<]*)</h2>", page)
    assert titles[:4] == ["Claim", "Primary comparison", "Figure", "Further comparisons"]
    assert "<dt>primary claim</dt><dd>confirmed</dd>" in page
    assert "<dt>all comparisons</dt><dd>mixed</dd>" in page
    rows = [re.sub("<[^>]+>", "|", row) for row in re.findall("<tr>.*?</tr>", page)]
    assert "||squared error||2.565||13.87||−11.32||−11.28||confirmed||" in rows
    assert "It &lt;doubles&gt;. Confirmed." in index
    assert "Squared error: 2.565 (new) against 13.87 (old)." in index


@pytest.mark.parametrize(
    ("stored", "interval", "word"),
    [
        ("not confirmed", [0.5, -0.25, 1.25, False], "undecided"),
        ("not confirmed", [0.5, 0.25, 1.25, False], "refuted"),
        ("partly confirmed", [-0.5, -1.25, -0.25, True], "confirmed"),
    ],
)
def test_verdicts_of_older_records_follow_from_intervals(tmp_path, aejax, stored, interval, word):
    made(tmp_path / "results", verdict=stored, comparisons={"a < b": interval})
    assert aejax("report", tmp_path / "results", "--out", tmp_path / "pages").code == 0
    page = (tmp_path / "pages/toy.html").read_text(encoding="utf-8")
    assert f"<dt>all comparisons</dt><dd>{word}</dd>" in page
    assert "Primary comparison" not in page


def test_invalid_experiment_record_is_refused(tmp_path, aejax):
    made(tmp_path / "results", about={})
    check(aejax("report", tmp_path / "results"), "toy.json is not the record of an experiment")


@pytest.mark.parametrize(
    "changes",
    [
        {"experiment": 3},
        {"experiment": ["toy"]},
        {"experiment": "../toy"},
        {"experiment": "a/b"},
        {"experiment": ".."},
        {"experiment": ""},
        {"experiment": "index"},
        {"about": ["title"]},
        {"about": {"title": 3, "claim": "c", "figure": "f"}},
        {"about": {"title": "t", "claim": 3, "figure": "f"}},
        {"about": {"title": "t", "claim": "c", "figure": " "}},
        {"verdict": 3},
        {"verdict": None},
        {"primary": 3},
        {"primary": {"quantity": "error", "values": [1], "difference": [1, 0, 2, True]}},
        {"primary": {"quantity": "error", "values": {"a": 1}, "difference": [1, 0, 2]}},
        {"comparisons": [1]},
        {"comparisons": {"a < b": 3}},
        {"comparisons": {"a < b": [1, 2]}},
        {"config": "c"},
        {"environment": [1]},
        {"metrics": "m"},
        {"metrics": {"error": "low"}},
        {"metrics": {"error": []}},
        {"metrics": {"error": [[1], [1, 2]]}},
    ],
)
def test_experiment_record_with_field_of_another_type_is_refused(tmp_path, aejax, changes):
    made(tmp_path / "results", **changes)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        check(aejax("report", tmp_path / "results", "--out", tmp_path / "pages"), "toy.json")
    assert not list(tmp_path.rglob("*.html"))


@pytest.mark.parametrize("content", [b"[" * 100_000, b"{", b"\xff"])
def test_invalid_json_file_beside_a_figure_is_refused(tmp_path, aejax, content):
    made(tmp_path / "results")
    (tmp_path / "results/toy.json").write_bytes(content)
    check(aejax("report", tmp_path / "results"), "toy.json is")


def test_experiments_with_equal_page_names_are_refused(tmp_path, aejax):
    results = Path(__file__).parents[3] / "experiments" / "results"
    for folder in (tmp_path / "first" / "a", tmp_path / "second" / "a"):
        folder.mkdir(parents=True)
        for suffix in ("json", "png"):
            (folder / f"depth.{suffix}").write_bytes((results / f"depth.{suffix}").read_bytes())
    outcome = aejax("report", tmp_path, "--out", tmp_path / "pages")
    check(outcome, "would both be the page depth-a.html | rename")
    assert not (tmp_path / "pages").exists()


def test_too_large_jacobian_is_omitted_with_a_message(
    finished, aejax, tmp_path, monkeypatch, undrawn
):
    monkeypatch.setattr("aejax.report.run_figures.MAX_JACOBIAN_ENTRIES", 64 * 12 - 1)
    outcome = aejax("report", finished, "--out", tmp_path / "report.html")
    assert outcome.code == 0
    assert "no figure of the Jacobian" in outcome.err
    assert "Singular values" not in (tmp_path / "report.html").read_text()
