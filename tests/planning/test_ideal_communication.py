"""The least bytes of a step against hand counts, from abstract meshes."""

import jax
import optax
import pytest
from jax.sharding import AbstractMesh

import aejax
from aejax import losses, planning, sharding

BATCH = 64


def ideal(sizes, place, mesh):
    objective = aejax.objective(aejax.dense(sizes), losses.squared)
    placement = place(AbstractMesh(mesh, ("data", "model")))
    state = planning.abstract_state(objective, optax.sgd(0.1), placement)
    return planning.ideal_communication(state.params, BATCH)


def test_data_parallel_training_sums_every_gradient_once():
    parameters = 2 * 8 * 4 + 4 + 8
    assert ideal((8, 4), sharding.data_parallel, (4, 1)) == pytest.approx(
        2 * 3 / 4 * 4 * parameters
    )
    assert ideal((8, 4), sharding.data_parallel, (1, 1)) == 0


def test_a_divided_state_needs_no_more():
    def both(mesh):
        return sharding.fully_sharded(sharding.data_parallel(mesh), least=16)

    expected = ideal((8, 4), sharding.data_parallel, (4, 1))
    assert ideal((8, 4), both, (4, 1)) == expected


def test_a_wide_code_sums_the_output_and_a_share_of_the_gradients():
    def split(mesh):
        return sharding.tensor_parallel(mesh, wide=16)

    kernels, biases = 2 * 8 * 32, 32 + 8
    gradients = 2 * 3 / 4 * (kernels / 2 + biases)
    output = 2 * 1 / 2 * 8 * BATCH / 4
    assert ideal((8, 32), split, (4, 2)) == pytest.approx(4 * (gradients + output))


def test_a_widening_layer_within_a_model_also_sums_the_gradient_of_its_input():
    def split(mesh):
        return sharding.tensor_parallel(mesh, wide=32)

    output_of_rows = 8 * BATCH  # [32, 8] of the encoder, divided by rows
    gradient_of_columns = 8 * BATCH  # [8, 32] of the decoder, divided by columns
    assert ideal((4, 32, 8), split, (1, 2)) == pytest.approx(
        4 * (output_of_rows + gradient_of_columns + 4 * BATCH)
    )


def test_parameters_on_one_device_are_not_sent():
    device = planning.one_device(jax.devices())
    objective = aejax.objective(aejax.dense((8, 4)), losses.squared)
    state = planning.abstract_state(objective, optax.sgd(0.1), device)
    assert planning.ideal_communication(state.params, BATCH) == 0
