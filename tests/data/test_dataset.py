import numpy as np
import pytest

from aejax.data import Dataset, every_fifth, fingerprint

DATASET = Dataset("a", np.arange(12.0).reshape(4, 3), np.ones((2, 3)), np.arange(4), np.arange(2))


@pytest.mark.parametrize(
    "changes",
    [
        {"x_train": DATASET.x_train + np.eye(4, 3)},
        {"x_train": DATASET.x_train.astype(np.float32)},
        {"x_train": DATASET.x_train.reshape(4, 3, 1)},
        {"x_test": DATASET.x_test[:1]},
        {"labels_train": None},
        {"labels_test": DATASET.labels_test[::-1]},
    ],
)
def test_fingerprint_depends_on_every_array(changes):
    assert fingerprint(DATASET._replace(**changes)) != fingerprint(DATASET)


def test_fingerprint_depends_only_on_the_arrays(monkeypatch):
    expected = fingerprint(DATASET)
    assert len(expected) == 16
    assert fingerprint(DATASET._replace(name="b", low=0.0, high=1.0)) == expected
    assert fingerprint(DATASET._replace(x_train=np.asfortranarray(DATASET.x_train))) == expected
    monkeypatch.setattr("aejax.data.example_blocks.BYTES_PER_BLOCK", 1)
    assert fingerprint(DATASET) == expected


def test_every_fifth_example_is_test():
    train, test = every_fifth(np.arange(12)[:, None])
    assert test[:, 0].tolist() == [4, 9]
    assert train[:, 0].tolist() == [0, 1, 2, 3, 5, 6, 7, 8, 10, 11]


def test_too_few_examples_to_split():
    assert len(every_fifth(np.zeros((5, 2)))[1]) == 1
    with pytest.raises(ValueError, match="4 examples without a test split; expected at least 5"):
        every_fifth(np.zeros((4, 2)))
