"""`aejax compare` and `aejax runs`: figures of runs side by side, differences, and refusals."""

import json
import shutil

import jax
import numpy as np
import optax
import pytest

import aejax as package
from aejax import losses, runs
from aejax.runs.comparing import compare_runs
from aejax.runs.listing import list_runs, summarise_run
from tests.cli.conftest import EPOCHS, check, history_of


def altered(run, out, **changes):
    """Copy of a run with other settings; without digests, so that it can be read."""
    shutil.copytree(run, out)
    (out / "digests.json").unlink()
    path = out / "configuration.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))
    return out


@pytest.fixture(scope="module")
def own(tmp_path_factory):
    """A run of `aejax.runs.train`."""
    objective = package.objective(package.dense((6, 3)), losses.bernoulli)
    x = jax.random.uniform(jax.random.key(0), (32, 6))
    out = tmp_path_factory.mktemp("own") / "mine"
    settings = {"learning_rate": 1e-2}
    runs.train(objective, optax.adam(1e-2), x, out=out, epochs=2, key=0, test=x, settings=settings)
    return out


def test_runs_are_compared_by_settings_figures_and_curves(aejax, finished, tmp_path):
    other = altered(finished, tmp_path / "other", learning_rate=0.5, epochs=9)
    page = tmp_path / "page.html"
    outcome = aejax("compare", finished, other, "--out", page)
    assert outcome.code == 0
    header, first, second, last = outcome.out.splitlines()
    assert [word in header for word in ("learning_rate", "epochs", "test error", "seed")] == [
        True, True, True, False]  # fmt: skip
    metrics, history = json.loads((finished / "metrics.json").read_text()), history_of(finished)
    for number in (metrics["test_error"], metrics["pca_test_error"], history[-1]["loss"]):
        assert f"{number:.4g}" in first
        assert f"{number:.4g}" in second
    assert f" {EPOCHS} " in first
    assert last == f"page: {page}"
    text = page.read_text()
    assert text.count("data:image/svg") == 1
    assert "Settings that are equal" in text
    document = json.loads(aejax("compare", finished, other, "--json", "--out", page).out)
    assert [row["learning_rate"] for row in document["runs"]] == [0.001, 0.5]
    assert document["notes"] == []


def test_figures_that_cannot_be_compared_are_marked(finished, tmp_path):
    other = altered(finished, tmp_path / "squared", loss="squared", seed=1)
    comparison = compare_runs([summarise_run(finished), summarise_run(other)])
    assert comparison.notes == [
        "losses are not comparable, since the objectives differ (loss: bernoulli, squared)",
        "validation losses are of different validation examples (seed: 0, 1)",
    ]
    assert "train loss (not comparable)" in comparison.table[0]
    assert "test error" in comparison.table[0]
    assert comparison.objectives == ["loss bernoulli", "loss squared"]
    scaled = altered(finished, tmp_path / "standard", normalise="standardise", split_seed=0)
    comparison = compare_runs([summarise_run(finished), summarise_run(scaled)])
    assert "test error (not comparable)" in comparison.table[0]
    assert comparison.notes == [
        "losses and errors are not comparable, since their units differ "
        "(normalise: unit-range, standardise)"
    ]


def test_comparisons_that_make_no_sense_are_refused(aejax, finished, own, tmp_path):
    out = ["--out", tmp_path / "page.html"]
    check(aejax("compare", finished, *out), "needs two or more runs, got 1")
    check(aejax("compare", finished, finished, *out), "is given more than once")
    check(aejax("compare", finished, own, *out), "were trained on different data (digits and")
    filled = altered(finished, tmp_path / "filled", missing="mean")
    about = json.loads((filled / "about.json").read_text()) | {"fingerprint": "0" * 16}
    (filled / "about.json").write_text(json.dumps(about))
    words = "different data (digits, missing: refuse, mean), so that"
    check(aejax("compare", finished, filled, *out), words)
    settings = json.loads((filled / "configuration.json").read_text()) | {"missing": "refuse"}
    (filled / "configuration.json").write_text(json.dumps(settings))
    words = "different data (digits, which has changed between the runs)"
    check(aejax("compare", finished, filled, *out), words)
    check(aejax("compare", finished, tmp_path, *out), "is not a run")
    check(aejax("compare", finished, finished, "--out", tmp_path), "is a folder: name a file")
    assert not (tmp_path / "page.html").exists()


