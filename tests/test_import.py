"""`import aejax` loads no heavy packages and has no side effects."""

import json
import subprocess
import sys

import pytest

import aejax

# Without rich, which Flax itself imports.
HEAVY = {"grain", "matplotlib", "orbax", "pandas", "safetensors", "sklearn", "tensorflow"}
HEAVY |= {"tensorflow_datasets"}
COMMAND_ONLY = {"tyro", "tensorboardX"}


def run_python(statement: str) -> str:
    command = [sys.executable, "-c", statement]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


STAGES = """
import json, sys

def loaded():
    return sorted({name.partition(".")[0] for name in sys.modules})

import jax
before = dict(jax.config.values)
import aejax
stages = {"aejax": loaded()}
import aejax.cli
stages["aejax.cli"] = loaded()
assert dict(jax.config.values) == before
assert not jax.config.jax_enable_x64
aejax.estimator.LinearAutoencoder
stages["aejax.estimator.LinearAutoencoder"] = loaded()
print(json.dumps(stages))
"""


@pytest.fixture(scope="module")
def stages() -> dict[str, set[str]]:
    """Statement -> packages loaded after it, in one process, in this order.

    The process fails if an import changes JAX's configuration.
    """
    return {name: set(packages) for name, packages in json.loads(run_python(STAGES)).items()}


def test_importing_aejax_imports_nothing_heavy_and_does_not_change_jax_configuration(stages):
    packages = stages["aejax"]
    assert {"aejax", "jax", "flax", "optax"} <= packages
    assert not packages & (HEAVY | COMMAND_ONLY)


def test_importing_the_command_line_imports_nothing_heavy(stages):
    assert not stages["aejax.cli"] & ((HEAVY | COMMAND_ONLY) - {"tyro"})


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
