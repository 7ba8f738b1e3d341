"""Devices of a target, described to XLA's compiler: no such device is needed to compile for it."""

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib.util import find_spec
from threading import Lock
from typing import Any

import jax

from aejax.planning.targets import Target

PLUGINS = {"tpu": ("libtpu",), "cuda": ("jax_cuda12_plugin", "jax_cuda13_plugin")}
"""Packages with the compiler for a platform, any of which serves."""

EXTRAS = {"tpu": "plan-tpu", "cuda": "plan-gpu"}
"""Extras of aejax that install them."""

_LOADING = Lock()
"""Held while JAX loads a compiler, which it can do once; `search` plans in several threads."""

# libtpu asks for the machine that it runs on, which is none of a TPU's, and admits one process at a
# time, because it expects to use the devices.
_TPU_ENVIRONMENT = {
    "ALLOW_MULTIPLE_LIBTPU_LOAD": "1",
    "TPU_SKIP_MDS_QUERY": "1",
    "TPU_ACCELERATOR_TYPE": "v5litepod-4",
    "TPU_WORKER_HOSTNAMES": "localhost",
}

_NO_CUDA_CHECK = "JAX_SKIP_CUDA_CONSTRAINTS_CHECK"
"""Environment variable with which JAX's CUDA plug-in does not ask the driver for its version."""

# Limits of a GPU in XLA's GpuTargetConfigProto, which NVIDIA's chips share.
_LIMITS = """
  threads_per_block_limit: 1024
  threads_per_warp: 32
  threads_per_core_limit: 2048
  shared_memory_per_block: 49152
  block_dim_limit_x: 2147483647
  block_dim_limit_y: 65535
  block_dim_limit_z: 65535
  registers_per_core_limit: 65536
  registers_per_block_limit: 65536
"""
_GPUS = {
    "a100": (
        "NVIDIA A100-SXM4-80GB",
        """
  cuda_compute_capability { major: 8 minor: 0 }
  core_count: 108
  fpus_per_core: 64
  clock_rate_ghz: 1.41
  shared_memory_per_core: 167936
  shared_memory_per_block_optin: 166912
  l2_cache_size: 41943040
  memory_bandwidth: 2039040000000
  device_memory_size: 85100068864
""",
    ),
    "h100": (
        "NVIDIA H100 80GB HBM3",
        """
  cuda_compute_capability { major: 9 minor: 0 }
  core_count: 132
  fpus_per_core: 128
  clock_rate_ghz: 1.98
  shared_memory_per_core: 233472
  shared_memory_per_block_optin: 232448
  l2_cache_size: 52428800
  memory_bandwidth: 3352320000000
  device_memory_size: 84978434048
""",
    ),
}
"""Name and description of each GPU, as XLA's runtime reports them on the device."""


def target_devices(target: Target) -> Sequence[Any]:
    """Devices of a target, for meshes and shardings of programs that are only compiled.

    Args:
        target: the target.

    Returns:
        Its devices. They cannot run a program.

    Raises:
        ValueError: if the compiler for the target is not installed, with the command that installs
            it; if JAX has started without it; or if the compiler has no such topology.
    """
    from jax.experimental import topologies

    platform = target.chip.platform
    if platform == "cpu":
        return _cpu_devices(target)
    if not any(map(find_spec, PLUGINS[platform])):
        raise ValueError(
            f"to compile for {target.name}, install XLA's compiler for it: pip install "
            f"'aejax[{EXTRAS[platform]}]' (no such device is needed)"
        )
    try:
        with _LOADING:
            if platform == "tpu":
                os.environ |= {k: v for k, v in _TPU_ENVIRONMENT.items() if k not in os.environ}
                return topologies.get_topology_desc(
                    f"{target.kind}:{'x'.join(map(str, target.shape))}",
                    "tpu",
                    **_tpu_options(target),
                ).devices
            with _without_cuda_driver():
                return topologies.get_topology_desc(
                    target.kind,
                    "cuda",
                    target_config=_gpu_description(target.kind),
                    topology=f"1x1x{target.devices}",
                ).devices
    except NotImplementedError as error:
        raise ValueError(
            f"JAX has already looked for accelerators and did not load the compiler for "
            f"{target.name}: set the environment variable JAX_PLATFORMS=cpu before Python starts"
        ) from error
    except jax.errors.JaxRuntimeError as error:
        reason = str(error).partition("\n")[0]
        raise ValueError(f"XLA has no topology {target.name}: {reason}") from error


@contextmanager
def _without_cuda_driver() -> Iterator[None]:
    """Let JAX load its CUDA plug-in, if it has not tried to, where no driver is installed."""
    if _NO_CUDA_CHECK in os.environ:
        yield
        return
    os.environ[_NO_CUDA_CHECK] = "1"
    try:
        yield
    finally:
        del os.environ[_NO_CUDA_CHECK]


def _cpu_devices(target: Target) -> Sequence[Any]:
    devices = jax.devices("cpu")
    if len(devices) < target.devices:
        raise ValueError(
            f"JAX has {len(devices)} CPU devices, got {target.name}: set JAX_NUM_CPU_DEVICES="
            f"{target.devices}"
        )
    return devices[: target.devices]


def _tpu_options(target: Target) -> dict[str, Any]:
    """Options of libtpu for a topology."""
    options: dict[str, Any] = {}
    if target.kind in ("v4", "v5p"):  # both cores of a chip as one device
        options["chip_config_name"] = "megacore"
    if 1 in target.shape[:2]:  # a part of a host's 2 × 2 chips
        options["chips_per_host_bounds"] = [*(min(2, size) for size in target.shape[:2]), 1]
    return options


def _gpu_description(kind: str) -> str:
    """XLA's GpuTargetConfigProto in text form."""
    name, limits = _GPUS[kind]
    return (
        'platform_name: "CUDA"\n'
        "runtime_version { major: 12 minor: 9 }\n"
        "dnn_version_info { major: 9 minor: 8 }\n"
        f'device_description_str: "{name}"\n'
        f"gpu_device_info {{{_LIMITS}{limits}}}\n"
    )
