"""Runs of tables: equal to runs of the same numbers without names, and columns kept throughout."""

import io
import json
import re
import shlex
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sklearn.datasets import load_wine

from aejax.cli import main
from aejax.cli.commands.report import _commands
from aejax.cli.execution import parsed
from aejax.cli.explorer import explored_run, views
from aejax.data import load
from aejax.runs.run import open_run, read_about
from aejax.runs.streamed_examples import load_seen_examples
from tests.cli.conftest import check, history_of, state_of

SETTINGS = (
    "train --sizes 16 8 3 --loss squared --normalise standardise --epochs 3 --schedule constant "
    "--quiet --data"
)
COLOURS = np.array(["rosé", "white", "red"])


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Wine as a table with identifiers, and as arrays; a run of each."""
    wine, folder = load_wine(as_frame=True), tmp_path_factory.mktemp("tables")
    rows = np.arange(len(wine.data))
    colour = COLOURS[rows % 3]
    table = wine.data.assign(colour=colour, cultivar=np.array(["b", "a", "c"])[wine.target])
    table.insert(2, "bottle", [f"{row:04}" for row in rows])
    table.to_csv(folder / "wine.csv", index=False)
    x = np.column_stack([wine.data, colour[:, None] == np.sort(COLOURS)])
    np.savez(folder / "wine.npz", x=x, y=np.array([1, 0, 2])[wine.target])
    for name, words in (("wine.csv", "--label cultivar --ignore bottle"), ("wine.npz", "")):
        out = folder / f"{name}.run"
        assert main([*SETTINGS.split(), str(folder / name), *words.split(), "--out", str(out)]) == 0
    return folder


def test_training_is_that_of_the_same_numbers(folder):
    table, arrays = folder / "wine.csv.run", folder / "wine.npz.run"
    assert state_of(table) == state_of(arrays)
    assert history_of(table) == history_of(arrays)
    assert (table / "metrics.json").read_text() == (arrays / "metrics.json").read_text()


def test_columns_are_recorded_and_kept_by_a_resumed_run(folder, tmp_path, aejax):
    schema = read_about(folder / "wine.csv.run").schema
    assert schema == load(folder / "wine.csv", label="cultivar", ignore=["bottle"]).schema
    assert "schema" not in json.loads((folder / "wine.npz.run" / "about.json").read_text())
    assert read_about(folder / "wine.npz.run").schema is None
    resumed = tmp_path / "run"
    shutil.copytree(folder / "wine.csv.run", resumed)
    assert aejax("train --quiet --resume --epochs 4 --out", resumed).code == 0
    assert read_about(resumed).schema == schema


def test_codes_have_the_other_columns_unchanged(folder, tmp_path, aejax):
    lines = (folder / "wine.csv").read_text().splitlines()
    new = tmp_path / "new.csv"
    new.write_text("\n".join([lines[0], *lines[:90:-1]]), encoding="utf-8")
    assert aejax("encode", folder / "wine.csv.run", new, "--out", tmp_path / "codes.csv").code == 0
    x = np.load(folder / "wine.npz")["x"]
    np.save(tmp_path / "x.npy", x[:89:-1])
    assert (
        aejax(
            "encode", folder / "wine.npz.run", tmp_path / "x.npy", "--out", tmp_path / "c.npy"
        ).code
        == 0
    )
    found, given = (pd.read_csv(path, dtype=str) for path in (tmp_path / "codes.csv", new))
    assert list(found) == ["bottle", "cultivar", "code_0", "code_1", "code_2"]
    pd.testing.assert_frame_equal(found[["bottle", "cultivar"]], given[["bottle", "cultivar"]])
    codes = found.filter(like="code").astype(np.float32)
    np.testing.assert_array_equal(codes, np.load(tmp_path / "c.npy"))


def test_reconstructions_have_the_columns_of_the_data(folder, tmp_path, aejax):
    run, out = folder / "wine.csv.run", tmp_path / "x.csv"
    assert aejax("reconstruct", run, folder / "wine.csv", "--out", out).code == 0
    found, given = (pd.read_csv(path, dtype={"bottle": str}) for path in (out, folder / "wine.csv"))
    assert list(found) == list(given)
    for name in ("bottle", "cultivar"):
        pd.testing.assert_series_equal(found[name], given[name])
    x = np.load(folder / "wine.npz")["x"]
    np.save(tmp_path / "x.npy", x)
    plain = aejax(
        "reconstruct", folder / "wine.npz.run", tmp_path / "x.npy", "--out", tmp_path / "h.npy"
    )
    assert plain.code == 0
    x_hat = np.load(tmp_path / "h.npy")
    numbers = found[load_wine().feature_names].to_numpy(x_hat.dtype)
    np.testing.assert_array_equal(numbers, x_hat[:, :13])
    np.testing.assert_array_equal(found["colour"], np.sort(COLOURS)[x_hat[:, 13:].argmax(axis=1)])


def test_tables_and_arrays_are_exchangeable(folder, tmp_path, aejax):
    run, x = folder / "wine.csv.run", np.load(folder / "wine.npz")["x"]
    np.save(tmp_path / "x.npy", x)
    pd.DataFrame(x).rename(columns="n{}".format).to_csv(tmp_path / "x.csv", index=False)
    outputs = {}
    for used, data in ((run, "x.npy"), (folder / "wine.npz.run", "x.csv")):
        out = tmp_path / f"{data}.codes.npy"
        assert aejax("encode", used, tmp_path / data, "--out", out).code == 0
        outputs[data] = np.load(out)
    np.testing.assert_array_equal(*outputs.values())
    assert aejax("reconstruct", run, tmp_path / "x.npy", "--out", tmp_path / "r.csv").code == 0
    assert list(pd.read_csv(tmp_path / "r.csv")) == [*load_wine().feature_names, "colour"]
    kept = aejax("encode", run, folder / "wine.csv", "--out", tmp_path / "codes.npz")
    assert (kept.code, kept.err) == (0, "")
    with np.load(tmp_path / "codes.npz") as found:
        assert sorted(found) == ["bottle", "cultivar", "x"]


def test_an_exported_run_reads_tables(folder, tmp_path, aejax):
    assert aejax("export", folder / "wine.csv.run", "--out", tmp_path / "exported").code == 0
    for run, name in ((folder / "wine.csv.run", "a.csv"), (tmp_path / "exported", "b.csv")):
        assert aejax("encode", run, folder / "wine.csv", "--out", tmp_path / name).code == 0
    assert (tmp_path / "a.csv").read_bytes() == (tmp_path / "b.csv").read_bytes()


@pytest.mark.parametrize(
    ("pattern", "replacement", "words"),
    [
        (r"white\n", "mauve\n", None),
        (r"\bash\b", "Ash", "lacks the columns 'ash' of the training data"),
        (r"cultivar", "code_0", "has the column 'code_0', which is also a column of the output"),
        (
            r",white,",
            ",mauve,",
            "column 'colour' has the category 'mauve' (row index 1, counted from 0), which",
        ),
    ],
)
def test_other_columns_or_categories_are_refused(
    folder, tmp_path, aejax, pattern, replacement, words
):
    text = (folder / "wine.csv").read_text()
    (tmp_path / "new.csv").write_text(re.sub(pattern, replacement, text), encoding="utf-8")
    command = ("encode", folder / "wine.csv.run", tmp_path / "new.csv")
    outcome = aejax(*command, "--out", tmp_path / "codes.csv")
    if words is None:
        assert outcome.code == 0
    else:
        check(outcome, words)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("--data digits --label y", "label and ignore name columns of a table"),
        ("--data small.csv --label z", "has no column 'z'; its columns are 'a', 'y'"),
        ("--data small.csv --stream", "cannot be streamed | leave out --stream"),
        ("--data small.csv --stream --label y", "label must be used without --stream"),
    ],
)
def test_unsuitable_options_are_refused(tmp_path, monkeypatch, aejax, words, message):
    monkeypatch.chdir(tmp_path)
    pd.DataFrame({"a": range(10), "y": range(10)}).to_csv("small.csv", index=False)
    check(aejax(f"train {words} --out run"), message)


@pytest.mark.parametrize(
    "schema",
    [
        {"columns": [{"name": "a", "categories": None}], "label": None, "classes": None},
        {"columns": [{"name": 1, "categories": None}] * 16, "label": None, "classes": None},
        {"columns": 3, "label": None, "classes": None},
        {"columns": []},
        [],
    ],
)
def test_a_damaged_schema_is_refused(folder, tmp_path, schema):
    about = json.loads((folder / "wine.csv.run" / "about.json").read_text())
    (tmp_path / "about.json").write_text(json.dumps(about | {"schema": schema}))
    with pytest.raises(ValueError, match=r"about\.json is not what `aejax train` wrote"):
        read_about(tmp_path)


def test_scores_match_the_reconstructions(folder, tmp_path, aejax):
    run, new = folder / "wine.csv.run", folder / "wine.csv"
    for words in ("score", "reconstruct"):
        assert aejax(words, run, new, "--out", tmp_path / f"{words}.csv").code == 0
    outcome = aejax("score", run, new, "--contamination", "0.25", "--out", tmp_path / "scores.npz")
    found = pd.read_csv(tmp_path / "score.csv", dtype={"bottle": str})
    features = [*load_wine().feature_names, "colour"]
    start = ["bottle", "cultivar", "error", "rank", "outlier", "largest"]
    assert list(found) == [*start, *(f"error_{name}" for name in features)]
    errors = found.filter(regex="^error_").rename(columns=lambda name: name.removeprefix("error_"))
    x, x_hat = load_wine().data, pd.read_csv(tmp_path / "reconstruct.csv")[features[:-1]]
    is_test = np.arange(len(x)) % 5 == 4
    expected = ((x_hat - x) / x[~is_test].std(axis=0)) ** 2
    np.testing.assert_allclose(errors[features[:-1]], expected, rtol=1e-3, atol=1e-5)
    np.testing.assert_allclose(found["error"], errors.sum(axis=1), rtol=1e-12)
    np.testing.assert_array_equal(found["largest"], errors.idxmax(axis=1))
    train = found["error"][~is_test].to_numpy()
    rank = (train <= found["error"].to_numpy()[:, None]).mean(axis=1)
    np.testing.assert_allclose(found["rank"], rank, atol=1.5 / len(train))
    np.testing.assert_array_equal(found["outlier"], found["error"] > np.percentile(train, 90))
    with np.load(tmp_path / "scores.npz") as arrays:
        names = ["bottle", "cultivar", "error", "feature_errors", "outlier", "rank"]
        assert sorted(arrays) == names
        np.testing.assert_allclose(arrays["feature_errors"].sum(axis=1), found["error"])
        assert f"outliers: {arrays['outlier'].sum()} of 178" in outcome.out
        assert arrays["outlier"].sum() > found["outlier"].sum()
    worst = found["error"].argmax()
    assert "largest errors, by the index of the row, counted from 0:\n" in outcome.out
    assert f"  row {worst}: error {found['error'][worst]:.4g}" in outcome.out


def test_the_report_has_the_errors_of_features_and_rows(folder, tmp_path, aejax, undrawn):
    run, out = folder / "wine.csv.run", tmp_path / "report.html"
    assert aejax("report", run, "--out", out).code == 0
    assert aejax("score", run, folder / "wine.csv", "--out", tmp_path / "s.csv").code == 0
    scores = pd.read_csv(tmp_path / "s.csv").iloc[4::5].reset_index(drop=True)
    errors = scores.filter(regex="^error_").mean().sort_values(ascending=False)
    features = table_of(out, "Error by feature", "Largest errors")
    worst = table_of(out, "Largest errors", "Training")
    assert features["feature"].tolist() == [name.removeprefix("error_") for name in errors.index]
    np.testing.assert_allclose(features["mean squared error"], errors, rtol=1e-3)
    assert features["share (%)"].sum() == pytest.approx(100, rel=1e-3)
    order = scores["error"].sort_values(ascending=False).index[:10]
    assert worst["test example"].tolist() == order.tolist()
    assert worst["row index"].tolist() == worst["bottle"].tolist() == (5 * order + 4).tolist()
    summed = features.set_index("feature")["features summed"]
    assert (summed["colour"], summed["ash"]) == (3, 1)
    np.testing.assert_allclose(worst["squared error"], scores["error"][order], rtol=1e-3)
    assert worst["class"].tolist() == scores["cultivar"][order].tolist()
    assert worst["largest in"].tolist() == scores["largest"][order].tolist()


@pytest.mark.parametrize(
    ("schedule", "longer"), [("constant", "train --resume"), ("cosine", "train --from")]
)
def test_the_commands_of_the_report_are_accepted(folder, schedule, longer):
    path = folder / "wine.csv.run"
    run = open_run(path)
    configuration = replace(run.configuration, schedule=schedule)
    commands = _commands(run._replace(configuration=configuration), path)
    assert longer in commands["train it longer"]
    words = {name: shlex.split(text.replace("MORE", "9"))[1:] for name, text in commands.items()}
    accepted = {name: parsed(each) for name, each in words.items()}
    assert accepted["train it longer"].training.epochs == 9
    assert str(accepted["encode new data"].out) == "codes.csv"
    assert str(accepted["find anomalies"].data) == "new.csv"


def test_a_table_is_named_where_columns_are_left_out(folder, tmp_path, aejax):
    out = tmp_path / "codes.npy"
    outcome = aejax("encode", folder / "wine.csv.run", folder / "wine.csv", "--out", out)
    assert f"bottle, cultivar of {folder / 'wine.csv'}" in outcome.err
    assert f"a table keeps them: --out {tmp_path / 'codes.csv'}\n" in outcome.err


def test_the_explorer_names_features_and_classes(folder):
    run = open_run(folder / "wine.csv.run")
    shown = explored_run.view(run, load_seen_examples(run))
    expected = [*load_wine().feature_names, "colour=red", "colour=rosé", "colour=white"]
    assert views.description(shown)["features"] == expected
    table = pd.read_csv(folder / "wine.csv").iloc[4::5].reset_index(drop=True)
    example = views.example(shown, 7)
    assert example["label"] == table["cultivar"][7]
    np.testing.assert_array_equal(example["x"][:13], table[expected[:13]].iloc[7])
    plain = open_run(folder / "wine.npz.run")
    others = explored_run.view(plain, load_seen_examples(plain))
    assert views.description(others)["features"] is None
    assert isinstance(views.example(others, 7)["label"], int)


def table_of(page: Path, title: str, following: str) -> pd.DataFrame:
    """Table of the section between two headings of a page, whose numbers are converted."""
    text = page.read_text(encoding="utf-8")
    section = text[text.index(f">{title}</h2>") : text.index(f">{following}</h2>")]
    rows = re.findall("<tr>(.*?)</tr>", section)
    header, *cells = (re.findall("<t[hd][^>]*>(.*?)</t[hd]>", row) for row in rows)
    lines = "\n".join(",".join(row) for row in [header, *cells])
    return pd.read_csv(io.StringIO(lines))


def test_scores_of_images_have_no_columns_of_features(finished, tmp_path, aejax):
    from aejax import data

    np.save(tmp_path / "x.npy", data.digits().x_test[:20])
    for out in ("scores.csv", "scores.npz"):
        assert aejax("score", finished, tmp_path / "x.npy", "--out", tmp_path / out).code == 0
    assert list(pd.read_csv(tmp_path / "scores.csv")) == ["error", "rank", "outlier"]
    with np.load(tmp_path / "scores.npz") as arrays:
        assert arrays["feature_errors"].shape == (20, 8, 8)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("--contamination 0", "contamination must be a fraction in (0, 0.5], got 0.0"),
        ("--contamination nan", "contamination must be a fraction in (0, 0.5], got nan"),
        ("--out scores.npy", "out must end in .csv or .npz, got scores.npy"),
    ],
)
def test_unsuitable_options_of_score_are_refused(finished, aejax, words, message):
    check(aejax("score", finished, "nowhere.npy", words), message)


def test_scores_need_the_training_data(folder, tmp_path, aejax):
    run = tmp_path / "run"
    shutil.copytree(folder / "wine.csv.run", run)
    lines = (folder / "wine.csv").read_text().splitlines()
    new = tmp_path / "wine.csv"
    new.write_text("\n".join(lines[:100]), encoding="utf-8")
    assert aejax("encode", run, new, "--out", tmp_path / "codes.csv").code == 0
    moved = folder / "wine.csv"
    hidden = moved.rename(folder / "hidden.csv")
    try:
        check(aejax("score", run, new, "--out", tmp_path / "s.csv"), "no file or folder")
        moved.write_text(new.read_text())
        check(aejax("score", run, new, "--out", tmp_path / "s.csv"), "is no longer the data")
    finally:
        hidden.rename(moved)


@pytest.mark.parametrize("command", ["encode", "reconstruct", "score"])
def test_the_data_are_not_replaced_by_the_output(folder, tmp_path, aejax, command):
    data = tmp_path / "data.csv"
    shutil.copy(folder / "wine.csv", data)
    outcome = aejax(command, folder / "wine.csv.run", data, "--out", data)
    assert (outcome.code, outcome.err.splitlines()) == (
        2,
        [f"aejax: {data} is the file of the data: choose another --out"],
    )
    assert data.read_bytes() == (folder / "wine.csv").read_bytes()


def test_a_table_without_rows_is_refused(folder, tmp_path, aejax):
    data = tmp_path / "data.csv"
    data.write_text((folder / "wine.csv").read_text().splitlines()[0] + "\n")
    outcome = aejax("score", folder / "wine.csv.run", data, "--out", tmp_path / "scores.csv")
    assert (outcome.code, outcome.err) == (2, f"aejax: {data} has a header, but no rows\n")
