"""`import aejax` loads no heavy packages and has no side effects."""

import subprocess
import sys

import aejax

# Without rich, which Flax itself imports.
HEAVY = {"grain", "matplotlib", "orbax", "pandas", "safetensors", "sklearn", "tensorflow"}
HEAVY |= {"tensorflow_datasets"}
COMMAND_ONLY = {"tyro", "tensorboardX"}


def run_python(statement: str, *options: str) -> str:
    command = [sys.executable, *options, "-c", statement]
    return subprocess.run(command, capture_output=True, text=True, check=True).stderr


def test_importing_aejax_imports_nothing_heavy():
    lines = run_python("import aejax", "-X", "importtime").splitlines()
    packages = {line.rpartition("|")[2].strip().partition(".")[0] for line in lines}
    assert {"aejax", "jax", "flax", "optax"} <= packages
    assert not packages & (HEAVY | COMMAND_ONLY)


def test_importing_the_command_line_imports_nothing_heavy():
    heavy = (HEAVY | COMMAND_ONLY) - {"tyro"}
    run_python(f"import sys, aejax.cli; assert not sys.modules.keys() & {heavy}")


def test_tensorboard_logging_does_not_import_pytorch():
    run_python(
        "import sys, tempfile; from aejax.runs import loggers; "
        "loggers.tensorboard(tempfile.mkdtemp()).__enter__(); "
        "assert 'tensorboardX' in sys.modules and 'torch' not in sys.modules; import torch"
    )


def test_importing_aejax_does_not_change_jax_configuration():
    run_python(
        "import jax; before = dict(jax.config.values); import aejax, aejax.cli; "
        "assert dict(jax.config.values) == before; assert not jax.config.jax_enable_x64"
    )


def test_estimators_are_imported_on_first_access():
    run_python(
        "import sys, aejax; assert 'sklearn' not in sys.modules; "
        "aejax.estimator.LinearAutoencoder; assert 'sklearn' in sys.modules"
    )


def test_unknown_attributes_raise_attribute_error():
    assert not hasattr(aejax, "diffusion")
