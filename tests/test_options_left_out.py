"""Omitted options equal their documented defaults, passed explicitly."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

import aejax
from aejax import Geometry, augmentations, losses, penalties, training
from aejax.augmentations.interpolation import linear
from aejax.models import boltzmann

KEY = jax.random.key(0)
X = jax.random.uniform(jax.random.key(1), (6, 5))
MODEL = aejax.dense((5, 3))
RBM = aejax.dense((5, 3), tied=True)
KINDS = boltzmann.RBM()
THIRDS = Geometry((3, 3), (2, 2), "same")
IMAGE = (5, 6, 1)


def forward_record(model: aejax.Autoencoder) -> aejax.Pass:
    return aejax.forward(aejax.objective(model, losses.squared), model.init(KEY), X, KEY)


def first_update(optimizer: optax.GradientTransformation) -> jax.Array:
    return optimizer.update({"kernel": X}, optimizer.init({"kernel": X}), {"kernel": X})[0][
        "kernel"
    ]


def output(model: aejax.Autoencoder, x: jax.Array = X) -> jax.Array:
    params = model.init(KEY)
    return model.decode(params, model.encode(params, x))


def image_output(**options) -> jax.Array:
    x = jax.random.uniform(KEY, (2, *IMAGE))
    return output(aejax.convolutional(IMAGE, (2,), **options), x)


def augmented(**options) -> jax.Array:
    return augmentations.affine(rotation=0.3, **options)(KEY, X[:, None])


def initial_kernel(objective: aejax.Objective) -> jax.Array:
    return objective.model.init(KEY)["encoder"]["layer_0"]["kernel"]


PAIRS = {
    "dense": (
        lambda: output(MODEL),
        lambda: output(aejax.dense((5, 3), activation=jax.nn.sigmoid)),
    ),
    "dense, code": (
        lambda: output(aejax.dense((5, 3), activation=jnp.tanh)),
        lambda: output(aejax.dense((5, 3), activation=jnp.tanh, code_activation=jnp.tanh)),
    ),
    "convolutional": (
        lambda: image_output(),
        lambda: image_output(activation=jax.nn.relu, code_activation=jax.nn.relu, geometry=THIRDS),
    ),
    "mixed precision": (
        lambda: output(aejax.mixed_precision(MODEL)),
        lambda: output(aejax.mixed_precision(MODEL, compute=jnp.bfloat16)),
    ),
    "affine": (
        lambda: augmented(),
        lambda: augmented(stretch=0.0, shear=0.0, shift=0.0, interpolation=linear),
    ),
    "contractive, estimated": (
        lambda: penalties.contractive_estimated()(forward_record(MODEL)),
        lambda: penalties.contractive_estimated(samples=1, probe=jax.random.rademacher)(
            forward_record(MODEL)
        ),
    ),
    "higher-order contractive": (
        lambda: penalties.higher_order_contractive(sigma=0.5)(forward_record(MODEL)),
        lambda: penalties.higher_order_contractive(sigma=0.5, samples=1)(forward_record(MODEL)),
    ),
    "contrastive divergence": (
        lambda: boltzmann.contrastive_divergence(KINDS)(forward_record(RBM)),
        lambda: boltzmann.contrastive_divergence(KINDS, steps=1)(forward_record(RBM)),
    ),
    "muon": (
        lambda: first_update(training.muon(0.1)),
        lambda: first_update(training.muon(0.1, momentum=0.95, steps=5)),
    ),
}


@pytest.mark.parametrize("name", PAIRS)
def test_omitted_options_equal_documented_defaults(name):
    implicit, explicit = PAIRS[name]
    np.testing.assert_array_equal(implicit(), explicit())


def test_rbm_kernels_start_with_standard_deviation_0_01():
    kernel = initial_kernel(training.rbm_objective((400, 100)))
    assert float(kernel.std()) == pytest.approx(0.01, rel=0.02)  # 40 000 values


def test_calibration_batch_size_defaults_to_128():
    model = aejax.models.segnet(
        aejax.models.BASIC._replace(blocks=((2,),), kernel=(3, 3)), channels=1, classes=2
    )
    sizes = []

    def encode(params, x):
        sizes.append(x.shape[0])
        return model.encode(params, x)

    training.calibrate(model._replace(encode=encode), model.init(KEY), jnp.zeros((130, 2, 2, 1)))
    assert set(sizes) == {130, 128, 2}  # 130: abstract evaluation of the whole data
