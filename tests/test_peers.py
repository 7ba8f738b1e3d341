"""Comparisons with other packages, which the tests do not need: counts, readers, and the page."""

import json
from dataclasses import asdict, replace

import numpy as np
import pytest

from aejax import data
from benchmarks import (
    comparisons,
    dictionary_recipes,
    dictionary_table,
    peers_anomalies,
    peers_dictionaries,
    peers_own_model,
    peers_variational,
)
from benchmarks.peers_anomalies import Config
from benchmarks.peers_variational import DIFFERENCES


def test_the_committed_page_matches_the_committed_results():
    assert comparisons.PAGE.read_text(encoding="utf-8") == comparisons.committed_page()


def test_committed_line_counts_are_those_of_the_scripts():
    found = json.loads(peers_own_model.RESULTS.read_text(encoding="utf-8"))["found"]
    for peer in peers_own_model.PEERS:
        assert found[peer.name]["lines"] == peers_own_model.number_of_lines(peer.script)


def test_lines_exclude_blanks_comments_and_the_docstring(tmp_path):
    script = tmp_path / "script.py"
    script.write_text('"""Doc."""\n\nimport numpy  # why\n# a comment\n\nx = f(\n    1,\n)\n')
    assert peers_own_model.number_of_lines(script) == 4


def test_histories_are_read_up_to_the_last_complete_line(tmp_path):
    aejax, keras, lightning = peers_own_model.PEERS
    assert aejax.history(tmp_path) == keras.history(tmp_path) == lightning.history(tmp_path) == []
    (tmp_path / "history.jsonl").write_text('{"epoch": 1, "validation": {"loss": 2.0}}\n{"epo')
    (tmp_path / "history.csv").write_text("epoch,loss,val_loss\n0,3.0,2.0\n1,1.0")
    for version, rows in (("2", "0,,2.0\n0,3.0,\n"), ("10", "1,,1.5\n")):
        folder = tmp_path / "history" / f"version_{version}"
        folder.mkdir(parents=True)
        (folder / "metrics.csv").write_text(f"epoch,loss,val_loss\n{rows}")
    for peer in (aejax, keras):
        assert [row[:2] for row in peer.history(tmp_path)] == [(1, 2.0)]
    assert [row[:2] for row in lightning.history(tmp_path)] == [(1, 2.0), (2, 1.5)]


def test_an_epoch_that_is_trained_again_is_found_in_the_history():
    first, second, again = (
        peers_own_model.Row(epoch, 2.0, f"{epoch} {seconds}")
        for epoch, seconds in ((1, 0.1), (2, 0.1), (1, 0.2))
    )
    first_new_epoch = peers_own_model.first_new_epoch
    assert first_new_epoch([first], [first, second]) == 2
    assert first_new_epoch([first], [again, second]) == 1  # replaced, as in aejax
    assert first_new_epoch([first, second], [first, second, first]) == 1  # repeated, as in Keras
    assert first_new_epoch([first], [first]) is None


def check_variational(rows):
    """Rows agree to rounding, except for those whose difference has a reason."""
    assert {(each["model"], each["quantity"]) for each in rows} >= set(DIFFERENCES)
    for each in rows:
        rounding = 1e-5 if each["model"] == "VQVAE" else 1e-12
        if (each["model"], each["quantity"]) in DIFFERENCES:
            assert each["difference"] > 10 * rounding, each
        else:
            assert each["difference"] < rounding, each


def test_committed_variational_losses_agree_except_for_the_stated_differences():
    found = json.loads(peers_variational.RESULTS.read_text(encoding="utf-8"))["found"]
    check_variational(found)
    assert {each["model"] for each in found} == {
        "VAE",
        "BetaTCVAE",
        "IWAE",
        "WAE_MMD",
        "RAE_GP",
        "VQVAE",
    }


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_variational_losses_are_those_of_pythae():
    pytest.importorskip("pythae")
    check_variational([asdict(each) for each in peers_variational.measure()])


def test_a_missing_peer_is_a_reason_to_skip(monkeypatch, capsys, tmp_path):
    monkeypatch.setattr(peers_anomalies, "RESULTS", tmp_path / "results.json")
    monkeypatch.setattr(peers_anomalies, "missing", lambda _: peers_own_model.missing(["no_peer"]))
    peers_anomalies.main()
    assert capsys.readouterr().out.startswith("skipped: not installed: no_peer")
    assert not list(tmp_path.iterdir())


def test_detectors_score_rare_examples():
    detectors = {
        name: peers_anomalies.DETECTORS[name]
        for name in ("aejax `LinearAutoencoder`", "scikit-learn `IsolationForest`")
    }
    found = peers_anomalies.measure(Config(trials=1), detectors)
    for areas in found.values():
        assert list(areas) == list(peers_anomalies.problems())
        assert areas["breast cancer"][0] > 0.85
    problem = peers_anomalies.problems()["digits, pixels / 16"]
    x_train, x_test, is_anomaly = peers_anomalies.split(problem, Config(), 0)
    assert (len(x_train), len(x_test), is_anomaly.sum()) == (1001, 668, 20)


@pytest.mark.slow
def test_aejax_score_runs_both_commands():
    problem = peers_anomalies.problems()["breast cancer"]
    x_train, x_test, _ = peers_anomalies.split(problem, Config(), 0)
    assert peers_anomalies.aejax_score(x_train, x_test, 0).shape == (len(x_test),)


