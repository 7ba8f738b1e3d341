"""Files of sparse dictionaries of other packages, written from their formats, and their formulas.

The formulas are in NumPy and float64. Tests compare aejax with them, and both with the packages.
"""

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from safetensors.numpy import save_file

FEATURES, UNITS, OUTPUTS, K = 6, 20, 5, 4

Forward = Callable[[np.ndarray], tuple[np.ndarray, np.ndarray]]
"""x -> (code, output)."""


class Case(NamedTuple):
    """A dictionary in the layout of a package.

    write:   folder -> None, writes its files.
    forward: its formulas.
    """

    write: Callable[[Path], None]
    forward: Forward


def drawn(seed: int = 0, *, outputs: int = FEATURES) -> dict[str, np.ndarray]:
    """Random tensors with the names of SAELens; biases are far from zero."""
    rng = np.random.default_rng(seed)
    shapes: dict[str, tuple[int, ...]] = {
        "W_enc": (FEATURES, UNITS),
        "W_dec": (UNITS, outputs),
        "b_enc": (UNITS,),
        "b_dec": (outputs,),
        "b_gate": (UNITS,),
        "b_mag": (UNITS,),
        "r_mag": (UNITS,),
        "W_skip": (outputs, FEATURES),
    }
    tensors = {name: rng.normal(size=shape).astype(np.float32) for name, shape in shapes.items()}
    threshold = rng.uniform(0.2, 1.5, UNITS).astype(np.float32)
    return tensors | {"threshold": threshold}


def largest(z: np.ndarray, k: int = K) -> np.ndarray:
    """True for the k largest of each row."""
    return z >= np.sort(z, axis=1)[:, -k:][:, :1]


def activated(name: str, z: np.ndarray, tensors: Mapping[str, np.ndarray]) -> np.ndarray:
    """Code of pre-activations by the formula of an activation."""
    relu = np.maximum(z, 0)
    if name == "top_k":
        return relu * largest(z)
    if name == "absolute_top_k":
        return z * largest(np.abs(z))
    if name == "jump_relu":
        return relu * (z > tensors["threshold"])
    if name == "group_max":
        groups = relu.reshape(len(z), K, -1)
        first = groups.argmax(axis=2)[..., None] == np.arange(groups.shape[2])
        return (groups * first).reshape(z.shape)
    return relu


def forward(
    activation: str, tensors: Mapping[str, np.ndarray], *, centred: bool, skip: bool = False
) -> Forward:
    """Formulas of a dictionary with the names of SAELens."""
    exact = {name: value.astype(np.float64) for name, value in tensors.items()}

    def apply(x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        product = (x - exact["b_dec"] if centred else x) @ exact["W_enc"]
        if activation == "gated":
            magnitude = product * np.exp(exact["r_mag"]) + exact["b_mag"]
            code = (product + exact["b_gate"] > 0) * np.maximum(magnitude, 0)
        else:
            code = activated(activation, product + exact["b_enc"], exact)
        output = code @ exact["W_dec"] + exact["b_dec"]
        return code, output + x @ exact["W_skip"].T if skip else output

    return apply


# SAELens

SAE_LENS = {
    "standard": ("relu", ()),
    "topk": ("top_k", ()),
    "abstopk": ("absolute_top_k", ()),
    "jumprelu": ("jump_relu", ("threshold",)),
    "gated": ("gated", ("b_gate", "b_mag", "r_mag")),
    "transcoder": ("relu", ()),
    "skip_transcoder": ("relu", ("W_skip",)),
    "jumprelu_transcoder": ("jump_relu", ("threshold",)),
    "jumprelu_skip_transcoder": ("jump_relu", ("threshold", "W_skip")),
}


def write_sae_lens(
    folder: Path, configuration: Mapping[str, Any], tensors: Mapping[str, np.ndarray]
) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "cfg.json").write_text(json.dumps(configuration))
    save_file(dict(tensors), folder / "sae_weights.safetensors")


def sae_lens_configuration(architecture: str, **settings: Any) -> dict[str, Any]:
    transcoder = "transcoder" in architecture
    found = {
        "architecture": architecture,
        "d_in": FEATURES,
        "d_sae": UNITS,
        "dtype": "float32",
        "device": "cpu",
        "apply_b_dec_to_input": not transcoder,
        "normalize_activations": "none",
        "reshape_activations": "none",
        "metadata": {"sae_lens_version": "6.54.12", "hook_name": "blocks.0.hook_resid_post"},
    }
    found |= {"d_out": OUTPUTS} if transcoder else {}
    found |= {"k": K} if "topk" in architecture else {}
    return found | settings


