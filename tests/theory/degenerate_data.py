"""Named degenerate data sets: the assumptions of some theorem fail, or nearly fail, on each.

A test selects data by name and states the code size and the verdicts of its theorem.
"""

import numpy as np
from sklearn.datasets import load_digits, load_wine

from tests.theory.spectra import with_spectrum

EXAMPLES, FEATURES = 40, 6
"""One shape for most data, so that each theorem compiles once."""

EIGENVALUES = np.array([6.0, 4.0, 2.0, 1.0, 0.5, 0.25])
MEAN = np.arange(6.0)
CENTRED = with_spectrum(EIGENVALUES)
X = CENTRED + MEAN
"""Regular data: distinct eigenvalues and a mean that is not zero."""

NORMAL = np.random.default_rng(7).normal(size=(40, 6))
FEW = np.random.default_rng(8).normal(size=(5, 6))
DIGITS = load_digits().data
WINE = load_wine().data[:, 7:]
"""Six features of wine in their own units: one has 0.9999 of the variance."""
ONE_HOT = np.eye(6)[np.repeat(np.arange(6), [16, 10, 6, 4, 2, 2])]
"""A table of one column with six values, of rank 5."""

DATA = {
    "regular": X,
    "regular, zero mean": CENTRED,
    "regular, tiny mean": CENTRED + 1e-13,
    "regular, tiny unit": 1e-8 * X,
    "regular, huge unit": 1e8 * X,
    "regular, huge offset": X + 1e6,
    "λ_1 = λ_2": with_spectrum([5.0, 5.0, 3.0, 2.5, 2.0, 1.0]),
    "λ_2 = λ_3": with_spectrum([5.0, 4.0, 4.0, 3.0, 2.0, 1.0]),
    "λ_2 ≈ λ_3": with_spectrum([5.0, 4.0, 4.0 - 1e-7, 3.0, 2.0]),
    "λ_3 = λ_4": with_spectrum([5.0, 4.0, 3.0, 3.0, 2.0, 1.0]),
    "λ_3 ≈ λ_4": with_spectrum([5.0, 4.0, 3.0, 3.0 - 1e-7, 2.0, 1.0]),
    "λ_4 = λ_5 = λ_6": with_spectrum([5.0, 4.0, 3.0, 1.0, 1.0, 1.0]),
    "all λ equal": np.vstack([np.eye(6), -np.eye(6)]),
    "rank 1": with_spectrum([5.0], features=6),
    "rank 2": with_spectrum([5.0, 4.0], features=6),
    "rank 3": with_spectrum([5.0, 4.0, 3.0], features=6),
    "condition 1e12": with_spectrum(np.geomspace(1, 1e-12, 6)),
    "condition 1e12, 200 examples": with_spectrum(np.geomspace(1, 1e-12, 6), examples=200),
    "condition 1e16, 200 examples": with_spectrum(np.geomspace(1, 1e-16, 6), examples=200),
    "condition 1e24, 200 examples": with_spectrum(np.geomspace(1, 1e-24, 6), examples=200),
    "last feature constant": np.c_[NORMAL[:, :5], np.full(40, 0.1)],
    "first feature constant": np.c_[np.full(40, 0.1), NORMAL[:, :5]],
    "regular, last feature constant": np.c_[X[:, :5], np.full(40, 0.1)],
    "five eigenvalues, last feature constant": np.c_[
        with_spectrum([6.0, 4.0, 2.0, 1.0, 0.5]) + np.arange(5.0), np.full(40, 0.1)
    ],
    "one feature": NORMAL[:, :1],
    "two features": with_spectrum([2.0, 1.0]),
    "one example": X[:1],
    "two examples": NORMAL[:2],
    "four examples": FEW[:4],
    "five examples": FEW,
    "scores of two values": np.tile([[1.0, 0.0], [-1.0, 0.0]], (5, 1)),
    "constant": np.full((40, 6), 0.1),
    "constant, large": np.full((40, 6), 1e6 / 3),
    "zeros": np.zeros((40, 6)),
    "spread below the rounding of an offset": 1e-12 * NORMAL + 1e6,
    "squares that underflow": 1e-160 * NORMAL,
    "digits": DIGITS,
    "digits, tiny unit": 1e-8 * DIGITS,
    "digits, huge unit": 1e8 * DIGITS,
    "digits, huge offset": DIGITS + 1e6,
    "digits, small unit and offset": 1e-6 * DIGITS + 1,
}
"""Name -> x [examples, features], read-only; 40 × 6 unless the name says otherwise."""

for x in DATA.values():
    x.flags.writeable = False


def _decaying(generator):
    return with_spectrum(np.sort(10.0 ** generator.uniform(-9, 0, FEATURES))[::-1])


def _repeated(generator):
    return with_spectrum(np.sort(generator.choice([1.0, 0.5, 0.1], FEATURES))[::-1])


def _of_low_rank(generator):
    values = np.sort(generator.uniform(0.1, 1, generator.integers(1, FEATURES)))[::-1]
    return with_spectrum(values, features=FEATURES)


def _one_hot(generator):
    return np.eye(FEATURES)[generator.permutation(EXAMPLES) % FEATURES]


def _with_a_constant(generator):
    x = generator.normal(size=(EXAMPLES, FEATURES))
    x[:, generator.integers(FEATURES)] = generator.choice([0, 0.1, 1e3, -7])
    return x


def _with_duplicates(generator):
    x = generator.normal(size=(EXAMPLES, FEATURES))
    x[EXAMPLES // 2 :], x[:, 1] = x[: EXAMPLES // 2], x[:, 0]
    return x


def _of_few_points(generator):
    points = generator.normal(size=(generator.integers(2, 5), FEATURES))
    return points[generator.integers(0, len(points), EXAMPLES)]


RANDOM_DATA = {
    "a decaying spectrum": _decaying,
    "repeated eigenvalues": _repeated,
    "low rank": _of_low_rank,
    "one-hot": _one_hot,
    "a constant feature": _with_a_constant,
    "duplicates": _with_duplicates,
    "few points": _of_few_points,
    "bits": lambda generator: 1.0 * (generator.uniform(size=(EXAMPLES, FEATURES)) < 0.3),
    "heavy tails": lambda generator: generator.standard_t(1, size=(EXAMPLES, FEATURES)),
    "features of other units": lambda generator: (
        generator.normal(size=(EXAMPLES, FEATURES)) * 10.0 ** generator.uniform(-6, 6, FEATURES)
    ),
}
"""Name -> generator -> random degenerate x [40, 6]."""
