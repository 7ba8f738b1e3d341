"""Pages that `make docs` generates: API reference, command line, and documents outside docs/."""

import ast
import importlib
import inspect
import io
import os
import re
from contextlib import redirect_stdout
from pathlib import Path
from types import ModuleType
from typing import get_args

from aejax.cli.all_commands import Command
from aejax.cli.main import main

API = {
    "Core": ("aejax.objectives", "aejax.types"),
    "Models": ("aejax.models", "aejax.layers.activations"),
    "Losses, noise and penalties": (
        "aejax.losses",
        "aejax.likelihoods",
        "aejax.corruptions",
        "aejax.augmentations",
        "aejax.penalties",
        "aejax.posteriors",
        "aejax.priors",
    ),
    "Data": ("aejax.data",),
    "Training": (
        "aejax.training",
        "aejax.trackers",
        "aejax.runs",
        "aejax.checkpoints",
        "aejax.sharding",
        "aejax.planning",
    ),
    "Evaluation and figures": ("aejax.evaluation", "aejax.plots", "aejax.report", "aejax.studies"),
    "Theory": ("aejax.theory", "aejax.theory.analysis.backpropagation"),
    "Layers": (
        "aejax.layers.convolution",
        "aejax.layers.convolution_arithmetic",
        "aejax.layers.pooling",
        "aejax.layers.resampling",
        "aejax.layers.batch_normalisation",
    ),
    "Other libraries": ("aejax.estimator", "aejax.interchange"),
}
"""Public modules by use, in the order of the reference."""

INTERNAL = {
    "batch_inputs",
    "cli",
    "contracts",
    "hyperparameters",
    "keys",
    "promotion",
    "registry",
    "repr_text",
}
"""Modules of the package that the reference omits."""

COPIES = {
    "experiments/README.md": "experiments",
    "benchmarks/README.md": "benchmarks",
    "CONTRIBUTING.md": "contributing",
    "CHANGELOG.md": "changelog",
}
"""Documents outside docs/ and the names of their generated pages."""

ROOT = Path(__file__).parents[1]
LINK = re.compile(r"(?<!!)\[((?:[^\[\]]|\[[^\]]*\])*)\]\((?!\w+:)([^)#\s]+)(#[^)\s]*)?\)")


def write(app) -> None:
    """Write all generated pages below docs/api and docs/repository."""
    docs = Path(app.srcdir)
    for folder in ("api", "repository"):
        (docs / folder).mkdir(exist_ok=True)
    for modules in API.values():
        for name in modules:
            _write_page(docs / "api" / f"{name}.md", api_page(importlib.import_module(name)))
    _write_page(docs / "api" / "index.md", api_index())
    _write_page(docs / "api" / "command_line.md", command_line_page())
    for source, name in COPIES.items():
        text = (ROOT / source).read_text(encoding="utf-8")
        page = docs / "repository" / f"{name}.md"
        _write_page(page, relocated(text, (ROOT / source).parent, page.parent))


def api_index() -> str:
    """The groups of the reference, each with the purpose of its modules and their pages."""
    parts = ["# API by use"]
    for group, names in API.items():
        lines = [f"- [`{name}`]({name}.md): {_purpose(name)}" for name in names]
        tree = "\n".join(["```{toctree}", ":hidden:", "", *names, "```"])
        parts.append("\n\n".join([f"## {group}", "\n".join(lines), tree]))
    return "\n\n".join(parts) + "\n"


def api_page(module: ModuleType) -> str:
    """A module's docstring, a table of its functions and classes, and the docstring of each."""
    prefix = module.__name__
    names = public_names(module)
    data = {
        name: _data_entry(f"{prefix}.{name}", lines)
        for name, lines in documented_data(module).items()
    }
    # Instances of aejax's classes, such as losses, before functions; type aliases after them.
    first = [name for name in data if type(getattr(module, name)).__module__.startswith("aejax")]
    parts = [f".. automodule:: {prefix}\n   :no-members:", *(data.pop(name) for name in first)]
    if names:
        table = "\n".join(f"   {name}" for name in names)
        parts.append(f".. autosummary::\n   :nosignatures:\n\n{table}")
    for name in names:
        value = getattr(module, name)
        if inspect.isclass(value):
            methods = ", ".join(_methods(value))
            members = f"\n   :members: {methods}" if methods else "\n   :no-members:"
            parts.append(f".. autoclass:: {prefix}.{name}{members}")
        else:
            parts.append(f".. autofunction:: {prefix}.{name}")
    body = "\n\n".join([*parts, *data.values()])
    return f"# {prefix}\n\n```{{eval-rst}}\n{body}\n```\n"


def public_names(module: ModuleType) -> list[str]:
    """Functions and classes that a module defines, or, for a package, exports."""
    is_package = hasattr(module, "__path__")
    return [
        name
        for name, value in vars(module).items()
        if (inspect.isfunction(value) or inspect.isclass(value))
        and not name.startswith("_")
        and (value.__module__ == module.__name__ or is_package)
        and value.__module__.startswith("aejax")
    ]


def documented_data(module: ModuleType) -> dict[str, list[str]]:
    """Docstring lines of the constants and type aliases of a module, or, for a package, exports."""
    from sphinx.pycode import ModuleAnalyzer  # absent where only the tests' tools are installed

    homes = dict.fromkeys(vars(module), module.__name__)
    if hasattr(module, "__path__"):
        homes = {
            alias.asname or alias.name: node.module
            for node in ast.walk(ast.parse(inspect.getsource(module)))
            if isinstance(node, ast.ImportFrom) and node.module
            for alias in node.names
        }
    found = {}
    for name, home in homes.items():
        documented = ModuleAnalyzer.for_module(home).find_attr_docs()
        if ("", name) in documented and not name.startswith("_"):
            found[name] = list(documented["", name])
    return found


