"""Sparse dictionaries of SAELens for the comparison on known features, by its own trainer.

A dictionary is judged as its users load it: saved for inference, and read again.
"""

import tempfile
from collections.abc import Callable
from typing import Any

import numpy as np

from aejax import data
from benchmarks.dictionary_recipes import BANDWIDTH, PREFIXES, Encode, Sizes


def _matryoshka_widths(sizes: Sizes) -> list[int]:
    return [*(round(share * sizes.units) for share in PREFIXES), sizes.units]


SETTINGS: dict[str, tuple[str, Callable[[Sizes, float], dict[str, Any]]]] = {
    "L1": ("StandardTrainingSAE", lambda _, coefficient: {"l1_coefficient": coefficient}),
    "TopK": ("TopKTrainingSAE", lambda _, k: {"k": int(k)}),
    "BatchTopK": ("BatchTopKTrainingSAE", lambda _, k: {"k": k}),
    "JumpReLU": (
        "JumpReLUTrainingSAE",
        lambda _, k: {
            "jumprelu_init_threshold": BANDWIDTH,
            "jumprelu_bandwidth": BANDWIDTH,
            "jumprelu_sparsity_loss_mode": "quadratic",
            "target_l0": k,
        },
    ),
    "Gated": ("GatedTrainingSAE", lambda _, coefficient: {"l1_coefficient": coefficient}),
    "Matryoshka": (
        "MatryoshkaBatchTopKTrainingSAE",
        lambda sizes, k: {"k": k, "matryoshka_widths": _matryoshka_widths(sizes)},
    ),
    "matching pursuit": (
        "MatchingPursuitTrainingSAE",
        lambda _, k: {"max_iterations": int(k), "residual_threshold": 0.0},
    ),
}
"""Activation -> class of SAELens, and (sizes, sparsity) -> its settings."""


def train(
    truth: data.SyntheticDictionary,
    activation: str,
    sizes: Sizes,
    *,
    sparsity: float,
    learning_rate: float,
    seed: int,
) -> tuple[np.ndarray, Encode]:
    """Train a dictionary by SAELens on samples of its own generator, with the features of `truth`.

    The learning rate of Adam decreases linearly to 0 in the last third of the steps.

    Returns:
        Directions of the units, [units, dimensions], and the trained code and reconstruction.
    """
    import sae_lens
    import torch
    from sae_lens.synthetic import FeatureDictionary, train_toy_sae

    torch.manual_seed(seed)
    features, dimensions = truth.directions.shape
    dictionary = FeatureDictionary(features, dimensions, bias=True, initializer=None)
    dictionary.feature_vectors.data = torch.tensor(np.asarray(truth.directions))
    dictionary.bias.data = torch.tensor(np.asarray(truth.bias))
    name, settings = SETTINGS[activation]
    config = getattr(sae_lens, f"{name}Config")
    trained = getattr(sae_lens, name)(
        config(d_in=dimensions, d_sae=sizes.units, **settings(sizes, sparsity))
    )
    train_toy_sae(
        trained,
        dictionary,
        generator(truth),
        training_samples=sizes.samples,
        batch_size=sizes.batch_size,
        lr=learning_rate,
        lr_decay_steps=sizes.steps // 3,
    )
    with tempfile.TemporaryDirectory() as folder:
        trained.save_inference_model(folder)
        sae = sae_lens.SAE.load_from_disk(folder)
    sae.eval()

    @torch.no_grad()
    def encode(x: Any) -> tuple[Any, Any]:
        code = sae.encode(torch.tensor(np.asarray(x)))
        return code.numpy(), sae.decode(code).numpy()

    return sae.W_dec.detach().numpy(), encode


def generator(truth: data.SyntheticDictionary) -> Any:
    """SAELens's generator of the activations of a draw, with its trees."""
    import torch
    from sae_lens.synthetic import ActivationGenerator, HierarchyNode, hierarchy_modifier

    probabilities, means, deviations, loadings = (
        torch.tensor(np.asarray(part))
        for part in (truth.probabilities, truth.means, truth.deviations, truth.loadings)
    )
    parents = truth.law.parents

    def node(feature: int) -> HierarchyNode:
        children = [node(int(child)) for child in np.flatnonzero(parents == feature)]
        return HierarchyNode(
            feature_index=feature,
            children=children,
            mutually_exclusive_children=len(children) > 1,
            scale_children_by_parent=True,
        )

    return ActivationGenerator(
        num_features=len(parents),
        firing_probabilities=probabilities,
        std_firing_magnitudes=deviations,
        mean_firing_magnitudes=means,
        modify_activations=hierarchy_modifier([node(root) for root in range(truth.law.roots)]),
        correlation_matrix=(loadings, 1 - (loadings**2).sum(dim=1)),
    )
