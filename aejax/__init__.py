"""aejax: a functional research framework for autoencoders in JAX and Flax.

Modules are imported on first attribute access (PEP 562), so that `aejax --help` need not load JAX.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

if TYPE_CHECKING:
    from aejax import augmentations as augmentations
    from aejax import corruptions as corruptions
    from aejax import data as data
    from aejax import evaluation as evaluation
    from aejax import losses as losses
    from aejax import penalties as penalties
    from aejax import posteriors as posteriors
    from aejax import priors as priors
    from aejax import trackers as trackers
    from aejax import training as training
    from aejax.evaluation import summary as summary
    from aejax.layers import convolution as convolution
    from aejax.layers import convolution_arithmetic as convolution_arithmetic
    from aejax.layers import pooling as pooling
    from aejax.layers import resampling as resampling
    from aejax.layers.activations import straight_through as straight_through
    from aejax.layers.activations import top_k as top_k
    from aejax.layers.batch_top_k import batch_top_k as batch_top_k
    from aejax.layers.code_activations import CodeActivation as CodeActivation
    from aejax.layers.code_activations import top_k_relu as top_k_relu
    from aejax.layers.convolution_arithmetic import Geometry as Geometry
    from aejax.layers.gated import gated as gated
    from aejax.layers.jump_relu import jump_relu as jump_relu
    from aejax.models import Initializers as Initializers
    from aejax.models import binary_code as binary_code
    from aejax.models import boltzmann as boltzmann
    from aejax.models import convolutional as convolutional
    from aejax.models import crosscoder as crosscoder
    from aejax.models import dense as dense
    from aejax.models import dictionary as dictionary
    from aejax.models import leading_units as leading_units
    from aejax.models import linear as linear
    from aejax.models import matching_pursuit as matching_pursuit
    from aejax.models import mixed_precision as mixed_precision
    from aejax.models import refined as refined
    from aejax.models import rematerialised as rematerialised
    from aejax.models import segnet as segnet
    from aejax.models import transcoder as transcoder
    from aejax.models import untied as untied
    from aejax.models import variational as variational
    from aejax.objectives import Objective as Objective
    from aejax.objectives import forward as forward
    from aejax.objectives import noiseless as noiseless
    from aejax.objectives import objective as objective
    from aejax.objectives import reconstruct as reconstruct
    from aejax.types import Autoencoder as Autoencoder
    from aejax.types import Batch as Batch
    from aejax.types import Loss as Loss
    from aejax.types import Pass as Pass
    from aejax.types import Tracker as Tracker

MODULES = {
    "augmentations",
    "batch_inputs",
    "checkpoints",
    "contracts",
    "corruptions",
    "data",
    "estimator",
    "evaluation",
    "hyperparameters",
    "interchange",
    "keys",
    "layers",
    "likelihoods",
    "losses",
    "models",
    "objectives",
    "penalties",
    "planning",
    "plots",
    "posteriors",
    "priors",
    "promotion",
    "registry",
    "report",
    "repr_text",
    "runs",
    "sharding",
    "studies",
    "theory",
    "trackers",
    "training",
    "types",
}
"""Modules, all but the command line."""

EXPORTS = {
    "aejax.evaluation": ("summary",),
    "aejax.layers": (
        "convolution",
        "convolution_arithmetic",
        "pooling",
        "resampling",
    ),
    "aejax.layers.activations": (
        "straight_through",
        "top_k",
    ),
    "aejax.layers.batch_top_k": ("batch_top_k",),
    "aejax.layers.code_activations": (
        "CodeActivation",
        "top_k_relu",
    ),
    "aejax.layers.convolution_arithmetic": ("Geometry",),
    "aejax.layers.gated": ("gated",),
    "aejax.layers.jump_relu": ("jump_relu",),
    "aejax.models": (
        "Initializers",
        "binary_code",
        "boltzmann",
        "convolutional",
        "crosscoder",
        "dense",
        "dictionary",
        "leading_units",
        "linear",
        "matching_pursuit",
        "mixed_precision",
        "refined",
        "rematerialised",
        "segnet",
        "transcoder",
        "untied",
        "variational",
    ),
    "aejax.objectives": (
        "Objective",
        "forward",
        "noiseless",
        "objective",
        "reconstruct",
    ),
    "aejax.types": (
        "Autoencoder",
        "Batch",
        "Loss",
        "Pass",
        "Tracker",
    ),
}
"""Functions, types and modules that are public by a shorter name, by the module they are in."""

SOURCES = {name: module for module, names in EXPORTS.items() for name in names}


def __getattr__(name: str) -> Any:
    """Import the module of a public name on first access."""
    if name in MODULES:
        return import_module(f"aejax.{name}")
    if name in SOURCES:
        source = import_module(SOURCES[name])
        is_module = not hasattr(source, name)
        found = import_module(f"{SOURCES[name]}.{name}") if is_module else getattr(source, name)
        globals()[name] = found
        return found
    raise AttributeError(f"module 'aejax' has no attribute {name!r}")


def __dir__() -> list[str]:
    """Public names, for completion."""
    return sorted({*globals(), *MODULES, *SOURCES})
