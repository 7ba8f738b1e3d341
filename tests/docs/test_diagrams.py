"""The diagrams of docs/architecture.md show the layers that the layout test enforces."""

import pytest

from docs.draw_diagrams import FIGURES, diagrams


@pytest.mark.parametrize(("name", "text"), diagrams().items(), ids=list(diagrams()))
def test_a_committed_diagram_is_what_the_command_draws(name, text):
    assert (FIGURES / name).read_text(encoding="utf-8") == text
