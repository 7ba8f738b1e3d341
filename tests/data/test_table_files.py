"""Tables in files: equal to what pandas and scikit-learn read, and refusals by column and row."""

import csv
import gzip
import sys

import numpy as np
import pandas as pd
import pytest
from sklearn.datasets import load_wine

from aejax.data import load, load_array, open_stream
from aejax.data.table_files import read_rows, read_table

COLOURS = np.array(["white", "rosé", "red, dry"])


@pytest.fixture
def frame() -> pd.DataFrame:
    wine = load_wine(as_frame=True).frame.drop(columns="target")
    return wine.assign(
        id=[f"w{i}" for i in range(len(wine))],
        colour=COLOURS[np.arange(len(wine)) % 3],
        organic=np.arange(len(wine)) % 2 == 0,
        cultivar=np.array(["b", "a", "c"])[load_wine().target],
    )


def save(frame: pd.DataFrame, path):
    if path.suffix == ".parquet":
        frame.to_parquet(path)
    else:
        frame.to_csv(path, index=False, sep="\t" if ".tsv" in path.name else ",")
    return path


@pytest.mark.parametrize("name", ["w.csv", "w.CSV", "w.tsv", "w.csv.gz", "w.parquet"])
def test_columns_become_features_and_labels(frame, tmp_path, name):
    path = save(frame, tmp_path / name)
    found = load(path, label="cultivar", ignore=["id"])
    wine = load_wine()
    expected = np.column_stack(
        [
            wine.data,
            frame["colour"].to_numpy()[:, None] == np.sort(COLOURS),
            frame["organic"],
        ]
    )
    is_test = np.arange(178) % 5 == 4
    np.testing.assert_array_equal(found.x_train, expected[~is_test])
    np.testing.assert_array_equal(found.x_test, expected[is_test])
    assert found.schema.classes == ("a", "b", "c")
    np.testing.assert_array_equal(found.labels_test, np.array([1, 0, 2])[wine.target[is_test]])
    assert [column.name for column in found.schema.columns[:13]] == wine.feature_names
    assert found.schema.columns[13:] == (("colour", tuple(sorted(COLOURS))), ("organic", None))
    assert (found.name, found.low, found.high) == (name, None, None)


def test_integer_labels_stay_integers(tmp_path):
    path = save(pd.DataFrame({"a": np.arange(10.0), "y": [7.0, 3.0] * 5}), tmp_path / "t.csv")
    found = load(path, label="y")
    np.testing.assert_array_equal(found.labels_train, [7, 3, 7, 3, 3, 7, 3, 7])
    assert found.labels_train.dtype == np.int64
    assert found.schema.classes is None


def test_an_index_is_no_feature(tmp_path):
    frame = pd.DataFrame({"a": np.arange(10.0)}, index=pd.Index(range(5, 15), name="when"))
    frame.to_parquet(tmp_path / "t.parquet")
    frame.rename_axis(None).to_csv(tmp_path / "t.csv")
    for name, index in (("t.parquet", "when"), ("t.csv", "")):
        found = load(tmp_path / name)
        assert found.schema.columns == (("a", None),)
        rows = read_rows(tmp_path / name, found.schema)
        np.testing.assert_array_equal(rows.others[index], [str(i) for i in range(5, 15)])
        assert rows.order == [index, "a"]
    np.testing.assert_array_equal(load_array(tmp_path / "t.csv"), np.arange(10.0)[:, None])


def test_new_rows_keep_other_columns_as_they_are_written(frame, tmp_path):
    schema = load(save(frame, tmp_path / "w.csv"), label="cultivar", ignore=["id"]).schema
    text = {"note": ["007", "", 'say "NA", please', "1e-3"], "id": ["1", "NA", "3.0", " x "]}
    new = frame.drop(columns=["id", "cultivar"])[3:7].assign(**text)[::-1]
    new = new[new.columns[::-1]]
    new.to_csv(tmp_path / "new.csv", index=False, quoting=csv.QUOTE_ALL)
    rows = read_rows(tmp_path / "new.csv", schema)
    assert rows.order == list(new)
    assert {name: column.tolist() for name, column in rows.others.items()} == {
        name: column[::-1] for name, column in text.items()
    }
    both = load(tmp_path / "w.csv", label="cultivar", ignore=["id"])
    everything = np.insert(both.x_train, 4, both.x_test[0], axis=0)[3:7]  # row 4 is test
    np.testing.assert_array_equal(rows.x, everything[::-1])


