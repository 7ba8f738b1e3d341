"""The optimizer of the settings: its schedule is that of optax, also for a traced rate."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from aejax.runs.builders import make_optimizer
from aejax.runs.configuration import Training

STEPS = 20


@pytest.mark.parametrize("warm_up", [0.0, 4.0])
def test_the_learning_rate_is_that_of_optax_and_may_be_traced(warm_up):
    training = Training(schedule="cosine", warm_up=warm_up, learning_rate=0.1, optimizer="sgd")

    def rates(learning_rate):
        gradient = make_optimizer(training, STEPS, learning_rate=learning_rate)
        start = gradient.init(jnp.zeros(1))
        counts = jnp.arange(STEPS)

        def update(count):
            state = jax.tree.map(
                lambda leaf: leaf + count.astype(leaf.dtype) * (leaf.ndim == 0), start
            )
            return gradient.update(jnp.ones(1), state, jnp.zeros(1))[0][0]

        return jax.lax.map(update, counts) / -1.9  # Nesterov momentum 0.9 of the first gradient

    warm_up_steps = round(warm_up / training.epochs * STEPS)
    start = 0.0 if warm_up_steps else 0.7
    schedule = optax.warmup_cosine_decay_schedule(start, 0.7, warm_up_steps, STEPS)
    np.testing.assert_allclose(
        rates(0.7), [schedule(i) for i in range(STEPS)], rtol=1e-5, atol=1e-7
    )
    np.testing.assert_allclose(jax.jit(rates)(jnp.float32(0.7)), rates(0.7), rtol=1e-5, atol=1e-7)
