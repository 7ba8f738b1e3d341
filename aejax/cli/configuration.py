"""What a run trains: every setting with its meaning, and the pieces that the settings name."""

import dataclasses
import json
from dataclasses import dataclass, field
from pathlib import Path
from types import UnionType
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

import optax

from aejax import named
from aejax.data import Dataset, Normalisation, identity, standardise, unit_range
from aejax.models import dense
from aejax.objective import Objective, objective
from aejax.types import Autoencoder, Penalty


@dataclass(frozen=True)
class Penalties:
    """Weights λ of the penalties; zero leaves one out."""

    l2: float = 0.0
    """weight of the L2 penalty on kernels, Σ W²"""
    l1: float = 0.0
    """weight of the L1 penalty on the code, Σ |h|"""
    sparsity: float = 0.0
    """weight of KL sparsity, for a sigmoid code"""
    rho: float = 0.05
    """mean activation ρ that KL sparsity asks of each code unit"""
    contraction: float = 0.0
    """weight of the contractive penalty, the squared norm of the encoder's Jacobian"""


@dataclass(frozen=True)
class Training:
    """Everything that decides the parameters a run ends with."""

    data: str = "digits"
    """digits, photos, mnist, fashion_mnist, another TFDS name, or a path to .npy, .npz or IDX"""
    data_dir: Path | None = None
    """where TFDS keeps prepared data sets; TFDS's own convention unless given"""
    normalise: Literal["unit-range", "standardise", "none"] = "unit-range"
    """how raw values are scaled"""
    sizes: tuple[int, ...] = ()
    """features of input, hidden layers and code, as in 784 500 30; (input, 128, 16) unless given"""
    activation: named.Activation = "sigmoid"
    """of hidden layers"""
    code_activation: named.Activation | None = None
    """of the code; as the hidden layers unless given"""
    tied: bool = False
    """the decoder uses the encoder's kernels, transposed"""
    loss: named.NamedLoss = "bernoulli"
    """reconstruction loss, with its output: logistic, linear, logistic, tanh"""
    corruption: named.NamedCorruption = "none"
    """what happens to the input before it is encoded"""
    corruption_level: float = 0.25
    """rate of masking and salt and pepper, or standard deviation of Gaussian noise"""
    penalty: Penalties = field(default_factory=Penalties)
    """weights of the penalties"""
    optimizer: named.Optimizer = "adam"
    """Adam, or stochastic gradient descent with Nesterov momentum 0.9"""
    learning_rate: float = 1e-3
    """at the start"""
    schedule: Literal["constant", "cosine"] = "constant"
    """whether the learning rate stays, or falls to zero over the epochs"""
    clip: float | None = None
    """greatest norm of the gradient; unbounded unless given"""
    epochs: int = 20
    """passes over the data"""
    batch_size: int = 128
    """examples a step"""
    validation: float = 0.1
    """share of the train examples held out to measure on after each epoch; 0 for none"""
    patience: int | None = None
    """stop after so many epochs in a row without a lower validation loss"""
    seed: int = 0
    """of parameters, order, noise and the validation split"""


def identity_of(training: Training) -> dict[str, Any]:
    """The settings that a resumed run must share: all, but where the data lie and how far to go.

    The epochs belong to them only where the schedule depends on them.
    """
    settings = _as_json(training)
    del settings["data_dir"]
    if training.schedule == "constant":
        del settings["epochs"]
    penalty = settings.pop("penalty")
    return settings | {f"penalty.{name}": value for name, value in penalty.items()}


def dumps(training: Training) -> str:
    """The settings as JSON."""
    return json.dumps(_as_json(training), indent=2) + "\n"


def loads(text: str) -> Training:
    """The settings from `dumps`'s JSON; ValueError where the text is anything else."""
    try:
        settings = json.loads(text)
        data_dir = settings["data_dir"]
        settings |= {
            "data_dir": None if data_dir is None else Path(data_dir),
            "sizes": tuple(settings["sizes"]),
            "penalty": _made(Penalties, settings["penalty"]),
        }
        return _made(Training, settings)
    except (ValueError, TypeError, KeyError, RecursionError) as error:
        raise ValueError(f"not a configuration of this version: {error}") from error


