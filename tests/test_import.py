"""`import aejax` is quick, and changes nothing for those who import it."""

import subprocess
import sys

import aejax

# Not rich, which Flax imports itself.
HEAVY = {"grain", "matplotlib", "orbax", "pandas", "safetensors", "sklearn", "tensorflow"}
HEAVY |= {"tensorflow_datasets"}
FOR_COMMANDS = {"tyro", "tensorboardX"}


def loaded_by(statement: str, *options: str) -> str:
    words = [sys.executable, *options, "-c", statement]
    return subprocess.run(words, capture_output=True, text=True, check=True).stderr


def test_importing_aejax_imports_nothing_heavy():
    lines = loaded_by("import aejax", "-X", "importtime").splitlines()
    packages = {line.rpartition("|")[2].strip().partition(".")[0] for line in lines}
    assert {"aejax", "jax", "flax", "optax"} <= packages
    assert not packages & (HEAVY | FOR_COMMANDS)


def test_the_command_starts_without_what_only_some_commands_need():
    heavy = (HEAVY | FOR_COMMANDS) - {"tyro"}
    loaded_by(f"import sys, aejax.cli; assert not sys.modules.keys() & {heavy}")


def test_a_history_does_without_pytorch_and_leaves_it_to_others():
    loaded_by(
        "import sys, tempfile; from pathlib import Path; from aejax.runs.history import recorded; "
        "folder = Path(tempfile.mkdtemp()); "
        "recorded(folder / 'history.jsonl', folder / 'events', []).__enter__(); "
        "assert 'tensorboardX' in sys.modules and 'torch' not in sys.modules; import torch"
    )


def test_importing_aejax_leaves_jax_as_it_was():
    loaded_by(
        "import jax; before = dict(jax.config.values); import aejax, aejax.cli; "
        "assert dict(jax.config.values) == before; assert not jax.config.jax_enable_x64"
    )


def test_the_estimators_come_when_they_are_named():
    loaded_by(
        "import sys, aejax; assert 'sklearn' not in sys.modules; "
        "aejax.estimator.LinearAutoencoder; assert 'sklearn' in sys.modules"
    )


def test_what_is_not_there_is_no_attribute():
    assert not hasattr(aejax, "diffusion")
