"""Accelerators by name: memory, peak figures and the names by which XLA compiles for them.

The figures of a chip are those that its maker publishes. They bound a step's time from below (the
roofline); no program reaches them.
"""

import math
import re
from typing import NamedTuple


class Chip(NamedTuple):
    """Published figures of one chip; rates are per second.

    platform:       "tpu", "cuda" or "cpu".
    memory:         bytes of memory; 0 if they are not known, as with rates of 0.
    usable:         bytes of it that a program can use.
    operations:     peak rate of bfloat16 products, in operations.
    float32:        peak rate of float32 products in JAX's default precision.
    bandwidth:      bytes read and written in the memory.
    links:          bytes that a chip can send to the others; 0 for a chip without an interconnect.
    source:         document with the figures.
    usable_source:  origin of the bytes that a program can use.
    """

    platform: str
    memory: int
    usable: int
    operations: float
    float32: float
    bandwidth: float
    links: float
    source: str
    usable_source: str


class Target(NamedTuple):
    """Chips for which a program is compiled.

    name:   name, as given.
    kind:   name of the chip, a key of `CHIPS`.
    chip:   figures of one chip.
    shape:  number of chips along each axis of the interconnect.
    """

    name: str
    kind: str
    chip: Chip
    shape: tuple[int, ...]

    @property
    def devices(self) -> int:
        """Number of chips."""
        return math.prod(self.shape)


_GIB = 2**30
_TPU = "https://docs.cloud.google.com/tpu/docs/"
_TPU_USABLE = "memory that XLA's TPU compiler (libtpu 0.0.42.1) states when it refuses a program"
_GPU_FRACTION = 0.75
_GPU_USABLE = (
    "three quarters of the memory, which JAX allocates in advance unless the environment variable "
    "XLA_PYTHON_CLIENT_MEM_FRACTION says otherwise: "
    "https://docs.jax.dev/en/latest/gpu_memory_allocation.html"
)
# A TPU multiplies float32 matrices in one pass of bfloat16 by default; a GPU in tf32. ICI figures
# are bidirectional, so a chip sends half of them; so is NVLink's.
CHIPS = {
    "v4": Chip(
        "tpu",
        32 * _GIB,
        round(30.75 * _GIB),
        275e12,
        275e12,
        1200e9,
        300e9,
        f"{_TPU}v4, and Jouppi et al. 2023, table 4",
        _TPU_USABLE,
    ),
    "v5e": Chip(
        "tpu",
        16 * _GIB,
        round(15.75 * _GIB),
        197e12,
        197e12,
        819e9,
        200e9,
        f"{_TPU}v5e",
        _TPU_USABLE,
    ),
    "v5p": Chip(
        "tpu",
        95 * _GIB,
        round(95.74 * _GIB),
        459e12,
        459e12,
        2765e9,
        600e9,
        f"{_TPU}v5p",
        _TPU_USABLE,
    ),
    "v6e": Chip(
        "tpu",
        32 * _GIB,
        round(31.25 * _GIB),
        918e12,
        918e12,
        1638e9,
        400e9,
        f"{_TPU}v6e",
        _TPU_USABLE,
    ),
    "a100": Chip(
        "cuda",
        80 * _GIB,
        round(_GPU_FRACTION * 85100068864),
        312e12,
        156e12,
        2039e9,
        300e9,
        "NVIDIA A100 Tensor Core GPU data sheet, SXM, 80 GB",
        _GPU_USABLE,
    ),
    "h100": Chip(
        "cuda",
        80 * _GIB,
        round(_GPU_FRACTION * 84978434048),
        989.4e12,
        494.7e12,
        3350e9,
        450e9,
        "NVIDIA H100 Tensor Core GPU data sheet, SXM, 80 GB",
        _GPU_USABLE,
    ),
    "cpu": Chip("cpu", 0, 0, 0.0, 0.0, 0.0, 0.0, "this machine", "this machine"),
}
"""Chips by name."""

LARGEST = {
    "v4": (16, 16, 16),
    "v5p": (16, 20, 28),
    "v5e": (16, 16),
    "v6e": (16, 16),
    "a100": (8,),
    "h100": (8,),
}
"""Largest number of chips along each axis of the interconnect: a pod of TPUs, a host of GPUs."""

_TARGET = re.compile(r"(?P<kind>[a-z]\w*)(?::(?P<shape>\d+(?:x\d+)*))?")
EXAMPLES = "v5e:16x16, v5p:8x8x8, v6e:4x4, v4:2x2x1, h100, h100:8, a100, cpu"
"""Targets that error messages and `--help` name."""


def find_target(name: str) -> Target:
    """Find a target by name.

    Args:
        name: a chip of `CHIPS`, a TPU's with its topology: "v5e:16x16". A GPU's may be followed by
            their number on one host: "h100:8".

    Returns:
        The target.

    Raises:
        ValueError: if there is no such target.
    """
    match = _TARGET.fullmatch(name)
    chip = CHIPS.get(match["kind"]) if match else None
    if match is None or chip is None:
        raise ValueError(f"no target {name!r}; targets are such as {EXAMPLES}")
    shape = tuple(map(int, match["shape"].split("x"))) if match["shape"] else (1,)
    if min(shape) < 1:
        raise ValueError(f"a target has 1 device or more along each axis, got {name!r}")
    largest = LARGEST.get(match["kind"], (math.inf,))
    if len(shape) != len(largest) == 1:
        raise ValueError(
            f"{match['kind']} is followed by the number of its chips alone, such as "
            f"{match['kind']}:8, got {name!r}"
        )
    if len(shape) != len(largest):
        raise ValueError(
            f"the chips of {match['kind']} have a topology of {len(largest)} sizes, got {name!r}; "
            f"targets are such as {EXAMPLES}"
        )
    if any(size > limit for size, limit in zip(shape, largest, strict=True)):
        raise ValueError(
            f"{match['kind']} has at most {'x'.join(map(str, largest))} connected chips, got "
            f"{name!r}"
        )
    if chip.platform == "tpu" and any(size > 1 and size % 2 for size in shape[:2]):
        raise ValueError(
            f"a TPU host has 2 × 2 chips, so the first two axes are 1 or even, got {name!r}"
        )
    return Target(name, match["kind"], chip, shape)
