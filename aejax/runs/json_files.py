"""JSON files that may have been edited or damaged."""

import json
from pathlib import Path
from typing import Any


def read_json(path: Path) -> Any:
    """Read a JSON file.

    Args:
        path: source file.

    Returns:
        The parsed value.

    Raises:
        FileNotFoundError: the file does not exist.
        ValueError: the file is not UTF-8, not JSON, or nested too deeply.
    """
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise ValueError(f"{path} is not JSON: {error}") from error
    except RecursionError as error:
        raise ValueError(f"{path} is nested too deeply to be a file of aejax") from error


def json_text(document: Any) -> str:
    """Text of a JSON file, indented for readers."""
    return json.dumps(document, indent=2) + "\n"
