"""Training of averaged codebooks on a mesh of eight virtual devices; prints JSON.

It is run as a separate process, with JAX_NUM_CPU_DEVICES=8.
"""

import json

import jax
import jax.numpy as jnp
import numpy as np
import optax

import aejax
from aejax import losses, models, penalties, training
from tests.sharding.eight_devices import placements

DECAY = 0.8
X = np.random.default_rng(0).normal(size=(50, 6)).astype(np.float32)
OPTIMIZER = training.averaged_codebook(optax.chain(optax.clip(1.0), optax.adam(1e-2)), decay=DECAY)


def make_objective(*, depth: int = 1, weight: float = 1.0) -> aejax.Objective:
    """Objective of a vector-quantised model with averages, residual for a depth above 1."""
    base = aejax.dense((6, 3), code_activation=jax.nn.identity)
    settings = {"codewords": 16, "channels": 3, "averaged": True}
    if depth == 1:
        model = models.vector_quantised(base, **settings)
    else:
        model = models.residual_quantised(base, depth=depth, **settings)
    terms = {"commitment": (0.25, penalties.commitment())}
    terms["codebook"] = (weight, penalties.codebook())
    return aejax.objective(model, losses.squared, penalties=terms)


def differences() -> dict[str, float]:
    """Largest difference of the parameters on each mesh from those on one device."""
    found = {}
    for depth in (1, 2):
        objective, options = make_objective(depth=depth), {"key": 0, "epochs": 2, "batch_size": 16}
        alone, _ = training.fit(objective, OPTIMIZER, X, **options)
        for name, placement in placements().items():
            state, _ = training.fit(objective, OPTIMIZER, X, placement=placement, **options)
            pairs = jax.tree.map(
                lambda a, b: float(jnp.max(jnp.abs(np.asarray(a) - np.asarray(b)))),
                state.params,
                alone.params,
            )
            found[f"{name}, depth {depth}"] = max(jax.tree.leaves(pairs))
    return found


if __name__ == "__main__":
    print(json.dumps({"devices": jax.device_count(), "differences": differences()}))
