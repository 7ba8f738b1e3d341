"""A 30-dimensional code of faces: an autoencoder against PCA, on people not in training.

Claim:    the mean squared error of a test patch, of people without training patches, is lower for
          the deep autoencoder 625-2000-1000-500-30 than for PCA with 30 components.
Source:   Hinton & Salakhutdinov 2006: 126 deep, 135 PCA, on patches of Olivetti's faces, with
          pretraining.
Command:  python -m experiments.faces
Expected: PCA 172, the autoencoder 157: a ratio of 0.91, in the paper 126/135 = 0.93. On patches of
          the people in training PCA has 143, the autoencoder 76. Our patches are fewer and may
          differ from those of the paper: errors are not comparable. The images of the committed
          figure are of a repeated training of the first seed: error 156.42, in the record 156.43.
Selection: the number of epochs, on five people held out of training (--held-out 5); that search has
          no record, and none shows how the learning rate, half that of thirty_numbers, was chosen.
Run time: about five minutes on one core with bfloat16 matrix instructions.
"""

from dataclasses import dataclass
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from matplotlib.figure import Figure

from aejax import data, losses
from aejax.plots import figure_style
from aejax.types import Array
from experiments import harness
from experiments.harness.compressors import Deep, deep_reconstruction, pca_reconstruction
from experiments.harness.faces import SIDE, sample_patches
from experiments.harness.faces import load as load
from experiments.harness.reconstructions import Fit, compare_methods, log_test_errors

NUM_COLUMNS = 6
"""Number of test patches in the figure: the first ones, in random order."""


@dataclass(frozen=True)
class Config:
    """Settings that determine the results."""

    data: str = "olivetti"
    """path of the file of faces, "olivetti" or "noise" """
    each: int = 100
    """training patches per image"""
    each_test: int = 40
    """test patches per image"""
    hidden: tuple[int, ...] = (2000, 1000, 500)
    """GELU units of the encoder's hidden layers; the decoder has them in reverse"""
    code: int = 30
    """size of both codes"""
    epochs: int = 2
    """epochs of training by Muon with a cosine schedule"""
    batch_size: int = 500
    """examples per step"""
    learning_rate: float = 4e-3
    """maximum learning rate of Muon"""
    seeds: int = 3
    """number of training runs of the autoencoder"""
    seed: int = 0
    """seed of patches and training runs"""
    held_out: int = 0
    """number of training people to measure on instead of the test people"""


QUICK = Config(
    data="noise", each=5, each_test=2, hidden=(), code=4, epochs=2, batch_size=50, seeds=2
)


def run(config: Config, dataset: data.Dataset, cache: harness.PartCache) -> harness.Results:
    """Compute errors of both methods on training and test patches, and some reconstructions."""
    key_train, key_test, key_order, key = jax.random.split(jax.random.key(config.seed), 4)
    images, images_test = _images(config, dataset)
    x = jax.random.permutation(key_order, sample_patches(key_train, images, each=config.each))
    x_test = sample_patches(key_test, images_test, each=config.each_test)
    x_test = jax.random.permutation(key_order, x_test)
    scale = 1 / jnp.sqrt(jnp.mean(jnp.square(x)))  # mean variance of training patches is 1
    x, x_test = scale * x, scale * x_test
    deep = Deep(
        (SIDE**2, *config.hidden, config.code),
        config.epochs,
        activation=jax.nn.gelu,
        loss=losses.squared,
    )
    options = {"batch_size": config.batch_size, "learning_rate": config.learning_rate}
    keys = [jax.random.fold_in(key, i) for i in range(config.seeds)]
    methods: dict[str, list[Fit]] = {
        "PCA": [partial(pca_reconstruction, x, config.code)],
        "GELU": [partial(deep_reconstruction, key, x, deep, **options) for key in keys],
    }
    return compare_methods(methods, x, x_test, cache)


def primary(metrics: dict[str, Any]) -> harness.PrimaryComparison:
    """Comparison that decides the primary claim."""
    return harness.PrimaryComparison(
        "mean squared error of a test patch",
        ("deep autoencoder", metrics["GELU"]["test"]),
        ("PCA", metrics["PCA"]["test"]),
        harness.below,
    )


def observations(metrics: dict[str, Any]) -> dict[str, harness.Comparison]:
    """Log error, GELU minus PCA, compared with zero and with the value of 2006."""
    each = log_test_errors(metrics, len(metrics["GELU"]["test"]))
    gain = each["GELU"] - each["PCA"]
    return {
        "log error, GELU less PCA": harness.below(gain, 0),
        "the same less that of 2006, log 126/135": harness.below(gain, np.log(126 / 135)),
    }


def plot(config: Config, results: harness.Results) -> Figure:
    """Draw patches of test people, their reconstructions, and the differences with errors."""
    (_, deep), (_, pca) = primary(results.metrics)[1:3]
    patches = results.arrays["test images"][:NUM_COLUMNS]
    rows = {"test patch": patches}
    for method, name in (("GELU", "deep"), ("PCA", "PCA")):
        rows[name] = results.arrays[method][:NUM_COLUMNS]
        rows[f"{name} less patch"] = rows[name] - patches
    largest = max(np.abs(images).max() for name, images in rows.items() if "less" in name)
    with figure_style():
        figure = Figure(figsize=(7.6, 6.4))
        figure.suptitle(
            f"Error of a test patch with a code of {config.code}: {np.mean(deep):.0f} by a deep "
            f"autoencoder, {np.mean(pca):.0f} by PCA"
        )
        for axes, (name, images) in zip(figure.subplots(5, NUM_COLUMNS), rows.items(), strict=True):
            axes[0].set_ylabel(name.replace(" less", "\nless"), rotation=0, ha="right", va="center")
            for axis, image, patch in zip(axes, images, patches, strict=True):
                scale = largest if "less" in name else np.abs(patch).max()
                colours = "PuOr" if "less" in name else "gray"
                axis.imshow(image.reshape(SIDE, SIDE), colours, vmin=-scale, vmax=scale)
                axis.set(xticks=[], yticks=[])
                axis.spines[:].set_visible(False)
                if "less" in name:
                    axis.set_title(f"{np.square(image).sum():.0f}", fontsize="small", pad=2)
    return figure


EXPERIMENT = harness.Experiment(
    name="faces", config=Config(), quick=QUICK, run=run, primary=primary, observations=observations,
    plot=plot, load=load,
    title="A 30-dimensional code of faces: an autoencoder against PCA, on people not in training.",
    claim="With 30-dimensional codes, the test error of a deep autoencoder on new people is below "
    "PCA's.",
    source="Hinton & Salakhutdinov 2006: 126 deep, 135 PCA, on patches of Olivetti's faces, with "
    "pretraining.",
    expected="156.9 against 172.1, a difference of −15.2 ± 1.3",
    run_time="about five minutes on one core with bfloat16 matrix instructions",
    figure="Patches of test people, their reconstructions, and the differences with the squared "
    "error of each.",
)  # fmt: skip


def main() -> None:
    """Run from the command line."""
    harness.execute(EXPERIMENT)


def _images(config: Config, dataset: data.Dataset) -> tuple[Array, Array]:
    """Training and test images; held-out people are the last of the training set."""
    train, test = (jnp.asarray(x, jnp.float32) for x in (dataset.x_train, dataset.x_test))
    if config.held_out:
        held = np.asarray(dataset.labels_train) > max(dataset.labels_train) - config.held_out
        train, test = train[~held], train[held]
    return train, test


if __name__ == "__main__":
    main()
