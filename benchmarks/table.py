"""benchmarks/README.md, written from the committed results: `make bench` ends with it."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from aejax.cli.files import write_text
from benchmarks.interleaved import RESULTS

README = Path(__file__).parent / "README.md"
HEAD = """# Benchmarks

`make bench` runs them and writes this page from [`results`](results). The ways of a benchmark run
in one process, in turn, round after round; a ratio is the median over the rounds of the first way's
seconds over its own, with its quartiles: above one is faster than the first. The first call, which
compiles, is not among the rounds. Times of one machine are not those of another; ratios nearly are.
"""
SPEEDS = ("rows a second", "images a second")


def render(results: Mapping[str, Mapping[str, Any]]) -> str:
    """The page.

    Args:
        results: by benchmark, as `interleaved.record` writes them.

    Returns:
        Markdown.
    """
    return HEAD + "".join(_section(name, result) for name, result in results.items())


def committed() -> dict[str, dict[str, Any]]:
    """The results that this page is made of, by benchmark."""
    found = {}
    for name in ("throughput", "convolution"):
        found[name] = json.loads((RESULTS / f"{name}.json").read_text(encoding="utf-8"))
    return found


def main() -> None:
    """Write the page."""
    write_text(README, render(committed()))


def _section(name: str, result: Mapping[str, Any]) -> str:
    about, lines = result["environment"], []
    for case, ways in result["found"].items():
        for way, each in ways.items():
            (speed,) = [f"{each[what]} {what}" for what in SPEEDS if what in each]
            middle, low, high = each["ratio"]
            share = f"{each['share']:.2f}" if "share" in each else ""
            lines.append(
                f"| {case} | {way} | {middle:.2f} ({low:.2f} to {high:.2f}) | {speed} | {share} | "
                f"{each['first']:.1f} s |\n"
            )
    return (
        f"\n## {name}\n\n`python -m benchmarks.{name}` on {about['device']}, "
        f"jax {about['jax']}, load {about['load'][0]} before and during.\n\n"
        "| case | way | ratio | speed | share of NumPy's float32 products | first call |\n"
        "|---|---|---|---|---|---|\n" + "".join(lines)
    )


if __name__ == "__main__":
    main()
