"""SegNet segments better with the pooling indices of its encoder.

Claim:    a decoder that unpools with the indices of its encoder's maxima segments better, by global
          accuracy, class average and mean IoU, than the same network without them: with every value
          at a fixed position of its window (equally sparse), or repeated (dense).
Source:   Badrinarayanan, Kendall & Cipolla 2017, §3 and §4.
Command:  python -m experiments.segmentation
Expected: on CamVid at 120 × 90 with a small budget, all three metrics are above those with fixed
          positions for each seed, global accuracy not decidedly. Against nearest-neighbour
          unpooling, which gives dense maps, no metric is decided, although its maps lack the fine
          details that indices give.
Selection: the settings of Config, on the validation images of CamVid; that search has no record.
Run time: about ten minutes per training run on a busy core, two on an idle one.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
from matplotlib.figure import Figure

import aejax
from aejax import Batch, data, evaluation, losses, training
from aejax.layers import resampling
from aejax.models import BASIC
from aejax.plots import segmentations
from aejax.types import Array, Key, Params
from experiments import harness
from experiments.harness.segmentation_data import CLASSES, load, standardised_images

RESAMPLINGS = {
    "transferred indices": resampling.with_indices,
    "fixed places": resampling.zero_insertion,
    "nearest neighbour": resampling.nearest,
}
METRICS = ("mean_iou", "class_average", "global_accuracy")


@dataclass(frozen=True)
class Config:
    """Settings that determine the results, chosen on the validation images of CamVid."""

    data: str = "camvid"
    """"camvid", a path of its file, or "shapes", which are synthetic"""
    resamplings: tuple[str, ...] = tuple(RESAMPLINGS)
    """compared decoders, transferred indices first"""
    blocks: tuple[tuple[int, ...], ...] = ((8,), (16,), (32,), (64,))
    """features of the encoder's convolutions: four blocks as SegNet-Basic, with fewer features"""
    kernel: int = 5
    """side of the kernels; the decoder's convolutions are linear as in SegNet-Basic"""
    steps: int = 600
    """optimization steps of Adam, on the images and their left-right flips"""
    batch_size: int = 8
    """images per step"""
    learning_rate: float = 1e-2
    """initial learning rate, with cosine decay to zero"""
    seeds: int = 3
    """number of training runs of each decoder; a seed fixes the order of the images"""
    seed: int = 0
    """seed of all random choices"""
    shown: int = 4
    """number of test images in the figure"""


QUICK = Config("shapes", tuple(RESAMPLINGS)[:2], ((6,),), kernel=3, steps=40, seeds=2)


def run(config: Config, dataset: data.Dataset, cache: harness.PartCache) -> harness.Results:
    """Train each decoder with each seed; evaluate it once on the test images."""
    metrics: dict[str, Any] = {}
    arrays = {
        "x": _shown_images(config, dataset.x_test),
        "labels": _shown_images(config, dataset.labels_test),
    }
    for name in config.resamplings:
        train = _trainer(config, dataset, RESAMPLINGS[name])
        parts = [cache(f"{name} {seed}", partial(train, seed)) for seed in range(config.seeds)]
        metrics[name] = harness.stack_seeds([part.metrics for part in parts])
        arrays[name] = parts[0].arrays["predicted"]
    return harness.Results(metrics, arrays)


def primary(metrics: dict[str, Any]) -> harness.PrimaryComparison:
    """Comparison that decides the primary claim."""
    return harness.PrimaryComparison(
        "mean IoU on the test images",
        *((name, metrics[name]["mean_iou"]) for name in ("transferred indices", "fixed places")),
        harness.above,
    )


def observations(metrics: dict[str, Any]) -> dict[str, harness.Comparison]:
    """Each metric on the test images: transferred indices minus each other decoder."""
    transferred, *others = metrics
    return {
        f"{metric.replace('_', ' ')}, {transferred} less {other}": harness.above(
            metrics[transferred][metric], metrics[other][metric]
        )
        for other in others
        for metric in METRICS
    }