def sae_lens_tensors(architecture: str) -> dict[str, np.ndarray]:
    outputs = OUTPUTS if "transcoder" in architecture else FEATURES
    tensors = drawn(outputs=outputs)
    names = {"W_enc", "W_dec", "b_dec", *SAE_LENS[architecture][1]}
    names |= set() if architecture == "gated" else {"b_enc"}
    return {name: tensors[name] for name in sorted(names)}


def sae_lens_case(architecture: str, **settings: Any) -> Case:
    configuration = sae_lens_configuration(architecture, **settings)
    tensors = sae_lens_tensors(architecture)
    activation = SAE_LENS[architecture][0]
    formulas = forward(
        activation,
        tensors,
        centred=configuration["apply_b_dec_to_input"],
        skip="W_skip" in tensors,
    )
    return Case(lambda folder: write_sae_lens(folder, configuration, tensors), formulas)


def old_sae_lens_case(*, k: int | None, factor: float) -> Case:
    """Layout of versions before 6: flat, with a factor for each unit."""
    tensors = sae_lens_tensors("topk")
    factors = np.full(UNITS, factor, np.float32)
    configuration = {
        "hook_point": "blocks.0.hook_resid_pre",
        "model_name": "gpt2-small",
        "d_in": FEATURES,
        "d_sae": UNITS,
        "dtype": "torch.float32",
        "activation_fn_str": "topk" if k else "relu",
        "activation_fn_kwargs": {"k": k} if k else {},
        "normalize_activations": False,
        "finetuning_scaling_factor": factor != 1,
    }
    scaled = tensors | {"W_dec": tensors["W_dec"] * factors[:, None]}
    stored = tensors | {"scaling_factor": factors}
    formulas = forward("top_k" if k else "relu", scaled, centred=True)
    return Case(lambda folder: write_sae_lens(folder, configuration, stored), formulas)


