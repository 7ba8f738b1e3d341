"""Default arguments have their documented values, seen through behaviour."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from jax.sharding import AbstractMesh, NamedSharding

import aejax
from aejax import Batch, checkpoints, corruptions, data, losses, sharding, training
from aejax.layers.batch_normalisation import batch_normalisation, init_batch_normalisation

KEY = jax.random.key(0)
MODEL = aejax.dense((4, 2))
OBJECTIVE = aejax.objective(MODEL, losses.squared)


@pytest.mark.parametrize(("examples", "steps"), [(128, 1), (129, 2)])
def test_batch_size_defaults_to_128(examples, steps):
    x = jnp.zeros((examples, 4))
    optimizer = optax.sgd(0.1)
    _, history = training.fit(OBJECTIVE, optimizer, Batch(x), epochs=1, key=KEY)
    _, (layer,) = training.pretrain([(OBJECTIVE, optimizer)], x, key=KEY, epochs=1)
    assert history[0]["step"] == layer[0]["step"] == steps
    states, _ = training.fit_population(
        lambda rate: (OBJECTIVE, optax.sgd(rate)),
        Batch(x),
        hyperparameters=jnp.asarray([0.1, 0.2]),
        key=KEY,
        epochs=1,
    )
    assert states.step.tolist() == [steps, steps]


def test_three_checkpoints_are_kept_by_default(tmp_path):
    state = training.init_state(OBJECTIVE, optax.sgd(0.1), KEY)
    for step in range(5):
        checkpoints.save(
            tmp_path,
            state._replace(step=jnp.int32(step)),
            configuration={},
            normalisation=data.Normalisation(np.zeros(4), np.ones(4)),
        )
    assert checkpoints.steps(tmp_path) == [2, 3, 4]


def test_salt_defaults_to_one_and_pepper_to_zero():
    noisy = corruptions.salt_and_pepper(rate=1.0)(KEY, jnp.full((50, 4), 0.5))
    assert set(np.unique(noisy).tolist()) == {0.0, 1.0}


def test_batch_normalisation_epsilon_defaults_to_1e_5():
    x = jnp.sqrt(1e-5) * jnp.asarray([[-1.0], [1.0]])
    found = batch_normalisation(init_batch_normalisation(1), x)
    np.testing.assert_allclose(found, [[-(0.5**0.5)], [0.5**0.5]], rtol=1e-5)


def test_photos_defaults_to_10000_train_and_2500_test_patches_of_12_pixels():
    found, first = data.photos(), data.photos(train=10_000, test=2_500, seed=0)
    assert found.x_train.shape == (10_000, 12, 12)
    assert found.x_test.shape == (2_500, 12, 12)
    np.testing.assert_array_equal(found.x_train, first.x_train)


def test_shapes_default_to_16_pixels_with_noise_of_0_2():
    images, labels = data.shapes(KEY, examples=200)
    assert images.shape == (200, 16, 16, 1)
    ground = np.asarray(images)[..., 0][np.asarray(labels) == 0]
    assert abs(ground.std() - 0.2) < 5 * 0.2 / np.sqrt(2 * len(ground))  # five standard errors


def test_refinement_defaults_to_four_steps_of_rate_0_03():
    x = jax.random.uniform(jax.random.key(1), (3, 4))
    params, loss = MODEL.init(KEY), losses.squared
    code = MODEL.encode(params, x)
    for _ in range(4):
        (slope,) = jax.grad(lambda h: jnp.sum(jnp.square(MODEL.decode(params, h) - x)), (0,))(code)
        code = code - 0.03 * slope
    found = aejax.refined(MODEL, loss).encode(params, x)
    np.testing.assert_allclose(found, code, rtol=1e-5)


MESH = AbstractMesh((4, 2), ("data", "model"))


def is_sharded(placement, *shape: int) -> bool:
    found = placement.array(jax.ShapeDtypeStruct(shape, jnp.float32))
    assert isinstance(found, NamedSharding)
    return any(found.spec)


def test_layers_of_1024_units_and_arrays_of_4096_elements_are_sharded_by_default():
    model = sharding.tensor_parallel(MESH)
    assert is_sharded(model, 4, 1024)
    assert not is_sharded(model, 4, 1022)
    assert not is_sharded(model, 1024)  # a bias
    full = sharding.fully_sharded(sharding.data_parallel(MESH))
    assert is_sharded(full, 4096)
    assert not is_sharded(full, 4092)
    assert not is_sharded(sharding.data_parallel(MESH), 4096)


def test_the_model_axis_of_a_mesh_defaults_to_one_device():
    assert sharding.make_mesh(devices=jax.devices()).shape["model"] == 1
