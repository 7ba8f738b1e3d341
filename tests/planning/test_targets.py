"""Targets by name, and the messages for those that do not exist or lack their compiler."""

import os
from importlib.util import find_spec

import pytest

from aejax.planning import topology_devices
from aejax.planning.targets import CHIPS, find_target
from aejax.planning.topology_devices import target_devices


@pytest.mark.parametrize(
    ("name", "kind", "devices"),
    [
        ("v5e:16x16", "v5e", 256),
        ("v5p:8x8x8", "v5p", 512),
        ("h100", "h100", 1),
        ("h100:8", "h100", 8),
    ],
)
def test_targets_are_found_by_name(name, kind, devices):
    found = find_target(name)
    assert (found.kind, found.devices, found.chip) == (kind, devices, CHIPS[kind])


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("v9:2x2", "no target 'v9:2x2'; targets are such as v5e:16x16"),
        ("", "no target ''"),
        ("v5e", "the chips of v5e have a topology of 2 sizes, got 'v5e'; targets are such as v5e:"),
        ("v5p:2x2", "the chips of v5p have a topology of 3 sizes"),
        ("h100:2x2", "h100 is followed by the number of its chips alone"),
        ("v5e:16x32", "v5e has at most 16x16 connected chips, got 'v5e:16x32'"),
        ("h100:9", "h100 has at most 8 connected chips"),
        ("v5e:0x4", "1 device or more along each axis"),
        ("v5e:3x2", "a TPU host has 2 × 2 chips, so the first two axes are 1 or even"),
    ],
)
def test_other_names_are_refused(name, message):
    with pytest.raises(ValueError, match=message):
        find_target(name)


@pytest.mark.parametrize(("name", "extra"), [("v5e:2x2", "plan-tpu"), ("a100", "plan-gpu")])
def test_without_its_compiler_the_message_says_what_to_install(name, extra, monkeypatch):
    monkeypatch.setattr(topology_devices, "find_spec", lambda _: None)
    with pytest.raises(ValueError, match=rf"pip install 'aejax\[{extra}\]'"):
        target_devices(find_target(name))


def test_a_compiler_that_jax_did_not_load_when_it_started_is_explained(monkeypatch):
    def refuse(*_, **__):
        raise NotImplementedError("topology not implemented for cuda")

    monkeypatch.setattr(topology_devices, "find_spec", lambda _: True)
    monkeypatch.setattr("jax.experimental.topologies.get_topology_desc", refuse)
    with pytest.raises(ValueError, match="set the environment variable JAX_PLATFORMS=cpu before"):
        target_devices(find_target("h100"))
    assert "JAX_SKIP_CUDA_CONSTRAINTS_CHECK" not in os.environ


def test_the_cpu_of_this_machine_is_a_target():
    (device,) = target_devices(find_target("cpu"))
    assert device.platform == "cpu"
    with pytest.raises(ValueError, match="set JAX_NUM_CPU_DEVICES=64"):
        target_devices(find_target("cpu:64"))


def test_a_program_can_use_what_the_compiler_or_jax_leaves_to_it():
    gib = 2**30
    assert CHIPS["v5e"].usable == 15.75 * gib
    assert CHIPS["h100"].usable == pytest.approx(0.75 * CHIPS["h100"].memory, rel=0.02)
    for name, chip in CHIPS.items():
        assert chip.usable <= 1.01 * chip.memory, name
        assert chip.usable_source, name


@pytest.mark.skipif(find_spec("libtpu") is None, reason="XLA's compiler for TPUs is not installed")
@pytest.mark.parametrize("name", ["v4:2x2x1", "v5p:2x2x1", "v5e:1x1", "v5e:1x2", "v6e:2x2"])
def test_the_devices_of_a_tpu_are_its_chips(name):
    found = find_target(name)
    assert len(target_devices(found)) == found.devices