def matching_pursuit_case(**settings: Any) -> Case:
    """Tied dictionary, whose directions do not have norm 1."""
    configuration = sae_lens_configuration(
        "matching_pursuit",
        **{"residual_threshold": 0.01, "max_iterations": None, "stop_on_duplicate_support": True},
        **settings,
    )
    tensors = {name: 0.5 * drawn()[name] for name in ("W_dec", "b_dec")}
    centred = configuration["apply_b_dec_to_input"]

    def pursued(x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        rows = tensors["W_dec"].astype(np.float64)
        bias = tensors["b_dec"].astype(np.float64) if centred else 0
        code = np.zeros((len(x), UNITS))
        for index, residual in enumerate(x - bias):
            for _ in range(FEATURES):
                unit = (rows @ residual).argmax()
                value = max(rows[unit] @ residual, 0)
                finished = code[index, unit] != 0 or value == 0
                code[index, unit] += value
                residual = residual - value * rows[unit]
                if finished or np.linalg.norm(residual) < 0.01:
                    break
        return code, code @ rows + bias

    return Case(lambda folder: write_sae_lens(folder, configuration, tensors), pursued)


# sparsify


def sparsify_case(**settings: Any) -> Case:
    configuration = {
        "activation": "topk",
        "expansion_factor": 32,
        "normalize_decoder": True,
        "num_latents": UNITS,
        "k": K,
        "multi_topk": False,
        "skip_connection": False,
        "transcode": False,
        "d_in": FEATURES,
        **settings,
    }
    tensors = drawn()
    stored = {
        "encoder.weight": np.ascontiguousarray(tensors["W_enc"].T),
        "encoder.bias": tensors["b_enc"],
        "W_dec": tensors["W_dec"],
        "b_dec": tensors["b_dec"],
    }
    if configuration["skip_connection"]:
        stored["W_skip"] = tensors["W_skip"]

    def write(folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "cfg.json").write_text(json.dumps(configuration))
        save_file(stored, folder / "sae.safetensors")

    activation = {"topk": "top_k", "groupmax": "group_max"}[configuration["activation"]]
    formulas = forward(
        activation,
        tensors,
        centred=not configuration["transcode"],
        skip=configuration["skip_connection"],
    )
    return Case(write, formulas)


# Gemma Scope


def gemma_scope_case(version: int, *, skip: bool = False, layers: int = 0) -> Case:
    outputs = OUTPUTS if skip else FEATURES
    tensors = drawn(outputs=outputs)
    names = ["W_enc", "W_dec", "b_enc", "b_dec", "threshold"]
    stored = {name: tensors[name] for name in names}
    if layers:
        parts = [drawn(seed)["W_dec"] for seed in range(layers)]
        stored["W_dec"] = np.stack(parts, axis=1)
        tensors["W_dec"] = np.sum(parts, axis=0)

    def write(folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        if version == 1:
            np.savez(folder / "params.npz", **stored)
            return
        lower = {name.replace("W_", "w_"): value for name, value in stored.items()}
        if skip:
            lower["affine_skip_connection"] = np.ascontiguousarray(tensors["W_skip"].T)
        save_file(lower, folder / "params.safetensors")
        (folder / "config.json").write_text(json.dumps({"architecture": "jump_relu"}))

    return Case(write, forward("jump_relu", tensors, centred=False, skip=skip))


# dictionary_learning


def dictionary_learning_tensors(name: str, threshold: float = 0.8) -> dict[str, Any]:
    """Tensors of a class of dictionary_learning, as PyTorch's state has them."""
    import torch

    drawn_tensors = {key: torch.tensor(value) for key, value in drawn().items()}
    encoder, decoder = (drawn_tensors[key].T.contiguous() for key in ("W_enc", "W_dec"))
    linear = {"encoder.weight": encoder, "decoder.weight": decoder}
    bias = {"encoder.bias": drawn_tensors["b_enc"]}
    matrices = {key: drawn_tensors[key] for key in ("W_enc", "W_dec", "b_enc", "b_dec")}
    with_k = {"k": torch.tensor(K, dtype=torch.int), "threshold": torch.tensor(threshold)}
    gate = {"gate_bias": "b_gate", "mag_bias": "b_mag", "r_mag": "r_mag"}
    return {
        "AutoEncoder": linear | bias | {"bias": drawn_tensors["b_dec"]},
        "AutoEncoderNew": linear | bias | {"decoder.bias": drawn_tensors["b_dec"]},
        "AutoEncoderTopK": with_k | linear | bias | {"b_dec": drawn_tensors["b_dec"]},
        "BatchTopKSAE": with_k | linear | bias | {"b_dec": drawn_tensors["b_dec"]},
        "MatryoshkaBatchTopKSAE": matrices | with_k | {"group_sizes": torch.tensor([8, 12])},
        "GatedAutoEncoder": linear
        | {key: drawn_tensors[value] for key, value in gate.items()}
        | {"decoder_bias": drawn_tensors["b_dec"]},
        "JumpReluAutoEncoder": matrices | {"threshold": drawn_tensors["threshold"]},
    }[name]


DICTIONARY_LEARNING = {
    "AutoEncoder": "relu",
    "AutoEncoderNew": "relu",
    "AutoEncoderTopK": "top_k",
    "BatchTopKSAE": "jump_relu",
    "MatryoshkaBatchTopKSAE": "jump_relu",
    "GatedAutoEncoder": "gated",
    "JumpReluAutoEncoder": "jump_relu",
}


def dictionary_learning_case(name: str, *, threshold: float = 0.8) -> Case:
    def write(folder: Path) -> None:
        import torch

        folder.mkdir(parents=True, exist_ok=True)
        trainer = {"dict_class": name, "activation_dim": FEATURES, "dict_size": UNITS, "k": K}
        (folder / "config.json").write_text(json.dumps({"trainer": trainer, "buffer": {}}))
        torch.save(dictionary_learning_tensors(name, threshold), folder / "ae.pt")

    tensors = drawn()
    if "BatchTopK" in name:
        tensors["threshold"] = np.full(UNITS, threshold)
    centred = name not in ("AutoEncoderNew", "JumpReluAutoEncoder")
    return Case(write, forward(DICTIONARY_LEARNING[name], tensors, centred=centred))


CASES: dict[str, Case] = {
    **{f"SAELens {name}": sae_lens_case(name) for name in SAE_LENS},
    "SAELens uncentred": sae_lens_case("standard", apply_b_dec_to_input=False),
    "SAELens uncentred, gated": sae_lens_case("gated", apply_b_dec_to_input=False),
    "SAELens old": old_sae_lens_case(k=None, factor=1.0),
    "SAELens old, TopK": old_sae_lens_case(k=K, factor=1.0),
    "SAELens matching pursuit": matching_pursuit_case(),
    "SAELens matching pursuit, uncentred": matching_pursuit_case(apply_b_dec_to_input=False),
    "sparsify": sparsify_case(),
    "sparsify groupmax": sparsify_case(activation="groupmax"),
    "sparsify transcoder": sparsify_case(transcode=True),
    "sparsify skip": sparsify_case(transcode=True, skip_connection=True),
    **{
        f"dictionary_learning {name}": dictionary_learning_case(name)
        for name in DICTIONARY_LEARNING
    },
    "dictionary_learning without threshold": dictionary_learning_case(
        "BatchTopKSAE", threshold=-1.0
    ),
    "Gemma Scope": gemma_scope_case(1),
    "Gemma Scope 2": gemma_scope_case(2),
    "Gemma Scope 2, skip": gemma_scope_case(2, skip=True),
    "Gemma Scope 2, layers": gemma_scope_case(2, layers=3),
}
