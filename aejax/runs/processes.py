"""Agreement among the processes of one training (`jax.distributed`)."""

import jax
import numpy as np
from jax.experimental import multihost_utils


def is_main_process() -> bool:
    """Whether this is process 0, which writes all files."""
    return jax.process_index() == 0


def max_over_processes(value: int) -> int:
    """Maximum of a value over all processes."""
    if jax.process_count() == 1:
        return value
    return int(np.max(multihost_utils.process_allgather(np.int32(value))))
