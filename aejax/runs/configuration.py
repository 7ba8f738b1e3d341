"""What a run trains: every setting with its meaning, checked, to JSON and back."""

import dataclasses
import json
from dataclasses import dataclass, field
from pathlib import Path
from types import UnionType
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

from aejax import registry
from aejax.data.image_folder import ImageMode

TUPLES = "sizes", "decoder_sizes", "channels"
"""Settings that are lists in JSON."""


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
class Moves:
    """Images moved anew in every step, input and target alike; zero leaves one out."""

    rotation: float = 0.0
    """greatest turn, in radians"""
    stretch: float = 0.0
    """greatest logarithm by which height and width grow or shrink"""
    shear: float = 0.0
    """greatest shear, columns a row"""
    shift: float = 0.0
    """greatest shift up, down, left and right, in pixels"""
    interpolation: registry.NamedInterpolation = "linear"
    """between pixels; cubic keeps images sharper"""


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
    decoder_sizes: tuple[int, ...] = ()
    """from the code to the output, as in 30 500 784; the mirror of sizes unless given"""
    channels: tuple[int, ...] = ()
    """of convolutions that halve an image, before the layers of sizes; dense layers alone unless
    given"""
    activation: registry.Activation = "sigmoid"
    """of hidden layers"""
    code_activation: registry.Activation | None = None
    """of the code; as the hidden layers unless given"""
    tied: bool = False
    """the decoder uses the encoder's kernels, transposed"""
    refinement_steps: int = 0
    """down the reconstruction error, which the code takes from where the encoder put it"""
    refinement_rate: float = 0.03
    """length of these steps, per gradient"""
    loss: registry.NamedLoss = "bernoulli"
    """reconstruction loss, with its output: logistic, linear, logistic, tanh"""
    corruption: registry.NamedCorruption = "none"
    """what happens to the input before it is encoded"""
    corruption_level: float = 0.25
    """rate of masking and salt and pepper, or standard deviation of Gaussian noise"""
    augmentation: Moves = field(default_factory=Moves)
    """images moved anew in every step"""
    penalty: Penalties = field(default_factory=Penalties)
    """weights of the penalties"""
    precision: Literal["full", "mixed"] = "full"
    """float32; or training in bfloat16 between parameters and losses in float32"""
    optimizer: registry.Optimizer = "adam"
    """Adam, Muon in bfloat16, or stochastic gradient descent with Nesterov momentum 0.9"""
    learning_rate: float = 1e-3
    """at its highest"""
    warm_up: float = 0.0
    """epochs in which the learning rate rises to it, from zero"""
    schedule: Literal["constant", "cosine"] = "constant"
    """whether the learning rate then stays, or falls to zero over the other epochs"""
    clip: float | None = None
    """greatest norm of the gradient; unbounded unless given"""
    epochs: int = 20
    """passes over the data"""
    batch_size: int | None = None
    """examples a step; 128 unless given, or all train examples where they are fewer"""
    validation: float = 0.1
    """share of the train examples held out to measure on after each epoch; 0 for none"""
    patience: int | None = None
    """stop after so many epochs in a row without a lower validation loss"""
    seed: int = 0
    """of parameters, order, noise and the validation split"""
    stream: bool = False
    """the data stay on disk and are read batch by batch: .npy, images, array_record, TFDS"""
    steps_per_epoch: int | None = None
    """of a stream, after which it is measured and saved; a pass over the data unless given"""
    skip: int = 0
    """examples of a stream that may be left out because they cannot be read"""
    image_mode: ImageMode | None = None
    """what the images of a streamed folder are converted to; as stored unless given"""


def identity_of(training: Training) -> dict[str, Any]:
    """The settings that a resumed run must share.

    Not among them: where the data lie, what of them may be left out, and how far to go. The epochs
    belong to them where the schedule depends on them.
    """
    settings = _as_json(training)
    del settings["data_dir"], settings["skip"]
    if not training.stream:
        del settings["stream"], settings["steps_per_epoch"]
    if training.image_mode is None:
        del settings["image_mode"]
    if not training.decoder_sizes:
        del settings["decoder_sizes"]
    if not training.refinement_steps:
        del settings["refinement_steps"], settings["refinement_rate"]
    if training.schedule == "constant":
        del settings["epochs"]
    parts = {part: settings.pop(part) for part in ("augmentation", "penalty")}
    return settings | {
        f"{part}.{name}": value for part, found in parts.items() for name, value in found.items()
    }


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
            **{name: tuple(settings[name]) for name in TUPLES if name in settings},
            "augmentation": made(Moves, settings["augmentation"]),
            "penalty": made(Penalties, settings["penalty"]),
        }
        return made(Training, settings)
    except (ValueError, TypeError, KeyError, RecursionError) as error:
        raise ValueError(f"not a configuration of this version: {error}") from error


def check(training: Training) -> None:
    """Refuse settings out of their range, before any data are read.

    What only a piece knows (a rate, a weight, a ρ) is refused where the piece is made or tried.
    """
    ranges = {
        "epochs must be at least 1": training.epochs >= 1,
        "batch-size must be at least 1": training.batch_size is None or training.batch_size >= 1,
        "patience must be at least one epoch": training.patience is None or training.patience >= 1,
        "validation must be a share in [0, 1)": 0 <= training.validation < 1,
        "learning-rate must be above 0": training.learning_rate > 0,
        "refinement-steps must be 0 or more": training.refinement_steps >= 0,
        "refinement-rate must be above 0": training.refinement_rate > 0,
        "warm-up must be 0 or more, and shorter than the epochs": (
            0 <= training.warm_up < training.epochs
        ),
        "steps-per-epoch must be at least 1, and of a --stream": (
            training.steps_per_epoch is None or (training.stream and training.steps_per_epoch >= 1)
        ),
        "skip must be 0, or more of a --stream": training.skip == 0
        or (training.stream and training.skip > 0),
        "image-mode must be of a --stream": training.image_mode is None or training.stream,
        "clip must be above 0": training.clip is None or training.clip > 0,
        "seed must lie in [0, 2³²)": 0 <= training.seed < 2**32,  # JAX would cut a greater one
    }
    for rule, kept in ranges.items():
        if not kept:
            setting = rule.partition(" ")[0]
            raise ValueError(f"{rule}, got {getattr(training, setting.replace('-', '_'))}")


def _as_json(training: Training) -> dict[str, Any]:
    settings = dataclasses.asdict(training)
    settings["data_dir"] = None if training.data_dir is None else str(training.data_dir)
    return settings | {name: list(settings[name]) for name in TUPLES}


def made(kind: type, values: Any) -> Any:
    """A record of this kind from its fields, as JSON gives them.

    Args:
        kind: a dataclass or NamedTuple whose annotations are plain types, unions and literals.
        values: field -> value.

    Returns:
        The record.

    Raises:
        ValueError: naming the first field whose value is of another type.
        TypeError: a field is missing or unknown, or the values are no dict.
    """
    if not isinstance(values, dict):
        raise TypeError(f"{kind.__name__} is an object of its fields, got {values!r}")
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
    if isinstance(value, bool):  # which Python takes for an integer
        return hint is bool
    return isinstance(value, (int, float) if hint is float else hint)
