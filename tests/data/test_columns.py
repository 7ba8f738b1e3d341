"""Columns as features, compared with scikit-learn's encoders."""

import numpy as np
import pytest
from sklearn.preprocessing import OneHotEncoder

from aejax.data.columns import Column, feature_names, from_features, to_features

COLUMNS = (
    Column("age"),
    Column("colour", ("blue", "green", "red")),
    Column("size"),
    Column("1=2", ("only",)),
)


def values(rows: int) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(0)
    return {
        "age": rng.normal(size=rows),
        "colour": rng.choice(["red", "green", "blue"], size=rows),
        "size": rng.integers(5, size=rows),
        "1=2": np.full(rows, "only"),
    }


def test_blocks_are_those_of_scikit_learn():
    given = values(50)
    encoder = OneHotEncoder(sparse_output=False).fit(given["colour"][:, None])
    x = to_features(COLUMNS, given)
    np.testing.assert_array_equal(x[:, 1:4], encoder.transform(given["colour"][:, None]))
    np.testing.assert_array_equal(x[:, [0, 4, 5]].T, [given["age"], given["size"], np.ones(50)])
    names = encoder.get_feature_names_out(["colour"]).tolist()
    assert feature_names(COLUMNS)[1:4] == [name.replace("_", "=") for name in names]


def test_features_are_converted_back_to_columns():
    given = values(50)
    noise = np.random.default_rng(1).uniform(-0.4, 0.4, size=(50, 6))
    exact, noisy = (from_features(COLUMNS, to_features(COLUMNS, given) + e) for e in (0, noise))
    assert list(exact) == [column.name for column in COLUMNS]
    for name, column in given.items():
        np.testing.assert_array_equal(exact[name], column)
    np.testing.assert_array_equal(noisy["colour"], given["colour"])
    np.testing.assert_allclose(noisy["age"], given["age"] + noise[:, 0])


def test_an_unseen_category_is_refused_by_name():
    given = values(4) | {"colour": np.array(["red", "blue", "mauve", "pink"])}
    start = r"column 'colour' has the category 'mauve' \(row index 2, counted from 0\)"
    words = start + r".* 'blue', 'green', 'red'; correct the value"
    with pytest.raises(ValueError, match=words):
        to_features(COLUMNS, given)
    many = Column("n", tuple(map(str, range(100))))
    with pytest.raises(ValueError, match=r"its categories are '0', '1', '2', .*'9', …; correct"):
        to_features((many,), {"n": np.array(["100"])})
