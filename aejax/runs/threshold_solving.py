"""Thresholds of a BatchTopK dictionary, solved for after training on its train examples.

In training, the examples of a batch share the active units. In use each example has a code of its
own: a threshold for which the train examples have, on average, as many active units as in training.
"""

from pathlib import Path

import jax
import jax.numpy as jnp

from aejax import checkpoints, training
from aejax.layers.dictionary_layers import pre_activations
from aejax.runs.builders import make_trained_objective
from aejax.runs.configuration import Training
from aejax.runs.examples import Examples
from aejax.runs.integrity import read_identity
from aejax.runs.model_shapes import params_like
from aejax.runs.processes import is_main_process, max_over_processes
from aejax.runs.run import checkpoint_settings, checkpoints_folder
from aejax.runs.used_thresholds import has_threshold, with_threshold, write_thresholds
from aejax.types import Array, Params

BLOCK = 1024
"""Number of examples encoded at a time."""


def with_solved_threshold(configuration: Training, params: Params, examples: Examples) -> Params:
    """Parameters in use, with the threshold that the train examples determine.

    Args:
        configuration: settings of the run.
        params: trained parameters.
        examples: examples of its data; of a stream, a sample.

    Returns:
        The parameters of the model in use; those given unless it has a threshold.
    """
    if not has_threshold(configuration):
        return params
    x, k = examples.train_sample(), configuration.dictionary.k
    assert k is not None, "complete settings have k"
    blocks = (x[start : start + BLOCK] for start in range(0, len(x), BLOCK))
    positive = sum(int(_num_positive(params, jnp.asarray(block))) for block in blocks)
    if positive <= k * len(x):  # training selected all of them
        return with_threshold(params, 0.0)
    size = min(BLOCK, len(x))
    return training.calibrate_threshold(params, jnp.asarray(x), l0=k, batch_size=size)


def solve_thresholds(run: Path, configuration: Training, examples: Examples) -> None:
    """Solve for the thresholds of all checkpoints of a run and write them.

    Args:
        run: folder of the run, whose training is complete.
        configuration: its settings. Nothing is written unless the model has a threshold in use.
        examples: examples of its data.
    """
    if not has_threshold(configuration):
        return
    if is_main_process():
        steps = checkpoints.steps(checkpoints_folder(run))
        write_thresholds(run, {step: _solved(run, configuration, examples, step) for step in steps})
    max_over_processes(0)  # the others wait, since they read the file


def _solved(run: Path, configuration: Training, examples: Examples, step: int) -> float:
    objective = make_trained_objective(configuration, examples.shape, examples.columns)
    settings = checkpoint_settings(configuration, examples.fingerprint, read_identity(run))
    params, _, _ = checkpoints.restore_params(
        checkpoints_folder(run),
        params_like(objective),
        configuration=settings,
        normalisation=examples.normalisation,
        step=step,
    )
    return float(with_solved_threshold(configuration, params, examples)["encoder"]["threshold"][0])


@jax.jit
def _num_positive(params: Params, x: Array) -> Array:
    return jnp.sum(pre_activations(params, x) > 0)
