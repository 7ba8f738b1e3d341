"""JSON objects that carry the SHA-256 of their own content, so that an altered one is refused."""

import hashlib
import json
from collections.abc import Mapping
from typing import Any

DIGEST = "digest"


def seal(document: Mapping[str, Any], *, salt: str = "") -> dict[str, Any]:
    """A JSON object with the digest of its content under the key "digest".

    Args:
        document: JSON-able, without that key.
        salt: hashed with the content; `unsealed` must be given the same.

    Returns:
        The document and its digest, to be written in any layout.
    """
    return {**document, DIGEST: _digest(document, salt)}


def unseal(text: str | bytes, *, salt: str = "") -> dict[str, Any]:
    """The content of a JSON object that `sealed` made.

    Args:
        text: JSON. Its layout is free; its content is compared with the digest.
        salt: as given to `sealed`.

    Returns:
        The document without its digest.

    Raises:
        ValueError: for text that is no JSON object, or whose digest is missing or wrong.
    """
    document = parse_object(text)
    digest = document.pop(DIGEST, None)
    if digest != _digest(document, salt):
        raise ValueError("its content does not match its digest")
    return document


def parse_object(text: str | bytes) -> dict[str, Any]:
    """A JSON object; ValueError for any other text, however deeply nested."""
    try:
        document = json.loads(text)
    except RecursionError as error:
        raise ValueError("it is nested too deeply") from error
    if not isinstance(document, dict):
        raise ValueError("it is no JSON object")
    return document


def _digest(document: Mapping[str, Any], salt: str) -> str:
    content = json.dumps(document, sort_keys=True)
    return hashlib.sha256(f"{salt}\n{content}".encode()).hexdigest()
