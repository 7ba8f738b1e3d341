"""Sparse dictionaries of aejax for the comparison on known features, a recipe for each activation.

Gradients are clipped to norm 1, as by SAELens's trainer: the few samples with large magnitudes
would otherwise dominate the averages of Adam. Activations with dead units use AuxK.
"""

import math
from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import jax
import numpy as np
import optax

import aejax
from aejax import losses, penalties, trackers, training
from aejax.layers.dictionary_layers import decoder_norms
from aejax.training.constraints import Constraint
from aejax.types import Array, Augmentation, Autoencoder, Penalty

BANDWIDTH = 1.0
"""Width of the kernel of JumpReLU's gradient: the benchmark's value."""

INITIAL_THRESHOLD = 0.5
"""Initial threshold of JumpReLU."""

INITIAL_NORM = 0.1
"""Norm of the initial directions of L1 and Gated, whose L1 is weighted by the norms.

It is the default of SAELens. The others start with norm 1.
"""

PREFIXES = (1 / 24, 1 / 6, 1 / 2)
"""Prefixes of the Matryoshka dictionary as shares of the units; the last one has all units."""

PREFIX_WEIGHT = 0.3
"""Weight of the prefixes of a Matryoshka dictionary with JumpReLU."""

CALIBRATION_SAMPLES = 2**17
"""Number of samples on which thresholds are solved for."""

TRAINING_KEYS = 20_000
"""Key of the training with seed 0: another one than that of the features, which is the seed."""

Encode = Callable[[Array], tuple[Array, Array]]
"""x [batch, dimensions] -> code [batch, units] and x̂."""


class Sizes(NamedTuple):
    """Sizes of a comparison.

    dimensions: number of dimensions of an example.
    units:      number of units.
    samples:    number of training samples.
    batch_size: number of samples of a step.
    dead_after: number of steps without activity after which a unit counts as dead.
    """

    dimensions: int
    units: int
    samples: int
    batch_size: int
    dead_after: int

    @property
    def steps(self) -> int:
        """Number of steps."""
        return self.samples // self.batch_size


class Recipe(NamedTuple):
    """A dictionary and its penalties.

    model:         the dictionary.
    penalties:     name -> (weight, penalty).
    calibrated:    whether thresholds are solved for after training.
    constraints:   conditions that the parameters satisfy after each step.
    gradient_norm: norm to which gradients are clipped: by default that of SAELens's trainer.
    """

    model: Autoencoder
    penalties: dict[str, tuple[float, Penalty]]
    calibrated: bool = False
    constraints: tuple[Constraint, ...] = ()
    gradient_norm: float = 1.0


def _dictionary(sizes: Sizes, activation: Any, **options: float) -> Autoencoder:
    return aejax.dictionary(sizes.dimensions, sizes.units, activation=activation, **options)


