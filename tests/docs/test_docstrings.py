"""Docstrings of public names: purpose, arguments with shapes, return values, errors, sources.

A name is public if a package's `__init__` exports it, or if it has no leading underscore and is
defined in a file of `PUBLIC_FILES`. tests/cli/test_help.py checks the command line.
"""

import ast
import importlib
import inspect
import pkgutil
import re
import textwrap
from collections.abc import Iterator
from types import ModuleType
from typing import NamedTuple

import numpy as np
import pytest

import aejax

# Files whose names are public although no package exports them, beside the files directly below
# aejax. A package stands for all of its files.
PUBLIC_FILES = (
    "augmentations.interpolation",
    "layers",
    "models.boltzmann",
    "report.epoch_slider",
    "report.tables",
)
# Modules of published methods, whose functions cite their source.
PUBLISHED = {
    "corruptions",
    "evaluation",
    "layers.activations",
    "layers.convolution",
    "layers.pooling",
    "likelihoods",
    "losses",
    "models",
    "models.boltzmann",
    "objectives",
    "penalties",
    "posteriors",
    "priors",
    "theory",
}
UNPUBLISHED = {  # functions of these modules that have no source
    "corruptions.on_images": "a change of shape",
    "evaluation.above": "a common definition",
    "evaluation.absolute_cosines": "a common definition",
    "evaluation.below": "a common definition",
    "evaluation.best_factors": "an argmax of cosines",
    "evaluation.best_units": "likewise",
    "evaluation.confusion_matrix": "counts pairs of labels",
    "evaluation.empirical_rank": "a common definition",
    "evaluation.encoded_statistics": "applies the others to data",
    "evaluation.feature_errors": "a common definition",
    "evaluation.hamming_balls": "ranks by a distance",
    "evaluation.initial_top_examples": "the start of merge_top_examples",
    "evaluation.interval": "a common definition",
    "evaluation.linear_path": "a common definition",
    "evaluation.mean_with_error": "a common definition",
    "evaluation.merge_top_examples": "one block of top_examples, which has one",
    "evaluation.outlier_threshold": "a quantile",
    "evaluation.precision_at": "a common definition",
    "evaluation.segmentation_batch": "arranges images and labels",
    "evaluation.shuffled": "permutes values between examples",
    "evaluation.summary": "counts parameters",
    "layers.activations.num_groups": "divides a number of units",
    "layers.convolution.flipped": "an arrangement of a kernel's entries",
    "losses.by_blocks": "concatenates other losses",
    "losses.categorical_labels": "the loss of categorical_cross_entropy_of_labels, which has one",
    "models.dense_code": "a change of form",
    "models.fold_decoder_norms": "a change of variables",
    "models.fold_linear_map": "likewise",
    "models.fold_normalisation": "likewise",
    "objectives.forward": "composes model, corruption and code noise",
    "objectives.loss_and_statistics": "likewise",
    "objectives.noiseless": "likewise",
    "objectives.reconstruct": "likewise",
    "objectives.reconstruction_losses": "likewise",
    "objectives.target_of": "selects an array of the record",
    "penalties.kernels": "selects leaves of a tree",
    "posteriors.is_sample": "tells an array from a record",
    "posteriors.latent_point": "likewise",
    "priors.with_prior": "adds parameters to a model",
    "theory.certificates": "runs the theorems, which cite their own",
    "theory.pose": "checks its arguments",
    "theory.with_spectrum": "generates test data",
}
ARRAYS = re.compile(r"\b(Array|ndarray|Float\d*|Int|Integer|Shaped|Examples)\b")
# A function raises an error in a `raise` of its own or in a helper with such a name.
CHECKING = re.compile(r"^(_?check|_refuse)(_\w+)?$")


class Public(NamedTuple):
    """A public name and the module that provides it, without the leading `aejax.`."""

    module: str
    name: str
    value: object


def public_modules() -> Iterator[tuple[str, ModuleType]]:
    """Files and packages directly below aejax, the command line excepted, and `PUBLIC_FILES`."""
    names = [found.name for found in pkgutil.iter_modules(aejax.__path__) if found.name != "cli"]
    for name in dict.fromkeys([*names, *PUBLIC_FILES]):
        module = importlib.import_module(f"aejax.{name}")
        yield name, module
        if name in PUBLIC_FILES and hasattr(module, "__path__"):
            for file in pkgutil.iter_modules(module.__path__):
                yield f"{name}.{file.name}", importlib.import_module(f"aejax.{name}.{file.name}")


def public_names() -> Iterator[Public]:
    for module_name, module in public_modules():
        for name, value in vars(module).items():
            defined_in = getattr(value, "__module__", None)
            # A package exports what it imports, a file what it defines.
            provided = defined_in == module.__name__ or hasattr(module, "__path__")
            ours = str(defined_in).startswith("aejax")
            documented = inspect.isfunction(value) or inspect.isclass(value)
            if not name.startswith("_") and provided and ours and documented:
                yield Public(module_name, name, value)
                if inspect.isclass(value):
                    yield from public_methods(module_name, name, value)


