"""Every model, loss, noise and penalty of the contract tests, by name and in any size.

The contract tests take the smallest size; `tests.accelerators` compiles larger ones.
"""

from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import optax

import aejax
from aejax import (
    Autoencoder,
    Objective,
    augmentations,
    corruptions,
    losses,
    models,
    penalties,
    posteriors,
    priors,
    training,
)
from aejax.layers.code_activations import absolute_top_k, group_max
from aejax.models import BASIC, segnet, with_linear_path
from aejax.types import Array, Augmentation, Corruption, Key, Loss, Penalty

FEATURES, CODE = 5, 3
"""Widths of the input and the code in the smallest size."""

CLASSES = 2
"""Number of classes of the segmentation model."""

Model = tuple[Autoencoder, tuple[int, ...]]
"""A model and the shape of one of its examples."""


def dense_models(size: int = 1) -> dict[str, Autoencoder]:
    """Dense autoencoders, one per option of the factory.

    Args:
        size: factor of all widths.
    """
    features, code = FEATURES * size, CODE * size
    return {
        "undercomplete": aejax.dense((features, code)),
        "overcomplete": aejax.dense((features, 4 * features), activation=jax.nn.tanh),
        "deep": aejax.dense((features, 7 * size, 4 * size, code), code_activation=jax.nn.identity),
        "asymmetric": aejax.dense((features, code), decoder_sizes=(code, 9 * size, features)),
        "tied": aejax.dense((features, code), tied=True),
        "deep tied": aejax.dense((features, 4 * size, code), tied=True, activation=jax.nn.gelu),
        "without biases": aejax.dense((features, code), bias=False),
        "linear": aejax.linear(features, code),
    }


def linear_code(size: int = 1) -> Autoencoder:
    """A dense autoencoder whose code is not restricted by an activation."""
    return aejax.dense((FEATURES * size, CODE * size), code_activation=jax.nn.identity)


def narrow_code(size: int = 1) -> Autoencoder:
    """A dense autoencoder with `CODE` linear units in any size, for codes with few values."""
    return aejax.dense((FEATURES * size, CODE), code_activation=jax.nn.identity)


def special_models(size: int = 1) -> dict[str, Autoencoder]:
    """Models of flat examples that wrap a dense one, or constrain its code.

    Args:
        size: factor of all widths.
    """
    features, code = FEATURES * size, CODE * size
    base = linear_code(size)
    path = with_linear_path(aejax.dense((features, 5 * size, code)), features, code)
    return {
        "top k": aejax.dense((features, 4 * features), code_activation=aejax.top_k(k=code)),
        "rematerialised": aejax.rematerialised(dense_models(size)["undercomplete"]),
        "binary code": aejax.binary_code(base),
        "binary code, straight through": aejax.binary_code(base, activation=aejax.straight_through),
        "matching pursuit": aejax.matching_pursuit(features, 4 * features, k=2),
        "leading units": aejax.leading_units(base, 2 * size),
        "refined": aejax.refined(base, losses.bernoulli, steps=2),
        "linear path": path,
        "dictionary of examples of equal norm": models.normalised_examples(
            aejax.dictionary(features, 2 * features, activation=absolute_top_k(k=2 * size)),
            by="norm",
        ),
        "dictionary of examples of equal mean and variance": models.normalised_examples(
            aejax.dictionary(features, 2 * features, activation=group_max(k=2)), by="layer"
        ),
        **quantised_models(size),
    }


def quantised_models(size: int = 1) -> dict[str, Autoencoder]:
    """Models with a discrete code.

    Args:
        size: factor of all widths.
    """
    base, code = linear_code(size), CODE * size
    return {
        "vector-quantised": models.vector_quantised(base, codewords=7, channels=code),
        "residual-quantised": models.residual_quantised(base, depth=2, codewords=4, channels=code),
        "finite scalar quantised": models.finite_scalar_quantised(
            narrow_code(size), levels=(5, 4, 3)
        ),
        "lookup-free quantised": models.lookup_free_quantised(narrow_code(size), bits=CODE),
    }


def variational_models(size: int = 1) -> dict[str, Autoencoder]:
    """Variational autoencoders, whose code is a record, and decoders with a variance.

    Args:
        size: factor of all widths.
    """
    features, code = FEATURES * size, CODE * size
    return {
        "variational": aejax.variational((features, 4 * size, code)),
        "variational with a full covariance": aejax.variational(
            (features, code), posterior=posteriors.full_covariance_gaussian()
        ),
        "variational on the sphere": aejax.variational(
            (features, code), posterior=posteriors.von_mises_fisher()
        ),
        "shared variance": models.with_shared_variance(aejax.dense((features, code))),
    }


