"""`import aejax` loads no heavy packages and has no side effects."""

import ast
import inspect
import json
import pkgutil
import subprocess
import sys

import pytest

import aejax

# Without rich, which Flax itself imports.
HEAVY = {"grain", "matplotlib", "orbax", "pandas", "safetensors", "sklearn", "tensorflow"}
HEAVY |= {"tensorflow_datasets"}
ON_FIRST_USE = {"checkpoints", "estimator", "interchange", "planning", "plots", "report", "runs"}
ON_FIRST_USE |= {"studies", "theory"}
"""Subpackages that load more than JAX and Flax."""
FIRST_NEEDED = {"flax", "jax", "jaxlib", "numpy", "optax", "rich", "scipy"}
COMMAND_ONLY = {"tyro", "tensorboardX"}


def run_python(statement: str) -> str:
    command = [sys.executable, "-c", statement]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


STAGES = """
import json, sys

def loaded():
    return sorted({name.partition(".")[0] for name in sys.modules})

import aejax
import aejax.cli
stages = {"aejax.cli": loaded()}
aejax.cli.main(["--help"]), aejax.cli.main([]), aejax.cli.main(["data"])
stages["aejax --help"] = loaded()
import jax
before = dict(jax.config.values)
for name in LIGHT:
    getattr(aejax, name)
stages["aejax"] = loaded()
import aejax.cli.all_commands
stages["aejax.cli.all_commands"] = loaded()
assert dict(jax.config.values) == before
assert not jax.config.jax_enable_x64
aejax.estimator.LinearAutoencoder
stages["aejax.estimator.LinearAutoencoder"] = loaded()
print()
print(json.dumps(stages))
"""


@pytest.fixture(scope="module")
def stages() -> dict[str, set[str]]:
    """Statement -> packages loaded after it, in one process, in this order.

    The process fails if an import changes JAX's configuration.
    """
    light = sorted({*aejax.MODULES, *aejax.SOURCES} - ON_FIRST_USE)
    last = run_python(f"LIGHT = {light}\n{STAGES}").splitlines()[-1]
    return {name: set(packages) for name, packages in json.loads(last).items()}


def test_importing_aejax_imports_nothing_heavy_and_does_not_change_jax_configuration(stages):
    packages = stages["aejax"]
    assert {"aejax", "jax", "flax", "optax"} <= packages
    assert not packages & (HEAVY | COMMAND_ONLY)


def test_importing_the_command_line_imports_nothing_heavy(stages):
    assert not stages["aejax.cli.all_commands"] & ((HEAVY | COMMAND_ONLY) - {"tyro"})


@pytest.mark.parametrize("stage", ["aejax.cli", "aejax --help"])
def test_the_list_of_commands_imports_no_numerical_package(stages, stage):
    assert not stages[stage] & (HEAVY | COMMAND_ONLY | FIRST_NEEDED)


def test_public_names_are_those_that_type_checkers_see():
    tree = ast.parse(inspect.getsource(aejax))
    (block,) = (node for node in tree.body if isinstance(node, ast.If))
    seen = {
        (node.module, alias.name)
        for node in block.body
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }
    modules = {name for module, name in seen if module == "aejax"}
    assert seen - {("aejax", name) for name in modules} == {
        (module, name) for name, module in aejax.SOURCES.items()
    }
    found = {each.name for each in pkgutil.iter_modules(aejax.__path__)}
    assert modules < found - {"__main__", "cli"} == aejax.MODULES
    assert {*aejax.SOURCES, *aejax.MODULES} <= {*dir(aejax)}


def test_estimators_are_imported_on_first_access(stages):
    assert "sklearn" in stages["aejax.estimator.LinearAutoencoder"]


def test_tensorboard_logging_does_not_import_pytorch():
    run_python(
        "import sys, tempfile; from aejax.runs import loggers; "
        "loggers.tensorboard(tempfile.mkdtemp()).__enter__(); "
        "assert 'tensorboardX' in sys.modules and 'torch' not in sys.modules; import torch"
    )


def test_unknown_attributes_raise_attribute_error():
    assert not hasattr(aejax, "diffusion")


def test_encoding_loads_neither_the_theorems_nor_scipy():
    run_python(
        "import sys, aejax.cli.execution, aejax.cli.commands.encode; "
        "assert not {'aejax.theory', 'aejax.planning', 'scipy.special'} & {*sys.modules}"
    )
