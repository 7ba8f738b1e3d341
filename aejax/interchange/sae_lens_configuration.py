"""Configurations of SAELens in the layout of version 6, from those of any version.

Versions before 6 have other names of entries, and a bool for the normalisation.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple


class Family(NamedTuple):
    """Meaning of an architecture's name.

    activation: name of the activation.
    transcoder: whether the output is another layer than the input.
    skip:       whether there is a skip connection.
    """

    activation: str
    transcoder: bool = False
    skip: bool = False


FAMILIES = {
    "standard": Family("relu"),
    "topk": Family("top_k"),
    "abstopk": Family("absolute_top_k"),
    "batchtopk": Family("jump_relu"),
    "matryoshka_batchtopk": Family("jump_relu"),
    "jumprelu": Family("jump_relu"),
    "gated": Family("gated"),
    "matching_pursuit": Family("matching_pursuit"),
    "transcoder": Family("relu", transcoder=True),
    "skip_transcoder": Family("relu", transcoder=True, skip=True),
    "jumprelu_transcoder": Family("jump_relu", transcoder=True),
    "jumprelu_skip_transcoder": Family("jump_relu", transcoder=True, skip=True),
}
SELECTIONS = {"top_k", "absolute_top_k"}
NORMALISATIONS = {
    "none": None,
    "expected_average_only_in": None,
    "covariance_whitening": None,
    "constant_norm_rescale": "norm",
    "layer_norm": "layer",
}
DTYPES = {
    prefix + name: name
    for prefix in ("", "torch.")
    for name in ("float16", "bfloat16", "float32", "float64")
}
OLD_NAMES = {
    "hook_point": "hook_name",
    "hook_point_head_index": "hook_head_index",
    "activation_fn_str": "activation_fn",
}
OLD_DEFAULTS = {"apply_b_dec_to_input": True, "architecture": "standard", "dtype": "float32"}


def current_layout(path: Path, configuration: Mapping[str, Any]) -> dict[str, Any]:
    """Configuration in the layout of version 6, from that of any version.

    Args:
        path: path of the configuration, for messages.
        configuration: the configuration.

    Returns:
        The configuration, with defaults for missing entries.

    Raises:
        ValueError: if a version is not a version, or an old activation is not supported.
    """
    metadata = configuration.get("metadata")
    inner = metadata if isinstance(metadata, dict) else {}
    version = configuration.get("sae_lens_version") or inner.get("sae_lens_version")
    major = str(version).partition(".")[0] if version else "0"
    if not major.isdecimal():
        raise ValueError(f"{path}: sae_lens_version must be a version, got {version!r}")
    found = {"normalize_activations": "none", "dtype": "float32", **configuration}
    if int(major) < 6:
        found = _from_old_layout(path, configuration)
    if found["normalize_activations"] in (None, False):
        found["normalize_activations"] = "none"
    if found["normalize_activations"] is True:
        found["normalize_activations"] = "expected_average_only_in"
    return found


def _from_old_layout(path: Path, configuration: Mapping[str, Any]) -> dict[str, Any]:
    found = {OLD_NAMES.get(name, name): value for name, value in configuration.items()}
    found = {"normalize_activations": "none", **OLD_DEFAULTS, **found}
    activation = found.get("activation_fn") or "relu"
    if activation not in ("relu", "topk"):
        raise ValueError(f"{path}: activation_fn must be relu or topk, got {activation!r}")
    options = found.get("activation_fn_kwargs")
    if activation == "topk":
        found["architecture"] = "topk"
        found["k"] = options.get("k") if isinstance(options, dict) else None
    return found
