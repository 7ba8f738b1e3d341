"""Named settings of `aejax train`: the models of the experiments."""

from dataclasses import replace
from math import prod
from typing import Any, Literal, NamedTuple

from aejax.runs.configuration import AffineAugmentation, Options, Penalties, Training
from aejax.runs.default_settings import DataFacts, default_batch_size
from aejax.runs.dictionary_settings import DictionaryActivation, DictionarySettings
from aejax.runs.quantisation_settings import QuantisationSettings, QuantiserName
from aejax.runs.variational_settings import VariationalSettings

RecipeName = Literal[
    "linear",
    "denoising",
    "sparse",
    "contractive",
    "overcomplete",
    "tied",
    "weight-decay",
    "deep",
    "thirty-numbers",
    "refined",
    "convolutional",
    "variational",
    "importance-weighted",
    "vector-quantised",
    "residual-quantised",
    "finite-scalar-quantised",
    "relu-dictionary",
    "topk-dictionary",
    "batchtopk-dictionary",
    "matryoshka-dictionary",
    "jumprelu-dictionary",
    "gated-dictionary",
    "matching-pursuit-dictionary",
]


class Recipe(NamedTuple):
    """Settings of one named model.

    summary:  one line for `aejax train --help`.
    training: the settings; those of `Options` that are None are chosen from the data.
    """

    summary: str
    training: Options


_MNIST = Training(data="mnist", batch_size=100, learning_rate=3e-3)
_FEATURES = replace(_MNIST, sizes=(784, 144))
"""Settings that the sparse and the contractive model share."""

_GELU = replace(_MNIST, activation="gelu", code_activation="identity", schedule="cosine")

_THIRTY = replace(
    _GELU,
    sizes=(784, 1000, 500, 250, 30),
    loss="squared-logistic",
    augmentation=AffineAugmentation(rotation=0.105, stretch=0.07, shear=0.105, shift=0.35),
    precision="mixed",
    optimizer="muon",
    learning_rate=8e-3,
    warm_up=3,
    epochs=60,
    batch_size=512,
    validation=0,
)


def _dictionary(activation: DictionaryActivation, **settings: Any) -> Options:
    """Dictionary whose scale, number of units and length of training depend on the data.

    Gradients are clipped as by SAELens's trainer, which made dictionaries recover more of known
    features (docs/dictionary_benchmark.md).
    """
    return Options(dictionary=DictionarySettings(activation, **settings), clip=1.0)


def _variational(*, samples: int) -> Training:
    return replace(
        _MNIST,
        sizes=(784, 200, 200, 50),
        activation="tanh",
        variational=VariationalSettings("diagonal", samples=samples, binarise=True),
        learning_rate=1e-3,
        schedule="cosine",
        epochs=100,
    )


def _quantised(quantiser: QuantiserName) -> Options:
    """Discrete code whose scale, layers and batches depend on the data."""
    return Options(
        loss="squared",
        quantised=QuantisationSettings(quantiser),
        learning_rate=3e-3,
        epochs=100,
    )