def plot(config: Config, results: harness.Results) -> Figure:
    """Draw test images, labels, and the predictions of the first seed of each decoder."""
    x, labels = results.arrays["x"], results.arrays["labels"]
    predicted = {name: results.arrays[name] for name in results.metrics}
    return segmentations(x / max(1, x.max()), labels, predicted, CLASSES[config.data])


EXPERIMENT = harness.Experiment(
    name="segmentation", config=Config(), quick=QUICK, run=run, primary=primary,
    observations=observations, plot=plot, load=load,
    title="SegNet segments better with the pooling indices of its encoder.",
    claim="SegNet has a higher mean IoU with the pooling indices of its encoder than with fixed "
    "positions.",
    source="Badrinarayanan, Kendall & Cipolla 2017, §3 and §4.",
    expected="0.2767 against 0.2505, a difference of 0.0261 ± 0.019",
    run_time="about ten minutes per training run on a busy core, two on an idle one",
    figure="Test images, their labels, and the predictions of the first seed of each decoder.",
)  # fmt: skip


def main() -> None:
    """Run from the command line."""
    harness.execute(EXPERIMENT)


def _trainer(
    config: Config, dataset: data.Dataset, pair: resampling.Resampling
) -> Callable[[int], harness.Results]:
    """Function seed -> metrics of one training run, compiled once for all seeds."""
    x, x_test = standardised_images(dataset)
    labels, labels_test = map(jnp.int32, (dataset.labels_train, dataset.labels_test))
    classes = len(CLASSES[dataset.name])
    with_flips = (jnp.concatenate([array, array[:, :, ::-1]]) for array in (x, labels))
    weights = evaluation.median_frequency_weights(labels, classes=classes)
    batch = evaluation.segmentation_batch(*with_flips, weights)
    size = BASIC._replace(blocks=config.blocks, kernel=(config.kernel,) * 2)
    model = aejax.segnet(size, channels=x.shape[-1], classes=classes, resampling=pair)
    objective = aejax.objective(model, losses.categorical_labels(classes=classes))
    optimizer = optax.adam(optax.cosine_decay_schedule(config.learning_rate, config.steps))
    step = jax.jit(partial(training.step, objective, optimizer))

    @jax.jit
    def predict(params: Params, x: Array, x_test: Array) -> Array:
        known = training.calibrate(model, params, Batch(x), batch_size=config.batch_size)

        def classes_of(image: Array) -> Array:
            return jnp.argmax(model.decode(known, model.encode(known, image[None]))[0], -1)

        return jax.lax.map(classes_of, x_test)

    def train(seed: int) -> harness.Results:
        key = jax.random.fold_in(jax.random.key(config.seed), seed)
        state, curve = training.init_state(objective, optimizer, key), []
        # A Python loop, so that all seeds use one compiled step.
        for examples in _orders(config, key, len(batch.x)):
            state, measured = step(state, jax.tree.map(lambda array, i=examples: array[i], batch))
            curve.append(float(measured["loss"]))
        predicted = predict(state.params, x, x_test)
        confusion = evaluation.confusion_matrix(labels_test, predicted, classes=classes)
        found = evaluation.segmentation_measures(confusion)
        tenths = [float(part.mean()) for part in np.array_split(np.array(curve), 10)]
        shown = _shown_images(config, predicted.astype(jnp.uint8))
        return harness.Results({**found._asdict(), "loss": tenths}, {"predicted": shown})

    return train


def _shown_images(config: Config, test: Any) -> Any:
    """Test images of the figure, evenly spaced."""
    return test[:: -(-len(test) // config.shown)]


def _orders(config: Config, key: Key, examples: int) -> Array:
    """Indices of the images of each step: shuffled epochs, split into batches."""
    wanted = config.steps * config.batch_size
    epoch_keys = jax.random.split(key, -(-wanted // examples))
    order = jax.vmap(partial(jax.random.permutation, x=examples))(epoch_keys)
    return order.ravel()[:wanted].reshape(config.steps, config.batch_size)


if __name__ == "__main__":
    main()
