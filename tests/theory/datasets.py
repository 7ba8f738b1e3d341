"""Data sets on which all theorems are tested, each with its code size."""

from sklearn.datasets import load_digits

from aejax.data import load_file, photos
from tests.theory.degenerate_data import DATA, MEAN

SMALL = {
    "repeated at k": (DATA["λ_3 = λ_4"] + MEAN, 3),
    "rank < k": (DATA["rank 2"] + MEAN, 3),
    "constant feature": (DATA["five eigenvalues, last feature constant"], 3),
    "condition 1e12": (DATA["condition 1e12"] + MEAN, 3),
    "m < n": (DATA["five examples"] + MEAN, 2),
}
"""Data of six features each, so that little compiles, with a mean that is not zero."""


def digits():
    return load_digits().data, 10


def patches():
    x = photos().x_train
    return x.reshape(len(x), -1), 10


def mnist(shared_data):
    x = load_file(shared_data / "mnist" / "train-images-idx3-ubyte.gz").x_train
    return x.reshape(len(x), -1), 30
