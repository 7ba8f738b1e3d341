"""Lines of progress outside a terminal: at most one every ten seconds."""

from aejax.cli.process.task_progress import lines


def test_a_line_is_printed_every_ten_seconds(capsys):
    times = iter([0, 1, 12, 13, 22])
    with lines("theorem", 4, clock=lambda: next(times)) as show:
        for name in "abcd":
            show(name)
    assert capsys.readouterr().err == "theorem 2/4: b\ntheorem 4/4: d\n"
