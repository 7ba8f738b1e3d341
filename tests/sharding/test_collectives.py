"""Counts of collectives in HLO, for every syntax of replica groups."""

import json

import pytest

from aejax.sharding.collectives import Traffic, axes_along, collectives_of, each_collective
from benchmarks import communication, mesh_plans

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
            "((f32[16], f32[8]), (f32[2], f32[1])) reduce-scatter-start(%a, %b)",
            "reduce-scatter",
            12,
            84,
        ),
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


@pytest.mark.parametrize(
    ("groups", "devices", "axes"),
    [
        ("replica_groups={}", (0, 1, 2, 3, 4, 5, 6, 7), ("data", "model")),
        ("replica_groups={{0,4},{1,5}}", (0, 4), ("data",)),
        ("replica_groups=[2,4]<=[8]", (0, 1, 2, 3), ("model",)),
        ("replica_groups=[4,2]<=[2,4]T(1,0)", (0, 4), ("data",)),
        ("replica_groups=mesh['a'=2,'b'=4] {'a'}", (0, 4), ("data",)),
        ("replica_groups=mesh['a'=2,'b'=4] {'b'}", (0, 1, 2, 3), ("model",)),
        ("replica_groups=mesh['a'=2,'b'=4] {'b':(2)2}", (0, 1), ("model",)),
        ("replica_groups=mesh['a'=2,'b'=4] {'b':(1)2}", (0, 2), ("model",)),
        ("replica_groups=mesh['a'=4,'b'=2], device_ids=([2,4]T(1,0)) {'b'}", (0, 4), ("data",)),
        ("replica_groups=mesh['a'=2,'b'=4] {'a','b'}", tuple(range(8)), ("data", "model")),
    ],
)
def test_the_devices_of_a_group_and_the_axes_along_which_they_differ(groups, devices, axes):
    (found,) = each_collective(f"{HEADER}  %x = f32[8]{{0}} all-reduce(%a), {groups}, to_apply=%f")
    assert found.group == devices
    assert axes_along(found.group, {"data": 2, "model": 4}) == axes


def test_the_devices_of_a_permutation():
    pairs = "source_target_pairs={{0,4},{4,0}}"
    (found,) = each_collective(f"{HEADER}  %x = f32[8] collective-permute(%a), {pairs}")
    assert axes_along(found.group, {"data": 2, "model": 4}) == ("data",)


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


def test_the_committed_plans_of_meshes_are_near_the_ideal_and_within_their_memory():
    record = json.loads(mesh_plans.RESULTS.with_suffix(".json").read_text())
    rows = record["rows"]
    assert mesh_plans.RESULTS.with_suffix(".md").read_text() == mesh_plans.table(
        rows, record["versions"]
    )
    assert [row["case"] for row in rows] == [
        case._asdict() | {"sizes": list(case.sizes)} for case in mesh_plans.cases()
    ]
    for row in rows:
        assert row["plan"]["fits"], row["case"]
        assert row["plan"]["sent"] <= 1.1 * row["plan"]["ideal_sent"], row["case"]
        assert row["plan"]["counts"]["host_transfers"] == 0
        if row["case"]["sizes"] == [4096, 2**20]:
            assert row["plan"]["memory"]["temporaries"] <= 12 * 2**30


def test_a_fused_reduce_scatter_of_a_tpu_counts_as_one():
    text = f"""{HEADER}
%all-reduce-scatter.1 (input: f32[64,4]) -> f32[8,4] {{
  %all-reduce.2 = f32[64,4]{{1,0:T(8,128)}} all-reduce(%input), replica_groups=[1,8]<=[8]
  ROOT %slice = f32[8,4]{{1,0}} dynamic-slice(%all-reduce.2, %i, %j), dynamic_slice_sizes={{8,4}}
}}

ENTRY %main (x: f32[4]) -> f32[4] {{
  ROOT %a = f32[4]{{0}} all-reduce(%x), channel_id=3, replica_groups=[1,8]<=[8]
}}
"""
    sent = {"reduce-scatter": Traffic(1, 128, 896.0), "all-reduce": Traffic(1, 16, 28.0)}
    assert collectives_of(text) == sent


def test_an_asynchronous_collective_beside_several_computations_counts_once():
    line = (
        "  %x = bf16[16]{0} all-gather(%a), channel_id=5, replica_groups=[1,8]<=[8], "
        'frontend_attributes={chain_id="0"}\n'
    )
    other = line.replace("channel_id=5", "channel_id=6")
    assert collectives_of(HEADER + line + line + other) == {"all-gather": Traffic(2, 64, 56.0)}
