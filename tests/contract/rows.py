"""Rows of the contract tests: one per model, loss, corruption, penalty and objective.

Each row states how to call the component, extreme inputs, and properties that it cannot have. A
new component is one new row.
"""

import inspect
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

import aejax
from aejax import Batch, corruptions, evaluation, losses
from tests.contract import components
from tests.contract.components import CODE, FEATURES

EXAMPLES = 6
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

    @property
    def family(self) -> str:
        """Source files of the public functions: rows with the same ones are of one family."""
        return " ".join(sorted({source_file(function) for function, _ in self.signatures}))


def source_file(function: Callable[..., Any]) -> str:
    """Path of the file that defines a function or the type of a callable record."""
    function = inspect.unwrap(function)
    return inspect.getfile(function if hasattr(function, "__code__") else type(function))


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


def loss_row(name: str, loss: aejax.Loss, first: str, parameters: tuple[int, ...] = ()) -> Row:
    """A row of a loss whose output has further axes of parameters for each feature."""
    shape = (FEATURES, *parameters)
    low, high = (max(loss.support[0], -1e4), min(loss.support[1], 1e4))
    return Row(
        name,
        [(loss.elementwise, f"{first} x")],
        loss.elementwise,
        lambda key: (jax.random.normal(key, (EXAMPLES, *shape)), random_x(key)),
        lambda output, x: [
            (constant_x(output, shape), constant_x(target))
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


def log_likelihood_row() -> Row:
    """Importance-sampled log p(x) of each example."""
    posterior = aejax.posteriors.diagonal_gaussian()
    objective = aejax.objective(aejax.variational((FEATURES, CODE)), losses.bernoulli)

    def function(params: aejax.types.Params, x: jax.Array, key: jax.Array) -> jax.Array:
        settings = {"posterior": posterior, "samples": 4, "block_size": 2}
        return evaluation.log_likelihood(objective, params, x, key, **settings).value

    return Row(
        "importance-sampled log-likelihood",
        [
            (
                evaluation.log_likelihood,
                "objective params batch key posterior samples block_size prior",
            )
        ],
        function,
        lambda key: (objective.model.init(key), random_x(key), key),
        lambda params, x, key: [(params, constant_x(value), key) for value in (0.0, 1.0)],
        lambda params, x, key: (params, jnp.ones((EXAMPLES, FEATURES + 1)), key),
    )


def aggregate_posterior_row() -> Row:
    """Statistics of the aggregate posterior of a Gaussian code."""
    posterior = aejax.posteriors.diagonal_gaussian()

    def function(key: jax.Array, output: jax.Array) -> tuple[jax.Array, ...]:
        return evaluation.aggregate_posterior(posterior, key, posterior.code(output))

    return Row(
        "aggregate posterior",
        [(evaluation.aggregate_posterior, "posterior key code log_prior block_size")],
        function,
        lambda key: (key, jax.random.normal(key, (EXAMPLES, 2 * CODE))),
        lambda key, output: [(key, constant_x(value, (2 * CODE,))) for value in (-9.0, 0.0, 9.0)],
        lambda key, output: (key, output[:, 1:]),
    )


DENSE = components.dense_models()
SPECIAL = components.special_models()
VARIATIONAL = components.variational_models()
IMAGES = components.image_models()
SEGNET, _ = IMAGES["segnet"]
LOSSES = components.reconstruction_losses()
OUTPUTS = {
    "squared": "x_hat",
    "squared tanh": "output",
    "by blocks": "output",
    "gaussian likelihood": "x_hat",
}
"""First argument of each loss whose output is not logits."""
IMAGE = (1, FEATURES)
ON_IMAGES = {
    name: corruptions.on_images(noise, image_shape=IMAGE)
    for name, noise in (components.image_noise() | components.image_augmentations()).items()
}
CORRUPTIONS = components.elementwise_noise() | ON_IMAGES | components.samples((FEATURES,))
PENALTIES = components.exact_penalties()
QUANTISED = {"check_grads": "its gradient is straight through the quantisation"}
LACKING = {
    **dict.fromkeys(components.quantised_models(), QUANTISED),
    "vector-quantised with averaged codewords": QUANTISED | {"same key": "it samples nothing"},
    "bits with their entropy": QUANTISED | {"same key": "it samples nothing"},
    "binary code, straight through": {
        "check_grads": "its gradient is that of the logistic function"
    },
    "top-k dictionary with AuxK": {
        "same key": "it samples nothing",
        "check_grads": "its residual is a constant",
    },
    "top-k dictionary with a sparse code": {"same key": "it samples nothing"},
    "JumpReLU dictionary": {
        "same key": "it samples nothing",
        "check_grads": "that of a threshold is an estimate",
    },
    "Matryoshka dictionary with BatchTopK": {"same key": "it samples nothing"},
    "gated dictionary": {
        "same key": "it samples nothing",
        "check_grads": "the decoder of a term is constant",
    },
    "transcoder with a skip connection": {"same key": "it samples nothing"},
    "crosscoder": {"same key": "it samples nothing"},
    "bounds with gradients of their own": {
        "check_grads": "the gradient of the encoder is not that of the value"
    },
    "contrastive divergence": {
        "check_grads": "its gradient treats the end of the Gibbs chain as a constant"
    },
}
"""Properties that a model or an objective lacks, each with its reason."""

ROWS = [
    *(
        model_row(name, model, **LACKING.get(name, {}))
        for name, model in (DENSE | SPECIAL | VARIATIONAL).items()
    ),
    *(model_row(name, model, shape) for name, (model, shape) in IMAGES.items()),
    *(loss_row(name, loss, OUTPUTS.get(name, "logits")) for name, loss in LOSSES.items()),
    *(
        loss_row(name, loss, "output", parameters=(2,))
        for name, loss in components.losses_of_two_parameters().items()
    ),
    log_likelihood_row(),
    aggregate_posterior_row(),
    labels_row("categorical of labels", losses.categorical_labels(classes=3), classes=3),
    *(corruption_row(name, corruption) for name, corruption in CORRUPTIONS.items()),
    *(
        penalty_row(name, penalty, **{"same key": "it samples nothing"})
        for name, penalty in PENALTIES.items()
    ),
    *(penalty_row(name, penalty) for name, penalty in components.sampled_penalties().items()),
    *(
        objective_row(
            f"{model} with {loss}",
            aejax.objective(DENSE[model], LOSSES[loss]),
            **{"same key": "it samples nothing"},
        )
        # every model with one loss, and every other loss with one model
        for model, loss in [
            *((model, "squared") for model in DENSE),
            ("undercomplete", "squared logistic"),
            ("undercomplete", "bernoulli"),
        ]
    ),
    *(
        objective_row(name, objective, **LACKING[name])
        for name, objective in components.own_objectives().items()
    ),
    *(
        objective_row(name, objective, **LACKING.get(name, {}))
        for name, objective in components.variational_objectives().items()
    ),
    objective_row(
        "binary code sharpened by noise",
        aejax.objective(
            SPECIAL["binary code"],
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
