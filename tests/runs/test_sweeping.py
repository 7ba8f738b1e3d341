"""Sweeps: members equal ordinary runs, PCA equals scikit-learn's; resumption and refusals."""

import csv
import json
import re
import shutil
from dataclasses import replace
from functools import partial

import jax
import numpy as np
import pytest
from sklearn.decomposition import PCA

from aejax import runs
from aejax.cli import main
from aejax.interchange.sealed_json import seal, unseal
from aejax.runs import sweeping
from aejax.runs.configuration import Options, Penalties
from aejax.runs.listing import summarise_run
from aejax.runs.quantisation_settings import QuantisationSettings
from aejax.runs.sweep_grid import check_grid, divide, setting_types, with_settings
from aejax.runs.sweep_summary import errors_by_code, summarise
from tests.cli.conftest import history_of

RATES = [3e-2, 1e-1]
WORDS = "--sizes 6 5 3 --loss squared --normalise standardise --epochs 4 --validation 0.25 --seed 3"


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Ninety correlated examples of six features, and a sweep of them."""
    folder = tmp_path_factory.mktemp("sweeps")
    generator = np.random.default_rng(0)
    x = generator.normal(size=(90, 3)) @ generator.normal(size=(3, 6))
    np.save(folder / "x.npy", x + 0.3 * generator.normal(size=x.shape))
    return folder


@pytest.fixture(scope="module")
def settings(folder):
    return Options(
        data=str(folder / "x.npy"),
        sizes=(6, 5, 3),
        loss="squared",
        normalise="standardise",
        schedule="constant",
        epochs=4,
        validation=0.25,
        seed=3,
    )


@pytest.fixture(scope="module")
def found(folder, settings):
    grid = {"code": range(1, 3), "learning_rate": np.array(RATES)}
    return runs.sweep(settings, grid, out=folder / "sweep", seeds=2)


def test_a_row_for_each_setting_and_seed(found):
    keys = [(row["code"], row["learning_rate"], row["seed"]) for row in found.table]
    assert keys == [(code, rate, seed) for code in (1, 2) for rate in RATES for seed in (3, 4)]
    written = json.loads((found.folder / "table.json").read_text())
    assert written == found.table
    frame = found.data_frame()
    assert list(frame) == list(found.table[0])
    assert frame["code"].tolist() == [row["code"] for row in found.table]
    errors = [row["validation_error"] for row in found.table]
    assert found.table[int(np.argmin(errors))]["run"] == str(found.best.relative_to(found.folder))


def test_the_written_table_restores_every_number(found):
    with (found.folder / "table.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == len(found.table)
    for row, expected in zip(rows, found.table, strict=True):
        assert list(row) == list(expected)
        assert row.pop("run") == (expected["run"] or "")
        assert {name: float(text) for name, text in row.items()} == {
            name: value for name, value in expected.items() if name != "run"
        }


def test_a_member_is_the_run_of_its_settings(found, folder):
    """The best member of a program equals `aejax train` with its settings, up to rounding."""
    (row,) = (row for row in found.table if row["run"] == "runs/code-2")
    words = f"--schedule constant --split-seed 3 --learning-rate {row['learning_rate']}"
    words = f"{WORDS.replace('5 3', '5 2').replace('--seed 3', '')} {words} --seed {row['seed']}"
    out = folder / "ordinary"
    arguments = ["train", "--data", str(folder / "x.npy"), *words.split(), "--quiet"]
    assert main([*arguments, "--out", str(out)]) == 0
    ordinary, member = history_of(out), history_of(found.folder / "runs/code-2")
    assert [record["step"] for record in ordinary] == [record["step"] for record in member]
    for name in ("loss", "gradient_norm"):
        values = [[record[name] for record in history] for history in (ordinary, member)]
        np.testing.assert_allclose(*values, rtol=1e-4)
    settings = [json.loads((run / "configuration.json").read_text()) for run in (
        out, found.folder / "runs/code-2")]  # fmt: skip
    assert settings[0] == settings[1]
    metrics = [json.loads((run / "metrics.json").read_text()) for run in (
        out, found.folder / "runs/code-2")]  # fmt: skip
    assert metrics[0]["test_error"] == pytest.approx(metrics[1]["test_error"], rel=1e-4)
    assert row["test_error"] == pytest.approx(metrics[1]["test_error"], rel=1e-6)
    assert metrics[0]["step"] == metrics[1]["step"]


def test_members_have_the_defaults_of_the_command(folder, tmp_path):
    """Only data, code and rate are given: what the data complete is that of `aejax train`."""
    data, grid = str(folder / "x.npy"), {"code": [2], "learning_rate": [1e-4]}
    found = runs.sweep(runs.Options(data=data, epochs=2), grid, out=tmp_path / "sweep", seeds=1)
    words = "train --code 2 --learning-rate 1e-4 --epochs 2 --split-seed 0 --quiet"
    ordinary = tmp_path / "ordinary"
    assert main([*words.split(), "--data", data, "--out", str(ordinary)]) == 0
    settings = [(run / "configuration.json").read_text() for run in (ordinary, found.best)]
    assert settings[0] == settings[1]
    opened = [runs.open(run) for run in (ordinary, found.best)]
    assert opened[0].configuration.linear_path
    assert opened[0].step == opened[1].step
    jax.tree.map(partial(np.testing.assert_allclose, rtol=1e-4, atol=1e-6),
                 *(run.params for run in opened))  # fmt: skip
    assert found.table[0]["validation_error"] < 1.05 * found.table[0]["pca_validation_error"]
    given = [summarise_run(run).distinctive for run in (ordinary, found.best)]
    assert given == [("learning_rate", "epochs", "split_seed"), ("learning_rate", "epochs")]


def test_settings_that_need_another_normalisation_are_refused_before_training(folder, tmp_path):
    """Squared error standardises unbounded data, which the Bernoulli loss cannot use."""
    options = runs.Options(data=str(folder / "x.npy"), epochs=1)
    grid = {"loss": ["squared", "bernoulli"]}
    with pytest.raises(ValueError, match="bernoulli needs --normalise unit-range, but the members"):
        runs.sweep(options, grid, out=tmp_path / "sweep")
    assert not (tmp_path / "sweep").exists()
    with pytest.raises(ValueError, match="linear-path"):
        runs.sweep(options, {"tied": [False, True], "linear_path": [True]}, out=tmp_path / "sweep")


def test_a_folder_opens_with_all_its_finished_programs(found, folder, settings):
    again = runs.open_sweep(found.folder)
    assert (again.table, again.best, again.swept) == (found.table, found.best, found.swept)
    out = folder / "opened"
    shutil.copytree(found.folder, out)
    (out / "table.json").unlink()
    part = runs.sweep(settings, {"code": [2], "learning_rate": RATES}, out=out, seeds=2)
    assert part.table == found.table[4:]
    assert json.loads((out / "table.json").read_text()) == found.table
    (out / "programs" / "code-1.json").unlink()  # stopped before it was finished
    assert runs.open_sweep(out).table == part.table
    shutil.rmtree(out / "programs")
    with pytest.raises(ValueError, match=r"no program of the sweep .* is finished: run it again"):
        runs.open_sweep(out)
    with pytest.raises(FileNotFoundError, match="is not a sweep: it contains no sweep"):
        runs.open_sweep(folder)


def test_the_best_run_resumes_and_encodes(found, folder):
    run = folder / "resumed"
    shutil.copytree(found.best, run)
    assert main(["train", "--resume", "--epochs", "5", "--quiet", "--out", str(run)]) == 0
    assert len(history_of(run)) == 5
    opened = runs.open(found.best)
    assert runs.encode(opened, np.load(folder / "x.npy")).shape == (90, int(found.best.name[-1]))


def test_pca_is_that_of_scikit_learn(found, folder):
    x = np.load(folder / "x.npy")
    test = np.arange(len(x)) % 5 == 4
    shift, scale = x[~test].mean(axis=0), x[~test].std(axis=0)
    x = (x - shift) / scale
    order = np.random.default_rng(3).permutation(72)
    held_out, train = np.split(x[~test][order], [18])

    def error(fitted, measured, code):
        pca = PCA(code, svd_solver="full").fit(fitted)
        return np.mean(
            np.sum((pca.inverse_transform(pca.transform(measured)) - measured) ** 2, axis=1)
        )

    for row in found.table:
        expected = error(train, held_out, row["code"])
        assert row["pca_validation_error"] == pytest.approx(expected, rel=1e-5)
        expected = error(x[~test], x[test], row["code"])
        assert row["pca_test_error"] == pytest.approx(expected, rel=1e-5)


def test_summaries_are_means_over_seeds_with_paired_differences(found):
    rows = summarise(found)
    assert [row["validation error"] for row in rows] == sorted(
        row["validation error"] for row in rows
    )
    errors = {
        (row["code"], row["learning_rate"], row["seed"]): row["validation_error"]
        for row in found.table
    }
    best, other = rows[0], rows[-1]
    pair = [
        errors[other["code"], other["learning_rate"], seed]
        - errors[best["code"], best["learning_rate"], seed]
        for seed in (3, 4)
    ]
    assert other["difference from the best"] == pytest.approx(np.mean(pair))
    half_width = 12.706204736 * np.std(pair, ddof=1) / np.sqrt(2)  # Student's t, 1 degree
    assert other["to of the difference"] == pytest.approx(np.mean(pair) + half_width)
    by_code = errors_by_code(found)
    assert [each.code for each in by_code] == [1, 2]
    means = [np.mean([errors[2, rate, seed] for seed in (3, 4)]) for rate in RATES]
    assert by_code[1].mean == pytest.approx(min(means))
    assert by_code[1].settings == {"learning_rate": RATES[int(np.argmin(means))]}


def test_a_stopped_sweep_continues_with_the_missing_programs(found, folder, settings, monkeypatch):
    out = folder / "stopped"
    shutil.copytree(found.folder, out)
    (out / "programs" / "code-2.json").unlink()  # killed after its run was written
    (out / "table.json").unlink()
    trained, train_programs = [], sweeping.train_programs

    def counted(training, programs, *others):
        trained.extend(program.name for program in programs)
        return train_programs(training, programs, *others)

    monkeypatch.setattr(sweeping, "train_programs", counted)
    grid = {"code": [1, 2], "learning_rate": RATES}
    again = runs.sweep(settings, grid, out=out, seeds=2)
    assert trained == ["code-2"]
    assert again.table == found.table
    assert not list((out / "runs").glob("*.partial"))
    more = runs.sweep(settings, {**grid, "code": [2, 1]}, out=out, seeds=2)
    assert trained == ["code-2"]
    assert more.table == found.table[4:] + found.table[:4]


def test_a_folder_of_another_sweep_or_a_run_is_refused(found, settings):
    def refuses(words, settings=settings, **changes):
        grid = {"code": [1], "learning_rate": RATES}
        with pytest.raises(ValueError, match=words):
            runs.sweep(settings, **{"grid": grid, "out": found.folder, "seeds": 2, **changes})

    refuses("holds another sweep: seeds was 2, now 3", seeds=3)
    refuses("setting epochs was 4, now 5", replace(settings, epochs=5))
    refuses("values of learning_rate was", grid={"code": [1], "learning_rate": RATES[:1]})
    refuses("holds a run: choose another out", out=found.best)


def test_damage_is_named(found, folder, settings):
    out = folder / "damaged"
    shutil.copytree(found.folder, out)
    file = out / "programs" / "code-1.json"
    file.write_text(file.read_text().replace('"seed": 3', '"seed": 5'))
    with pytest.raises(ValueError, match=r"code-1.json is damaged: .* delete it to train"):
        runs.sweep(settings, {"code": [1], "learning_rate": RATES}, out=out, seeds=2)


def test_files_of_others_in_the_folder_are_refused_or_ignored(found, folder, settings):
    out = folder / "mixed"
    shutil.copytree(found.folder, out)
    programs, grid = out / "programs", {"code": [1, 2], "learning_rate": RATES}
    (programs / "._code-2.json").write_bytes(b"\0\5\26\7")
    assert runs.open_sweep(out).table == found.table
    for name in ("code-2 (copy)", "code-5"):
        shutil.copy(programs / "code-2.json", programs / f"{name}.json")
        words = rf"{re.escape(name)}.json holds code-2, not {re.escape(name)}: delete it"
        for opened in (
            lambda: runs.open_sweep(out),
            lambda: runs.sweep(settings, grid, out=out, seeds=2),
        ):
            with pytest.raises(ValueError, match=words):
                opened()
        (programs / f"{name}.json").unlink()
    document = unseal((programs / "code-2.json").read_text())
    older = json.dumps(seal({"rows": document["rows"]}))  # written by older versions
    (programs / "code-2.json").write_text(older)
    assert runs.sweep(settings, grid, out=out, seeds=2).table == found.table
    (programs / "code-2.json").write_text(json.dumps(seal({**document, "sweep": "other"})))
    with pytest.raises(ValueError, match=r"code-2.json belongs to a sweep with other settings"):
        runs.open_sweep(out)
    (out / "sweep.json").write_text("{}")
    with pytest.raises(ValueError, match=r"sweep.json is damaged.*restore it, or choose another"):
        runs.sweep(settings, grid, out=out, seeds=2)
    (out / "sweep.json").unlink()
    with pytest.raises(ValueError, match=r"holds programs/code-1.json, but no sweep.json"):
        runs.sweep(settings, grid, out=out, seeds=2)


def test_a_run_of_the_user_is_not_replaced(found, folder, settings):
    out, grid = folder / "project", {"code": [1], "learning_rate": RATES}
    notes = out / "runs" / "code-1" / "notes.txt"
    shutil.copytree(found.folder / "runs" / "code-2", notes.parent)
    notes.write_text("mine")
    with pytest.raises(ValueError, match=r"project holds runs/code-1, but no sweep.json: choose"):
        runs.sweep(settings, grid, out=out, seeds=2)
    shutil.copy(found.folder / "sweep.json", out)
    shutil.rmtree(notes.parent / "checkpoints")
    file = notes.parent / "configuration.json"
    for write in (lambda: None, file.unlink):
        write()
        with pytest.raises(ValueError, match=r"runs/code-1 is not a run of this sweep, which"):
            runs.sweep(settings, grid, out=out, seeds=2)
    assert notes.read_text() == "mine"
    assert not (out / "programs").exists()


def test_a_program_whose_run_was_deleted_is_trained_again(found, folder, settings):
    out = folder / "deleted"
    shutil.copytree(found.folder, out)
    shutil.rmtree(out / "runs" / "code-2")
    again = runs.sweep(settings, {"code": [1, 2], "learning_rate": RATES}, out=out, seeds=2)
    assert again.table == found.table
    assert runs.open(out / "runs" / "code-2").step == runs.open(found.folder / "runs/code-2").step


def test_diverged_members_have_no_figures_and_are_named(folder, settings):
    rates = {"learning_rate": [1e-2, 1e30]}
    plain = replace(settings, optimizer="sgd", sizes=(6, 2), epochs=2)
    found = runs.sweep(plain, rates, out=folder / "diverged", seeds=1)
    good, bad = found.table
    assert np.isfinite(good["validation_error"])
    assert (bad["validation_error"], bad["epoch"], bad["run"]) == (None, None, None)
    assert summarise(found)[-1] == {"code": 2, "learning_rate": 1e30, "diverged": "1 of 1"}
    assert ",,," in (found.folder / "table.csv").read_text().splitlines()[2]
    with pytest.raises(FloatingPointError, match="all members have diverged"):
        runs.sweep(plain, {"learning_rate": [1e30]}, out=folder / "lost", seeds=1)


def test_a_weight_of_zero_is_a_program_without_the_penalty():
    grid = {"code": [2, 4], "penalty.l2": [0.0, 0.1, 1.0], "optimizer": ["adam", "sgd"]}
    programs = divide(grid)
    assert [program.name for program in programs][:2] == [
        "code-2_penalty.l2-0.0_optimizer-adam",
        "code-2_penalty.l2-0.0_optimizer-sgd",
    ]
    assert [len(program.traced) for program in programs] == [1, 1, 2, 2] * 2
    assert programs[2].traced == ({"penalty.l2": 0.1}, {"penalty.l2": 1.0})


def test_settings_are_replaced_by_name():
    training = with_settings(
        Options(sizes=(6, 5, 3), decoder_sizes=(3, 6)), {"code": 2, "penalty.l2": 0.5}
    )
    assert training == Options(
        sizes=(6, 5, 3), decoder_sizes=(3, 6), code=2, penalty=Penalties(l2=0.5)
    )
    assert {"code", "learning_rate", "penalty.rho", "augmentation.shift", "sizes"} <= set(
        setting_types()
    )


@pytest.mark.parametrize(
    ("grid", "words"),
    [
        ({}, "needs a setting with several values"),
        ({"learning_rates": [1.0]}, "no setting is called 'learning_rates'; did you mean learning"),
        ({"code": []}, "code needs one or more values, got none"),
        ({"code": [0]}, "code must be at least 1, got 0"),
        ({"code": [2.5]}, "code cannot be 2.5"),
        ({"code": [2, 2]}, "code has the value 2 more than once"),
        ({"learning_rate": [1e-3, -1.0]}, "learning-rate must be above 0, got -1.0"),
        ({"loss": ["squared", "cubed"]}, "loss cannot be 'cubed'"),
        ({"seed": [0, 1]}, "seed cannot be swept: give the number of seeds instead"),
        ({"data": ["digits", "mnist"]}, "data cannot be swept: .* one sweep for each value"),
        ({"loss": ["squared", "by-column"]}, "the loss by-column cannot be swept: it changes the"),
        ({"normalise": ["none"]}, "normalise cannot be swept: it changes the data"),
        ({"steps_per_epoch": [1]}, "steps-per-epoch cannot be swept: a sweep trains in memory"),
        ({"corruption_level": [0.1]}, "corruption-level has no effect without a corruption"),
    ],
)
def test_grids_that_cannot_be_swept_are_refused(grid, words, tmp_path):
    with pytest.raises(ValueError, match=words):
        runs.sweep(Options(data="no such file"), grid, out=tmp_path / "sweep")
    assert not (tmp_path / "sweep").exists()


def test_shared_settings_that_do_not_fit_are_refused(tmp_path):
    grid = {"code": [1, 2]}
    for settings, words in (
        (Options(stream=True), "stream cannot be used"),
        (
            Options(quantised=QuantisationSettings("vector", restart_every=2)),
            "a sweep restarts no codewords",
        ),
        (Options(validation=0), "validation must be above 0"),
    ):
        with pytest.raises(ValueError, match=words):
            check_grid(settings, grid)
    for seeds in (0, -1, 2**32 + 1):
        with pytest.raises(ValueError, match="seeds must be"):
            runs.sweep(Options(), grid, out=tmp_path / "sweep", seeds=seeds)
    with pytest.raises(ValueError, match="code needs a list of values, got 3"):
        runs.sweep(Options(), {"code": 3}, out=tmp_path / "sweep")
