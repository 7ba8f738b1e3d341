"""Examples divided among devices: unchanged batches, memory of a device, communication."""

import json
import math

import numpy as np
import pytest

from aejax.sharding.example_exchange import buffer_size
from benchmarks import divided_data


def test_batches_are_bitwise_those_of_one_device_in_any_order(eight):
    assert len(eight["exchanges"]) == 6
    for case in eight["exchanges"]:
        assert case["equal"], case
        whole = case["examples"] < case["devices"]
        assert case["stored"] == case["examples"] // (1 if whole else case["devices"]), case


def test_a_device_stores_its_share_and_never_gathers_the_data(eight):
    epoch = eight["epoch of large data"]
    share = epoch["bytes"] / 8
    assert share <= epoch["arguments"] < 1.01 * share
    assert epoch["temporaries"] < share
    sizes = {kind: size for kind, (_, size, _) in epoch["collectives"].items()}
    assert "all-to-all" in sizes
    assert sum(sizes.values()) < share
    assert sizes["all-gather"] < 2**14  # of the last batch, which has 5 examples


def test_divided_examples_without_a_placement_are_refused(eight):
    assert eight["refusal"] == (
        "the data are on 8 devices, but training is on one: give "
        "placement=sharding.data_parallel(mesh)"
    )


@pytest.mark.slow
def test_examples_that_the_user_has_divided_train_bit_identically(every):
    assert every["own division"] == {"params": True, "validation": True}


@pytest.mark.slow
def test_the_benchmark_counts_what_a_device_stores_and_sends(every):
    (row,) = every["divided data"]
    assert row["all"] / row["devices"] <= row["stored"] < 1.1 * row["all"] / row["devices"]
    assert row["ideal"] < row["sent"] < 2 * row["ideal"]


def test_the_table_of_the_benchmark_is_that_of_its_results():
    record = json.loads(divided_data.RESULTS.with_suffix(".json").read_text(encoding="utf-8"))
    written = divided_data.RESULTS.with_suffix(".md").read_text(encoding="utf-8")
    assert written == divided_data.table(record["config"], record["rows"])
    for row in record["rows"]:
        assert row["stored"] == pytest.approx(row["all"] / row["devices"], rel=1e-3)
        assert row["ideal"] <= row["sent"] < 1.6 * row["ideal"]


@pytest.mark.parametrize("devices", [1, 2, 8, 64])
@pytest.mark.parametrize("mean", [1, 8, 100])
def test_a_buffer_usually_suffices_and_never_exceeds_the_share(devices, mean):
    share = mean * devices
    size = buffer_size(share, devices)
    assert size <= share
    assert math.ceil(share / devices) <= size
    owners = np.random.default_rng(0).integers(devices, size=(20, devices, share))
    largest = [max(np.bincount(row, minlength=devices).max() for row in each) for each in owners]
    assert np.mean(np.array(largest) <= size) >= 0.8
