"""Pages of the documentation: Python blocks run, commands parse, links lead to files."""

import re
import shlex
import subprocess
import sys
from pathlib import Path

import matplotlib
import pytest
import tyro

from aejax.cli.all_commands import Command
from aejax.cli.execution import parsed
from aejax.cli.main import main
from aejax.cli.process.swept_options import split_swept

DOCS = Path(__file__).parents[2] / "docs"
PAGES = {
    path.relative_to(DOCS).as_posix(): path.read_text(encoding="utf-8")
    for path in sorted(DOCS.rglob("*.md"))
    if path.relative_to(DOCS).parts[0] not in ("_build", "api", "repository")
}
IN_TEST_HOW_TO = {  # run by test_how_to.py, with further checks
    "how-to/anomalies.md",
    "how-to/binary_and_real_inputs.md",
    "how-to/choose_code_size.md",
    "how-to/compare_runs.md",
    "how-to/evaluate_variational.md",
    "how-to/named_latents.md",
    "how-to/noise_levels.md",
    "how-to/own_model.md",
    "how-to/own_script.md",
    "how-to/own_study.md",
    "how-to/priors.md",
    "how-to/quantised_codes.md",
    "how-to/streams.md",
    "how-to/tune.md",
    "how-to/variational_autoencoder.md",
}


INFORMATION = {"--help", "--version", "--tyro-print-completion"}
"""Options that print and exit."""


def blocks(page: str, language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", PAGES[page], re.DOTALL)


def with_blocks(language: str) -> list[str]:
    return [page for page in PAGES if blocks(page, language)]


@pytest.mark.parametrize("page", sorted(set(with_blocks("python")) - IN_TEST_HOW_TO))
def test_every_block_runs(page, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with matplotlib.rc_context({"backend": "agg"}):
        exec("\n".join(blocks(page, "python")), {})


def test_the_pages_of_test_how_to_exist():
    assert set(with_blocks("python")) >= IN_TEST_HOW_TO


def exit_code(words: list[str]) -> int:
    try:
        return main(words)
    except SystemExit as stop:
        return int(stop.code or 0)


@pytest.mark.parametrize("page", with_blocks("sh"))
def test_every_command_parses(page, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for block in blocks(page, "python"):
        if name := re.match(r"# (\w+\.py)\n", block):  # a file that commands may name
            (tmp_path / name[1]).write_text(block)
    lines = [line for block in blocks(page, "sh") for line in block.splitlines()]
    words = [shlex.split(line, comments=True) for line in lines]
    for first, *rest in filter(None, words):
        if first.rpartition("/")[2] == "aejax":
            rest = rest[: rest.index(">")] if ">" in rest else rest
            if not rest or INFORMATION & set(rest):
                assert exit_code(rest) == 0
            elif rest[0] == "train" and not rest[1].startswith("-"):
                assert parsed(rest).training.factory == f"{tmp_path}/{rest[1]}"
            else:
                plain, _ = split_swept(rest) if rest[0] == "sweep" else (rest, {})
                assert tyro.cli(Command, args=plain) is not None


@pytest.mark.parametrize("page", PAGES)
def test_links_lead_to_files(page):
    for link in re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", PAGES[page]):
        assert "://" in link or (DOCS / page).parent.joinpath(link).exists(), link


@pytest.mark.slow
def test_the_documentation_is_built_without_a_warning(tmp_path):
    pytest.importorskip("furo", reason="the documentation needs aejax[docs]")
    html = tmp_path / "html"
    options = ["--builder", "html", "--fail-on-warning", "--quiet", DOCS, html]
    subprocess.run([sys.executable, "-m", "sphinx", *options], check=True)
    page = (html / "api/aejax.estimator.html").read_text(encoding="utf-8")
    assert "AutoencoderTransformer" in page
