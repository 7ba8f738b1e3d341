"""Initial state of a run, with the parts that are computed from its data."""

from collections.abc import Callable
from functools import partial

import jax.numpy as jnp
import numpy as np

from aejax.models import start_as_pca
from aejax.runs.builders import make_trained_objective
from aejax.runs.configuration import Training
from aejax.runs.examples import Examples
from aejax.runs.quantised_objective import codebook_start, has_codebook
from aejax.training import TrainState
from aejax.types import Array, Params


def start_from_data(configuration: Training, examples: Examples, state: TrainState) -> TrainState:
    """Start parameters from the train examples, as `data_start`.

    Args:
        configuration: settings of the run.
        examples: examples of its data.
        state: state at step 0, with random parameters.

    Returns:
        The state.
    """
    start = data_start(configuration, examples)
    return state if start is None else state._replace(params=start(state.params))


def data_start(configuration: Training, examples: Examples) -> Callable[[Params], Params] | None:
    """Make the function that starts parameters from the train examples.

    The linear path beside the layers starts as PCA, the centre of a dictionary as the mean, and a
    codebook as codes of train examples.
    Validation examples are left out, so that early stopping sees the true error of PCA.

    Args:
        configuration: settings of a run.
        examples: examples of its data.

    Returns:
        A pure function: random initial parameters -> initial parameters of the run; None if they
        are all random.
    """
    if configuration.dictionary.activation is not None:
        mean = np.mean(examples.train_sample(), axis=0, dtype=np.float64)
        return partial(_centred, mean=jnp.asarray(mean))
    if has_codebook(configuration):
        objective = make_trained_objective(configuration, examples.shape, examples.columns)
        return codebook_start(objective.model, examples.train_sample())
    return _pca_start(configuration, examples) if configuration.linear_path else None


def _centred(params: Params, mean: Array) -> Params:
    bias = params["centre"]["bias"]
    return params | {"centre": {"bias": mean.astype(bias.dtype)}}


def _pca_start(configuration: Training, examples: Examples) -> Callable[[Params], Params]:
    """Make the function that starts the linear path beside the layers as PCA."""
    from aejax.theory.analysis.pca import leading_components  # the theorems are slow to import
    from aejax.theory.analysis.truncated_pca import truncated_pca  # as is SciPy

    x, code = examples.train_sample(), configuration.sizes[-1]
    analysis, _ = truncated_pca(x, min(code, *x.shape))
    components = leading_components(analysis, code)
    mean = jnp.asarray(analysis.mean)
    return partial(start_as_pca, components=jnp.asarray(components), mean=mean)
