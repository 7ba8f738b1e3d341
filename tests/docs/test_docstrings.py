"""Every public name says what it is: arguments with shapes, returns, errors, and its source.

Public is what a user can name: what a room's `__init__` exports, or, for a room of one file, every
name in it without an underscore. The command line is judged by tests/cli/test_help.py.
"""

import ast
import importlib
import inspect
import pkgutil
import re
import textwrap
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import pytest

import aejax

# Rooms whose functions are methods of the field, not of ours: each names where it comes from.
METHODS = {
    "activations",
    "boltzmann",
    "convolution",
    "corruptions",
    "losses",
    "models",
    "objective",
    "penalties",
    "pooling",
    "statistics",
    "theory",
}
OURS = {  # what of those rooms has no source but this house
    "convolution.flipped": "an arrangement of a kernel's entries",
    "corruptions.on_images": "a change of shape",
    "losses.categorical_labels": "the loss of categorical_cross_entropy_of_labels, which has one",
    "objective.forward": "our composition of the pieces",
    "objective.noiseless": "likewise",
    "objective.reconstruct": "likewise",
    "objective.reconstruction_losses": "likewise",
    "penalties.kernels": "picks leaves of a tree",
    "statistics.encoded_statistics": "applies the others to data",
    "theory.certificates": "runs the theorems, each of which has its own",
    "theory.pose": "checks what is given",
    "theory.with_spectrum": "makes data to check with",
}
ARRAYS = re.compile(r"\b(Array|ndarray|Float\d*|Int|Integer|Shaped|Examples)\b")
# Where an error starts: a raise of our own, or a helper whose name promises one.
REFUSING = re.compile(r"^(_?check|_refuse)")


class Public(NamedTuple):
    """One name of a room."""

    room: str
    name: str
    value: object


def rooms() -> Iterator[tuple[str, object]]:
    for found in pkgutil.iter_modules(aejax.__path__):
        if found.name != "cli":
            yield found.name, importlib.import_module(f"aejax.{found.name}")


def public() -> Iterator[Public]:
    for room, module in rooms():
        for name, value in vars(module).items():
            home = getattr(value, "__module__", None)
            # A package exports what it imports; a file, what it defines.
            here = home == module.__name__ or hasattr(module, "__path__")
            ours = str(home).startswith("aejax")
            defined = inspect.isfunction(value) or inspect.isclass(value)
            if not name.startswith("_") and here and ours and defined:
                yield Public(room, name, value)
                if inspect.isclass(value):
                    yield from methods(room, name, value)


def methods(room: str, name: str, value: type) -> Iterator[Public]:
    for method, function in vars(value).items():
        ours = str(getattr(function, "__module__", None)).startswith("aejax")  # not a library's
        if inspect.isfunction(function) and ours and not method.startswith("_"):
            yield Public(room, f"{name}.{method}", function)


NAMES = list(public())
FUNCTIONS = [found for found in NAMES if inspect.isfunction(found.value)]


def section(doc: str, title: str) -> str:
    """The indented lines under a title, or the words after it on its line."""
    match = re.search(rf"^{title}:(.*(?:\n(?:[ ]+.*|(?=\n[ ]))?)*)", doc, re.MULTILINE)
    return match[1] if match else ""


def words_of(found: Public) -> str:
    return inspect.getdoc(found.value) or ""


def arguments(found: Public) -> dict[str, inspect.Parameter]:
    parameters = inspect.signature(inspect.unwrap(found.value)).parameters
    return {name: found for name, found in parameters.items() if name not in ("self", "cls")}


def test_the_walk_finds_the_house():
    found = {f"{found.room}.{found.name}" for found in NAMES}
    assert {
        "losses.squared_error",
        "penalties.kl_sparsity",
        "theory.pca",
        "training.fit",
        "types.Batch",
        "estimator.LinearAutoencoder.fit",
    } <= found
    assert len(FUNCTIONS) > 100


def purpose(found: Public) -> str | None:
    """It begins with its purpose in one line."""
    first, _, rest = words_of(found).partition("\n")
    good = first.endswith((".", ":")) and (not rest or rest.startswith("\n"))
    return None if good else "begins with no purpose in one line"


def explained(found: Public) -> str | None:
    """Every argument is explained, and every array has a shape."""
    text = section(words_of(found), "Args")
    for name, parameter in arguments(found).items():
        entry = re.search(
            rf"^\s+(?:.*, )?\*{{0,2}}{name}(?:, .*)?: (.*(?:\n\s{{8,}}.*)*)", text, re.MULTILINE
        )
        if not entry:
            return f"Args lacks {name}"
        annotation = str(parameter.annotation)
        if ARRAYS.search(annotation) and "Callable" not in annotation:
            in_signature = "'" in annotation or "float" in annotation  # jaxtyping's; or a number
            if not in_signature and not re.search(r"\[.*\]|scalar|shape|array|like", entry[1]):
                return f"{name} has no shape"
    return None


def returns(found: Public) -> str | None:
    """What is returned is said."""
    words = words_of(found)
    nothing = inspect.signature(inspect.unwrap(found.value)).return_annotation in (None, "None")
    said = nothing or section(words, "Returns") or section(words, "Yields")
    return None if said else "does not say what it returns"


def raises(found: Public) -> str | None:
    """Every error that its own lines raise is told, and that there are some where it checks."""
    tree = ast.parse(textwrap.dedent(inspect.getsource(inspect.unwrap(found.value))))
    errors = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Raise) and node.exc is not None:
            raised = node.exc.func if isinstance(node.exc, ast.Call) else node.exc
            errors.add(ast.unparse(raised))
        if isinstance(node, ast.Call) and REFUSING.match(ast.unparse(node.func).rpartition(".")[2]):
            errors.add("Error")
    text = section(words_of(found), "Raises")
    lacking = sorted(error for error in errors if error not in text)
    return f"Raises lacks {lacking}" if lacking else None


def sourced(found: Public) -> str | None:
    """Methods of the field name their source."""
    if found.room not in METHODS:
        return None
    source = bool(section(words_of(found), "Source").strip())
    ours = f"{found.room}.{found.name}" in OURS
    return None if source != ours else "has no source, or one and a line in OURS"


def complaints(rule, names) -> list[str]:
    found = [(name, rule(name)) for name in names]
    return [f"{name.room}.{name.name} {complaint}" for name, complaint in found if complaint]


def test_rooms_say_what_they_hold():
    assert [
        room for room, module in rooms() if len((module.__doc__ or "").split("\n")[0]) < 20
    ] == []


def test_every_name_says_its_purpose():
    assert complaints(purpose, NAMES) == []


@pytest.mark.parametrize("rule", [explained, returns, raises, sourced])
def test_every_function_keeps_the_rule(rule):
    assert complaints(rule, FUNCTIONS) == []


@pytest.mark.parametrize("rule", [explained, returns, raises, sourced])
def test_the_rules_catch_what_lacks(rule):
    def lacking(x: np.ndarray, rate: float) -> np.ndarray:
        """Does something."""
        if rate < 0:
            raise ValueError("no")
        return x

    assert rule(Public("losses", "lacking", lacking))
