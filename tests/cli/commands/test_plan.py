"""`aejax plan` for the CPU of this machine, and its messages."""

import json

import pytest

from aejax.cli import main


def test_a_plan_is_printed_as_text_and_as_json(capsys):
    words = [
        "plan",
        "--target",
        "cpu",
        "--shape",
        "64",
        "--sizes",
        "64",
        "16",
        "--batch-size",
        "32",
    ]
    assert main(words) == 0
    text = capsys.readouterr().out
    assert "cpu: 1 × cpu, data 1, model 1, batch size 32" in text
    assert "parameters" in text
    assert "0 transfers to the host" in text
    assert main([*words, "--json"]) == 0
    record = json.loads(capsys.readouterr().out)
    assert record["memory"]["parameters"] == 4 * (2 * 64 * 16 + 16 + 64)
    assert record["counts"]["operations"] == 2 * 32 * 64 * 16 * 5


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
        (["--target", "cpu", "--shape", "64", "--model", "3"], "model must divide the number"),
    ],
)
def test_bad_input_is_explained(words, message, capsys):
    assert main(["plan", *words]) == 2
    assert message in capsys.readouterr().err
