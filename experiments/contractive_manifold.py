"""A contractive autoencoder answers to few directions of its input: those along the data.

Claim:    the singular values of the encoder's Jacobian fall off faster for a contractive
          autoencoder than for a plain or a denoising one: it is insensitive to most directions,
          and the few that remain, its tangent directions, deform a digit as digits vary.
Source:   Rifai et al. 2011, §5 (the spectrum of the Jacobian averaged over the data).
Command:  python -m experiments.contractive_manifold
Expected: on MNIST, 784-144-784 logistic: the sensitivity Σ σ² of the contractive one is a tenth of
          both others', and its eight leading directions keep 0.12 of the variance of a digit's
          neighbours against 0.02 and 0.03. The effective number of directions, (Σ σ²)²/Σ σ⁴, is
          not lower: 29 against 30 and 26, for the others' first value towers over the rest. Its
          values fall off faster only from about the thirtieth on.
Run time: six minutes on one quiet core.
"""

import sys
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
from matplotlib.figure import Figure
from sklearn.neighbors import NearestNeighbors

import aejax
from aejax import corruptions, data, losses, penalties
from aejax.plots import figure_style
from aejax.types import Array, Params
from experiments.harness import (
    Comparison,
    Results,
    above,
    below,
    draw_mean,
    execute,
    flat,
    mean_squared_error,
    mosaic,
    over_seeds,
    train_seeds,
)

SETTINGS = {
    "plain": {"rate": 0.0, "weight": 0.0},
    "denoising": {"rate": 0.25, "weight": 0.0},
    "contractive": {"rate": 0.0, "weight": 1.0},
}
"""The rate of masking noise, and the weight of ‖∂h/∂x‖² beside the nats of an example."""


@dataclass(frozen=True)
class Config:
    """Everything that decides the numbers, with the settings above."""

    data: str = "mnist"
    """name or place of a data set of square images with bounds"""
    train: int = 5000
    """examples, among which a digit's neighbours are sought too"""
    hidden: int = 144
    """units of the code"""
    epochs: int = 20
    """passes over the examples"""
    batch_size: int = 100
    """examples a step"""
    learning_rate: float = 3e-3
    """of Adam"""
    points: int = 40
    """test examples at which the Jacobian is taken"""
    tangents: int = 8
    """leading directions that are held against the neighbours"""
    neighbours: int = 20
    """of each point; their differences from it span its tangent space, roughly"""
    seeds: int = 5
    """trainings of each autoencoder"""
    seed: int = 0
    """of all of them"""


QUICK = Config(data="digits", train=1000, hidden=36, epochs=10, points=40, tangents=4, seeds=2)


def run(config: Config, dataset: data.Dataset) -> Results:
    """Train the three with every seed at once; take the Jacobians' singular values and vectors."""
    x, x_test = flat(dataset, config.train)
    points = x_test[: config.points]
    model = aejax.dense((x.shape[1], config.hidden))
    params, _ = train_seeds(
        lambda setting: (_objective(model, setting), optax.adam(config.learning_rate)),
        x,
        settings=jax.tree.map(lambda *values: jnp.array(values), *SETTINGS.values()),
        seeds=config.seeds,
        key=jax.random.key(config.seed),
        epochs=config.epochs,
        batch_size=config.batch_size,
    )
    nearest = NearestNeighbors(n_neighbors=config.neighbours).fit(x)
    differences = x[nearest.kneighbors(points, return_distance=False)] - points[:, None]
    plain = aejax.objective(model, losses.bernoulli)

    @jax.jit
    def measure(params: Params, differences: Array, points: Array, x_test: Array) -> dict:
        values, directions = jax.vmap(lambda point: _jacobian(model, params, point))(points)
        energy = jnp.square(values)
        leading = directions[:, : config.tangents]
        kept = jnp.einsum("pni,pti->pnt", differences, leading)
        return {
            "directions": jnp.mean(jnp.sum(energy, 1) ** 2 / jnp.sum(energy**2, 1)),
            "sensitivity": jnp.mean(jnp.sum(energy, 1)),
            "kept": jnp.sum(jnp.square(kept)) / jnp.sum(jnp.square(differences)),
            "test error": mean_squared_error(plain, params, x_test),
            "spectrum": jnp.mean(values, axis=0),
            "tangents": leading[:4],
        }

    metrics: dict[str, Any] = {}
    spectra, tangents = [], []
    for i, name in enumerate(SETTINGS):
        members = [
            jax.tree.map(lambda leaf, i=i, j=j: leaf[i, j], params) for j in range(config.seeds)
        ]
        found = [measure(member, differences, points, x_test) for member in members]
        spectra.append([member.pop("spectrum") for member in found])
        tangents.append([member.pop("tangents") for member in found])
        metrics[name] = over_seeds(found)
    tangents = np.array(tangents)[:, 0]
    arrays = {"spectra": np.array(spectra), "tangents": tangents, "points": points[:4]}
    return Results(metrics, arrays)


def verdict(metrics: dict[str, Any]) -> dict[str, Comparison]:
    """The contractive autoencoder against each of the others."""
    contractive, found = metrics["contractive"], {}
    for what, side in (("directions", below), ("sensitivity", below), ("kept", above)):
        for name in ("plain", "denoising"):
            claim = f"log {what}, contractive less {name}"
            found[claim] = side(np.log(contractive[what]), np.log(metrics[name][what]))
    return found


def plot(config: Config, results: Results) -> Figure:
    """Mean singular values, and relative to the first; four digits with leading directions."""
    with figure_style():
        figure = Figure(figsize=(9.4, 5.6))
        curves, pictures = figure.subfigures(2, 1)
        values, relative = curves.subplots(1, 2)
        for name, seeds, style in zip(
            SETTINGS, results.arrays["spectra"], ("-", "--", "-."), strict=True
        ):
            index = np.arange(1, 1 + seeds.shape[1])
            draw_mean(values, index, seeds, style, label=name)
            draw_mean(relative, index, seeds / seeds[:, :1], style, label=name)
        values.set(title="mean singular values of ∂h/∂x", xlabel="index", yscale="log")
        relative.set(title="the same over the first", xlabel="index", yscale="log")
        relative.set_ylim(bottom=1e-4)
        values.legend()
        points = results.arrays["points"]
        for axis, name, directions in zip(
            pictures.subplots(1, len(SETTINGS)), SETTINGS, results.arrays["tangents"], strict=True
        ):
            rows = np.concatenate([points[:, None], directions[:, :6]], axis=1)
            mosaic(axis, rows.reshape(-1, points.shape[1]), columns=rows.shape[1])
            axis.set_title(f"{name}: digit, leading directions")
    return figure


def main() -> None:
    """Run from the command line."""
    execute(sys.modules[__name__])


def _objective(model: aejax.Autoencoder, setting: dict[str, Array]) -> aejax.Objective:
    return aejax.objective(
        model,
        losses.bernoulli,
        corruption=corruptions.masking(rate=setting["rate"]),
        penalties={"contraction": (setting["weight"], penalties.contractive_logistic())},
    )


def _jacobian(model: aejax.Autoencoder, params: Params, point: Array) -> tuple[Array, Array]:
    """Singular values of ∂h/∂x at a point, descending, and its right singular vectors as rows."""
    jacobian = jax.jacrev(lambda x: model.encode(params, x[None])[0])(point)
    _, values, directions = jnp.linalg.svd(jacobian, full_matrices=False)
    return values, directions


if __name__ == "__main__":
    main()
