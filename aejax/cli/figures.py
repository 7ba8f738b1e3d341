"""What a run's report shows: curves, reconstructions, filters and codes, each with its words."""

from collections.abc import Iterator, Sequence

import jax
import numpy as np

from aejax import plots
from aejax.cli.run import Examples, Run
from aejax.objective import forward, reconstruct
from aejax.report import Illustration
from aejax.training.records import Record
from aejax.types import Batch


def illustrations(
    run: Run, examples: Examples, history: Sequence[Record]
) -> Iterator[Illustration]:
    """The figures of a run, in the order in which they are looked at."""
    if history:
        yield Illustration(
            plots.learning_curves(history),
            "Learning curves",
            "Each term of the objective over the epochs, on train and validation examples.",
            "Curves of every term of the objective against the epoch.",
        )
    x = np.asarray(examples.test.x)
    code = np.asarray(run.objective.model.encode(run.params, examples.test.x))
    if _is_image(run.about.feature_shape):
        yield from _images(run, examples.test)
    if code.shape[1] > 1:
        yield Illustration(
            plots.code_map(code, examples.dataset.labels_test),
            "Codes",
            f"The codes of the {len(x)} test examples, in the plane where they vary most.",
            "Scatter of the codes of the test examples, coloured by class where there are classes.",
        )


def _images(run: Run, test: Batch) -> Iterator[Illustration]:
    record = forward(run.objective, run.params, test, jax.random.key(run.configuration.seed))
    x, x_hat = test.x, reconstruct(run.objective, run.params, record.x_corrupted)
    corrupted = None if run.objective.corruption is None else np.asarray(record.x_corrupted)
    yield Illustration(
        plots.reconstructions(np.asarray(x), np.asarray(x_hat), run.about.feature_shape, corrupted),
        "Reconstructions",
        "The first test examples, and what the autoencoder makes of them"
        + ("." if corrupted is None else " when it sees them corrupted, as in training."),
        "Rows of images: test examples above, their reconstructions below.",
    )
    kernel = run.params["encoder"]["layer_0"]["kernel"]
    shape = run.about.feature_shape if kernel.ndim == 2 else kernel.shape[:-1]
    yield Illustration(
        plots.filters(kernel.reshape(-1, kernel.shape[-1]), shape),
        "Filters",
        "Kernels of the encoder's first layer, one image a unit.",
        "Grid of images of the first layer's kernels, positive and negative weights in two hues.",
    )


def _is_image(shape: tuple[int, ...]) -> bool:
    return len(shape) == 2 or (len(shape) == 3 and shape[2] in (1, 3))