def _auxk(sizes: Sizes) -> dict[str, tuple[float, Penalty]]:
    return {"auxk": (1 / 32, penalties.auxk(k=sizes.dimensions // 2, dead_after=sizes.dead_after))}


def _l1(sizes: Sizes, coefficient: float) -> Recipe:
    model = _dictionary(sizes, jax.nn.relu, decoder_norm=INITIAL_NORM)
    return Recipe(model, {"l1": (coefficient, penalties.l1_by_decoder_norm())})


def _top_k(sizes: Sizes, k: float) -> Recipe:
    return Recipe(_dictionary(sizes, aejax.top_k_relu(k=int(k))), _auxk(sizes))


def _batch_top_k(sizes: Sizes, k: float) -> Recipe:
    model = _dictionary(sizes, aejax.batch_top_k(k=int(k)))
    return Recipe(model, _auxk(sizes), calibrated=True)


def _jump_relu(sizes: Sizes, k: float) -> Recipe:
    model = _dictionary(sizes, aejax.jump_relu(threshold=INITIAL_THRESHOLD, bandwidth=BANDWIDTH))
    l0 = penalties.target_l0_of_each(target=k, bandwidth=BANDWIDTH)
    non_negative = training.non_negative(select=lambda params: params["encoder"]["threshold"])
    return Recipe(model, {"l0": (1.0, l0)}, constraints=(non_negative,))


def _unclipped_jump_relu(sizes: Sizes, k: float) -> Recipe:
    return _jump_relu(sizes, k)._replace(gradient_norm=math.inf)


def _gated(sizes: Sizes, coefficient: float) -> Recipe:
    terms = {
        "l1": (coefficient, penalties.gate_l1(weights=decoder_norms)),
        "gate": (1.0, penalties.gate_reconstruction(decoder=lambda params: params)),
    }
    return Recipe(_dictionary(sizes, aejax.gated(), decoder_norm=INITIAL_NORM), terms)


def _nested(recipe: Recipe, sizes: Sizes, weight: float) -> Recipe:
    prefixes = [round(share * sizes.units) for share in PREFIXES]
    nested = {"prefixes": (weight, penalties.matryoshka(prefixes=prefixes))}
    return recipe._replace(penalties=recipe.penalties | nested)


def _matryoshka(sizes: Sizes, k: float) -> Recipe:
    return _nested(_batch_top_k(sizes, k), sizes, 1.0)


def _jump_relu_matryoshka(sizes: Sizes, k: float) -> Recipe:
    return _nested(_jump_relu(sizes, k), sizes, PREFIX_WEIGHT)


def _matching_pursuit(sizes: Sizes, k: float) -> Recipe:
    model = aejax.matching_pursuit(sizes.dimensions, sizes.units, k=int(k))
    unit_norm = training.unit_norm(select=lambda params: params["decoder"]["kernel"])
    return Recipe(model, {}, constraints=(unit_norm,))


RECIPES: dict[str, Callable[[Sizes, float], Recipe]] = {
    "L1": _l1,
    "TopK": _top_k,
    "BatchTopK": _batch_top_k,
    "JumpReLU": _jump_relu,
    "JumpReLU, unclipped": _unclipped_jump_relu,
    "Gated": _gated,
    "Matryoshka": _matryoshka,
    "JumpReLU Matryoshka": _jump_relu_matryoshka,
    "matching pursuit": _matching_pursuit,
}
"""Activation -> (sizes, sparsity) -> recipe; the sparsity is k, or the coefficient of L1."""


def train(
    x: np.ndarray,
    activation: str,
    sizes: Sizes,
    *,
    sparsity: float,
    learning_rate: float,
    seed: int,
) -> tuple[np.ndarray, Encode]:
    """Train a dictionary on samples of the features, each once, as one compiled program.

    Returns:
        Directions of the units, [units, dimensions], and the trained code and reconstruction.
    """
    recipe = RECIPES[activation](sizes, sparsity)
    objective = objective_of(recipe, sizes)
    optimizer = optimizer_of(recipe, decaying_rate(learning_rate, sizes.steps))
    one_epoch = partial(training.train, objective, optimizer, epochs=1, batch_size=sizes.batch_size)
    state, _ = jax.jit(one_epoch)(x, jax.random.key(TRAINING_KEYS + seed))
    params = state.params
    if recipe.calibrated:
        params = training.calibrate_threshold(params, x[:CALIBRATION_SAMPLES], l0=sparsity)

    @jax.jit
    def encode(x: Array) -> tuple[Array, Array]:
        code = recipe.model.encode(params, x)
        return code, recipe.model.decode(params, code)

    return np.asarray(params["decoder"]["kernel"]), encode


def objective_of(
    recipe: Recipe, sizes: Sizes, augmentation: Augmentation | None = None
) -> aejax.Objective:
    """Squared error with the penalties of a recipe, and the steps since each unit was active."""
    return aejax.objective(
        recipe.model,
        losses.squared,
        augmentation=augmentation,
        penalties=recipe.penalties,
        tracker=trackers.steps_since_active(sizes.units),
    )


def decaying_rate(learning_rate: float, steps: int) -> optax.Schedule:
    """Constant learning rate that decreases linearly to 0 in the last third of the steps."""
    decay = steps // 3
    return optax.linear_schedule(learning_rate, 0.0, decay, steps - decay)


def optimizer_of(
    recipe: Recipe, learning_rate: float | optax.Schedule
) -> optax.GradientTransformationExtraArgs:
    """Adam with clipped gradients and the constraints of a recipe."""
    clipped = optax.chain(
        optax.clip_by_global_norm(recipe.gradient_norm), optax.adam(learning_rate)
    )
    return training.constrained(clipped, *recipe.constraints)
