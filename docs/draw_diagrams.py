"""The two diagrams of docs/architecture.md as SVG: data flow, and the layers of the package.

Command: python -m docs.draw_diagrams (`make diagrams`)
"""

from collections.abc import Iterable, Mapping
from html import escape
from pathlib import Path

from tests.test_layout import LAYERS

FIGURES = Path(__file__).parent / "figures"
INK, FRAME, FILL, OPTIONAL = "#1f2933", "#3b6a86", "#e8f1f6", "#fdf6e6"
HEIGHT = 44
"""Height of a box, in pixels."""


def data_flow() -> str:
    """One training step: from a batch to the updated parameters, and the loops around it."""
    gap, width = 32, 106
    first = ["augmentation", "corruption", "encode", "perturbation", "decode"]
    optional = {"augmentation", "corruption", "perturbation"}
    symbols = ["x", "x", "x̃", "h", "h", "x̂"]
    parts, y = [], 66
    x = 56
    parts.append(_text(x - 27, y + 27, "batch", bold=True))
    for name, symbol in zip(first, symbols, strict=False):
        parts.append(_arrow(x, y + HEIGHT / 2, x + gap, y + HEIGHT / 2, symbol))
        parts.append(_box(x + gap, y, width, name, optional=name in optional))
        x += gap + width
    right = x
    parts.append(_arrow(right, y + HEIGHT / 2, right + gap, y + HEIGHT / 2, symbols[-1]))
    parts.append(_text(right + gap + 8, y + 27, "output", bold=True, anchor="start"))
    below = y + 112
    parts.append(_box(96, below, 226, "loss(output, target)"))
    parts.append(_box(356, below, 226, "penalties(forward pass)", optional=True))
    parts.append(_text(339, below + 27, "+"))
    parts.append(_path(f"M{right + gap + 34},{y + 40} V{below - 34} H209 V{below - 3}"))
    parts.append(_path(f"M469,{below - 34} V{below - 3}"))
    last = below + 100
    x = 96
    parts.append(_path(f"M209,{below + HEIGHT} V{last - 3}"))
    parts.append(_path(f"M469,{below + HEIGHT} V{below + 70} H209", head=False))
    for name, size in (
        ("objective", 226),
        ("gradient", 90),
        ("step", 90),
        ("epoch: scan", 100),
        ("fit", 60),
    ):
        if x > 96:
            parts.append(_arrow(x - gap + 2, last + HEIGHT / 2, x, last + HEIGHT / 2))
        parts.append(_box(x, last, size, name))
        x += size + gap - 2
    parts.append(_text(20, 34, "One training step", bold=True, anchor="start", size=16))
    parts.append(_text(20, last + 78, "Dashed boxes are optional.", anchor="start"))
    return _svg(850, last + 98, parts, "Data flow of one training step, from a batch to fit")


def layers(rows: Iterable[Iterable[str]]) -> str:
    """The components of the package: a row may import the rows below it only."""
    parts = [_text(20, 34, "Layers of aejax", bold=True, anchor="start", size=16)]
    shown = [sorted(name for name in row if "__" not in name) for row in rows]
    shown = [row for row in reversed(shown) if row]
    y, left, total, gap = 54, 66, 744, 10
    for row in shown:
        width = min((total - gap * (len(row) - 1)) / len(row), 240)
        offset = left + (total - width * len(row) - gap * (len(row) - 1)) / 2
        for index, name in enumerate(row):
            parts.append(_box(offset + index * (width + gap), y, width, name, height=36))
        y += 46
    parts.append(_path(f"M34,{60} V{y - 16}"))
    middle = (60 + y) / 2
    parts.append(
        f'<text x="24" y="{middle:g}" transform="rotate(-90 24 {middle:g})" '
        f'text-anchor="middle" font-size="14" fill="{INK}">imports</text>'
    )
    return _svg(830, y + 10, parts, "Layers of the package aejax; imports point downwards")


def diagrams() -> Mapping[str, str]:
    """File names and contents of the diagrams."""
    return {"data_flow.svg": data_flow(), "layers.svg": layers(LAYERS)}


def main() -> None:
    """Write the diagrams below docs/figures."""
    FIGURES.mkdir(exist_ok=True)
    for name, text in diagrams().items():
        (FIGURES / name).write_text(text, encoding="utf-8")


def _svg(width: float, height: float, parts: Iterable[str], title: str) -> str:
    body = "\n".join(parts)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:g} {height:g}" '
        f'width="{width:g}" height="{height:g}" font-family="Helvetica, Arial, sans-serif">\n'
        f"<title>{escape(title)}</title>\n"
        '<defs><marker id="head" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" '
        f'markerHeight="7" orient="auto"><path d="M0,0 L8,4 L0,8 z" fill="{FRAME}"/></marker>'
        f'</defs>\n<rect width="100%" height="100%" rx="8" fill="white"/>\n{body}\n</svg>\n'
    )


def _box(
    x: float, y: float, width: float, text: str, *, optional: bool = False, height: float = HEIGHT
) -> str:
    style = f'fill="{OPTIONAL}" stroke-dasharray="5 3"' if optional else f'fill="{FILL}"'
    label = _text(x + width / 2, y + height / 2 + 5, text)
    return (
        f'<rect x="{x:g}" y="{y:g}" width="{width:g}" height="{height:g}" rx="5" {style} '
        f'stroke="{FRAME}" stroke-width="1.2"/>\n{label}'
    )


def _text(
    x: float, y: float, text: str, *, bold: bool = False, anchor: str = "middle", size: int = 14
) -> str:
    weight = ' font-weight="bold"' if bold else ""
    return (
        f'<text x="{x:g}" y="{y:g}" text-anchor="{anchor}" font-size="{size}"{weight} '
        f'fill="{INK}">{escape(text)}</text>'
    )


def _arrow(x: float, y: float, to_x: float, to_y: float, label: str = "") -> str:
    line = _path(f"M{x + 3:g},{y:g} L{to_x - 2:g},{to_y:g}")
    return line + (f"\n{_text((x + to_x) / 2, y - 8, label)}" if label else "")


def _path(points: str, *, head: bool = True) -> str:
    end = ' marker-end="url(#head)"' if head else ""
    return f'<path d="{points}" fill="none" stroke="{FRAME}" stroke-width="1.6"{end}/>'


if __name__ == "__main__":
    main()