def public_methods(module_name: str, name: str, value: type) -> Iterator[Public]:
    for method, function in vars(value).items():
        ours = str(getattr(function, "__module__", None)).startswith("aejax")  # not a library's
        if inspect.isfunction(function) and ours and not method.startswith("_"):
            yield Public(module_name, f"{name}.{method}", function)


NAMES = list(public_names())
FUNCTIONS = [found for found in NAMES if inspect.isfunction(found.value)]


def section(doc: str, title: str) -> str:
    """The indented lines below a title, or the text after it on the same line."""
    match = re.search(rf"^{title}:(.*(?:\n(?:[ ]+.*|(?=\n[ ]))?)*)", doc, re.MULTILINE)
    return match[1] if match else ""


def docstring(found: Public) -> str:
    return inspect.getdoc(found.value) or ""


def arguments(found: Public) -> dict[str, inspect.Parameter]:
    parameters = inspect.signature(inspect.unwrap(found.value)).parameters
    return {name: found for name, found in parameters.items() if name not in ("self", "cls")}


def test_the_walk_finds_the_public_names():
    found = {f"{found.module}.{found.name}" for found in NAMES}
    assert {
        "layers.pooling.max_pool",
        "losses.squared_error",
        "models.boltzmann.energy",
        "penalties.kl_sparsity",
        "report.tables.table",
        "theory.pca",
        "training.fit",
        "types.Batch",
        "estimator.LinearAutoencoder.fit",
    } <= found
    assert len(NAMES) > 300
    assert len(FUNCTIONS) > 240


def purpose(found: Public) -> str | None:
    """Complains of a docstring whose first line is not its purpose in one sentence."""
    first, _, rest = docstring(found).partition("\n")
    good = first.endswith((".", ":")) and (not rest or rest.startswith("\n"))
    return None if good else "does not begin with its purpose in one line"


def explained(found: Public) -> str | None:
    """Complains of an argument without an entry, or an array without a shape."""
    text = section(docstring(found), "Args")
    for name, parameter in arguments(found).items():
        entry = re.search(
            rf"^\s+(?:.*, )?\*{{0,2}}{name}(?:, .*)?: (.*(?:\n\s{{8,}}.*)*)", text, re.MULTILINE
        )
        if not entry:
            return f"Args lacks {name}"
        annotation = str(parameter.annotation)
        if ARRAYS.search(annotation) and "Callable" not in annotation:
            in_signature = "'" in annotation or "float" in annotation  # of jaxtyping; or a scalar
            if not in_signature and not re.search(r"\[.*\]|scalar|shape|array|like", entry[1]):
                return f"{name} has no shape"
    return None


def returns(found: Public) -> str | None:
    """Complains if the return value is not described."""
    doc = docstring(found)
    nothing = inspect.signature(inspect.unwrap(found.value)).return_annotation in (None, "None")
    described = nothing or section(doc, "Returns") or section(doc, "Yields")
    return None if described else "does not describe its return value"


def raises(found: Public) -> str | None:
    """Complains of an error that the function or one of its checks raises, absent from Raises."""
    tree = ast.parse(textwrap.dedent(inspect.getsource(inspect.unwrap(found.value))))
    errors = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Raise) and node.exc is not None:
            raised = node.exc.func if isinstance(node.exc, ast.Call) else node.exc
            errors.add(ast.unparse(raised))
        if isinstance(node, ast.Call) and CHECKING.match(ast.unparse(node.func).rpartition(".")[2]):
            errors.add("Error")
    text = section(docstring(found), "Raises")
    lacking = sorted(error for error in errors if error not in text)
    return f"Raises lacks {lacking}" if lacking else None


def sourced(found: Public) -> str | None:
    """Complains of a published method without a source."""
    if found.module not in PUBLISHED:
        return None
    source = bool(section(docstring(found), "Source").strip())
    unpublished = f"{found.module}.{found.name}" in UNPUBLISHED
    return None if source != unpublished else "has no source, or one and a line in UNPUBLISHED"


def complaints(rule, names) -> list[str]:
    found = [(name, rule(name)) for name in names]
    return [f"{name.module}.{name.name} {complaint}" for name, complaint in found if complaint]


def test_every_module_states_its_purpose():
    short = [
        name for name, module in public_modules() if len((module.__doc__ or "").split("\n")[0]) < 20
    ]
    assert short == []


def test_every_name_states_its_purpose():
    assert complaints(purpose, NAMES) == []


@pytest.mark.parametrize("rule", [explained, returns, raises, sourced])
def test_every_function_keeps_each_rule(rule):
    assert complaints(rule, FUNCTIONS) == []


def test_no_entry_of_unpublished_is_stale():
    functions = {f"{found.module}.{found.name}" for found in FUNCTIONS}
    assert set(UNPUBLISHED) <= functions
    assert {found.module for found in FUNCTIONS} >= PUBLISHED


@pytest.mark.parametrize("rule", [explained, returns, raises, sourced])
def test_a_violation_is_found(rule):
    def lacking(x: np.ndarray, rate: float) -> np.ndarray:
        """Does something."""
        if rate < 0:
            raise ValueError("no")
        return x

    assert rule(Public("losses", "lacking", lacking))