def image_models(size: int = 1) -> dict[str, Model]:
    """Models of images and sequences; tests/models/test_convolutional.py has all combinations.

    Args:
        size: factor of the longest side of an example, and of the number of channels and units.
    """
    options = {"down": models.pooled, "up": models.resized, "units": (CODE * size,), "tied": True}
    basic = BASIC._replace(blocks=((2 * size,),), kernel=(3, 3))
    found = {"segnet": (segnet(basic, channels=1, classes=CLASSES), (3, 5 * size, 1))}
    for name, shape, settings in (
        ("convolutional", (5 * size, 4, 1), {}),
        (
            "convolutional pooled, resized, tied, dense code, one axis",
            (7 * size, 2),
            options,
        ),
    ):
        model = aejax.convolutional(shape, (2 * size,), activation=jnp.tanh, **settings)
        found[name] = (model, shape)
    return found


def own_objectives(size: int = 1) -> dict[str, Objective]:
    """Objectives of flat examples whose models have penalties of their own.

    Args:
        size: factor of all widths.
    """
    features, code, units = FEATURES * size, CODE * size, 4 * FEATURES * size
    tracker = aejax.trackers.steps_since_active(units)
    return {
        "top-k dictionary with AuxK": aejax.objective(
            aejax.dictionary(features, units, activation=aejax.top_k_relu(k=code)),
            losses.squared,
            penalties={"auxk": (1 / 32, penalties.auxk(k=2 * size, dead_after=9))},
            tracker=tracker._replace(init=lambda params: jnp.full(units, 9)),  # all are dead
        ),
        "top-k dictionary with a sparse code": aejax.objective(
            models.top_k_dictionary(features, units, k=code),
            losses.squared,
            tracker=aejax.trackers.steps_since_active(
                units, select=partial(models.dense_code, units=units)
            ),
        ),
        "JumpReLU dictionary": aejax.objective(
            aejax.dictionary(
                features, code, activation=aejax.jump_relu(threshold=0.1, bandwidth=0.5)
            ),
            losses.squared,
            penalties={
                "target": (0.1, penalties.target_l0(target=2.0, bandwidth=0.5)),
                "tanh": (0.1, penalties.tanh_l0()),
            },
        ),
        "Matryoshka dictionary with BatchTopK": aejax.objective(
            aejax.dictionary(features, 8 * size, activation=aejax.batch_top_k(k=3 * size)),
            losses.squared,
            penalties={
                "prefixes": (
                    1.0,
                    penalties.matryoshka(prefixes=(2 * size, 4 * size, 8 * size)),
                )
            },
        ),
        "gated dictionary": aejax.objective(
            aejax.dictionary(features, code, activation=aejax.gated()),
            losses.squared,
            penalties={
                "l1": (0.1, penalties.gate_l1()),
                "gate": (1.0, penalties.gate_reconstruction()),
            },
        ),
        "transcoder with a skip connection": aejax.objective(
            models.with_skip_connection(
                aejax.transcoder(features, code, features, activation=jnp.tanh), features, features
            ),
            losses.squared,
            penalties={"l1": (0.1, penalties.l1(select=lambda code: code["units"]))},
        ),
        "crosscoder": aejax.objective(
            aejax.crosscoder(1, features, code),
            losses.squared,
            penalties={"l1": (0.1, penalties.l1_by_layer_norms(layers=1))},
        ),
        "vector-quantised with averaged codewords": aejax.objective(
            models.vector_quantised(linear_code(size), codewords=7, channels=code, averaged=True),
            losses.squared,
            penalties={
                "commitment": (0.25, penalties.commitment()),
                "codebook": (1.0, penalties.codebook()),
            },
        ),
        "bits with their entropy": aejax.objective(
            models.lookup_free_quantised(narrow_code(size), bits=CODE),
            losses.squared,
            penalties={"entropy": (0.1, penalties.bit_entropy())},
        ),
        "contrastive divergence": training.rbm_objective((features, code), steps=2),
    }


def variational_objectives(size: int = 1) -> dict[str, Objective]:
    """Objectives of variational autoencoders, by their bound.

    Args:
        size: factor of all widths.
    """
    features, code = FEATURES * size, CODE * size
    diagonal = posteriors.diagonal_gaussian()
    annealed = penalties.scheduled(
        penalties.divergence(diagonal, free_bits=0.01), optax.linear_schedule(0.5, 1.0, 10)
    )

    def bounded(bounds: dict[str, posteriors.Bound]) -> Objective:
        loss = losses.gaussian_with_variance()
        return aejax.objective(
            aejax.variational((features, code), outputs=2),
            loss,
            perturbation=diagonal.sample,
            penalties={
                name: (0.5, penalties.importance_weighted(loss, diagonal, samples=4, bound=bound))
                for name, bound in bounds.items()
            },
        )

    def of_posterior(posterior: posteriors.Posterior, **terms: Any) -> Objective:
        return aejax.objective(
            aejax.variational((features, code), posterior=posterior),
            losses.bernoulli,
            perturbation=posterior.sample,
            penalties={
                "divergence": (1.0, penalties.divergence(posterior)),
                "sampled": (0.1, penalties.sampled_divergence(posterior)),
            }
            | terms,
            tracker=aejax.trackers.steps(),
        )

    return {
        "evidence lower bound": of_posterior(diagonal, annealed=(0.5, annealed)),
        "evidence lower bound with a full covariance": of_posterior(
            posteriors.full_covariance_gaussian()
        ),
        "evidence lower bound on the sphere": of_posterior(posteriors.von_mises_fisher()),
        "importance-weighted bounds": bounded(
            {
                "iwae": posteriors.iwae(),
                "miwae": posteriors.miwae(groups=2),
                "ciwae": posteriors.ciwae(beta=0.5),
            }
        ),
        "bounds with gradients of their own": bounded(
            {"piwae": posteriors.piwae(groups=2), "doubly": posteriors.doubly_reparametrised()}
        ),
        **prior_objectives(size),
    }