def test_a_category_that_looks_like_a_number_is_text(tmp_path):
    schema = load(save(pd.DataFrame({"c": ["1", "2b", "x"] * 4}), tmp_path / "t.csv")).schema
    (tmp_path / "new.csv").write_text("c\n1\n1\n")
    np.testing.assert_array_equal(read_rows(tmp_path / "new.csv", schema).x, [[1, 0, 0]] * 2)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("1,2\n3,4\n", "starts with numbers, 1, 2, …; expected a header"),
        ("", "is empty; expected a header and rows"),
        ("a,b\n", "has a header and no rows"),
        ("a;b\n1;2\n", "has one column, 'a;b'; expected fields separated by commas"),
        ("a;b, c\n1;2\n", "has 2 columns, 'a;b', ' c'; .* it looks separated by ';': save it with"),
        ("a;b;c, d\n1;2;3,5\n", r"2 columns, .*read_csv\('.*t.csv', sep=';'\).to_csv"),
        ("a\tb\n1\t2\n", r"has one column, 'a\\tb'; .* it looks separated by '\\t'"),
        ("a,b\n1,2,3\n4,5,6\n", "is not a readable table: Length of header"),
        ("a,b\n1,2\n4,5,6\n", "is not a readable table: .*saw 3"),
        (
            "a,b\n1,2\n1\n",
            "column 'b', 1 of 2 rows: missing value, first at row index 1, counted from 0; fill it",
        ),
        ("a,,b\n1,2,3\n", "column 2 has no name in the header"),
        ("a,b,a\n1,2,3\n", "has several columns named a; rename them"),
        (
            "a,b\n1,2\n1,?\n1,3\n",
            r"column 'b' has the text '\?' \(row index 1, counted from 0\) among numbers",
        ),
        ("a,b\n1,2\n1,-inf\n", "column 'b', 1 of 2 rows: infinite value, first at row index 1"),
        ("a,b\n1,9007199254740993\n", "column 'b', 1 of 1 rows: integer from 2⁵³.* --ignore b$"),
        ("a,b\n" + "1,y\n1,x\n" * 9 + "1,\n", "column 'b', 1 of 19 rows: missing value"),
        (
            "a\n" + "".join(f"t{i % 101}\n" for i in range(300)),
            "'a' has 101 different texts in 300 rows; expected numbers, or at most 100",
        ),
        ("a\n" + "".join(f"t{i}\n" for i in range(9)), "leave out an identifier: --ignore a"),
        (
            "b (y)\n" + "".join(f"t{i}\n" for i in range(9)),
            r"leave out an identifier: --ignore 'b \(y\)';",
        ),
        ("b (y),a\n" + ",1\n" * 9, r"column 'b \(y\)', .*--ignore 'b \(y\)'$"),
        ("a,b\n1,2\n", "2 examples|1 examples without a test split"),
    ],
)
def test_unsuitable_tables_are_refused_by_column_and_row(tmp_path, text, words):
    (tmp_path / "t.csv").write_text(text, encoding="utf-8")
    with pytest.raises(ValueError, match=words):
        load(tmp_path / "t.csv")


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("t.csv", "{q}a;b;c{q},d\n1,2\n"),
        ("t.csv", "a;b;c,d\n1,2\n"),
        ("t.csv", "a|b,c|d\nx,1\n"),
        ("t.tsv", "a, b\tc\n1,5\t2\n"),
        ("t.tsv", "a, b\n1\n"),
    ],
)
def test_names_with_another_separator_are_read(tmp_path, name, text):
    (tmp_path / name).write_text(text.format(q='"'))
    x, _, schema = read_table(tmp_path / name)
    separator = "," if name == "t.csv" else "\t"
    (header, *_) = csv.reader(text.format(q='"').splitlines(), delimiter=separator)
    assert [column.name for column in schema.columns] == header
    assert len(x) == 1


def test_a_tab_separated_name_needs_tabs(tmp_path):
    (tmp_path / "t.tsv").write_text("a,b\n1,2\n")
    with pytest.raises(ValueError, match=r"has one column, 'a,b'; .* it looks separated by ','"):
        read_table(tmp_path / "t.tsv")


