"""Dictionaries on streams: eight devices give the results of one, and resume bit-identically."""

import pytest

from tests.eight_virtual_devices import on_eight_devices


@pytest.mark.slow
def test_dictionaries_on_streams_are_those_of_one_device_and_resume_bit_identically(tmp_path):
    cases = on_eight_devices("tests.sharding.streamed_dictionaries", tmp_path)
    assert len(cases) == 4
    for case in cases:
        assert case["params"] < 5e-5, case
        found, expected = case["steps since active"]
        assert found == expected, case
        assert max(expected) > 0, case  # AuxK has dead units to revive
        state, resumed = case["digests"]
        assert state == resumed, case
