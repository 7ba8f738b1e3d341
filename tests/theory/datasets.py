"""The data sets on which every theorem must give the right verdict, each with its code size."""

import numpy as np
from sklearn.datasets import load_digits

from aejax.data import load_file, photos
from tests.theory.spectra import with_spectrum

SMALL = {
    "repeated at k": (with_spectrum([5.0, 4.0, 3.0, 3.0, 2.0, 1.0]) + np.arange(6.0), 3),
    "rank < k": (with_spectrum([5.0, 4.0], features=6) + np.arange(6.0), 3),
    "constant feature": (
        np.c_[with_spectrum([6.0, 4.0, 2.0, 1.0, 0.5]) + np.arange(5.0), np.full(40, 0.1)],
        3,
    ),
    "condition 1e12": (with_spectrum(np.geomspace(1, 1e-12, 6)) + np.arange(6.0), 3),
    "m < n": (np.random.default_rng(8).normal(size=(5, 6)) + np.arange(6.0), 2),
}
"""Of six features each, so that little compiles; the mean is not zero."""


def digits():
    return load_digits().data, 10


def patches():
    x = photos().x_train
    return x.reshape(len(x), -1), 10


def mnist(shared_data):
    x = load_file(shared_data / "mnist" / "train-images-idx3-ubyte.gz").x_train
    return x.reshape(len(x), -1), 30