@pytest.mark.slow
def test_a_killed_run_of_aejax_ends_bit_identically():
    found = peers_own_model.measure(peers_own_model.PEERS[0])
    assert found["reproducible"]
    for kill in found["killed"].values():
        assert kill["bit-identical"]
        assert kill["last epoch"] == found["epochs"]
        assert kill["missing epochs"] == kill["repeated epochs"] == []
        assert kill["kept loss"] == found["kept loss"]
        assert kill["first epoch after the restart"] > 1
    assert found["kept loss"] == pytest.approx(found["lowest loss"], rel=1e-5)


LAW = data.DictionaryLaw(features=64, dimensions=32, roots=2, branching=3, depth=2)
DICTIONARIES = peers_dictionaries.Config(
    LAW,
    units=48,
    k=(5,),
    samples=64 * 64,
    batch_size=16,
    seeds=2,
    learning_rates=(1e-3, 1e-2),
    test_samples=2048,
    packages=("aejax",),
)


@pytest.mark.slow
@pytest.mark.parametrize("activation", dictionary_recipes.RECIPES)
def test_dictionaries_are_trained_and_judged_by_the_truth(activation):
    draw = peers_dictionaries.draw(DICTIONARIES, seed=0)
    scores = peers_dictionaries.cell(
        "aejax", activation, DICTIONARIES, draw, sparsity=5, rate=1e-2, seed=0
    )
    assert 0 < scores["L0"] < 48
    assert all(0 < scores[name] < 1 for name in ("F1", "MCC", "precision", "recall"))
    assert scores["seconds"] > 0


def test_an_interrupted_comparison_of_dictionaries_resumes(tmp_path, monkeypatch):
    calls = []

    def cell(package, activation, config, draw, *, sparsity, rate, seed):
        calls.append((rate, seed))
        if len(calls) == 4:
            raise KeyboardInterrupt
        return {"F1": rate, "L0": sparsity}

    monkeypatch.setattr(peers_dictionaries, "RESULTS", tmp_path)
    monkeypatch.setattr(peers_dictionaries, "cell", cell)
    top_k = replace(DICTIONARIES, activations=("TopK",))
    with pytest.raises(KeyboardInterrupt):
        peers_dictionaries.main(top_k)
    peers_dictionaries.main(top_k)
    assert calls == [(1e-3, 1000), (1e-2, 1000), (1e-2, 0), (1e-2, 1), (1e-2, 1)]
    peers_dictionaries.main(replace(top_k, samples=32 * 64))
    assert len(calls) == 9


def test_scores_of_dictionaries_are_interpolated_at_equal_numbers_of_active_units():
    def cells(slope):
        return {
            f"sparsity {k}, learning rate 0.001, seed {seed}": {
                "L0": k + 0.1,
                "F1": slope * k + seed,
            }
            for seed in (0, 1)
            for k in (4, 6, 8)
        }

    found = dictionary_table.scores_by_seed({"cells": cells(0.1)}, 5.0, "F1")
    np.testing.assert_allclose(found, [0.49, 1.49])
    assert np.isnan(dictionary_table.scores_by_seed({"cells": cells(0.1)}, 12.0, "F1")).all()


def test_activations_are_ordered_by_their_scores():
    def record(f1, explained):
        cells = {
            f"sparsity {k}, learning rate 0.001, seed {seed}": {
                "L0": k,
                "F1": f1,
                "MCC": 0.5,
                "uniqueness": 1.0,
                "explained variance": explained,
            }
            for k in (4, 8)
            for seed in (0, 1)
        }
        choice = {
            f"sparsity 6, learning rate {rate}, seed 9": {
                "L0": active,
                "F1": score,
                "explained variance": 0.5,
            }
            for rate, active, score in ((0.001, 6.0, 0.3), (0.01, 5.0, 0.4), (0.1, 20.0, 0.9))
        }
        return {"settings": {"samples": 1024}, "cells": cells, "choice": choice}

    records = {
        name: {"aejax": record(*scores), "SAELens": record(*scores[::-1])}
        for name, scores in {"TopK": (0.5, 0.75), "matching pursuit": (0.25, 0.9)}.items()
    }
    rows = dictionary_table.page(records).splitlines()
    order = rows.index("| package | by F1 | by explained variance |")
    assert rows[order + 2 : order + 4] == [
        "| aejax | TopK 0.500, matching pursuit 0.250 | matching pursuit 0.900, TopK 0.750 |",
        "| SAELens | matching pursuit 0.900, TopK 0.750 | TopK 0.500, matching pursuit 0.250 |",
    ]
    lower = "TopK 4 (−0.250), TopK 6 (−0.250), TopK 8 (−0.250), matching pursuit 4 (−0.650)"
    assert f"| F1 | 0 | 0 | 6: {lower}, matching pursuit 6 (−0.650)" in "\n".join(rows)
    assert "| explained variance | 6 | 0 | 0 |" in rows
    best = "aejax 0.500 (TopK, 4.0 active); SAELens 0.900 (matching pursuit, 4.0 active)"
    assert (
        f"Highest mean F1 at any sparsity: {best}. Difference of the two: −0.400 ± 0.000." in rows
    )
    assert "| TopK | aejax | 0.01 (chosen) | 5.0 | 0.400 | 0.500 |" in rows
    assert sum("(chosen)" in row for row in rows) == 4
    del records["TopK"]["aejax"]["cells"]["sparsity 8, learning rate 0.001, seed 1"]
    assert "values are means of 1 seeds" in " ".join(dictionary_table.page(records).splitlines())


def test_the_committed_page_of_dictionaries_matches_its_results():
    text = dictionary_table.PAGE.read_text(encoding="utf-8")
    assert text == dictionary_table.committed_page()
