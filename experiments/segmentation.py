"""SegNet's decoder knows where its encoder's maxima lay, and segments better for it.

Claim:    a decoder that unpools with the indices of its encoder's maxima segments better, by global
          accuracy, class average and mean IoU, than the same network without them: one that puts
          every value in a fixed place of its window (as sparse), or repeats it (dense).
Source:   Badrinarayanan, Kendall & Cipolla 2017, §3 and §4.
Command:  python -m experiments.segmentation
Expected: on CamVid at 120 × 90 with a small budget, for each seed, all three measures above those
          with fixed places. Nearest neighbours, whose maps are dense, are not beaten: their blobs
          lack the fine edges that the figure shows with indices, yet measure as well.
Run time: about ten minutes for each training on a busy core; two on a quiet one.
"""

import sys
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
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
from experiments.harness import Comparison, Remember, Results, above, execute, over_seeds

CAMVID = Path(__file__).parents[2] / "shared" / "data" / "camvid" / "camvid_120x90.npz"
CLASSES = {
    "camvid": (
        *("sky", "building", "pole", "road", "pavement", "tree"),
        *("sign", "fence", "car", "pedestrian", "bicyclist"),
    ),
    "shapes": data.SHAPES,
}
RESAMPLINGS = {
    "transferred indices": resampling.with_indices,
    "fixed places": resampling.zero_insertion,
    "nearest neighbour": resampling.nearest,
}
MEASURES = ("mean_iou", "class_average", "global_accuracy")


@dataclass(frozen=True)
class Config:
    """Everything that decides the numbers; chosen on CamVid's validation images."""

    data: str = "camvid"
    """"camvid", another place of its file, or "shapes", which are made up"""
    resamplings: tuple[str, ...] = tuple(RESAMPLINGS)
    """the decoders that are compared, transferred indices first"""
    blocks: tuple[tuple[int, ...], ...] = ((8,), (16,), (32,), (64,))
    """features of the encoder's convolutions; SegNet-Basic's four blocks, but fewer features"""
    kernel: int = 5
    """extent of the kernels; the decoder's convolutions are linear, as SegNet-Basic's"""
    steps: int = 600
    """of Adam; images are mirrored in half of them"""
    batch_size: int = 8
    """images a step"""
    learning_rate: float = 1e-2
    """at the start; it falls to zero by a cosine"""
    seeds: int = 3
    """trainings of each decoder; each seed's see the same images in the same order"""
    seed: int = 0
    """of all of them"""
    shown: int = 4
    """test images in the figure"""


QUICK = Config("shapes", tuple(RESAMPLINGS)[:2], ((6,),), kernel=3, steps=40, seeds=2)


def load(place: str) -> data.Dataset:
    """CamVid from its file, or made-up shapes; labels are a class for each pixel."""
    if place == "shapes":
        x, labels = map(np.asarray, data.shapes(jax.random.key(0), examples=96))
        return data.Dataset("shapes", x[:64], x[64:], labels[:64], labels[64:])
    file = CAMVID if place == "camvid" else Path(place)
    if not file.exists():
        raise FileNotFoundError(f"{file} is missing; give --data the place of camvid_120x90.npz")
    with np.load(file) as arrays:
        names = ("train_images", "test_images", "train_labels", "test_labels")
        return data.Dataset("camvid", *(arrays[name] for name in names))


def run(config: Config, dataset: data.Dataset, remember: Remember) -> Results:
    """Train each decoder with each seed; measure it once on the test images."""
    metrics: dict[str, Any] = {}
    arrays = {"x": _shown(config, dataset.x_test), "labels": _shown(config, dataset.labels_test)}
    for name in config.resamplings:
        train = _trainer(config, dataset, RESAMPLINGS[name])
        parts = [remember(f"{name} {seed}", partial(train, seed)) for seed in range(config.seeds)]
        metrics[name] = over_seeds([part.metrics for part in parts])
        arrays[name] = parts[0].arrays["predicted"]
    return Results(metrics, arrays)


def verdict(metrics: dict[str, Any]) -> dict[str, Comparison]:
    """Each measure on the test images: transferred indices less each other decoder, in pairs."""
    transferred, *others = metrics
    return {
        f"{measure.replace('_', ' ')}, {transferred} less {other}": above(
            metrics[transferred][measure], metrics[other][measure]
        )
        for other in others
        for measure in MEASURES
    }


def plot(config: Config, results: Results) -> Figure:
    """Test images, their labels, and what the first seed of each decoder makes of them."""
    x, labels = results.arrays["x"], results.arrays["labels"]
    predicted = {name: results.arrays[name] for name in results.metrics}
    return segmentations(x / max(1, x.max()), labels, predicted, CLASSES[config.data])


def main() -> None:
    """Run from the command line."""
    execute(sys.modules[__name__])


def _trainer(
    config: Config, dataset: data.Dataset, pair: resampling.Resampling
) -> Callable[[int], Results]:
    """Seed -> the measures of one training; what is compiled serves every seed."""
    x, x_test = _standardised(dataset)
    labels, labels_test = map(jnp.int32, (dataset.labels_train, dataset.labels_test))
    classes = len(CLASSES[dataset.name])
    mirrored = (jnp.concatenate([array, array[:, :, ::-1]]) for array in (x, labels))
    weights = evaluation.median_frequency_weights(labels, classes=classes)
    batch = evaluation.segmentation_batch(*mirrored, weights)
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

    def train(seed: int) -> Results:
        key = jax.random.fold_in(jax.random.key(config.seed), seed)
        state, curve = training.init_state(objective, optimizer, key), []
        # Step by step, so that what is compiled serves every seed.
        for examples in _orders(config, key, len(batch.x)):
            state, measured = step(state, jax.tree.map(lambda array, i=examples: array[i], batch))
            curve.append(float(measured["loss"]))
        predicted = predict(state.params, x, x_test)
        confusion = evaluation.confusion_matrix(labels_test, predicted, classes=classes)
        found = evaluation.segmentation_measures(confusion)
        tenths = [float(part.mean()) for part in np.array_split(np.array(curve), 10)]
        shown = _shown(config, predicted.astype(jnp.uint8))
        return Results({**found._asdict(), "loss": tenths}, {"predicted": shown})

    return train


def _standardised(dataset: data.Dataset) -> tuple[Array, Array]:
    """Train and test images whose channels have the train images' mean 0 and variance 1."""
    channels = dataset.x_train.shape[-1]
    scale = data.standardise(dataset.x_train.reshape(-1, channels))
    x, x_test = (
        jnp.asarray(data.normalise(scale, x.reshape(-1, channels)).reshape(x.shape))
        for x in (dataset.x_train, dataset.x_test)
    )
    return x, x_test


def _shown(config: Config, test: Any) -> Any:
    """The test images of the figure, evenly spaced."""
    return test[:: -(-len(test) // config.shown)]


def _orders(config: Config, key: Key, examples: int) -> Array:
    """The images of each step: pass after pass in a fresh order, cut into batches."""
    wanted = config.steps * config.batch_size
    passes = jax.random.split(key, -(-wanted // examples))
    order = jax.vmap(partial(jax.random.permutation, x=examples))(passes)
    return order.ravel()[:wanted].reshape(config.steps, config.batch_size)


if __name__ == "__main__":
    main()
