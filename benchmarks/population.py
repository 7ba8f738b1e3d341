"""Training of many small models at once, and of one, compared with PyTorch.

A model is an autoencoder of widths 64-32-64, with logistic units and squared error; Adam, batches
of 128. One model: aejax's epoch as one scan and as a loop of compiled steps, PyTorch's loop eager
and compiled. A population of 64 models for a few epochs: aejax's `training.fit_population`,
PyTorch's models one after another, and PyTorch's gradients by `torch.func.vmap` with one optimizer
for all models. PyTorch's optimizers are fused.

Command:  python -m benchmarks.population
Run time: about two minutes on two idle cores.
"""

from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
import tyro

import aejax
from aejax import Batch, losses, training
from aejax.runs.malloc import raise_malloc_thresholds
from aejax.types import Array
from benchmarks.epochs import one_scan
from benchmarks.interleaved import interleaved, record


@dataclass(frozen=True)
class Config:
    """Settings of the benchmark."""

    features: int = 64
    """number of features"""
    code: int = 32
    """number of code units"""
    members: int = 64
    """number of models in the population"""
    rows: int = 4096
    """number of examples per epoch"""
    batch_size: int = 128
    """batch size"""
    epochs: int = 4
    """epochs of the population; a single model is trained for one"""
    rounds: int = 7
    """timed calls of each variant"""
    compiled: bool = True
    """whether torch.compile, which needs a C++ compiler, is measured too"""
    device: str = "cpu"
    """device of PyTorch: "cpu" or "cuda"; JAX uses its default device"""


QUICK = Config(features=8, code=4, members=3, rows=64, batch_size=32, rounds=2, compiled=False)


def measure(config: Config) -> dict[str, Any]:
    """Seconds and ratios to PyTorch's first variant, for one model and for the population."""
    x = np.random.default_rng(0).uniform(size=(config.rows, config.features)).astype(np.float32)
    alone = {"PyTorch": _pytorch_epochs(config, x, 1)}
    if config.compiled:
        alone["PyTorch, compiled"] = _pytorch_epochs(config, x, 1, compiled=True)
    alone |= {
        "aejax, a loop of steps": _loop(config, x),
        "aejax, one scan": one_scan(
            *_objective_and_optimizer(config), jnp.asarray(x), config.batch_size
        ),
    }
    together = {
        "PyTorch, one after another": _repeated(config, _pytorch_epochs(config, x, config.members)),
        "PyTorch, torch.func.vmap": _repeated(config, _pytorch_vmapped(config, x)),
        "aejax, fit_population": _population(config, x),
    }
    return {
        "one model": interleaved(alone, rounds=config.rounds),
        f"{config.members} models": interleaved(together, rounds=config.rounds),
    }


def main(config: Config = Config()) -> None:
    """Run the benchmark, write its results and print them."""
    raise_malloc_thresholds()  # as aejax's commands do; it makes PyTorch faster too
    found = measure(config)
    name = "population" if config.device == "cpu" else f"population_{config.device}"
    record(name, asdict(config), found, peers=("torch",))
    for models, variants in found.items():
        for name, each in variants.items():
            print(models, name, each["median"], "s", each["ratio"])


def _objective_and_optimizer(
    config: Config,
) -> tuple[aejax.Objective, optax.GradientTransformation]:
    model = aejax.dense((config.features, config.code))
    return aejax.objective(model, losses.squared), optax.adam(1e-3)


def _loop(config: Config, x: np.ndarray) -> Callable[[], Any]:
    """Make a Python loop of steps; batches are sliced beforehand, which favours this variant."""
    objective, optimizer = _objective_and_optimizer(config)
    first = training.init_state(objective, optimizer, jax.random.key(0))
    step = jax.jit(lambda state, batch: training.step(objective, optimizer, state, batch)[0])
    batches = [
        Batch(jnp.asarray(x[start : start + config.batch_size]))
        for start in range(0, len(x), config.batch_size)
    ]

    def run() -> Any:
        state = first
        for batch in batches:
            state = step(state, batch)
        return jax.block_until_ready(state.params)

    return run


def _population(config: Config, x: np.ndarray) -> Callable[[], Any]:
    data, rates = Batch(jnp.asarray(x)), jnp.full(config.members, 1e-3)

    def make(rate: Array) -> tuple[aejax.Objective, optax.GradientTransformation]:
        objective, _ = _objective_and_optimizer(config)
        return objective, optax.adam(rate)

    return lambda: training.fit_population(
        make,
        data,
        hyperparameters=rates,
        key=jax.random.key(0),
        epochs=config.epochs,
        batch_size=config.batch_size,
    )


def _repeated(config: Config, epoch: Callable[[], None]) -> Callable[[], None]:
    def epochs() -> None:
        for _ in range(config.epochs):
            epoch()

    return epochs


def _pytorch_model(config: Config) -> Any:
    import torch

    return torch.nn.Sequential(
        torch.nn.Linear(config.features, config.code),
        torch.nn.Sigmoid(),
        torch.nn.Linear(config.code, config.features),
    ).to(config.device)


def _pytorch_epochs(
    config: Config, x: np.ndarray, members: int, *, compiled: bool = False
) -> Callable[[], Any]:
    import torch

    models = [_pytorch_model(config) for _ in range(members)]
    optimizers = [torch.optim.Adam(model.parameters(), 1e-3, fused=True) for model in models]
    forwards = [torch.compile(model) if compiled else model for model in models]
    rows = torch.from_numpy(x).to(config.device)

    def epoch() -> None:
        for forward, optimizer in zip(forwards, optimizers, strict=True):
            for indices in torch.randperm(len(rows), device=config.device).split(config.batch_size):
                batch = rows[indices]
                optimizer.zero_grad()
                (forward(batch) - batch).square().sum(dim=1).mean().backward()
                optimizer.step()
        _wait(config)

    return epoch


def _pytorch_vmapped(config: Config, x: np.ndarray) -> Callable[[], Any]:
    import torch
    from torch.func import functional_call, grad, stack_module_state, vmap

    models = [_pytorch_model(config) for _ in range(config.members)]
    params, _ = stack_module_state(models)
    optimizer = torch.optim.Adam(params.values(), 1e-3, fused=True)
    rows = torch.from_numpy(x).to(config.device)

    def loss(params: dict, batch: Any) -> Any:
        output = functional_call(models[0], params, (batch,))
        return (output - batch).square().sum(dim=1).mean()

    gradients_of = vmap(grad(loss))

    def epoch() -> None:
        orders = torch.stack([torch.randperm(len(rows), device=config.device) for _ in models])
        for indices in orders.split(config.batch_size, dim=1):
            gradients = gradients_of(params, rows[indices])
            for name, value in params.items():
                value.grad = gradients[name]
            optimizer.step()
        _wait(config)

    return epoch


def _wait(config: Config) -> None:
    import torch

    if config.device == "cuda":
        torch.cuda.synchronize()


if __name__ == "__main__":
    tyro.cli(main)
