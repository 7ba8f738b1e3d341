"""Sparse dictionaries of SAELens for the comparison on known features, by its own trainer.

A dictionary is judged as its users load it: saved for inference, and read again.

JumpReLU starts with directions of norm 1 (`decoder_init_norm`), as that of aejax does. With the
default of SAELens, 0.1, the pre-activations of these samples lie below the kernel's window around a
threshold of 1: nothing moves the thresholds, and nearly all units die. These settings were tried on
the draw on which learning rates are chosen, at the highest of them:

- norm 1: alive, with the highest F1;
- norm 1 and normalised activations (`expected_average_only_in`): alive, the same F1 to a hundredth;
- norm 1 and the estimated gradient of the pre-activations (`jumprelu_ste_to_input`): a seventh of
  the units dead, lower F1;
- norm 1 and an initial threshold of 1.5 or 2: more dead units, lower F1;
- norm 0.1 and an initial threshold of 0.1: alive, L0 below its target, lower F1;
- norm 0.1, the default threshold and bandwidth of SAELens, and a warm-up of L0: the same.
"""

import tempfile
from collections.abc import Callable
from typing import Any

import numpy as np

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
            "decoder_init_norm": 1.0,
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
    x: np.ndarray,
    activation: str,
    sizes: Sizes,
    *,
    sparsity: float,
    learning_rate: float,
    seed: int,
) -> tuple[np.ndarray, Encode]:
    """Train a dictionary by SAELens's trainer on samples of the features, each once.

    The settings of the trainer are those of `sae_lens.synthetic.train_toy_sae`, whose rule for dead
    units is of no effect in so few steps and is that of aejax. The learning rate of Adam decreases
    linearly to 0 in the last third of the steps.

    Returns:
        Directions of the units, [units, dimensions], and the trained code and reconstruction.
    """
    import sae_lens
    import torch
    from sae_lens.training.sae_trainer import SAETrainer

    torch.manual_seed(seed)
    name, settings = SETTINGS[activation]
    config = getattr(sae_lens, f"{name}Config")
    trained = getattr(sae_lens, name)(
        config(d_in=sizes.dimensions, d_sae=sizes.units, **settings(sizes, sparsity))
    )
    batches = iter(torch.tensor(x).split(sizes.batch_size))
    SAETrainer(_trainer_settings(sizes, learning_rate), trained, batches).fit()
    with tempfile.TemporaryDirectory() as folder:
        trained.save_inference_model(folder)
        sae = sae_lens.SAE.load_from_disk(folder)
    sae.eval()

    @torch.no_grad()
    def encode(x: Any) -> tuple[Any, Any]:
        code = sae.encode(torch.tensor(np.asarray(x)))
        return code.numpy(), sae.decode(code).numpy()

    return sae.W_dec.detach().numpy(), encode


def _trainer_settings(sizes: Sizes, learning_rate: float) -> Any:
    """Settings of SAELens's trainer as in its own experiments, with aejax's rule for dead units."""
    from sae_lens.config import LoggingConfig, SAETrainerConfig

    return SAETrainerConfig(
        n_checkpoints=0,
        checkpoint_path=None,
        save_final_checkpoint=False,
        total_training_samples=sizes.samples,
        device="cpu",
        autocast=False,
        lr=learning_rate,
        lr_end=learning_rate,
        lr_scheduler_name="constant",
        lr_warm_up_steps=0,
        adam_beta1=0.9,
        adam_beta2=0.999,
        lr_decay_steps=sizes.steps // 3,
        n_restart_cycles=1,
        train_batch_size_samples=sizes.batch_size,
        dead_feature_window=sizes.dead_after,
        feature_sampling_window=2000,
        logger=LoggingConfig(log_to_wandb=False, eval_every_n_wandb_logs=2**31 - 1),
        n_batches_for_norm_estimate=1000,
    )
