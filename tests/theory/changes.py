"""Random degenerate data, and transformations of data under which no theorem becomes false."""

import numpy as np

from tests.theory.spectra import with_spectrum

EXAMPLES, FEATURES = 40, 6
"""One shape for all data, so that each theorem compiles once."""


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


DATA = {
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
"""Name -> generator -> x [40, 6]."""


def _rotated(x, generator):
    return x @ np.linalg.qr(generator.normal(size=(FEATURES, FEATURES)))[0]


def _one_feature_far_off(x, generator):
    return x + np.eye(FEATURES)[generator.integers(FEATURES)] * 10.0 ** generator.uniform(0, 200)


def _moved(x, generator):
    return x + generator.choice([-1, 1], FEATURES) * 10.0 ** generator.uniform(-3, 16)


CHANGES = {
    "order of examples": lambda x, generator: x[generator.permutation(EXAMPLES)],
    "order of features": lambda x, generator: x[:, generator.permutation(FEATURES)],
    "rotation": _rotated,
    "power of two": lambda x, generator: np.ldexp(x, generator.choice([-900, -33, 128, 900])),
    "unit": lambda x, generator: x * 10.0 ** generator.uniform(-307, 307),
    "origin": _moved,
    "origin of one feature": _one_feature_far_off,
    "float32": lambda x, _: x.astype(np.float32),
    "float16": lambda x, _: x.astype(np.float16),
    "extended": lambda x, generator: np.ldexp(np.longdouble(x), generator.choice([-5000, 3000])),
    "bytes": lambda x, _: np.round(100 * x).astype(np.int8),
    "stamps": lambda x, generator: (
        np.round(1e3 * x).astype(np.int64) + generator.choice([2**40, 2**60, -(2**62)])
    ),
    "unsigned stamps": lambda x, _: np.round(1e3 + 1e3 * x).astype(np.uint64) + 2**63,
}
"""Name -> (x within ±1, generator) -> x in another order, position, unit or dtype."""
