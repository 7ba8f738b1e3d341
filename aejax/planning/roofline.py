"""Roofline: the least time of a step on a chip, from its operations, bytes and communication."""

from typing import NamedTuple

from aejax.planning.operation_counts import OperationCounts
from aejax.planning.targets import Chip


class Roofline(NamedTuple):
    """Least seconds of a step at the peak rates of a chip.

    compute:      products, each at the rate of its precision.
    memory:       bytes read and written.
    interconnect: bytes sent to other devices.
    """

    compute: float
    memory: float
    interconnect: float

    @property
    def seconds(self) -> float:
        """The largest of the three: they can overlap."""
        return max(self)

    @property
    def bound(self) -> str:
        """Name of the largest of the three."""
        return max(self._fields, key=lambda name: getattr(self, name))


def roofline(chip: Chip, counts: OperationCounts, *, sent: float) -> Roofline | None:
    """Least time of a step.

    Args:
        chip: published figures of the chip.
        counts: operations and bytes of the step on one device.
        sent: bytes that a device sends.

    Returns:
        The roofline, or None if the figures of the chip are not known.

    Source: Williams, Waterman & Patterson 2009.
    """
    if not chip.operations:
        return None
    full = counts.operations - counts.low_precision
    return Roofline(
        counts.low_precision / chip.operations + full / chip.float32,
        counts.bytes / chip.bandwidth,
        sent / chip.links if sent else 0.0,
    )