def check(training: Training) -> None:
    """Refuse settings out of their range, before any data are read.

    What only a piece knows (a rate, a weight, a ρ) is refused where the piece is made or tried.
    """
    ranges = {
        "epochs must be at least 1": training.epochs >= 1,
        "batch-size must be at least 1": training.batch_size >= 1,
        "patience must be at least one epoch": training.patience is None or training.patience >= 1,
        "validation must be a share in [0, 1)": 0 <= training.validation < 1,
        "learning-rate must be above 0": training.learning_rate > 0,
        "clip must be above 0": training.clip is None or training.clip > 0,
        "seed must lie in [0, 2³²)": 0 <= training.seed < 2**32,  # JAX would cut a greater one
    }
    for rule, kept in ranges.items():
        if not kept:
            setting = rule.partition(" ")[0]
            raise ValueError(f"{rule}, got {getattr(training, setting.replace('-', '_'))}")


def make_normalisation(training: Training, dataset: Dataset) -> Normalisation:
    """The invertible scaling, with its statistics from the train examples."""
    match training.normalise:
        case "unit-range" if dataset.low is not None and dataset.high is not None:
            return unit_range(dataset.x_train, low=dataset.low, high=dataset.high)
        case "unit-range":
            return unit_range(dataset.x_train)
        case "standardise":
            return standardise(dataset.x_train)
        case "none":
            return identity()


def make_model(training: Training, features: int) -> Autoencoder:
    """The dense autoencoder for inputs of so many features; ValueError where the sizes differ."""
    sizes = training.sizes or (features, 128, 16)
    if sizes[0] != features:
        raise ValueError(
            f"the data have {features} features, but sizes start with {sizes[0]}: "
            f"say --sizes {' '.join(map(str, (features, *sizes[1:])))}"
        )
    return dense(
        sizes,
        activation=named.activation(training.activation),
        code_activation=named.activation(training.code_activation or training.activation),
        tied=training.tied,
    )


def make_objective(training: Training, features: int) -> Objective:
    """The objective that the settings describe."""
    return objective(
        make_model(training, features),
        named.loss(training.loss),
        corruption=named.corruption(training.corruption, training.corruption_level),
        penalties=_penalties(training),
    )


def make_optimizer(training: Training, steps: int) -> optax.GradientTransformation:
    """The optimizer that the settings describe, for a run of so many steps."""
    rate = training.learning_rate
    schedule = optax.cosine_decay_schedule(rate, steps) if training.schedule == "cosine" else rate
    clip = optax.identity() if training.clip is None else optax.clip_by_global_norm(training.clip)
    return optax.chain(clip, named.optimizer(training.optimizer, schedule))


def _penalties(training: Training) -> dict[str, tuple[float, Penalty]]:
    weights, code_activation = training.penalty, training.code_activation or training.activation
    if weights.sparsity and code_activation != "sigmoid":
        raise ValueError("KL sparsity needs a code in [0, 1]: say --code-activation sigmoid")
    return named.weighted_penalties(
        {
            "l2": weights.l2,
            "l1": weights.l1,
            "sparsity": weights.sparsity,
            "contraction": weights.contraction,
        },
        rho=weights.rho,
        one_logistic_layer=len(training.sizes) == 2 and code_activation == "sigmoid",
    )


def _as_json(training: Training) -> dict[str, Any]:
    settings = dataclasses.asdict(training)
    settings["data_dir"] = None if training.data_dir is None else str(training.data_dir)
    settings["sizes"] = list(training.sizes)
    return settings


def _made(kind: type, values: dict[str, Any]) -> Any:
    """Settings of a kind; ValueError naming the first whose value is of another type."""
    hints = get_type_hints(kind)
    for name, value in values.items():
        if name in hints and not _fits(value, hints[name]):
            raise ValueError(f"{name} cannot be {value!r}")
    return kind(**values)


def _fits(value: Any, hint: Any) -> bool:
    """Whether a value is of a type that a setting has."""
    origin, parts = get_origin(hint), get_args(hint)
    if origin in (Union, UnionType):
        return any(_fits(value, part) for part in parts)
    if origin is Literal:
        return value in parts
    if origin is tuple:
        return all(_fits(element, parts[0]) for element in value)
    return isinstance(value, (int, float) if hint is float else hint)
