"""Initial state of a run, with the parts that are computed from its data."""

import jax.numpy as jnp

from aejax.models import start_as_pca
from aejax.runs.configuration import Training
from aejax.runs.examples import Examples
from aejax.theory.analysis.pca import leading_components
from aejax.training import TrainState


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
    from aejax.theory.analysis.truncated_pca import truncated_pca  # SciPy is slow to import

    x, code = examples.train_sample(), configuration.sizes[-1]
    analysis, _ = truncated_pca(x, min(code, *x.shape))
    components = leading_components(analysis, code)
    start = map(jnp.asarray, (components, analysis.mean))
    return state._replace(params=start_as_pca(state.params, *start))
