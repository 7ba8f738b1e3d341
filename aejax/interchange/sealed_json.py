"""JSON objects with a SHA-256 digest of their content, which reveals alterations."""

import hashlib
import json
from collections.abc import Mapping
from typing import Any

DIGEST = "digest"


def seal(document: Mapping[str, Any], *, salt: str = "") -> dict[str, Any]:
    """Add the digest of a JSON object under the key "digest".

    Args:
        document: JSON-serialisable mapping without that key.
        salt: string hashed with the content; `unseal` needs the same.

    Returns:
        The document and its digest, which is independent of key order and JSON formatting.
    """
    return {**document, DIGEST: _digest(document, salt)}


def unseal(text: str | bytes, *, salt: str = "") -> dict[str, Any]:
    """Parse a JSON object, and verify and remove its digest.

    Args:
        text: JSON in any formatting.
        salt: string given to `seal`.

    Returns:
        The document without its digest.

    Raises:
        ValueError: if the text is not a JSON object, or its digest is missing or wrong.
    """
    document = parse_object(text)
    digest = document.pop(DIGEST, None)
    if digest != _digest(document, salt):
        raise ValueError("its content does not match its digest")
    return document


def parse_object(text: str | bytes) -> dict[str, Any]:
    """Parse a JSON object; ValueError for any other text."""
    try:
        document = json.loads(text)
    except RecursionError as error:
        raise ValueError("it is nested too deeply") from error
    if not isinstance(document, dict):
        raise ValueError("it is not a JSON object")
    return document


def _digest(document: Mapping[str, Any], salt: str) -> str:
    content = json.dumps(document, sort_keys=True)
    return hashlib.sha256(f"{salt}\n{content}".encode()).hexdigest()
