"""Transformations of data under which no theorem becomes false."""

import numpy as np

from tests.theory.degenerate_data import EXAMPLES, FEATURES


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
