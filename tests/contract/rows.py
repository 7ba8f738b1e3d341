"""Rows of the contract tests: one per model, loss, corruption, penalty and objective.

Each row states how to call the component, extreme inputs, and properties that it cannot have. A
new component is one new row.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

import aejax
from aejax import Batch, augmentations, corruptions, losses, models, penalties, training
from aejax.models import BASIC, segnet, with_linear_path

EXAMPLES, FEATURES, CODE = 6, 5, 3
NO_KEY = "it takes no key"


class Row(NamedTuple):
    """A component as a pure function of arrays.

    name:       test id.
    signatures: public functions of the component, with the argument names that each must have.
    function:   function to test, called with the inputs of `draw`.
    draw:       key -> inputs in JAX's default floating dtype.
    extremes:   drawn inputs -> extreme inputs, for which values and gradients must be finite.
    misshapen:  drawn inputs -> inputs that must be refused.
    without:    property -> reason why the component lacks it.
    """

    name: str
    signatures: Sequence[tuple[Callable[..., Any], str]]
    function: Callable[..., Any]
    draw: Callable[[jax.Array], tuple[Any, ...]]
    extremes: Callable[..., Sequence[tuple[Any, ...]]]
    misshapen: Callable[..., tuple[Any, ...]]
    without: Mapping[str, str] = {}


def random_x(key: jax.Array, shape: tuple[int, ...] = (FEATURES,)) -> jax.Array:
    """Random examples in [0.1, 0.9], so that finite differences stay inside (0, 1)."""
    return jax.random.uniform(key, (EXAMPLES, *shape), minval=0.1, maxval=0.9)


def constant_x(value: float, shape: tuple[int, ...] = (FEATURES,)) -> jax.Array:
    return jnp.full((EXAMPLES, *shape), value)


def model_row(
    name: str, model: aejax.Autoencoder, shape: tuple[int, ...] = (FEATURES,), **without: str
) -> Row:
    return Row(
        name,
        [(model.init, "key"), (model.encode, "params x"), (model.decode, "params code")],
        lambda params, x: model.decode(params, model.encode(params, x)),
        lambda key: (model.init(key), random_x(key, shape)),
        lambda params, x: [(params, constant_x(value, shape)) for value in (0.0, 1.0, -1e4, 1e4)],
        lambda params, x: (params, jnp.ones((EXAMPLES, *shape[:-1], shape[-1] + 1))),
        {"same key": "only init takes a key; the tests of the model check it", **without},
    )


def loss_row(name: str, loss: aejax.Loss, first: str) -> Row:
    low, high = (max(loss.support[0], -1e4), min(loss.support[1], 1e4))
    return Row(
        name,
        [(loss.elementwise, f"{first} x")],
        loss.elementwise,
        lambda key: (jax.random.normal(key, (EXAMPLES, FEATURES)), random_x(key)),
        lambda output, x: [
            (constant_x(output), constant_x(target))
            for output in (-1e4, -90.0, 0.0, 90.0, 1e4)
            for target in (low, 0.5, high)
        ],
        lambda output, x: (output, jnp.ones((EXAMPLES, 1))),
        {"same key": NO_KEY},
    )


def labels_row(name: str, loss: aejax.Loss, classes: int) -> Row:
    def draw(key: jax.Array) -> tuple[jax.Array, jax.Array]:
        shape = (EXAMPLES, FEATURES)
        return jax.random.normal(key, (*shape, classes)), jax.random.randint(key, shape, 0, classes)

    def constant_logits(value: float) -> jax.Array:
        return constant_x(value, (FEATURES, classes)).at[..., 0].multiply(-1)

    return Row(
        name,
        [(loss.elementwise, "logits labels")],
        loss.elementwise,
        draw,
        lambda logits, labels: [
            (constant_logits(value), labels) for value in (-1e4, 0.0, 90.0, 1e4)
        ],
        lambda logits, labels: (logits, jnp.zeros((EXAMPLES, 1), int)),
        {"same key": NO_KEY},
    )


def corruption_row(name: str, corruption: Callable[..., jax.Array]) -> Row:
    return Row(
        name,
        [(corruption, "key x")],
        corruption,
        lambda key: (key, random_x(key)),
        lambda key, x: [(key, constant_x(value)) for value in (0.0, -1e4, 1e4)],
        lambda key, x: (),
        {"misshapen": "it accepts arrays of any shape"},
    )


def objective_row(name: str, objective: aejax.Objective, **without: str) -> Row:
    def extremes(
        params: aejax.types.Params, batch: Batch, key: jax.Array
    ) -> list[tuple[aejax.types.Params, Batch, jax.Array]]:
        constant = [(params, Batch(constant_x(value)), key) for value in (0.0, 1.0)]
        scaled = [
            jax.tree.map(lambda leaf, scale=scale: leaf * scale, params)
            for scale in (0.0, 1e3, -1e3)
        ]
        return constant + [(each, batch, key) for each in scaled]

    return Row(
        name,
        [
            (objective, "params batch key"),
            *((penalty, "record") for _, penalty in objective.penalties.values()),
        ],
        objective,
        lambda key: (objective.model.init(key), Batch(random_x(key)), key),
        extremes,
        lambda params, batch, key: (params, batch._replace(target=jnp.ones((EXAMPLES, 1))), key),
        without,
    )


def penalty_row(name: str, penalty: aejax.types.Penalty, **without: str) -> Row:
    model = aejax.dense((FEATURES, CODE))
    return objective_row(
        name,
        aejax.objective(model, losses.bernoulli, penalties={name: (2.0, penalty)}),
        **without,
    )


DENSE = {
    "undercomplete": aejax.dense((FEATURES, CODE)),
    "overcomplete": aejax.dense((FEATURES, 4 * FEATURES), activation=jax.nn.tanh),
    "deep": aejax.dense((FEATURES, 7, 4, CODE), code_activation=jax.nn.identity),
    "asymmetric": aejax.dense((FEATURES, CODE), decoder_sizes=(CODE, 9, FEATURES)),
    "tied": aejax.dense((FEATURES, CODE), tied=True),
    "deep tied": aejax.dense((FEATURES, 4, CODE), tied=True, activation=jax.nn.gelu),
    "without biases": aejax.dense((FEATURES, CODE), bias=False),
    "linear": aejax.linear(FEATURES, CODE),
}
SEGNET = segnet(BASIC._replace(blocks=((2,),), kernel=(3, 3)), channels=1, classes=2)
CONVOLUTIONAL = {  # each option once; tests/models/test_convolutional.py has the combinations
    "convolutional": ((5, 4, 1), {}),
    "convolutional pooled, resized, tied, dense code, one axis": (
        (7, 2),
        {"down": models.pooled, "up": models.resized, "units": (CODE,), "tied": True},
    ),
}
TOP_K = aejax.dense((FEATURES, 4 * FEATURES), code_activation=aejax.top_k(k=CODE))
TOP_K_DICTIONARY = aejax.dictionary(FEATURES, 4 * FEATURES, activation=aejax.top_k_relu(k=3))
LOGITS = aejax.dense((FEATURES, CODE), code_activation=jax.nn.identity)
REMATERIALISED = aejax.rematerialised(DENSE["undercomplete"])
IMAGE = (1, FEATURES)
CORRUPTIONS = {
    "masking": corruptions.masking(rate=0.3),
    "gaussian": corruptions.gaussian(sigma=0.5),
    "salt and pepper": corruptions.salt_and_pepper(rate=0.3),
    "block masking": corruptions.on_images(
        corruptions.block_masking(size=(1, 2)), image_shape=IMAGE
    ),
    "patch masking": corruptions.on_images(
        corruptions.patch_masking(size=(1, 1), rate=0.4), image_shape=IMAGE
    ),
    "random level": corruptions.random_level(
        lambda sigma: corruptions.gaussian(sigma=sigma), low=0.1, high=0.5
    ),
}
AFFINE = augmentations.affine(rotation=0.2, stretch=0.2, shear=0.2, shift=0.5)
AUGMENTATIONS = {
    "affine": corruptions.on_images(AFFINE, image_shape=IMAGE),
    "fresh samples": augmentations.fresh_samples(
        lambda key, *, count: jax.random.uniform(key, (count, FEATURES))
    ),
}
PENALTIES = {
    "l2": penalties.l2(),
    "l1": penalties.l1(),
    "kl sparsity": penalties.kl_sparsity(rho=0.05),
    "contractive": penalties.contractive(),
    "contractive logistic": penalties.contractive_logistic(),
}
SAMPLED = {
    "contractive estimated": penalties.contractive_estimated(samples=2),
    "higher-order contractive": penalties.higher_order_contractive(sigma=0.1, samples=2),
}
ALL_DEAD = aejax.trackers.steps_since_active(4 * FEATURES)._replace(
    init=lambda params: jnp.full(4 * FEATURES, 9)
)
ALL_DEAD_AUXK = penalties.auxk(k=2, dead_after=9)
LOSSES = {
    "squared": (losses.squared, "x_hat"),
    "squared logistic": (losses.squared_logistic, "logits"),
    "squared tanh": (losses.squared_tanh, "output"),
    "bernoulli": (losses.bernoulli, "logits"),
    "categorical": (losses.categorical, "logits"),
    "by blocks": (losses.by_blocks([(losses.squared, 2), (losses.categorical, 3)]), "output"),
}

ROWS = [
    *(
        model_row(name, model)
        for name, model in {
            **DENSE,
            "top k": TOP_K,
            "rematerialised": REMATERIALISED,
        }.items()
    ),
    model_row("binary code", aejax.binary_code(LOGITS)),
    model_row(
        "binary code, straight through",
        aejax.binary_code(LOGITS, activation=aejax.straight_through),
        check_grads="its gradient is that of the logistic function",
    ),
    model_row("leading units", aejax.leading_units(LOGITS, 2)),
    model_row("refined", aejax.refined(LOGITS, losses.bernoulli, steps=2)),
    model_row("linear path", with_linear_path(aejax.dense((FEATURES, 5, 3)), FEATURES, 3)),
    model_row("segnet", SEGNET, (3, 5, 1)),
    labels_row("categorical of labels", losses.categorical_labels(classes=3), classes=3),
    *(
        model_row(name, aejax.convolutional(shape, (2,), activation=jnp.tanh, **options), shape)
        for name, (shape, options) in CONVOLUTIONAL.items()
    ),
    *(loss_row(name, *loss) for name, loss in LOSSES.items()),
    *(
        corruption_row(name, corruption)
        for name, corruption in (CORRUPTIONS | AUGMENTATIONS).items()
    ),
    *(
        penalty_row(name, penalty, **{"same key": "it samples nothing"})
        for name, penalty in PENALTIES.items()
    ),
    *(penalty_row(name, penalty) for name, penalty in SAMPLED.items()),
    *(
        objective_row(
            f"{model} with {loss}",
            aejax.objective(DENSE[model], LOSSES[loss][0]),
            **{"same key": "it samples nothing"},
        )
        # every model with one loss, and every other loss with one model
        for model, loss in [
            *((model, "squared") for model in DENSE),
            ("undercomplete", "squared logistic"),
            ("undercomplete", "bernoulli"),
        ]
    ),
    objective_row(
        "top-k dictionary with AuxK",
        aejax.objective(
            TOP_K_DICTIONARY,
            losses.squared,
            penalties={"auxk": (1 / 32, ALL_DEAD_AUXK)},
            tracker=ALL_DEAD,
        ),
        **{"same key": "it samples nothing", "check_grads": "its residual is a constant"},
    ),
    objective_row(
        "JumpReLU dictionary",
        aejax.objective(
            aejax.dictionary(
                FEATURES, CODE, activation=aejax.jump_relu(threshold=0.1, bandwidth=0.5)
            ),
            losses.squared,
            penalties={
                "target": (0.1, penalties.target_l0(target=2.0, bandwidth=0.5)),
                "tanh": (0.1, penalties.tanh_l0()),
            },
        ),
        **{"same key": "it samples nothing", "check_grads": "that of a threshold is an estimate"},
    ),
    objective_row(
        "Matryoshka dictionary with BatchTopK",
        aejax.objective(
            aejax.dictionary(FEATURES, 8, activation=aejax.batch_top_k(k=3)),
            losses.squared,
            penalties={"prefixes": (1.0, penalties.matryoshka(prefixes=(2, 4, 8)))},
        ),
        **{"same key": "it samples nothing"},
    ),
    objective_row(
        "gated dictionary",
        aejax.objective(
            aejax.dictionary(FEATURES, CODE, activation=aejax.gated()),
            losses.squared,
            penalties={
                "l1": (0.1, penalties.gate_l1()),
                "gate": (1.0, penalties.gate_reconstruction()),
            },
        ),
        **{"same key": "it samples nothing", "check_grads": "the decoder of a term is constant"},
    ),
    objective_row(
        "contrastive divergence",
        training.rbm_objective((FEATURES, CODE), steps=2),
        check_grads="its gradient treats the end of the Gibbs chain as a constant",
    ),
    objective_row(
        "binary code sharpened by noise",
        aejax.objective(
            aejax.binary_code(LOGITS),
            losses.categorical,
            perturbation=corruptions.gaussian(sigma=4.0),
        ),
    ),
    objective_row(
        "everything",
        aejax.objective(
            DENSE["undercomplete"],
            losses.bernoulli,
            corruption=CORRUPTIONS["gaussian"],
            perturbation=corruptions.gaussian(sigma=0.1),
            penalties={name: (0.1, penalty) for name, penalty in PENALTIES.items()},
        ),
    ),
]
