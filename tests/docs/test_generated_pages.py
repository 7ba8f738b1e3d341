"""The reference covers all public modules and all commands; links of copied documents work."""

import pkgutil

import aejax
from aejax.cli.all_commands import ACTIONS
from docs import generated_pages
from docs.generated_pages import API, INTERNAL, ROOT


def test_each_module_is_in_the_reference_or_internal():
    documented = {name.split(".")[1] for names in API.values() for name in names}
    modules = {found.name for found in pkgutil.iter_modules(aejax.__path__)} - {"__main__"}
    assert documented | INTERNAL == modules
    assert not documented & INTERNAL


def test_every_command_has_its_help_text():
    commands = generated_pages.commands()
    assert len(commands) == len(ACTIONS)
    assert {"train", "verify", "data list"} <= set(commands)
    assert "usage: aejax data list" in generated_pages.help_text("data", "list")


def test_links_lead_to_generated_pages_or_to_downloads():
    text = "[a](../README.md#b) [c](../experiments/README.md) [d](https://e.org) [f](aejax) ![g](h)"
    assert generated_pages.relocated(text, ROOT / "benchmarks", ROOT / "docs" / "repository") == (
        "[a](path:../../README.md) [c](experiments.md) [d](https://e.org) f ![g](h)"
    )


def test_links_to_notebooks_lead_to_pages_and_to_scripts_to_downloads():
    text = "[a](notebooks/denoising.py) [b](own_model/with_aejax.py)"
    assert generated_pages.relocated(text, ROOT / "docs", ROOT / "docs") == (
        "[a](notebooks/denoising.py) [b](path:own_model/with_aejax.py)"
    )


def test_examples_in_docstrings_are_not_escaped():
    lines = ["x_hat and `x_hat`s", ">>> x_hat * 2", "[a_b]", "", "a_b"]
    generated_pages.escape_docstring(None, "function", "", None, None, lines)
    assert lines == ["x\\_hat and ``x_hat``\\ s", ">>> x_hat * 2", "[a_b]", "", "a\\_b"]
