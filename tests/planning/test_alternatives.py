"""Meshes of a target, and changes that make a step fit, in their order."""

import jax
import optax
import pytest

import aejax
from aejax import losses
from aejax.planning import alternatives
from aejax.planning.alternatives import Setting, meshes, remedies, remedy, search
from aejax.planning.compiled_steps import CACHED_SECONDS
from aejax.planning.targets import find_target

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
    assert [each.parts for each in found[2:4]] == [4, 16]
    sizes = [each.batch_size for each in found]
    assert sizes == sorted(sizes, reverse=True)
    assert len(set(found)) == len(found)
    for each in found:
        assert each.batch_size % (8 // each.model * each.parts) == 0


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
    monkeypatch.setattr(alternatives, "find_target", lambda _: find_target("cpu:3"))
    with pytest.raises(ValueError, match="no mesh of 3 devices can share a batch of 128"):
        search(OBJECTIVE, optax.sgd(0.1), X, target="cpu", batch_size=128)


@pytest.mark.parametrize("batch_size", [0, -3])
def test_a_batch_size_that_is_no_count_is_refused(batch_size):
    with pytest.raises(ValueError, match="batch"):
        search(OBJECTIVE, optax.sgd(0.1), X, target="cpu", batch_size=batch_size)
