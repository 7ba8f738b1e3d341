"""Theorem on the bound by PCA: with a linear decoder no encoder of k units has a lower loss."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jaxtyping import Float64

from aejax import losses
from aejax.models import dense
from aejax.objectives import objective
from aejax.theory.analysis.pca import leading_components, least_loss
from aejax.theory.checking.certificate import Certificate, Evidence, Statement, certify
from aejax.theory.checking.distances import reconstruction_loss
from aejax.theory.checking.problem import Problem, last_component, pca_obstacle
from aejax.theory.checking.tolerances import bound_tolerance, loss_scale
from aejax.theory.learning.nonlinear_encoders import representatives
from aejax.theory.optimum.optimum import principal_params
from aejax.types import Array, Batch, Key

MAX_TRAINING_EXAMPLES, TRAINING_STEPS, LEARNING_RATE = 256, 200, 1e-2
"""Maximum number of examples for training, and steps and learning rate of Adam."""

ACTIVATION_NAMES = ("tanh", "logistic", "ReLU")
"""Activations of the shallow and of the deep networks."""

BOUND = Statement(
    claim="no encoder of k units, linear or not, shallow or deep, beats PCA under a linear decoder",
    formula="mean ‖x̂ − x‖² ≥ Σ_{i>k} λ_i for x̂ = h(x) W_d + c",
    source="Bourlard & Kamp 1988; Eckart & Young 1936",
)


def encoders_bounded_by_pca(problem: Problem) -> tuple[Certificate, ...]:
    """With a linear decoder the rank bounds any encoder: L ≥ Σ_{i>k} λ_i.

    x̂ − mean x̂ = (h − mean h) W_d has rank at most k on any data, which is the only assumption of
    Eckart & Young's theorem. So the bound depends neither on the encoder's form nor on its
    training. It is checked on tanh, logistic and ReLU encoders of one and two layers, trained
    briefly by Adam from the model's own initialisation, and then combined with the best linear
    decoder on all data. The bound does not apply to non-linear decoders. The residual is the
    maximum of the amount by which the best network is below the bound, and of two errors of PCA's
    loss: by the same least squares for PCA's code plus a constant, and by `aejax.losses` for PCA's
    parameters.

    Control: the bound for one code unit fewer, which PCA's own code violates.

    Args:
        problem: the user's data, code size and key; evenly spaced examples represent large data.

    Returns:
        One certificate.

    Source: Bourlard & Kamp 1988; Eckart & Young 1936.
    """
    obstacle = pca_obstacle(problem)
    part = problem if obstacle else representatives(problem)
    return (certify(BOUND, bound_tolerance(part), lambda: _evidence(part), obstacle=obstacle),)


def trained_codes(problem: Problem) -> dict[str, Float64[np.ndarray, "examples code"]]:
    """Codes of all examples by the trained networks, by name of the network."""
    n, k = problem.x.shape[1], problem.code
    scale = np.sqrt(n / least_loss(problem.pca, 0))  # features of unit variance on average
    codes = {}
    with jax.enable_x64(True):
        rows = jnp.asarray(scale * problem.centred)
        training_rows = rows[:: -(-len(rows) // MAX_TRAINING_EXAMPLES)]
        for depth, sizes in (("shallow", (n, k)), ("deep", (n, 2 * k, k))):
            with jax.numpy_dtype_promotion("standard"):  # optax computes float ** int32
                found = np.asarray(_train(problem.key, training_rows, rows, sizes))
            codes |= {
                f"{depth} {name}": code for name, code in zip(ACTIVATION_NAMES, found, strict=True)
            }
    return codes


@partial(jax.jit, static_argnames="sizes")
def _train(key: Key, training_rows: Array, rows: Array, sizes: tuple[int, ...]) -> Array:
    """Codes of all rows by one network per activation, trained together on `training_rows`."""

    def trained(choice: Array) -> Array:
        def activation(x: Array) -> Array:
            return jax.lax.switch(choice, (jnp.tanh, jax.nn.sigmoid, jax.nn.relu), x)

        model = dense(sizes, decoder_sizes=(sizes[-1], sizes[0]), activation=activation)
        loss = objective(model, losses.squared)
        optimizer = optax.adam(LEARNING_RATE)

        def step(carry: tuple, _: None) -> tuple:
            params, state = carry
            gradient = jax.grad(lambda params: loss(params, Batch(training_rows), key)[0])(params)
            updates, state = optimizer.update(gradient, state, params)
            return (optax.apply_updates(params, updates), state), None

        start = model.init(key)
        (params, _), _ = jax.lax.scan(step, (start, optimizer.init(start)), length=TRAINING_STEPS)
        return model.encode(params, rows)

    return jax.vmap(trained)(jnp.arange(len(ACTIVATION_NAMES)))


def best_loss(problem: Problem, code: Float64[np.ndarray, "examples units"]) -> float:
    """Loss mean ‖x − x̂‖² of a code with its best linear decoder and bias."""
    centred = problem.centred
    basis, _ = np.linalg.qr(code - code.mean(axis=0))
    return float(np.sum(np.square(centred - basis @ (basis.T @ centred))) / len(centred))


def _evidence(problem: Problem) -> Evidence:
    losses_found = [best_loss(problem, code) for code in trained_codes(problem).values()]
    below = least_loss(problem.pca, problem.code) - min(losses_found)
    kept = leading_components(problem.pca, last_component(problem) + 1)
    kernel = principal_params(problem, kept)["encoder"]["layer_0"]["kernel"]
    offset = np.sqrt(problem.pca.eigenvalues[0])  # the decoder needs a bias to remove it
    principal = best_loss(problem, problem.centred @ np.asarray(kernel) + offset)
    fewer = least_loss(problem.pca, last_component(problem)) - principal
    attained = reconstruction_loss(
        problem,
        principal_params(problem, leading_components(problem.pca, problem.code)),
    )
    missed = max(abs(principal - least_loss(problem.pca, problem.code)), abs(principal - attained))
    return Evidence(max(below, missed) / loss_scale(problem), fewer / loss_scale(problem))
