"""Counts of collectives in HLO, for every syntax of replica groups."""

import json

import pytest

from aejax.sharding.collectives import Traffic, collectives_of
from benchmarks import communication

HEADER = "HloModule jit_step, is_scheduled=true, num_partitions=8\n"


@pytest.mark.parametrize(
    ("line", "kind", "size", "sent"),
    [
        ("(f32[3]{0}, f32[2,5]{1,0}) all-reduce(%a, %b), replica_groups={}", "all-reduce", 52, 91),
        ("f32[8]{0} all-reduce(%a), replica_groups={{0,1},{2,3}}", "all-reduce", 32, 32),
        ("f32[8]{0} all-reduce(%a), replica_groups=[2,4]<=[8]", "all-reduce", 32, 48),
        (
            "f32[8]{0} all-reduce(%a), replica_groups=mesh['a'=4,'b'=2], "
            "device_ids=([2,4]T(1,0)) {'b'}",
            "all-reduce",
            32,
            32,
        ),
        ("f32[8] all-reduce(%a), replica_groups=mesh['a'=8] {'a':(1)2}", "all-reduce", 32, 32),
        ("bf16[16]{0} all-gather(%a), replica_groups=[1,8]<=[8]", "all-gather", 32, 28),
        ("f32[2]{0} reduce-scatter(%a), replica_groups=[1,8]<=[8]", "reduce-scatter", 8, 56),
        ("(pred[4]{0}, s8[4]{0}) all-to-all(%a, %b), replica_groups={{0,1}}", "all-to-all", 8, 4),
        ("f32[] collective-permute(%a), source_target_pairs={{0,1}}", "collective-permute", 4, 4),
        # Asynchronous, as on accelerators: start and done are separate instructions.
        ("f32[8]{0} all-reduce-start(%a), replica_groups=[2,4]<=[8]", "all-reduce", 32, 48),
        ("(f32[1], f32[8]) all-gather-start(%a), replica_groups=[1,8]<=[8]", "all-gather", 32, 28),
        (
            "(f32[2], f32[2], u32[], u32[]) collective-permute-start(%a)",
            "collective-permute",
            8,
            8,
        ),
    ],
)
def test_instructions_are_counted_with_their_bytes(line, kind, size, sent):
    assert collectives_of(f"{HEADER}  %x = {line}\n") == {kind: Traffic(1, size, sent)}


def test_instructions_of_a_kind_are_summed_and_others_ignored():
    lines = (
        "%a = f32[4]{0} all-reduce(%x), replica_groups=[1,8]<=[8]",
        "%b = f32[4]{0} add(%a, %a)",
        "%c = f32[4]{0} all-reduce(%b), replica_groups=[1,8]<=[8]",
        "%d = f32[4]{0} all-reduce-done(%c)",
    )
    assert collectives_of(HEADER + "\n".join(lines)) == {"all-reduce": Traffic(2, 32, 56.0)}


def test_the_committed_table_matches_the_committed_results():
    record = json.loads(communication.RESULTS.with_suffix(".json").read_text(encoding="utf-8"))
    written = communication.RESULTS.with_suffix(".md").read_text(encoding="utf-8")
    assert written == communication.table(record["config"], record["rows"])
    for row in record["rows"]:
        if row["placement"] == "data parallel":
            assert row["collectives"]["all-reduce"] == (2 if row["objective"] == "sparse" else 1)
            assert row["ratio"] == pytest.approx(1, abs=1e-3)
