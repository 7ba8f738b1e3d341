"""Measurements of examples divided among eight virtual devices; `eight_devices.py` prints them."""

from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax

import aejax
from aejax import Batch, losses, sharding, training
from aejax.sharding import example_exchange
from aejax.training import Placement
from aejax.training.batches import Data, DividedData
from aejax.training.placement import place_objective, put_data
from aejax.types import Array

WIDE = aejax.objective(aejax.dense((64, 8)), losses.bernoulli)
LARGE = (2**15 + 5, 64)
"""Shape of examples of 8 MiB, which are not a multiple of eight."""


def examples(count: int) -> Batch:
    """Random examples of three dtypes, among them negative zeros."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=(count, 3, 2)).astype(np.float32)
    x[::5] = -0.0
    return Batch(x, rng.integers(9, size=count, dtype=np.int32), rng.random(count) > 0.5)  # type: ignore[arg-type]


def read_in_order(
    placement: Placement, batch_size: int, data: Data, order: Array
) -> tuple[Batch, Array]:
    """All examples in the order in which a scan reads them, and the index of each step."""

    def read(carry: tuple[Array, Batch], batch: Batch) -> tuple[tuple[Array, Batch], Array]:
        start, seen = carry
        write = partial(jax.lax.dynamic_update_slice_in_dim, start_index=start, axis=0)
        return (start + len(batch.x), jax.tree.map(write, seen, batch)), start // batch_size

    part = data.blocks if isinstance(data, DividedData) else data
    seen = jax.tree.map(lambda x: jnp.zeros((len(order), *x.shape[1:]), x.dtype), part)
    (_, seen), steps = placement.scan(read, (jnp.int32(0), seen), data, order, batch_size)
    return seen, steps


def exchanges() -> list[dict[str, Any]]:
    """Whether the bytes of all batches are those of the examples in this order."""
    cases = []
    for model, count, batch_size, size in ((1, 83, 16, 400), (2, 36, 8, 2**22), (1, 7, 16, 2**22)):
        example_exchange.EXCHANGE_BYTES = size
        placement, data = sharding.data_parallel(sharding.make_mesh(model=model)), examples(count)
        read = jax.jit(partial(read_in_order, placement, batch_size))
        divided = put_data(placement, data)
        stored = {shard.data.shape[0] for shard in jax.tree.leaves(divided)[0].addressable_shards}
        orders = {
            "random": np.random.default_rng(1).permutation(count),
            "sequential": np.arange(count),  # each batch comes from one device
        }
        for name, order in orders.items():
            seen, steps = read(divided, order)
            assert steps.tolist() == list(range(-(-count // batch_size)))
            equal = [
                np.asarray(found).tobytes() == np.asarray(array)[order].tobytes()
                for found, array in zip(seen, data, strict=True)
            ]
            cases.append(
                {
                    "examples": count,
                    "devices": placement.shares,
                    "order": name,
                    "equal": all(equal),
                    "stored": max(stored),
                }
            )
    example_exchange.EXCHANGE_BYTES = 2**22
    return cases


def epoch_of_large_data() -> dict[str, Any]:
    """Memory of a device in an epoch of `LARGE` examples, and the collectives of its program."""
    placement, optimizer = sharding.data_parallel(sharding.make_mesh()), optax.sgd(0.1)
    state = training.init_state(WIDE, optimizer, jax.random.key(0))
    data = put_data(placement, Batch(np.zeros(LARGE, np.float32)))  # type: ignore[arg-type]
    example_exchange.EXCHANGE_BYTES = 2**16
    epoch = partial(
        training.epoch,
        place_objective(placement, WIDE),
        optimizer,
        batch_size=128,
        scan=placement.scan,
    )
    program = jax.jit(epoch).lower(training.place_state(placement, state), data).compile()
    example_exchange.EXCHANGE_BYTES = 2**22
    memory = program.memory_analysis()
    return {
        "bytes": int(np.prod(LARGE)) * 4,
        "arguments": memory.argument_size_in_bytes,
        "temporaries": memory.temp_size_in_bytes,
        "collectives": sharding.collectives(program),
    }


def own_division() -> dict[str, bool]:
    """Training on examples that the user has divided, and on the same examples in host memory."""
    placement = sharding.data_parallel(sharding.make_mesh())
    x = np.random.default_rng(0).uniform(size=(40, 64)).astype(np.float32)
    own = jax.device_put(x, placement.batch)
    results = [
        training.fit(
            WIDE,
            optax.adam(1e-2),
            data,
            key=0,
            epochs=3,
            batch_size=16,
            validation=data[:24],
            placement=placement,
        )
        for data in (x, own)
    ]
    (host, of_host), (divided, of_divided) = results
    same = jax.tree.map(
        lambda a, b: np.asarray(a).tobytes() == np.asarray(b).tobytes(), host.params, divided.params
    )
    losses_of = [[r["validation"]["loss"] for r in records] for records in (of_host, of_divided)]
    return {"params": all(jax.tree.leaves(same)), "validation": losses_of[0] == losses_of[1]}


def refusal() -> str:
    """Error of training without a placement on examples that the user has divided."""
    mesh = sharding.make_mesh()
    x = jax.device_put(jnp.ones((16, 64)), sharding.data_parallel(mesh).batch)
    try:
        training.fit(WIDE, optax.sgd(0.1), x, key=0, epochs=1)
    except ValueError as error:
        return str(error)
    return ""