RECIPES: dict[RecipeName, Recipe] = {
    "linear": Recipe(
        "linear units; learns the 12-D PCA subspace",
        replace(
            _MNIST,
            sizes=(784, 12),
            activation="identity",
            loss="squared",
            epochs=60,
            schedule="cosine",
        ),
    ),
    "denoising": Recipe(
        "masking noise and tied weights",
        Training(
            data="mnist",
            sizes=(784, 500),
            tied=True,
            corruption="masking",
            corruption_level=0.5,
            optimizer="sgd",
            learning_rate=0.01,  # with momentum 0.9, equivalent to 0.1 without
            epochs=15,
            batch_size=20,
        ),
    ),
    "sparse": Recipe(
        "KL sparsity penalty: few active units",
        replace(
            _FEATURES,
            penalty=Penalties(sparsity=30.0, rho=0.05),
            epochs=40,
            batch_size=500,
            learning_rate=0.01,
        ),
    ),
    "contractive": Recipe(
        "penalty on the encoder's Jacobian",
        replace(_FEATURES, penalty=Penalties(contraction=1.0)),
    ),
    "overcomplete": Recipe(
        "more units than pixels; masking",
        replace(
            _MNIST,
            sizes=(784, 1024),
            loss="squared",
            corruption="masking",
            corruption_level=0.25,
        ),
    ),
    "tied": Recipe(
        "decoder uses the encoder's kernel",
        replace(_MNIST, sizes=(784, 64), tied=True, schedule="cosine"),
    ),
    "weight-decay": Recipe(
        "L2 penalty on the kernels",
        replace(
            _MNIST,
            sizes=(784, 32),
            penalty=Penalties(l2=0.001),
            learning_rate=1e-2,
            schedule="cosine",
        ),
    ),
    "deep": Recipe(
        "two hidden layers and a 30-D code",
        replace(
            _GELU,
            sizes=(784, 83, 83, 30),
            optimizer="muon",
            learning_rate=16e-3,
            epochs=12,
            batch_size=200,
        ),
    ),
    "thirty-numbers": Recipe("784-1000-500-250-30; augmented", _THIRTY),
    "refined": Recipe(
        "30-D code refined by gradient steps",
        replace(
            _THIRTY,
            sizes=(784, 30),
            decoder_sizes=(30, 400, 1000, 1300, 784),
            refinement_steps=4,
            augmentation=replace(_THIRTY.augmentation, interpolation="cubic"),
            warm_up=1.7,
            epochs=34,
        ),
    ),
    "convolutional": Recipe(
        "two convolutions; 30-D code",
        replace(_GELU, sizes=(784, 30), channels=(16, 32), activation="relu"),
    ),
    # Kingma & Welling 2014; Burda, Grosse & Salakhutdinov 2016
    "variational": Recipe("evidence lower bound of binary images", _variational(samples=1)),
    "importance-weighted": Recipe("bound of 5 samples", _variational(samples=5)),
    # van den Oord, Vinyals & Kavukcuoglu 2017
    "vector-quantised": Recipe("one of 256 codewords per 4 units", _quantised("vector")),
    # Zeghidour et al. 2021
    "residual-quantised": Recipe("sum of 4 codewords per 4 units", _quantised("residual")),
    # Mentzer et al. 2024
    "finite-scalar-quantised": Recipe("units of 8, 5, 5 and 5 levels", _quantised("finite-scalar")),
    # Conerly et al. 2024
    "relu-dictionary": Recipe("L1 weighted by decoder norms", _dictionary("relu", unit_norm=False)),
    # Gao et al. 2024
    "topk-dictionary": Recipe("k units of each example; AuxK", _dictionary("topk")),
    # Bussmann, Leask & Nanda 2024
    "batchtopk-dictionary": Recipe("k units on average; AuxK", _dictionary("batchtopk")),
    # Bussmann et al. 2025
    "matryoshka-dictionary": Recipe(
        "BatchTopK; prefixes of 1024 units",
        replace(_dictionary("batchtopk", prefixes=(32, 128, 512)), code=1024),
    ),
    # Rajamanoharan, Lieberum et al. 2024; McDougall et al. 2025 (target L0)
    "jumprelu-dictionary": Recipe("thresholds with a target L0", _dictionary("jumprelu")),
    # Rajamanoharan, Conmy et al. 2024
    "gated-dictionary": Recipe("gate and magnitude; L1 of the gate", _dictionary("gated")),
    # Costa et al. 2025
    "matching-pursuit-dictionary": Recipe("k steps, no encoder", _dictionary("matching-pursuit")),
}
"""Recipe by name."""


def fit_recipe(settings: Options, recipe: Recipe, facts: DataFacts) -> Options:
    """Fit the settings of a recipe to data of another size than its own.

    Args:
        settings: settings of a user who started from the recipe.
        recipe: the recipe.
        facts: properties of the data.

    Returns:
        The settings. Where they are still those of the recipe, the first and the last layer have
        the number of features, and a batch that exceeds the train examples is a default one.
    """
    features, start = prod(facts.shape), recipe.training
    sizes, decoder_sizes, size = settings.sizes, settings.decoder_sizes, settings.batch_size
    if sizes and sizes == start.sizes:
        sizes = (features, *sizes[1:])
    if decoder_sizes and decoder_sizes == start.decoder_sizes:
        decoder_sizes = (*decoder_sizes[:-1], features)
    if size is not None and size == start.batch_size and size > facts.train_size:
        size = default_batch_size(facts.train_size)
    return replace(settings, sizes=sizes, decoder_sizes=decoder_sizes, batch_size=size)


def fitting_note(settings: Options, fitted: Options) -> str:
    """Describe how a recipe was fitted to the data.

    Args:
        settings: settings before `fit_recipe`.
        fitted: settings after it.

    Returns:
        The changes, for the user; "" without any.
    """
    layers = " ".join(map(str, fitted.sizes))
    changes = [f"layers of {layers} units"] if fitted.sizes != settings.sizes else []
    if fitted.batch_size != settings.batch_size:
        changes.append(f"batches of {fitted.batch_size} examples")
    return f"the recipe is fitted to the data: {', '.join(changes)}" if changes else ""
