"""Sealed JSON: altered content is refused, any layout is accepted."""

import contextlib
import hashlib
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aejax.interchange.sealed_json import seal, unseal
from tests.properties import property_test

DOCUMENT = {"step": 12, "loss": 0.1, "name": "ρ̂", "inner": {"a": [1, None, True]}}


def test_the_digest_is_the_sha256_of_the_salt_and_the_sorted_content():
    text = 'secret\n{"b": [1, 2.5], "c": "\\u00e9"}'
    expected = hashlib.sha256(text.encode()).hexdigest()
    assert seal({"c": "é", "b": (1, 2.5)}, salt="secret")["digest"] == expected


@pytest.mark.parametrize("indent", [None, 2])
def test_sealed_documents_are_read_in_any_layout(indent):
    text = json.dumps(seal(DOCUMENT), indent=indent)
    assert unseal(text) == DOCUMENT
    assert unseal(text.encode()) == DOCUMENT


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("[" * 100_000, "nested too deeply"),
        ("[1]", "not a JSON object"),
        ("{", "Expecting"),
        (b"\xff\xff", "decode"),
        (json.dumps(DOCUMENT), "does not match its digest"),
        (json.dumps(seal(DOCUMENT) | {"step": 13}), "does not match its digest"),
        (json.dumps(seal(DOCUMENT) | {"more": 1}), "does not match its digest"),
        (json.dumps(seal(DOCUMENT, salt="another")), "does not match its digest"),
    ],
)
def test_altered_content_is_refused(text, problem):
    with pytest.raises(ValueError, match=problem):
        unseal(text)


@property_test(examples=50)
@given(place=st.integers(0, 10_000), bit=st.integers(0, 7))
def test_flipped_bits_are_detected_or_change_nothing(place, bit):
    text = bytearray(json.dumps(seal(DOCUMENT, salt="run"), indent=1).encode())
    text[place % len(text)] ^= 1 << bit
    with contextlib.suppress(ValueError):
        assert unseal(bytes(text), salt="run") == DOCUMENT