def prior_objectives(size: int = 1) -> dict[str, Objective]:
    """Objectives with priors that are trained, or with a discrepancy from a prior.

    Args:
        size: factor of all widths.
    """
    features, code = FEATURES * size, CODE * size
    diagonal = posteriors.diagonal_gaussian()
    correlation = {"total correlation": (0.5, penalties.total_correlation(examples=100))}

    def of_prior(prior: priors.Prior, **terms: Any) -> Objective:
        divergence = penalties.sampled_divergence(diagonal, prior=prior.log_density)
        return aejax.objective(
            priors.with_prior(aejax.variational((features, code)), prior),
            losses.bernoulli,
            perturbation=diagonal.sample,
            penalties={"divergence": (1.0, divergence)} | terms,
        )

    return {
        "prior of a mixture, with total correlation": of_prior(
            priors.gaussian_mixture(units=code, components=4), **correlation
        ),
        "prior of pseudo-inputs": of_prior(
            priors.vamp_prior(diagonal, jnp.full((4, features), 0.5))
        ),
        "prior of a flow": of_prior(priors.autoregressive_flow(units=code, hidden=7)),
        "Wasserstein and regularised autoencoder": aejax.objective(
            linear_code(size),
            losses.squared,
            penalties={
                "discrepancy": (1.0, penalties.maximum_mean_discrepancy()),
                "norm": (0.1, penalties.code_norm()),
                "slope": (0.1, penalties.decoder_gradient()),
            },
        ),
    }


def reconstruction_losses(size: int = 1) -> dict[str, Loss]:
    """Losses of outputs with the shape of the input.

    Args:
        size: factor of the number of features.
    """
    blocks = [(losses.squared, 2 * size), (losses.categorical, 3 * size)]
    return {
        "squared": losses.squared,
        "squared logistic": losses.squared_logistic,
        "squared tanh": losses.squared_tanh,
        "bernoulli": losses.bernoulli,
        "categorical": losses.categorical,
        "by blocks": losses.by_blocks(blocks),
        "gaussian likelihood": losses.gaussian(variance=0.5),
        "continuous bernoulli": losses.continuous_bernoulli,
    }


def losses_of_two_parameters() -> dict[str, Loss]:
    """Losses of outputs with a last axis of two parameters per feature."""
    return {
        "gaussian with variance": losses.gaussian_with_variance(),
        "discretised logistic": losses.discretised_logistic(),
    }


def elementwise_noise() -> dict[str, Corruption]:
    """Corruptions of examples of any shape."""
    return {
        "masking": corruptions.masking(rate=0.3),
        "gaussian": corruptions.gaussian(sigma=0.5),
        "salt and pepper": corruptions.salt_and_pepper(rate=0.3),
        "random level": corruptions.random_level(
            lambda sigma: corruptions.gaussian(sigma=sigma), low=0.1, high=0.5
        ),
        "binarisation": augmentations.binarise(),
    }


def image_noise() -> dict[str, Corruption]:
    """Corruptions of images, [batch, height, width, channels]."""
    return {
        "block masking": corruptions.block_masking(size=(1, 2)),
        "patch masking": corruptions.patch_masking(size=(1, 1), rate=0.4),
    }


def image_augmentations() -> dict[str, Augmentation]:
    """Augmentations of images, [batch, height, width, channels]."""
    return {"affine": augmentations.affine(rotation=0.2, stretch=0.2, shear=0.2, shift=0.5)}


def samples(shape: tuple[int, ...]) -> dict[str, Augmentation]:
    """Augmentations that replace examples by samples.

    Args:
        shape: shape of an example.
    """

    def uniform(key: Key, *, count: int) -> Array:
        return jax.random.uniform(key, (count, *shape))

    return {"fresh samples": augmentations.fresh_samples(uniform)}


def exact_penalties() -> dict[str, Penalty]:
    """Penalties that sample nothing."""
    return {
        "l2": penalties.l2(),
        "l1": penalties.l1(),
        "kl sparsity": penalties.kl_sparsity(rho=0.05),
        "contractive": penalties.contractive(),
        "contractive logistic": penalties.contractive_logistic(),
    }


def sampled_penalties() -> dict[str, Penalty]:
    """Penalties that are estimated from samples."""
    return {
        "contractive estimated": penalties.contractive_estimated(samples=2),
        "higher-order contractive": penalties.higher_order_contractive(sigma=0.1, samples=2),
    }