@pytest.mark.parametrize(
    ("column", "words"),
    [
        (pd.date_range("2020", periods=10), "column 'b' has dtype datetime64.*numbers, such as se"),
        ([[1], [2]] * 5, "column 'b' has dtype object; convert"),
        (pd.array([1, None] * 5, "Int64"), "column 'b', 5 of 10 rows: missing value, .* index 1"),
    ],
)
def test_unsuitable_columns_of_parquet_are_refused(tmp_path, column, words):
    frame = pd.DataFrame({"a": np.arange(10.0), "b": column})
    frame.to_parquet(tmp_path / "t.parquet")
    with pytest.raises(ValueError, match=words):
        load(tmp_path / "t.parquet")
    assert load(tmp_path / "t.parquet", ignore=["b"]).x_train.shape == (8, 1)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("y,a\n0.5,1\n1,2\n", "label column 'y' has real numbers; expected integers or text"),
        ("y,a\n1,1\n,2\n", "column 'y', 1 of 2 rows: missing label, first at row index 1"),
        ("y\n1\n", "has no column of features; its columns are 'y'"),
        ("a,b\n1,2\n", "has no column 'y'; its columns are 'a', 'b'"),
    ],
)
def test_unsuitable_labels_are_refused(tmp_path, text, words):
    (tmp_path / "t.csv").write_text(text)
    with pytest.raises(ValueError, match=words):
        load(tmp_path / "t.csv", label="y")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("a\n1\n", "lacks the columns 'colour' of the training data; its columns are 'a'"),
        (
            "a,colour\nx,red\n",
            r"column 'a' has the text 'x' \(row index 0, counted from 0\) among numbers; correct",
        ),
        (
            "a,colour\n1,red\n2,mauve\n",
            r"column 'colour' has the category 'mauve' \(row index 1, counted from 0\)",
        ),
        ("a,colour\n1,red\n2,\n", "column 'colour', 1 of 2 rows: missing value, .* drop its row$"),
    ],
)
def test_unsuitable_new_rows_are_refused(tmp_path, text, words):
    frame = pd.DataFrame({"a": np.arange(6.0), "colour": ["red", "blue"] * 3})
    schema = load(save(frame, tmp_path / "t.csv")).schema
    (tmp_path / "new.csv").write_text(text)
    with pytest.raises(ValueError, match=words):
        read_rows(tmp_path / "new.csv", schema)


def test_damaged_files_are_refused(tmp_path):
    damaged = {
        "t.parquet": b"PAR1xx",
        "t.csv.gz": gzip.compress(b"a,b\n1,2\n")[:-9],
        "u.csv.gz": b"a,b\n1,2\n",
        "t.csv": "é,b\n1,2\n".encode("latin-1"),
    }
    for name, content in damaged.items():
        (tmp_path / name).write_bytes(content)
        with pytest.raises(ValueError, match=rf"{name} is not (a readable|UTF-8)"):
            load(tmp_path / name)
    with pytest.raises(FileNotFoundError, match=r"no file or folder missing\.csv"):
        load("missing.csv")


def test_columns_are_named_only_for_tables(tmp_path):
    np.save(tmp_path / "x.npy", np.ones((10, 2)))
    for name in (tmp_path / "x.npy", "digits"):
        with pytest.raises(ValueError, match="label and ignore name columns of a table"):
            load(name, label="y")
    (tmp_path / "t.csv").write_text("a\n1\n")
    with pytest.raises(ValueError, match=r"cannot be streamed; .*leave out --stream, or use data"):
        open_stream(tmp_path / "t.csv")


@pytest.mark.parametrize(
    ("module", "name", "words"),
    [
        ("pandas", "t.csv", r"pandas, which is not installed: pip install 'aejax\[tables\]'"),
        ("pyarrow", "t.parquet", r"pyarrow, which is not installed: pip install pyarrow"),
    ],
)
def test_a_missing_library_is_named(tmp_path, monkeypatch, module, name, words):
    save(pd.DataFrame({"a": np.arange(10.0)}), tmp_path / name)
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(ImportError, match=words):
        load(tmp_path / name)


def test_repeated_names_of_a_wide_table_are_found_in_linear_time(tmp_path):
    names = [f"g{index}" for index in range(20_000)]
    rows = [",".join(map(str, range(row, row + len(names)))) for row in range(2)]
    (tmp_path / "wide.csv").write_text("\n".join([",".join([*names[:-1], "g0"]), *rows]))
    with pytest.raises(ValueError, match="several columns named g0"):
        read_table(tmp_path / "wide.csv")  # a count of each name would take seconds


def test_an_index_without_names_is_refused(tmp_path):
    index = pd.MultiIndex.from_product([range(5), ["x", "y"]])
    pd.DataFrame({"a": range(10)}, index=index).to_parquet(tmp_path / "levels.parquet")
    with pytest.raises(ValueError, match=r"levels.parquet: several levels of its index have no"):
        read_table(tmp_path / "levels.parquet")
