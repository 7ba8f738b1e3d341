"""Initial state of a run, with the parts that are computed from its data."""

from collections.abc import Callable
from functools import partial

import jax.numpy as jnp

from aejax.models import start_as_pca
from aejax.runs.configuration import Training
from aejax.runs.examples import Examples
from aejax.theory.analysis.pca import leading_components
from aejax.training import TrainState
from aejax.types import Params


def start_from_data(configuration: Training, examples: Examples, state: TrainState) -> TrainState:
    """Start the linear path beside the layers, if there is one, as PCA of the train examples.

    Validation examples are left out, so that early stopping sees the true error of PCA.

    Args:
        configuration: settings of the run.
        examples: examples of its data.
        state: state at step 0, with random parameters.

    Returns:
        The state.
    """
    if not configuration.linear_path:
        return state
    return state._replace(params=pca_start(configuration, examples)(state.params))


def pca_start(configuration: Training, examples: Examples) -> Callable[[Params], Params]:
    """Make the function that starts the linear path beside the layers as PCA.

    Args:
        configuration: settings of a run with a linear path.
        examples: examples of its data.

    Returns:
        A pure function: random initial parameters -> initial parameters of the run.
    """
    from aejax.theory.analysis.truncated_pca import truncated_pca  # SciPy is slow to import

    x, code = examples.train_sample(), configuration.sizes[-1]
    analysis, _ = truncated_pca(x, min(code, *x.shape))
    components = leading_components(analysis, code)
    mean = jnp.asarray(analysis.mean)
    return partial(start_as_pca, components=jnp.asarray(components), mean=mean)
