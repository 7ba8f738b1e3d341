"""Train/test split of data without a test split."""

import numpy as np
from jaxtyping import Shaped


def every_fifth(
    x: Shaped[np.ndarray, "m *features"],
) -> tuple[Shaped[np.ndarray, "train *features"], Shaped[np.ndarray, "test *features"]]:
    """Split off every fifth example (indices 4, 9, 14, …) as the test set.

    Deterministic, and balanced for files that are sorted by class. The training set is a copy in
    memory, the test set a view; use separate files for data that must remain memory-mapped.

    Args:
        x: examples [m, *features] with m ≥ 5.

    Returns:
        (train [m − ⌊m/5⌋, *features], test [⌊m/5⌋, *features]).

    Raises:
        ValueError: for fewer than 5 examples.
    """
    if len(x) < 5:
        raise ValueError(
            f"{len(x)} examples without a test split; expected at least 5, to use every fifth as "
            "test example, or separate x_train and x_test"
        )
    is_test = np.arange(len(x)) % 5 == 4
    return x[~is_test], x[4::5]
