"""Placements on meshes: unchanged results, partition specs, communication, refused arguments."""

import jax
import jax.numpy as jnp
import optax
import pytest
from jax.sharding import PartitionSpec as P

import aejax
from aejax import Batch, checkpoints, losses, sharding, training
from tests.sharding.eight_devices import OBJECTIVES, OPTIMIZER, digest


def check_differences(found: list[dict]) -> None:
    for case in found:
        assert case["measurements"] < 5e-6, case
        assert case["params"] < 5e-5, case
        if case["objective"] not in OBJECTIVES:
            continue  # its layers are too small to be divided
        wanted = {
            "data parallel": (1, 1),
            "fully sharded": (1 / 8, 1 / 5),
            "tensor parallel": (1 / 2, 0.55),
            "fully sharded, tensor parallel": (1 / 8, 1 / 5),
        }
        low, high = wanted[case["placement"]]
        assert low <= case["share"] <= high, case


def check_communication(found: list[dict]) -> None:
    highest = {"data parallel": 1.001, "tensor parallel": 1.25}
    for row in found:
        assert 1 <= row["ratio"] <= highest.get(row["placement"], 1.5), row
        if row["placement"] == "data parallel":
            whole_batch = 1 if row["objective"] == "sparse" else 0  # reduction of ρ̂
            assert row["collectives"] == {"all-reduce": 1 + whole_batch}


def test_40_steps_on_eight_devices_equal_those_on_one(eight):
    assert eight["devices"] == 8
    assert len(eight["differences"]) == 2
    check_differences(eight["differences"])


@pytest.mark.parametrize("name", ["sparsity", "reconstruction"])
def test_batch_terms_are_those_of_the_global_batch(eight, name):
    """ρ̂ of KL sparsity, and the moments of batch normalisation."""
    term = eight["batch terms"][name]
    assert term["mesh"] == pytest.approx(term["whole"], rel=1e-5)
    assert abs(term["own parts"] - term["whole"]) > 0.01 * term["whole"]


def test_moments_merged_across_eight_devices_equal_those_of_all_data(eight):
    answer = eight["moments"]
    assert answer["parts"] == 8
    assert answer["mean"] < 1e-14
    assert answer["covariance"] < 1e-13


def test_a_population_divided_among_devices_equals_that_of_one(eight):
    assert eight["population"] < 1e-5


def test_a_state_that_is_changed_before_epochs_stays_on_all_devices(eight):
    assert eight["changed before epochs"] < 1e-4


def test_a_checkpoint_of_eight_devices_is_restored_on_four_and_on_one(eight, folder):
    answer = eight["restored"]
    assert answer["saved"] == answer["restored"]
    assert answer["in place"]
    like = training.init_state(OBJECTIVES["dense"], OPTIMIZER, jax.random.key(9))
    restored, _ = checkpoints.restore(folder, like)
    assert digest(restored) == answer["saved"] != digest(like)
    assert all(leaf.devices() == {jax.devices()[0]} for leaf in jax.tree.leaves(restored))


def test_a_data_parallel_step_sums_the_gradients_once(eight):
    (row,) = eight["communication"]
    check_communication([row])


@pytest.mark.slow
def test_dictionaries_and_their_trackers_are_those_of_one_device(every):
    assert len(every["dictionaries"]) == 8
    for case in every["dictionaries"]:
        assert case["params"] < 5e-5, case
        assert case["same tracker"], case


@pytest.mark.slow
def test_every_sharding_of_every_model_trains_like_one_device(every):
    assert len(every["differences"]) == 16
    check_differences(every["differences"])


@pytest.mark.slow
def test_every_sharding_has_the_expected_communication(every):
    assert len(every["communication"]) == 8
    check_communication(every["communication"])


@pytest.mark.slow
def test_devices_share_the_work_and_states_are_initialised_sharded(every):
    assert every["work of an epoch"] < 0.2
    assert every["born sharded"]["difference"] < 1e-6
    assert every["born sharded"]["share"] < 0.2


def shape(*sizes: int) -> jax.ShapeDtypeStruct:
    return jax.ShapeDtypeStruct(sizes, jnp.float32)


def spec(placement: training.Placement, *sizes: int) -> P:
    return placement.array(shape(*sizes)).spec  # type: ignore[union-attr]


@pytest.fixture
def mesh():
    """A mesh of abstract devices, which suffices for partition specs."""
    return jax.sharding.AbstractMesh((4, 2), ("data", "model"))


def test_wide_layers_are_split_along_their_wider_side(mesh):
    placement = sharding.tensor_parallel(mesh, wide=100)
    assert spec(placement, 50, 100) == P(None, "model")
    assert spec(placement, 200, 100) == P("model")
    assert spec(placement, 100, 100) == P(None, "model")
    assert spec(placement, 201, 100) == P(None, "model")  # two devices cannot share 201 units
    assert spec(placement, 100) == P()  # a bias
    assert spec(placement, 100, 50) == P("model")
    assert spec(placement, 100, 200) == P(None, "model")
    assert spec(placement, 3, 3, 64, 128) == P(None, None, None, "model")
    assert spec(placement, 50, 101) == P()  # two devices cannot share 101 units
    assert spec(placement, 50, 98) == P()
    assert spec(placement) == P()


def test_large_arrays_are_divided_into_whole_tiles_or_else_along_their_shorter_axis(mesh):
    placement = sharding.fully_sharded(sharding.data_parallel(mesh), least=64)
    assert spec(placement, 16, 32) == P("data", None)  # the shorter axis
    assert spec(placement, 16, 512) == P(None, "data")  # four parts of 128 columns
    assert spec(placement, 32, 512) == P("data", None)  # four parts of 8 rows
    assert spec(placement, 15, 32) == P(None, "data")
    assert spec(placement, 32, 17) == P("data", None)
    assert spec(placement, 32) == P(None)  # below the minimum size
    assert spec(placement, 33, 35) == P(None, None)
    both = sharding.fully_sharded(sharding.tensor_parallel(mesh, wide=32), least=64)
    assert spec(both, 16, 32) == P("data", "model")


def test_a_mesh_of_one_device_behaves_like_that_device():
    objective = aejax.objective(aejax.dense((6, 3)), losses.squared)
    x = jax.random.uniform(jax.random.key(0), (10, 6))
    runs = [
        training.fit(
            objective,
            optax.sgd(0.1),
            Batch(x),
            key=jax.random.key(1),
            epochs=2,
            batch_size=4,
            **put,
        )
        for put in ({}, {"placement": sharding.data_parallel(sharding.make_mesh())})
    ]
    assert runs[0][1][-1]["loss"] == pytest.approx(runs[1][1][-1]["loss"], rel=1e-6)


def test_indivisible_sizes_are_refused(mesh):
    with pytest.raises(ValueError, match="model must divide the number of devices, 1, got 3"):
        sharding.make_mesh(model=3)
    with pytest.raises(ValueError, match="needs a placement on a mesh"):
        sharding.fully_sharded(training.ONE_DEVICE)
    objective = aejax.objective(aejax.dense((6, 3)), losses.squared)
    with pytest.raises(ValueError, match="multiple of 4, the number of devices that share"):
        training.fit(
            objective,
            optax.sgd(0.1),
            Batch(jnp.ones((9, 6))),
            key=jax.random.key(0),
            epochs=1,
            batch_size=6,
            placement=sharding.data_parallel(mesh),
        )
