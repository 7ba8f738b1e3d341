"""Devices that a run is computed on, in one process or in several (`jax.distributed`)."""

import os
from dataclasses import dataclass
from typing import Literal

import jax

from aejax import sharding
from aejax.training import ONE_DEVICE, Placement


@dataclass(frozen=True)
class Devices:
    """Devices that a run is computed on. The choice does not change the results."""

    mesh: Literal["none", "data", "sharded"] = "none"
    """none: one device; data: split the examples over all devices; sharded: parameters too"""
    model: int = 1
    """number of devices that share each layer of 1024 units or more; requires --mesh"""
    coordinator: str | None = None
    """host:port of process 0; None: JAX_COORDINATOR_ADDRESS"""
    processes: int | None = None
    """number of processes; None: JAX_NUM_PROCESSES or the cluster's environment"""
    process_id: int | None = None
    """index of this process, from 0; None: JAX_PROCESS_ID or the cluster's environment"""


def initialize_distributed(devices: Devices) -> None:
    """Connect to the other processes, if any; ValueError if they would not share a mesh."""
    address = devices.coordinator or os.environ.get("JAX_COORDINATOR_ADDRESS")
    if address is None and devices.processes is None:
        return
    if devices.mesh == "none":
        raise ValueError("several processes must share a mesh: say --mesh data or --mesh sharded")
    if address is None:
        raise ValueError("several processes connect to process 0: say --coordinator HOST:PORT")
    if not jax.distributed.is_initialized():
        jax.distributed.initialize(
            address,
            devices.processes or _environment_integer("JAX_NUM_PROCESSES"),
            _environment_integer("JAX_PROCESS_ID")
            if devices.process_id is None
            else devices.process_id,
        )


def make_placement(devices: Devices) -> Placement:
    """Placement of the arrays of a run; ValueError if the devices cannot be divided as required."""
    if devices.mesh == "none":
        if devices.model != 1:
            raise ValueError("--model divides layers among the devices of a mesh: say --mesh data")
        return ONE_DEVICE
    return sharding.placement_on(jax.devices(), model=devices.model, sharded=devices.mesh != "data")


def _environment_integer(name: str) -> int | None:
    """Value of an environment variable, or None if it is not set."""
    text = os.environ.get(name)
    if text is None:
        return None
    if not text.isdecimal():
        raise ValueError(f"{name} must be a non-negative integer, got {text!r}")
    return int(text)
