"""A trained run and its test examples, as functions that the explorer page calls."""

from collections.abc import Callable
from typing import NamedTuple

import jax
import numpy as np

from aejax.cli.explorer.unit_gradients import unit_gradient
from aejax.data import Schema, denormalise
from aejax.runs.code_posteriors import prior_range, prior_sampler
from aejax.runs.code_units import (
    array_of,
    code_like,
    count_units,
    from_units,
    has_units,
    to_units,
)
from aejax.runs.codeword_usage import count_values_of_run, has_indices
from aejax.runs.examples import ShownExamples
from aejax.runs.inference import Map, TrainedRun, decoder, encoder, model_inputs
from aejax.runs.pca_baseline import fit_pca_baseline, project
from aejax.runs.presentation import check_comparable_output, title


class View(NamedTuple):
    """A run and its test examples.

    A unit is one scalar of the code; spatial codes are flattened in C order, and the arrays of a
    tree concatenated. The units of a discrete code are its indices, integers.

    title:    title of the page.
    x:        raw test examples, [examples, *features].
    labels:   class of each example, a number or a name, or None.
    codes:    codes of the examples, [examples, units].
    encode:   raw examples -> codes [examples, units].
    decode:   codes [examples, units] -> raw examples.
    gradient: (raw examples, unit) -> mean gradient of the unit in raw units, [*features]; None for
              a discrete code.
    schema:   columns of a table, or None.
    pca:      raw examples -> reconstructions by PCA with as many components as units, or None.
    scale:    unit of the normalisation of each feature, [*features] or a scalar.
    span:     lowest and highest value that the range of each unit contains, as those of a prior or
              of the indices of a codebook, each [units]; or None.
    sample:   seed -> sample of the prior of a variational run, [units], or None.
    """

    title: str
    x: np.ndarray
    labels: np.ndarray | None
    codes: np.ndarray
    encode: Map
    decode: Map
    gradient: Callable[[np.ndarray, int], np.ndarray] | None
    schema: Schema | None = None
    pca: Map | None = None
    scale: np.ndarray | float = 1.0
    span: tuple[np.ndarray, np.ndarray] | None = None
    sample: Callable[[int], np.ndarray] | None = None


def view(run: TrainedRun, examples: ShownExamples, x_train: np.ndarray | None = None) -> View:
    """Encode the test examples of a run for the explorer, a variational one by its posterior mean.

    Args:
        run: trained run.
        examples: test examples of its data.
        x_train: normalised train examples that PCA is fitted to (default: without PCA).

    Returns:
        The run, the examples and their codes.

    Raises:
        ValueError: if the code has integers that are no indices of a discrete code, or
            reconstructions have another shape than examples.
    """
    like, is_discrete = array_of(code_like(run)), has_indices(run)
    if not (is_discrete or has_units(like)):
        raise ValueError(
            "the code contains integers, such as indices of pooling, which no slider can vary: use "
            "aejax.runs.encode and aejax.runs.reconstruct in Python"
        )
    check_comparable_output(run)
    encoded, decoded = encoder(run), decoder(run)

    def encode(x: np.ndarray) -> np.ndarray:
        return np.asarray(to_units(array_of(encoded(x))))

    # Not beside a code that is a tree or discrete, whose size is not comparable.
    rows = None if is_discrete or not isinstance(like, jax.ShapeDtypeStruct) else x_train
    return View(
        title=title(run),
        x=examples.raw,
        labels=examples.class_names,
        codes=encode(examples.raw),
        encode=encode,
        decode=lambda code: decoded(from_units(code, like)),
        gradient=None if is_discrete else unit_gradient(run),
        schema=run.about.schema,
        scale=np.asarray(run.normalisation.scale, np.float64),
        pca=None if rows is None else _pca_reconstruction(run, rows, count_units(like)),
        span=_index_range(run) if is_discrete else prior_range(run),
        sample=prior_sampler(run),
    )


def _index_range(run: TrainedRun) -> tuple[np.ndarray, np.ndarray] | None:
    """First and last value of each index of a discrete code; None if their number is not known."""
    values = count_values_of_run(run)
    if values is None:
        return None
    low = np.zeros(count_units(array_of(code_like(run))), np.int64)
    return low, low + values - 1


def _pca_reconstruction(run: TrainedRun, x_train: np.ndarray, units: int) -> Map | None:
    """Make the reconstruction of raw examples by PCA; None if it would be exact."""
    baseline = fit_pca_baseline(x_train.reshape(len(x_train), -1), units)
    if baseline is None:
        return None

    def reconstructed(x: np.ndarray) -> np.ndarray:
        rows = np.asarray(model_inputs(run, x), np.float64).reshape(len(x), -1)
        x_hat = project(baseline.analysis, rows).reshape(len(x), *run.about.feature_shape)
        return np.asarray(denormalise(run.normalisation, x_hat))

    return reconstructed
