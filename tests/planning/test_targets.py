"""Targets by name, and the messages for those that do not exist or lack their compiler."""

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
        ("v5e", "the topology of v5e has 2 axes, got 'v5e'"),
        ("v5p:2x2", "the topology of v5p has 3 axes"),
        ("h100:2x2", "the topology of h100 has 1 axes"),
        ("v5e:0x4", "1 device or more along each axis"),
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


def test_the_cpu_of_this_machine_is_a_target():
    (device,) = target_devices(find_target("cpu"))
    assert device.platform == "cpu"
    with pytest.raises(ValueError, match="set JAX_NUM_CPU_DEVICES=64"):
        target_devices(find_target("cpu:64"))