def _data_entry(name: str, lines: list[str]) -> str:
    escape_docstring(None, "data", name, None, None, lines)
    text = "\n".join(f"   {line}".rstrip() for line in lines).rstrip()
    return f".. py:data:: {name}\n\n{text}"


def _methods(value: type) -> list[str]:
    """Names of the documented methods and properties that a class of aejax defines."""
    return [
        name
        for name, member in vars(value).items()
        if not name.startswith("_")
        and (inspect.isfunction(member) or isinstance(member, property | classmethod))
        and str(getattr(member, "__module__", "aejax")).startswith("aejax")
        and (member.__doc__ or isinstance(member, property))
    ]


def command_line_page() -> str:
    """The help text of each command."""
    parts = ["# Command line", _code(help_text())]
    parts += [f"## aejax {name}\n\n{_code(help_text(*name.split()))}" for name in commands()]
    return "\n\n".join(parts) + "\n"


def commands(command: object = Command) -> list[str]:
    """Names of all commands, such as `train` and `data list`."""
    found = []
    for member in get_args(command):
        kind, setting = get_args(member) if len(get_args(member)) > 1 else member.__metadata__
        nested = commands(kind)
        found += [f"{setting.name} {name}" for name in nested] or [setting.name]
    return found


def help_text(*words: str) -> str:
    """Output of `aejax WORDS --help` at 88 columns, without colours."""
    output, environment = io.StringIO(), dict(os.environ)
    os.environ |= {"COLUMNS": "88", "NO_COLOR": "1", "TERM": "dumb"}
    try:
        with redirect_stdout(output):
            main([*words, "--help"])
    except SystemExit:
        pass
    finally:
        os.environ.clear()
        os.environ |= environment
    return re.sub(r"\x1b\[[0-9;]*m", "", output.getvalue()).rstrip()


def redirect_links(app, document: str, source: list[str]) -> None:
    """Make links to files outside docs/ work: to a generated page, or as a download."""
    docs = Path(app.srcdir)
    if not document.startswith(("api/", "repository/")):
        folder = (docs / document).parent
        source[0] = relocated(source[0], folder, folder)


def relocated(text: str, source: Path, target: Path) -> str:
    """Markdown of the folder `source` with links that are valid in the folder `target`."""
    docs = ROOT / "docs"

    def link(match: re.Match[str]) -> str:
        words, path, anchor = match[1], (source / match[2]).resolve(), match[3] or ""
        if not path.is_relative_to(ROOT) or path.is_dir() or not path.exists():
            return words
        copy = COPIES.get(path.relative_to(ROOT).as_posix())
        if copy:
            path = docs / "repository" / f"{copy}.md"
        is_page = path.suffix == ".md" or path.parent == docs / "notebooks"
        inside = path.is_relative_to(docs) and is_page
        relative = os.path.relpath(path, target).replace(os.sep, "/")
        return f"[{words}]({relative}{anchor})" if inside else f"[{words}](path:{relative})"

    return LINK.sub(link, text)


def escape_docstring(_app, what, _name, _object, _options, lines: list[str]) -> None:
    """Escape the plain text of a docstring, which is not reStructuredText, in place.

    Backticks are markup; stars, bars and underscores are not. Fields of a record, `name: purpose`,
    become a list. Examples (`>>>`) stay as they are. Sources link to the bibliography.
    """
    _join_source(lines)
    in_example = False
    for index, line in enumerate(lines):
        in_example = line.strip().startswith(">>>") or (in_example and bool(line.strip()))
        if in_example:
            continue
        if what == "class":
            line = re.sub(r"^(\w+(?:, \w+)*):\s+(?=\S)", r":\1: ", line)
        parts = re.split(r"(`[^`]+`)", line)
        literal = "".join(
            f"`{part}`" if part.startswith("`") else re.sub(r"([*|_`\\])", r"\\\1", part)
            for part in parts
        )
        lines[index] = re.sub(r"(``[^`]+``)(?=\w)", r"\1\\ ", literal)  # as in `Batch`es
        if line.startswith("Source:"):
            lines[index] = _with_links(lines[index])


def _join_source(lines: list[str]) -> None:
    """Put the lines of a `Source:` entry on one line, so that no citation is broken."""
    for index, line in enumerate(lines):
        if line.startswith("Source:"):
            end = next((i for i in range(index, len(lines)) if not lines[i].strip()), len(lines))
            lines[index:end] = [" ".join(part.strip() for part in lines[index:end])]
            return


def _with_links(source: str) -> str:
    """A `Source:` entry whose citations link to their entries of the bibliography."""
    bibliography = (ROOT / "docs" / "references.md").read_text(encoding="utf-8")
    keys = sorted(re.findall(r"^### (.+)$", bibliography, re.MULTILINE), key=len, reverse=True)

    def link(match: re.Match[str]) -> str:
        return f"`{match[0]} <../references.html#{slug_of_heading(match[0])}>`__"

    return re.sub("|".join(map(re.escape, keys)), link, source)


def slug_of_heading(title: str) -> str:
    """Anchor of a heading, as GitHub and MyST make it."""
    return re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-")


def _purpose(name: str) -> str:
    return (importlib.import_module(name).__doc__ or "").partition("\n")[0]


def _code(text: str) -> str:
    return f"```text\n{text}\n```"


def _write_page(path: Path, text: str) -> None:
    if not path.exists() or path.read_text(encoding="utf-8") != text:
        path.write_text(text, encoding="utf-8")
