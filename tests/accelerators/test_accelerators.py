"""The support matrix of accelerators: its programs, its page, and the command's results."""

from itertools import combinations, product

import pytest

from tests.accelerators import matrix, page, programs, results, weak_scaling
from tests.accelerators.covering import covering_choices

AXES = {"a": "123", "b": "12345", "c": "12", "d": "12"}


def test_every_allowed_pair_and_every_triple_of_a_group_is_chosen():
    def is_allowed(choice):
        return (choice.get("a"), choice.get("b")) != ("1", "2")

    groups = [*combinations(AXES, 2), ("a", "c", "d")]
    chosen, refused = covering_choices(AXES, groups, is_allowed)
    assert refused == [{"a": "1", "b": "2"}]
    for group in groups:
        every = product(*(AXES[axis] for axis in group))
        expected = {each for each in every if is_allowed(dict(zip(group, each, strict=True)))}
        assert {tuple(choice[axis] for axis in group) for choice in chosen} == expected
    assert 14 <= len(chosen) <= 17


def test_combinations_of_earlier_choices_are_not_chosen_again():
    groups = list(combinations(AXES, 2))
    start, _ = covering_choices(AXES | {"b": "1234"}, groups, lambda _: True)
    added, _ = covering_choices(AXES, groups, lambda _: True, start)
    assert {choice["b"] for choice in added} == {"5"}
    assert {choice["a"] for choice in added} == set("123")
    assert covering_choices(AXES, groups, lambda _: True, [*start, *added]) == ([], [])


def stored(tmp_path, monkeypatch, **changes):
    """Rows of a stored matrix of one program, with a change of its record."""
    monkeypatch.setattr(results, "FOLDER", tmp_path)
    record = {"target": "cpu", "environment": results.versions(), "rows": [{"model": "tied"}]}
    results.write(tmp_path / "matrix_cpu.json", record | {"settings": results.settings()} | changes)
    return results.stored_rows("cpu")


def test_programs_of_the_same_compiler_and_size_are_kept(tmp_path, monkeypatch):
    assert stored(tmp_path, monkeypatch) == [{"model": "tied"}]
    with pytest.raises(ValueError, match=r"other sizes or versions \(jax\): leave out --add"):
        stored(tmp_path, monkeypatch, environment=results.versions() | {"jax": "0.1"})
    with pytest.raises(ValueError, match=r"\(settings\)"):
        stored(tmp_path, monkeypatch, settings={"size": 1})
    with pytest.raises(ValueError, match="no matrix of v5e:2x2 to add programs to"):
        results.stored_rows("v5e:2x2")


def test_rows_without_a_fault_whose_components_can_still_be_combined_are_kept():
    row = matrix.choice_of({axis: names[0] for axis, names in programs.axes().items()})
    others = [row | {"model": "removed"}, row | {"fault": "XlaError"}, row | {"loss": "bernoulli"}]
    excluded = [matrix.Exclusion(row["model"], "loss", "bernoulli", "reason")]
    assert matrix.current_rows([row, *others], excluded) == [row]
    assert matrix.current_rows([row, *others], []) == [row, others[2]]


def test_models_whose_code_is_a_record_keep_their_noise_and_their_loss():
    for model in ("prior of pseudo-inputs", "importance-weighted bounds", "shared variance"):
        assert programs.refusal({"model": model}) is None
    reason = programs.refusal({"model": "prior of a flow", "penalty": "l1"})
    assert reason
    assert "applies to one array, got Gaussian" in reason


def test_a_program_is_compiled_and_described():
    choice = {"model": "tied", "optimizer": "sgd", "noise": "on the code"}
    found = matrix.metrics(choice, "cpu")
    assert found["fits"]
    assert found["host_transfers"] == 0
    assert found["collectives"] == {}
    assert found["products"] == 5  # three of a layer and its transpose, of which x needs none


def test_refused_components_name_their_reason():
    assert programs.refusal({"model": "segnet", "penalty": "l2"}) is None
    reason = programs.refusal({"model": "segnet", "penalty": "l1"})
    assert reason
    assert "choose one with select=" in reason


