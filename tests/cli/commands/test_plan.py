"""`aejax plan` for the CPU of this machine, its section in a report, and its messages."""

import json

import pytest

from aejax.cli import main
from aejax.planning import step_plan

WORDS = ["plan", "--target", "cpu", "--shape", "64", "--sizes", "64", "16", "--batch-size", "32"]
PARAMETERS = 4 * (2 * 64 * 16 + 16 + 64)


def test_a_plan_is_printed_as_text(capsys):
    assert main(WORDS) == 0
    text = capsys.readouterr().out
    assert "cpu: 1 × cpu, data 1, model 1, batch size 32" in text
    assert "parameters" in text
    assert "0 transfers to the host" in text


def test_an_epoch_is_planned_as_json_and_shown_in_a_report(run, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr("aejax.report.run_figures.run_figures", lambda *_: ())
    assert main([*WORDS, "--examples", "96", "--epoch", "--json"]) == 0
    (tmp_path / "plan.json").write_text(capsys.readouterr().out)
    record = json.loads((tmp_path / "plan.json").read_text())
    assert record["memory"]["parameters"] == PARAMETERS
    assert record["memory"]["examples"] == 4 * 96 * 64
    assert record["counts"]["operations"] == 2 * 96 * 64 * 16 * 5
    words = ["report", str(run), "--plans", str(tmp_path / "plan.json")]
    assert main(words) == 0
    page = (run / "report.html").read_text()
    assert "Plan (predicted) for cpu: 1 × cpu" in page
    assert "epoch of 3 steps" in page
    assert "<td>memory: parameters</td><td>8.3 KiB</td>" in page
    second = tmp_path / "second.json"
    second.write_text(json.dumps([{"setting": {}, "plan": record | {"batch_size": 16}}]))
    assert main([*words, str(tmp_path / "plan.json"), str(second)]) == 0
    page = (run / "report.html").read_text()
    assert page.count("batch size 32") == 4  # of contents and headings
    assert page.count("batch size 16") == 2
    (tmp_path / "plan.json").write_text('{"target": "cpu"}')
    assert main(words) == 2
    assert "plan.json is not what `aejax plan --json` wrote" in capsys.readouterr().err


def test_an_epoch_that_does_not_fit_is_followed_by_a_program_that_does(capsys, monkeypatch):
    real = step_plan.plan_epoch

    def refused(*arguments, **options):
        return real(*arguments, **options)._replace(fits=False, message="(97.25G) exceeds 15.75G")

    monkeypatch.setattr("aejax.cli.commands.plan.plan_epoch", refused)
    assert main([*WORDS, "--examples", "96", "--epoch"]) == 1
    text = capsys.readouterr().out
    assert "does not fit: (97.25G) exceeds 15.75G" in text
    assert "fits: examples read as a stream, --mesh data, --model 1, --batch-size 32" in text


def test_data_at_hand_give_the_shape(capsys):
    words = ["plan", "--target", "cpu", "--data", "digits", "--sizes", "64", "8", "--json"]
    assert main(words) == 0
    record = json.loads(capsys.readouterr().out)
    assert record["memory"]["parameters"] == 4 * (2 * 64 * 8 + 8 + 64)
    assert record["fits"]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--target", "v9:2x2"], "no target 'v9:2x2'; targets are such as v5e:16x16"),
        (["--target", "cpu", "--shape", "0"], "shape and examples must be positive"),
        ([*WORDS[1:], "--search", "--epoch"], "--search ranks steps: leave out --epoch"),
        ([*WORDS[1:], "--search", "--model", "2"], "leave out --mesh and --model"),
        (["--target", "cpu", "--examples", "100"], "--examples needs --shape"),
        ([*WORDS[1:], "--data", "my.csv"], "leave out --data"),
        (["--target", "cpu", "--shape", "64", "--model", "3"], "model must divide the number"),
    ],
)
def test_bad_input_is_explained(words, message, capsys):
    assert main(["plan", *words]) == 2
    assert message in capsys.readouterr().err