def test_the_list_names_every_run_and_what_cannot_be_read(aejax, finished, own, tmp_path):
    folder = tmp_path / "all"
    altered(finished, folder / "b", clip=0.5)
    shutil.copytree(own, folder / "nested" / "own")
    shutil.copytree(finished, folder / "damaged")
    path = folder / "damaged" / "configuration.json"
    path.write_text(path.read_text().replace("masking", "gaussian"))
    (folder / "unstarted.partial" / "checkpoints").mkdir(parents=True)
    shutil.copytree(finished, folder / "a")
    outcome = aejax("runs", folder)
    assert outcome.code == 0
    _, *rows = outcome.out.splitlines()
    assert [row.split()[0] for row in rows] == [
        str(folder / each) for each in ("a", "b", "nested/own")
    ]
    assert "clip=0.5" in rows[1]
    assert "corruption=masking" in rows[0]
    assert "penalty.sparsity=0.1" in rows[0]
    assert "settings.learning_rate=0.01" in rows[2]
    assert "configuration.json is not what was written for this run" in outcome.err
    assert outcome.err.count("\n") == 1
    document = json.loads(aejax("runs", folder, "--json").out)
    assert [run["code"] for run in document["runs"]] == [12, 12, None]
    assert document["runs"][2]["figures"]["test loss"] > 0
    assert document["unreadable"][0]["run"] == str(folder / "damaged")


def test_settings_that_the_data_completed_are_not_listed(aejax, tmp_path, monkeypatch):
    """A default run lists none; a repeated run those of the first one and its changes."""
    monkeypatch.chdir(tmp_path)
    aejax("train", "--epochs", "2", "--out", "runs/10", "--quiet")
    aejax("train", "--from", "runs/10", "--batch-size", "512", "--out", "runs/9", "--quiet")
    shutil.copytree("runs/10", "runs/of an earlier version")
    about = tmp_path / "runs" / "of an earlier version" / "about.json"
    document = json.loads(about.read_text())
    assert document.pop("given") == ["epochs"]
    about.write_text(json.dumps(document))
    (about.parent / "digests.json").unlink()
    _, repeated, first, earlier = aejax("runs").out.splitlines()
    assert repeated.endswith("  epochs=2 batch_size=512")
    assert first.endswith("  epochs=2")
    assert "  normalise=unit-range sizes=64,128,16 linear_path=True activation=gelu code" in earlier
    document["given"] = "epochs"
    about.write_text(json.dumps(document))
    assert "given cannot be 'epochs'" in aejax("runs").err


def test_the_list_is_sorted(finished, own, tmp_path, aejax):
    folder = tmp_path / "all"
    for name in ("z", "a"):
        shutil.copytree(finished, folder / name)
    shutil.copytree(own, folder / "own")
    found, _ = list_runs(folder)
    assert [run.folder.name for run in found] == ["a", "own", "z"]
    by_test = aejax("runs", folder, "--sort", "test").out.splitlines()[1:]
    assert by_test[-1].split()[0] == str(folder / "own")
    assert np.all([run.modified > 1e9 for run in found])
    assert aejax("runs", tmp_path / "all" / "a").out.count("\n") == 2
    empty = tmp_path / "empty"
    empty.mkdir()
    assert aejax("runs", empty).out == f"no runs in {empty}\n"
    check(aejax("runs", tmp_path / "nowhere"), "is no folder")


def test_a_page_of_another_suffix_is_refused(finished, own, aejax):
    record = own / "objective.json"
    before = record.read_bytes()
    outcome = aejax("compare", finished, own, "--out", record)
    assert (outcome.code, outcome.err) == (2, f"aejax: out must end in .html, got {record}\n")
    assert record.read_bytes() == before
