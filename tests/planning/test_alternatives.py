"""Meshes of a target, and changes that make a step fit, in their order."""

from functools import partial

import jax
import optax
import pytest

import aejax
from aejax import losses, sharding
from aejax.planning import alternatives
from aejax.planning.alternatives import Setting, meshes, remedies, remedy, search
from aejax.planning.compiled_steps import CACHED_SECONDS, abstract_state
from aejax.planning.mesh_estimates import estimate_step
from aejax.planning.targets import CHIPS

OBJECTIVE = aejax.objective(aejax.dense((64, 16)), losses.bernoulli)
X = jax.ShapeDtypeStruct((1024, 64), "float32")


def test_meshes_use_every_device_and_divide_each_state_once():
    assert meshes(1) == [(1, False)]
    assert meshes(4) == [(1, False), (1, True), (2, False), (2, True), (4, False)]
    assert {model for model, _ in meshes(12)} == {1, 2, 4}


def test_remedies_change_the_batch_last():
    setting = Setting(model=2, sharded=False, batch_size=1024)
    found = list(remedies(setting, devices=8))
    assert found[0] == setting._replace(sharded=True)
    assert found[1].rematerialised
    assert [each.part_size for each in found[2:4]] == [64, 16]
    sizes = [each.batch_size for each in found]
    assert sizes == sorted(sizes, reverse=True)
    assert len(set(found)) == len(found)
    for each in found:
        assert each.batch_size % (8 // each.model * max(1, each.part_size)) == 0


def test_the_first_remedy_that_fits_is_returned(monkeypatch):
    real = alternatives.plan

    def tight(*arguments, **options):
        found = real(*arguments, **options)
        return found._replace(fits=found.memory.temporaries < 250_000)

    monkeypatch.setattr(alternatives, "plan", tight)
    setting, tried = Setting(1, False, 1024), []
    found = remedy(
        OBJECTIVE, optax.sgd(0.1), X, target="cpu", setting=setting, progress=tried.append
    )
    assert found == tried[-1]
    assert found.plan.fits
    assert not any(each.plan.fits for each in tried[:-1])


def test_a_search_ranks_every_mesh():
    before = getattr(jax.config, CACHED_SECONDS)
    (found,) = search(OBJECTIVE, optax.sgd(0.1), X, target="cpu", batch_size=128)
    assert found.setting == Setting(1, False, 128)
    assert found.plan.fits
    assert getattr(jax.config, CACHED_SECONDS) == before


def test_a_search_without_a_mesh_that_can_share_the_batch_is_refused(monkeypatch):
    monkeypatch.setattr(alternatives, "meshes", lambda _: [(1, False)])
    monkeypatch.setattr(alternatives, "target_devices", lambda _: jax.devices() * 3)
    with pytest.raises(ValueError, match="no mesh of 3 devices can share a batch of 128"):
        search(OBJECTIVE, optax.sgd(0.1), X, target="cpu", batch_size=128)


@pytest.mark.parametrize("batch_size", [0, -3])
def test_a_batch_size_that_is_no_count_is_refused(batch_size):
    with pytest.raises(ValueError, match="batch"):
        search(OBJECTIVE, optax.sgd(0.1), X, target="cpu", batch_size=batch_size)


def test_a_search_compiles_the_meshes_with_the_least_estimated_time(monkeypatch):
    """As many as are asked for, and the next ones if none of them fits."""
    monkeypatch.setattr(alternatives, "target_devices", lambda _: jax.devices() * 8)
    monkeypatch.setattr(alternatives, "placement_on", partial(fake_placement, wide=16))
    real = alternatives.plan
    plan = real(OBJECTIVE, optax.sgd(0.1), X, target="cpu", batch_size=128)
    tried = []

    def planned(*_, place, **__):
        tried.append((place.keywords["model"], place.keywords["sharded"]))
        return plan._replace(fits=len(tried) > 2)

    monkeypatch.setattr(alternatives, "plan", planned)
    found = search(OBJECTIVE, optax.sgd(0.1), X, target="v5e:4x2", batch_size=2**16, compiled=2)
    assert len(found) == len(tried) == 4
    assert [each.plan.fits for each in found].count(True) == 2
    assert set(tried[:2]) == {(1, True), (1, False)}  # layers are narrow, and the batch is large
    # Without a layer that it can split, the axis "model" would repeat the work of each device.
    tried.clear()
    monkeypatch.setattr(alternatives, "placement_on", partial(fake_placement, wide=1024))
    search(OBJECTIVE, optax.sgd(0.1), X, target="v5e:4x2", batch_size=2**16, compiled=8)
    assert set(tried) == {(1, True), (1, False)}
    with pytest.raises(ValueError, match="no mesh of 8 devices can share a batch of 12 examples"):
        search(OBJECTIVE, optax.sgd(0.1), X, target="v5e:4x2", batch_size=12)


def fake_placement(devices, *, model, wide=1024, sharded=False):
    mesh = jax.sharding.AbstractMesh((len(devices) // model, model), ("data", "model"))
    placement = (
        sharding.tensor_parallel(mesh, wide=wide) if model > 1 else sharding.data_parallel(mesh)
    )
    return sharding.fully_sharded(placement, least=16) if sharded else placement


def test_a_search_that_would_compile_no_mesh_is_refused():
    with pytest.raises(ValueError, match="compiled must be at least one mesh, got 0"):
        search(OBJECTIVE, optax.sgd(0.1), X, target="cpu", batch_size=128, compiled=0)


def test_estimates_follow_from_the_shardings():
    wide = aejax.objective(aejax.dense((64, 2048)), losses.bernoulli)
    chip, kernel = CHIPS["v5e"], 64 * 2048
    for model, share in ((1, 1), (4, 4)):
        placement = fake_placement(range(8), model=model, sharded=False)
        state = abstract_state(wide, optax.sgd(0.1), placement)
        found = estimate_step(state, chip._replace(bandwidth=1e30, links=1e30), 2**20)
        examples = 2**20 * model / 8
        assert found.seconds == pytest.approx(2 * 3 * 2 * kernel / share * examples / chip.float32)
        assert found.state == pytest.approx(4 * 2 * kernel / share, rel=0.05)