def test_a_target_without_a_compiler_stops_the_command():
    with pytest.raises(ValueError, match="a topology of 2 sizes"):
        matrix.rows("v5e:3", [], lambda name, compute: compute())


RECORD = {
    "target": "v5e:2x2",
    "environment": {"jax": "0.10.2", "libtpu": "0.0.42"},
    "axes": ["model", "loss"],
    "programs": 198,
    "combinations": [1, 4],
    "settings": {"size": 16, "batch_size": 64, "divided": 48},
    "rows": [
        {
            "model": "tied",
            "loss": "squared",
            "fits": True,
            "temporaries": 2048,
            "fusions": 5,
            "host_transfers": 0,
            "collectives": {"all-reduce": 2},
        },
        {"model": "deep", "loss": "squared", "fault": "XlaError: a | b"},
    ],
    "exclusions": [
        {"model": "deep", "axis": "loss", "value": "by blocks", "reason": "got shape [64, 5]"},
        {"model": "tied", "axis": "loss", "value": "by blocks", "reason": "got shape [64, 80]"},
    ],
}


def test_the_page_counts_what_compiles_and_gives_the_reason_of_each_exclusion():
    text = page.text({"matrix_v5e": RECORD})
    assert "1 of 2 programs compile, 1 fit, 0 transfer data to the host.** They contain 25%" in text
    assert "at an earlier revision" not in text
    kept = page.text({"matrix_v5e": RECORD | {"kept": 1}})
    assert "The first 1 were compiled at an earlier revision." in kept
    assert "| loss | by blocks | all | got shape [64, 5] |" in text
    assert "| tied | squared | 2.0 KiB | 5 | 2 all-reduce |" in text
    assert "| deep | squared | does not compile |  | XlaError: a \\| b |" in text
    assert "Compiled with jax 0.10.2, libtpu 0.0.42." in text


def planned(target: str, data: int, code: int, temporaries: int) -> dict:
    """A step of a plan, as `benchmarks.mesh_plans` stores it."""
    case = {"table": "Communication", "sizes": [8, 4], "target": target, "model": 1}
    memory = {"parameters": 100, "optimizer_state": 200, "examples": 64, "code": code}
    memory |= {"temporaries": temporaries, "total": 364 + code + temporaries}
    roofline = {"seconds": 0.001, "bound": "memory"}
    plan = {"memory": memory, "devices": data, "sent": 300.0, "ideal_sent": 200.0}
    plan |= {"collectives": [{"kind": "all-reduce", "executions": 2}], "roofline": roofline}
    return {"case": case | {"sharded": False, "batch_size": 16 * data}, "plan": plan}


def test_weak_scaling_shows_the_memory_of_the_program_apart_from_the_rest():
    record = {"rows": [planned("v5e:2x2", 4, 10, 36), planned("v5e:4x4", 16, 50, 41)]}
    rows = weak_scaling.rows(record)
    text = page.text({"weak_scaling": {"environment": {}, "rows": rows}})
    assert "| data parallel | v5e:2x2 | 300 B | 10 B | 100 B | 300 B | 200 B | 1.500 |" in text
    assert "difference of all memory between the meshes: data parallel 11.0%." in text
    assert "difference of *rest* between the meshes: data parallel 5.0%." in text


def test_the_committed_page_matches_the_committed_results():
    assert page.PAGE.read_text(encoding="utf-8") == page.text(page.stored())


def test_every_committed_program_compiles_fits_and_stays_on_the_device():
    for record in page.stored().values():
        for row in record["rows"]:
            assert row.get("fault") is None
            assert row.get("fits", True)
            assert row.get("host_transfers", 0) == 0


def test_results_are_written_with_one_row_a_line(tmp_path):
    file = tmp_path / "record.json"
    results.write(file, {"target": "v5e:2x2", "rows": [{"a": 1}, {"a": 2}]})
    assert file.read_text() == (
        '{\n "target": "v5e:2x2",\n "rows": [\n  {"a": 1},\n  {"a": 2}\n ]\n}\n'
    )
