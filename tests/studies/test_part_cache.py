"""Parts of a study: computed once, and again after the study, its settings or its data change."""

import json

import numpy as np
import pytest

from aejax import studies

STUDY = '"""A study."""\n\nRATES = (0.1, 0.2)\n'


@pytest.fixture
def study(tmp_path):
    file = tmp_path / "study.py"
    file.write_text(STUDY)
    return file


def run(study, *, settings=None, computed=None, **others):
    """Compute two parts of a study; returns their results and the names of those computed."""
    computed = []

    def part(name, value):
        computed.append(name)
        return studies.Results({"error": [value, 1 / 3]}, {"code": np.arange(3.0)})

    cache = studies.part_cache(
        study.parent / "results", settings=settings or {"seeds": 2}, sources=[study], **others
    )
    found = [cache(f"rate {rate}", lambda r=rate: part(f"rate {r}", r)) for rate in (0.1, 0.2)]
    return found, computed


def test_parts_are_computed_once_and_read_as_they_were_returned(study, capsys):
    first, computed = run(study, progress=True)
    assert computed == ["rate 0.1", "rate 0.2"]
    again, computed = run(study)
    assert computed == []
    assert [each.metrics for each in again] == [each.metrics for each in first]
    assert first[0].metrics == {"error": [0.1, 0.333333]}
    np.testing.assert_array_equal(again[1].arrays["code"], np.arange(3.0))
    printed = capsys.readouterr()
    assert (printed.out, printed.err.count("rate 0.1: 0.0 s")) == ("", 1)


def test_a_stopped_study_resumes_at_the_missing_part(study):
    run(study)
    (part,) = study.parent.glob("results/*/parts/rate_0.2.json")
    part.unlink()
    assert run(study)[1] == ["rate 0.2"]


def test_an_edited_study_is_computed_again_and_a_comment_is_not_an_edit(study):
    run(study)
    study.write_text(STUDY.replace("A study.", "Another text.") + "# a comment\n")
    assert run(study)[1] == []
    study.write_text(STUDY.replace("0.2", "0.3"))
    assert len(run(study)[1]) == 2
    study.write_text(STUDY)
    assert run(study)[1] == []


def test_other_settings_or_data_are_other_results(study):
    run(study)
    assert len(run(study, settings={"seeds": 3})[1]) == 2
    assert len(run(study, arrays={"x": np.ones(3)})[1]) == 2
    assert len(run(study, arrays={"x": np.zeros(3)})[1]) == 2
    assert run(study, arrays={"x": np.ones(3)})[1] == []


def test_identities_that_say_nothing_are_refused(study):
    with pytest.raises(ValueError, match=r"such as \[__file__\], got \[\]"):
        studies.part_cache(study.parent, settings={}, sources=[])
    with pytest.raises(ValueError, match="settings must be JSON values"):
        studies.part_cache(study.parent, settings={"x": np.ones(2)}, sources=[study])
    with pytest.raises(FileNotFoundError):
        studies.part_cache(study.parent, settings={}, sources=[study.parent / "none.py"])


def test_a_failed_part_leaves_no_file(study):
    cache = studies.part_cache(study.parent / "results", settings={}, sources=[study])
    with pytest.raises(ZeroDivisionError):
        cache("bad", lambda: studies.Results({"error": 1 / 0}))
    assert not list((study.parent / "results").rglob("*.json"))
    cache("bad", lambda: studies.Results({"error": np.float32(1.5)}))
    (file,) = (study.parent / "results").rglob("*.json")
    assert json.loads(file.read_text())["metrics"] == {"error": 1.5}
