"""Records of epochs, and hyperparameters, as flat mappings of scalars."""

import json
from collections.abc import Iterator, Mapping
from typing import Any

from aejax.training.records import Record


def flat_record(record: Record) -> Iterator[tuple[str, float]]:
    """Measurements of an epoch by name.

    Args:
        record: record of an epoch.

    Yields:
        "train/NAME" or "validation/NAME", and the value. Epoch and step are left out.
    """
    for name, value in record.items():
        if name == "validation":
            yield from ((f"validation/{term}", value) for term, value in value.items())
        elif name not in ("epoch", "step"):
            yield f"train/{name}", value


def flat_settings(settings: Mapping[str, Any] | None) -> dict[str, bool | int | float | str]:
    """Hyperparameters as scalars.

    Args:
        settings: JSON values by name, or None.

    Returns:
        The same; a value that is no number or text becomes JSON text.

    Raises:
        ValueError: if a value is no JSON value.
    """
    found = {}
    for name, value in (settings or {}).items():
        try:
            is_scalar = isinstance(value, bool | int | float | str)
            found[str(name)] = value if is_scalar else json.dumps(value)
        except (TypeError, ValueError) as error:
            raise ValueError(f"the hyperparameter {name} is no JSON value: {error}") from error
    return found
