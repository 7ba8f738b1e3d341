"""Deep autoencoders compress better than shallow and linear ones of the same code.

Claim:    with a code of equal size, autoencoders with hidden layers before and after it reconstruct
          much better, at less than half the error, than the best linear one, which is PCA, and than
          one with the code alone; and of those with equally many parameters, deeper ones do.
Source:   Hinton & Salakhutdinov 2006; Goodfellow, Bengio & Courville 2016, §14.3; the course.
Command:  python -m experiments.depth
Expected: on MNIST with a code of 30: PCA 13.9, the shallow one 8.1; with 150 000 parameters and 1
          to 4 hidden layers 5.5, 5.0, 5.8 and 7.4. Two layers are best, at 0.36 of PCA's error (it
          takes 91 components to match them) and 0.61 of the shallow one's, not half. Deeper ones
          train more slowly: after 15 epochs it was 6.9, 7.4, 9.1 and 11.6; some of that is narrower
          layers, 92 units down to 72.
Run time: eight minutes on one quiet core.
"""

import sys
from dataclasses import dataclass
from functools import partial
from itertools import pairwise
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from matplotlib.figure import Figure
from sklearn.decomposition import PCA

import aejax
from aejax import data, losses
from aejax.plots import INK, figure_style
from experiments.harness import (
    Comparison,
    Results,
    below,
    draw_mean,
    execute,
    flat,
    mean_squared_error,
    mosaic,
    train_alike,
)


@dataclass(frozen=True)
class Config:
    """Everything that decides the numbers."""

    data: str = "mnist"
    """name or place of a data set of square images with bounds"""
    train: int = 20_000
    """examples, the first of the data"""
    code: int = 30
    """numbers of the code"""
    depths: tuple[int, ...] = (0, 1, 2, 3, 4)
    """hidden layers on each side of the code; 0 is the shallow autoencoder"""
    parameters: int = 150_000
    """of each with hidden layers, as nearly as their equal widths allow; code and input fix those
    of the shallow one"""
    epochs: int = 50
    """passes over the examples"""
    batch_size: int = 50
    """examples a step"""
    learning_rate: float = 3e-3
    """of Adam at the start; it falls to zero by a cosine"""
    seeds: int = 5
    """trainings of each depth"""
    seed: int = 0
    """of all of them"""


QUICK = Config(
    data="digits", train=1400, code=6, depths=(0, 1), parameters=4000, epochs=10, seeds=2
)


def run(config: Config, dataset: data.Dataset) -> Results:
    """Train every depth with every seed; errors on the test examples, and PCA's for every size."""
    x, x_test = flat(dataset, config.train)
    pca = PCA().fit(np.asarray(x))
    errors = pca_errors(pca, np.asarray(x_test))
    shown = np.asarray(x_test[:10])
    basis = pca.components_[: config.code]
    metrics: dict[str, Any] = {"PCA": {"test error": float(errors[config.code])}}
    pictures = {"examples": shown, "PCA": pca.mean_ + (shown - pca.mean_) @ basis.T @ basis}
    for depth in config.depths:
        sizes = layers(x.shape[1], depth, config.code, config.parameters)
        model = aejax.dense(sizes, activation=jax.nn.gelu, code_activation=jax.nn.identity)
        objective = aejax.objective(model, losses.bernoulli)
        params = train_alike(objective, x, config, jax.random.key(config.seed))
        measure = jax.jit(jax.vmap(partial(mean_squared_error, objective), (0, None)))
        found = np.asarray(measure(params, x_test))
        metrics[f"{depth}"] = {
            "test error": found,
            "PCA's numbers": [int(np.argmax(errors < error)) for error in found],
            "width": sizes[1],
            "parameters": parameters(sizes),
        }
        first = jax.tree.map(lambda leaf: leaf[0], params)
        pictures[f"{depth}"] = np.asarray(aejax.reconstruct(objective, first, jnp.array(shown)))
    return Results(metrics, {"errors": errors, "pictures": np.stack([*pictures.values()])})


def layers(features: int, depth: int, code: int, wanted: int) -> tuple[int, ...]:
    """An encoder's sizes whose hidden layers are as wide as brings it nearest the parameters."""
    found = [(features, *(width,) * depth, code) for width in range(1, wanted // features)]
    return min(found, key=lambda sizes: abs(parameters(sizes) - wanted))


def parameters(sizes: tuple[int, ...]) -> int:
    """Kernels and biases of an encoder so wide, and of the decoder that mirrors it."""
    return sum((a + 1) * b for a, b in pairwise((*sizes, *sizes[-2::-1])))


def pca_errors(pca: PCA, x: np.ndarray) -> np.ndarray:
    """Mean of Σ (x̂ − x)² for 0 components, 1, and so on to all of a fitted PCA's."""
    explained = np.square((x - pca.mean_) @ pca.components_.T).mean(axis=0)
    total = np.square(x - pca.mean_).sum(axis=1).mean()
    return total - np.concatenate([[0], np.cumsum(explained)])


def verdict(metrics: dict[str, Any]) -> dict[str, Comparison]:
    """Log errors: each with hidden layers less half of PCA's and of the shallow one's; deeper."""
    log = {name: np.log(found["test error"]) for name, found in metrics.items()}
    deep = [name for name in log if name not in ("PCA", "0")]
    found = {}
    for name in deep[::-1]:
        for other, words in (("PCA", "PCA"), ("0", "the shallow one")):
            claim = f"log error, {name} hidden, less half of {words}'s"
            found[claim] = below(log[name], log[other] - np.log(2))
    for less, more in pairwise(deep):
        found[f"log error, {more} hidden less {less}"] = below(log[more], log[less])
    return found


def plot(config: Config, results: Results) -> Figure:
    """Error against hidden layers; PCA's against components; test examples as each sees them."""
    depths = [f"{depth}" for depth in config.depths]
    errors = results.arrays["errors"]
    found = np.transpose([results.metrics[depth]["test error"] for depth in depths])
    with figure_style():
        figure = Figure(figsize=(9.4, 3.6))
        curves, pictures = figure.subfigures(1, 2, width_ratios=(1.5, 1))
        by_depth, by_size = curves.subplots(1, 2)
        draw_mean(by_depth, config.depths, found, "o-")
        by_depth.axhline(errors[config.code], linestyle="--", color=INK, label="PCA")
        by_depth.axhline(errors[config.code] / 2, linestyle=":", color=INK, label="half of it")
        by_depth.set(title="test error", xlabel="hidden layers each side", ylim=0)
        by_depth.set_xticks(config.depths)
        by_depth.legend()
        by_size.plot(errors, color=INK, label="PCA")
        for depth, seeds, marker in zip(depths, found.T, "sovD^", strict=False):
            by_size.plot(config.code, seeds.mean(), marker, label=f"{depth} hidden")
        by_size.set(title="the same against numbers kept", yscale="log", xlabel="numbers kept")
        by_size.set(xlim=(0, 4 * config.code), ylim=(errors[4 * config.code] / 2, None))
        by_size.legend(fontsize="small")
        axis = pictures.subplots()
        rows = results.arrays["pictures"]
        mosaic(axis, rows.reshape(-1, rows.shape[-1]), columns=rows.shape[1])
        axis.set_title("examples, PCA, hidden layers " + ", ".join(depths))
    return figure


def main() -> None:
    """Run from the command line."""
    execute(sys.modules[__name__])


if __name__ == "__main__":
    main()
