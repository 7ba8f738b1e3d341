"""On which devices a run is computed: of this process, or of several that train together."""

import os
from dataclasses import dataclass
from typing import Literal

import jax
import numpy as np
from jax.experimental import multihost_utils

from aejax import sharding
from aejax.training import ONE_DEVICE, Placement


@dataclass(frozen=True)
class Devices:
    """On which devices a run is computed; its numbers are those of one device."""

    mesh: Literal["none", "data", "sharded"] = "none"
    """one device; or all of all processes, which share each batch; or share parameters and
    optimiser state besides"""
    model: int = 1
    """of a mesh: devices among which layers of 1024 units and more are divided"""
    coordinator: str | None = None
    """host:port of process 0, the same for all processes; JAX_COORDINATOR_ADDRESS unless given"""
    processes: int | None = None
    """that train together, each started by itself; JAX_NUM_PROCESSES, or as a cluster's environment
    says, unless given"""
    process_id: int | None = None
    """of this one, from 0 on; JAX_PROCESS_ID, or as a cluster's environment says, unless given"""


def initialize_distributed(devices: Devices) -> None:
    """Meet the other processes, where there are any; ValueError where they would not share work."""
    address = devices.coordinator or os.environ.get("JAX_COORDINATOR_ADDRESS")
    if address is None and devices.processes is None:
        return
    if devices.mesh == "none":
        raise ValueError("several processes share a mesh: say --mesh data or --mesh sharded")
    if address is None:
        raise ValueError("several processes meet at process 0: say --coordinator HOST:PORT")
    if not jax.distributed.is_initialized():
        jax.distributed.initialize(
            address,
            devices.processes or _number("JAX_NUM_PROCESSES"),
            _number("JAX_PROCESS_ID") if devices.process_id is None else devices.process_id,
        )


def is_main_process() -> bool:
    """Whether this process is the one that writes for all."""
    return jax.process_index() == 0


def make_placement(devices: Devices) -> Placement:
    """Where the arrays of a run lie; ValueError where the devices cannot be divided so."""
    if devices.mesh == "none":
        if devices.model != 1:
            raise ValueError("--model divides layers among the devices of a mesh: say --mesh data")
        return ONE_DEVICE
    mesh = sharding.make_mesh(model=devices.model)
    split = devices.model > 1
    placement = sharding.tensor_parallel(mesh) if split else sharding.data_parallel(mesh)
    return placement if devices.mesh == "data" else sharding.fully_sharded(placement)


def max_over_processes(number: int) -> int:
    """The greatest of the numbers that the processes give: what one was asked, all are."""
    if jax.process_count() == 1:
        return number
    return int(np.max(multihost_utils.process_allgather(np.int32(number))))


def _number(name: str) -> int | None:
    text = os.environ.get(name)
    if text is None:
        return None
    if not text.isdecimal():
        raise ValueError(f"{name} must be a number, got {text!r}")
    return int(text)
