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
    "corruptions.on_images": "a change of shape",
    "objective.forward": "our composition of the pieces",
    "objective.noiseless": "likewise",
    "objective.reconstruct": "likewise",
    "objective.reconstruction_losses": "likewise",
    "penalties.kernels": "picks leaves of a tree",
    "statistics.encoded_statistics": "applies the others to data",
    "theory.certificates": "runs the theorems, each of which has its own",
    "theory.pose": "checks what is given",
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
            own = home == module.__name__ or (
                hasattr(module, "__path__") and not inspect.ismodule(value)
            )
            callable_of_ours = (inspect.isfunction(value) or inspect.isclass(value)) and str(
                home
            ).startswith("aejax")
            if not name.startswith("_") and own and callable_of_ours:
                yield Public(room, name, value)
                if inspect.isclass(value):
                    yield from methods(room, name, value)


def methods(room: str, name: str, value: type) -> Iterator[Public]:
    for method, function in vars(value).items():
        if inspect.isfunction(function) and not method.startswith("_"):
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


def named(parameters) -> pytest.MarkDecorator:
    return pytest.mark.parametrize(
        "found", parameters, ids=lambda found: f"{found.room}.{found.name}"
    )


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


@pytest.mark.parametrize(("room", "module"), list(rooms()), ids=lambda value: str(value)[:20])
def test_rooms_say_what_they_hold(room, module):
    assert module.__doc__, room
    assert len(module.__doc__.splitlines()[0]) > 20


@named(NAMES)
def test_it_begins_with_its_purpose_in_one_line(found):
    first, _, rest = words_of(found).partition("\n")
    assert first.endswith((".", ":")), first
    assert not rest or rest.startswith("\n")


@named([found for found in FUNCTIONS if arguments(found)])
def test_every_argument_is_explained_and_every_array_has_a_shape(found):
    text = section(words_of(found), "Args")
    for name, parameter in arguments(found).items():
        entry = re.search(
            rf"^\s+(?:.*, )?\*{{0,2}}{name}(?:, .*)?: (.*(?:\n\s{{8,}}.*)*)", text, re.MULTILINE
        )
        assert entry, f"Args lacks {name}"
        annotation = str(parameter.annotation)
        if ARRAYS.search(annotation) and "Callable" not in annotation:
            shaped = "'" in annotation or "float" in annotation  # jaxtyping's shape; or a number
            assert shaped or re.search(r"\[.*\]|scalar|shape|array|like", entry[1]), (
                f"{name}: shape?"
            )


@named(
    [
        found
        for found in FUNCTIONS
        if inspect.signature(inspect.unwrap(found.value)).return_annotation not in (None, "None")
    ]
)
def test_what_is_returned_is_said(found):
    words = words_of(found)
    assert section(words, "Returns") or section(words, "Yields")


def refusals(found: Public) -> set[str]:
    """Errors that the function's own lines raise, and "ValueError" for each check it calls."""
    tree = ast.parse(textwrap.dedent(inspect.getsource(inspect.unwrap(found.value))))
    errors = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Raise) and node.exc is not None:
            raised = node.exc.func if isinstance(node.exc, ast.Call) else node.exc
            errors.add(ast.unparse(raised))
        if isinstance(node, ast.Call) and REFUSING.match(ast.unparse(node.func).rpartition(".")[2]):
            errors.add("Error")
    return errors - {"error"}


@named([found for found in FUNCTIONS if refusals(found)])
def test_every_error_is_told(found):
    text = section(words_of(found), "Raises")
    for error in refusals(found):
        assert error in text, f"Raises lacks {error}"


@named([found for found in FUNCTIONS if found.room in METHODS])
def test_methods_of_the_field_name_their_source(found):
    sourced = bool(section(words_of(found), "Source").strip())
    ours = f"{found.room}.{found.name}" in OURS
    assert sourced != ours, "a source, or a line in OURS, and not both"


def test_the_rules_catch_what_lacks():
    def lacking(x: np.ndarray, rate: float) -> np.ndarray:
        """Does something."""
        if rate < 0:
            raise ValueError("no")
        return x

    found = Public("losses", "lacking", lacking)
    for rule in (
        test_every_argument_is_explained_and_every_array_has_a_shape,
        test_what_is_returned_is_said,
        test_every_error_is_told,
        test_methods_of_the_field_name_their_source,
    ):
        with pytest.raises(AssertionError):
            rule(found)
