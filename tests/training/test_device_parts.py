"""Gradients accumulated by eight devices: results of one device, one reduction per step."""

import jax
import jax.numpy as jnp
import pytest

import aejax
from aejax import Batch, losses, sharding, training
from aejax.training.device_parts import place_gradient
from tests.eight_virtual_devices import on_eight_devices

MODULE = "tests.training.eight_device_parts"


@pytest.fixture(scope="module")
def eight():
    return on_eight_devices(MODULE)


def check_differences(found: list[dict]) -> None:
    for case in found:
        assert case["params"] < 1e-5, case
        assert case["measurements"] < 1e-5, case


def check_communication(found: list[dict]) -> None:
    kernels, terms = 6, 1.001  # the sums of the loss and the norm are sent too
    for case in found:
        if case["placement"] == "data parallel":
            assert case["collectives"] == {"all-reduce": 1}, case
            assert 1 <= case["sent"] / case["ideal"] < terms, case
        else:
            each_part = kernels * case["parts"]
            assert case["collectives"]["all-gather"] == each_part, case
            assert case["collectives"]["reduce-scatter"] == each_part, case


def test_parts_of_eight_devices_give_the_results_of_one(eight):
    assert len(eight["differences"]) == 1
    check_differences(eight["differences"])


def test_whole_gradients_are_summed_once_per_step_whatever_the_number_of_parts(eight):
    assert len(eight["communication"]) == 2
    check_communication(eight["communication"])


@pytest.mark.slow
def test_every_placement_gives_the_results_of_one_device():
    found = on_eight_devices(MODULE, "--every")
    assert len(found["differences"]) == 8
    check_differences(found["differences"])
    assert len(found["communication"]) == 4
    check_communication(found["communication"])


def test_only_accumulated_gradients_of_shared_batches_are_changed():
    mesh = jax.sharding.AbstractMesh((4, 2), ("data", "model"))
    parts = training.accumulated(part_size=2)
    assert parts == training.accumulated(part_size=2)
    assert (
        place_gradient(sharding.data_parallel(mesh), training.whole_batch) is training.whole_batch
    )
    assert place_gradient(training.ONE_DEVICE, parts) is parts
    assert place_gradient(sharding.data_parallel(mesh), parts) is not parts


def test_a_batch_that_is_no_multiple_of_the_devices_parts_is_accumulated_as_before():
    objective = aejax.objective(aejax.dense((6, 4)), losses.bernoulli)
    params, key = objective.model.init(jax.random.key(0)), jax.random.key(1)
    batch, parts = Batch(jnp.full((10, 6), 0.5)), training.accumulated(part_size=2)
    mesh = jax.sharding.AbstractMesh((4, 2), ("data", "model"))
    gradient = place_gradient(sharding.data_parallel(mesh), parts)
    found, expected = (each(objective, params, batch, key) for each in (gradient, parts))
    assert jax.tree.all(jax.tree.map(lambda a, b: bool(jnp.array_equal(a, b)), found, expected))
