"""Settings of a training run: meanings, ranges, and conversion to and from JSON."""

import dataclasses
import json
import math
from dataclasses import dataclass, field
from pathlib import Path
from types import UnionType
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

from tyro.conf import Fixed, Suppress

from aejax import registry
from aejax.data.image_file import ImageForm, ImageMode, check_form
from aejax.data.image_size import parse_size
from aejax.data.missing_values import Missing
from aejax.runs.dictionary_settings import DictionarySettings, check_dictionary
from aejax.runs.factories import short_factory
from aejax.runs.json_files import json_text
from aejax.runs.quantisation_settings import QuantisationSettings, check_quantisation
from aejax.runs.variational_settings import VariationalSettings, check_variational

Scale = Literal["unit-range", "standardise", "common-scale", "none"]

TUPLES = "sizes", "decoder_sizes", "channels", "ignore"
"""Settings that are lists in JSON."""

PARTS = "augmentation", "penalty", "dictionary", "variational", "quantised"
"""Settings that are records of settings."""

OBJECTIVE_SETTINGS = (
    *("sizes", "code", "decoder_sizes", "channels", "activation", "code_activation", "tied"),
    *("refinement_steps", "refinement_rate", "loss", "corruption", "corruption_level"),
    *("augmentation", "penalty", "dictionary", "variational", "quantised", "precision"),
    "linear_path",
)
"""Settings of the model, loss and noise, which a factory replaces."""

DATA_OPTIONS = "data_dir", "label", "ignore", "missing", "stream", "image_mode", "resize", "crop"
"""Settings that, with the name of the data, define the examples."""

DATA_ARGUMENTS = "features", "shape"
"""Arguments of a factory that are taken from the data: number of features, or shape of an example.
With the first one, examples are vectors."""


@dataclass(frozen=True)
class Penalties:
    """Weights λ of the penalties; a weight of 0 disables a penalty."""

    l2: float = 0.0
    """weight of the L2 penalty on the kernels, Σ W²"""
    l1: float = 0.0
    """weight of the L1 penalty on the code, Σ |h|"""
    sparsity: float = 0.0
    """weight of the KL sparsity penalty; requires a sigmoid code"""
    rho: float = 0.05
    """target mean activation ρ of each code unit for the KL sparsity penalty"""
    contraction: float = 0.0
    """weight of the contractive penalty, the squared Frobenius norm of the encoder's Jacobian"""


@dataclass(frozen=True)
class AffineAugmentation:
    """Ranges of a random affine augmentation of input and target; 0 disables a part."""

    rotation: float = 0.0
    """maximum rotation angle (rad)"""
    stretch: float = 0.0
    """maximum absolute logarithm of the factors that scale height and width"""
    shear: float = 0.0
    """maximum shear, in columns per row"""
    shift: float = 0.0
    """maximum horizontal and vertical shift, in pixels"""
    interpolation: registry.NamedInterpolation = "linear"
    """interpolation between pixels; cubic blurs less"""


@dataclass(frozen=True)
class Options:
    """Settings of a training run, of which those that are None are chosen from the data."""

    data: str = "digits"
    """data set: digits, photos, mnist, fashion_mnist, a TFDS name, or the path of a .npy, .npz,
    .csv, .parquet or IDX file, or of a folder of images or of .npy shards"""
    data_dir: Path | None = None
    """directory of prepared TFDS data sets; None: that of TFDS"""
    label: str | None = None
    """column of a table with labels, integers or text; it is not a feature"""
    ignore: tuple[str, ...] = ()
    """columns of a table that are not features, such as identifiers"""
    missing: Missing = "refuse"
    """missing values of a table: refuse them; replace them by the mean of their column; or also
    leave them out of the loss, with weight zero"""
    normalise: Scale | None = None
    """scale the features to [0, 1], or to mean 0 and variance 1, each or (common-scale) by one
    number for all, or (none) not at all; if left out: for a dictionary common-scale, of a table
    standardise; else unit-range for values with known bounds, such as pixels, or a loss that needs
    it, else standardise"""
    code: int | None = None
    """number of code units, in place of the last of sizes; None: a quarter of the features, 16 at
    most; of a dictionary four times the features, or fewer for ten examples each"""
    sizes: tuple[int, ...] = ()
    """sizes of input, hidden layers and code, e.g. 784 500 30; if empty: the features, 128 hidden
    units, code"""
    linear_path: bool | None = None
    """add a linear path beside the layers and start it as PCA; None: for dense, untied layers with
    hidden units, a linear code smaller than the data, and squared error of all values"""
    decoder_sizes: tuple[int, ...] = ()
    """sizes from the code to the output, e.g. 30 500 784; if empty: sizes in reverse order"""
    channels: tuple[int, ...] = ()
    """channels of stride-2 convolutions before the dense layers; if empty: no convolutions"""
    activation: registry.Activation | None = None
    """activation of the hidden layers; None: gelu"""
    code_activation: registry.Activation | None = None
    """activation of the code; None: that of the hidden layers if it is given, else
    identity behind hidden layers and sigmoid without, or with a sparsity or contraction penalty"""
    tied: bool = False
    """tie the weights: the decoder uses the transposed kernels of the encoder"""
    refinement_steps: int = 0
    """number of gradient steps on the reconstruction error that refine the encoder's code"""
    refinement_rate: float = 0.03
    """step size of the refinement steps"""
    loss: registry.NamedLoss | None = None
    """reconstruction loss; its output units are, in this order: logistic, linear, logistic, tanh;
    of by-column: linear for numeric and softmax for categorical columns of a table; None: bernoulli
    for unit-range without a linear path, else squared"""
    corruption: registry.NamedCorruption = "none"
    """corruption of the input during training"""
    corruption_level: float = 0.25
    """probability (masking, salt-and-pepper) or standard deviation (gaussian) of the corruption"""
    augmentation: AffineAugmentation = field(default_factory=AffineAugmentation)
    """random affine augmentation of images, resampled at every step"""
    penalty: Penalties = field(default_factory=Penalties)
    """weights of the penalties"""
    dictionary: DictionarySettings = field(default_factory=DictionarySettings)
    """settings of a sparse dictionary"""
    variational: VariationalSettings = field(default_factory=VariationalSettings)
    """settings of a variational autoencoder"""
    quantised: QuantisationSettings = field(default_factory=QuantisationSettings)
    """settings of a discrete code"""
    precision: Literal["full", "mixed"] = "full"
    """float32, or mixed: bfloat16 layers with float32 parameters and losses"""
    optimizer: registry.Optimizer = "adam"
    """Adam, Muon in bfloat16, or SGD with Nesterov momentum 0.9"""
    learning_rate: float | None = None
    """maximum learning rate; None: 0.003 for a dictionary, else 0.001"""
    warm_up: float | None = None
    """number of epochs of linear warm-up from 0 to the maximum learning rate; None: a tenth of the
    epochs, 0 for a constant schedule"""
    schedule: Literal["constant", "cosine"] = "cosine"
    """learning rate after the warm-up: constant, or cosine decay to 0 at the last epoch"""
    clip: float | None = None
    """maximum global norm of the gradient; None: no clipping"""
    epochs: int | None = None
    """number of epochs; None: 2000 steps, and 20 epochs or more"""
    batch_size: int | None = None
    """examples per step; None: 128, or fewer for 16 steps per epoch"""
    validation: float = 0.1
    """fraction of the train examples held out for validation after each epoch; 0 for none"""
    patience: int | None = None
    """stop after this number of epochs without a lower validation loss; None: a third of the
    epochs, never without validation"""
    seed: int = 0
    """seed of parameters, order of the examples, noise and validation split"""
    split_seed: int | None = None
    """seed of the validation split, so that several seeds share one; None: seed"""
    stream: bool = False
    """read batches from disk instead of loading the data: .npy, folders of .npy shards or images,
    array_record or TFDS"""
    steps_per_epoch: int | None = None
    """steps of one epoch of a stream; None: one pass over the data"""
    skip: int = 0
    """maximum number of unreadable examples of a stream that are skipped"""
    image_mode: ImageMode | None = None
    """Pillow mode to which the images of a folder are converted; None: as stored"""
    resize: str | None = None
    """size in pixels to which the images of a folder are resized: HEIGHTxWIDTH, or the length of
    the shorter side, which keeps the aspect ratio; None: as stored"""
    crop: str | None = None
    """size in pixels, HEIGHTxWIDTH, to which images are cropped at their centre, after resizing"""
    factory: Suppress[Fixed[str | None]] = None
    """function that makes the objective, "module:function" or "/path/file.py:function"; None: the
    objective is made from the settings"""
    arguments: Suppress[Fixed[dict[str, Any]]] = field(default_factory=dict, hash=False)
    """keyword arguments of the factory, as JSON values"""


@dataclass(frozen=True)
class Training(Options):
    """All settings that determine the trained parameters, as a run stores them.

    The default of an option that is missing in the file of an earlier version is its meaning then.
    """

    normalise: Scale = "unit-range"
    """scale the features to [0, 1], or to mean 0 and variance 1, each or together, or not at all"""
    code: int | None = None
    """number of code units, in place of the last of sizes"""
    linear_path: bool | None = False
    """add a linear path beside the layers of a dense model, and start it as PCA"""
    activation: registry.Activation = "sigmoid"
    """activation of the hidden layers"""
    loss: registry.NamedLoss = "bernoulli"
    """reconstruction loss"""
    learning_rate: float = 1e-3
    """maximum learning rate"""
    warm_up: float = 0.0
    """number of epochs of linear warm-up"""
    schedule: Literal["constant", "cosine"] = "constant"
    """learning rate after the warm-up"""
    epochs: int = 20
    """number of epochs"""


def fixed_settings(training: Training) -> dict[str, Any]:
    """Settings that cannot change when a run is resumed.

    The directory of the data, the number of skipped examples and the number of epochs may change;
    the epochs only if the schedule does not depend on them. Options that did not exist in earlier
    versions are included only if they are used.
    """
    settings = _as_json(training)
    del settings["data_dir"], settings["skip"]
    del settings["code"]  # `complete` has put it into the sizes
    factory, arguments = settings.pop("factory"), settings.pop("arguments")
    if not training.stream:
        del settings["stream"], settings["steps_per_epoch"]
    for name in ("image_mode", "resize", "crop", "label", "split_seed"):
        if settings[name] is None:
            del settings[name]
    if not training.ignore:
        del settings["ignore"]
    if not training.linear_path:
        del settings["linear_path"]
    if training.missing == "refuse":
        del settings["missing"]
    if not training.decoder_sizes:
        del settings["decoder_sizes"]
    if not training.refinement_steps:
        del settings["refinement_steps"], settings["refinement_rate"]
    if training.schedule == "constant":
        del settings["epochs"]
    if factory is not None:
        given = {f"arguments.{name}": value for name, value in arguments.items()}
        own = {name: value for name, value in settings.items() if name not in OBJECTIVE_SETTINGS}
        return own | {"factory": short_factory(factory)} | given
    if training.dictionary.activation is None:
        del settings["dictionary"]
    if training.variational.posterior is None:
        del settings["variational"]
    if training.quantised.quantiser is None:
        del settings["quantised"]
    parts = {part: settings.pop(part) for part in PARTS if part in settings}
    return settings | {
        f"{part}.{name}": value for part, found in parts.items() for name, value in found.items()
    }


def validation_seed(options: Options) -> int:
    """Seed of the validation split."""
    return options.seed if options.split_seed is None else options.split_seed


def dumps(training: Training) -> str:
    """Settings as JSON text."""
    return json_text(_as_json(training))


def loads(text: str) -> Training:
    """Parse the JSON text of `dumps`; ValueError if it is anything else."""
    try:
        settings = json.loads(text)
        data_dir = settings["data_dir"]
        settings |= {
            "data_dir": None if data_dir is None else Path(data_dir),
            **{name: tuple(settings[name]) for name in TUPLES if name in settings},
            "augmentation": build_record(AffineAugmentation, settings["augmentation"]),
            "penalty": build_record(Penalties, settings["penalty"]),
            "dictionary": _listed(DictionarySettings, settings.get("dictionary", {})),
            "quantised": _listed(QuantisationSettings, settings.get("quantised", {})),
            "variational": build_record(VariationalSettings, settings.get("variational", {})),
        }
        return build_record(Training, settings)
    except (ValueError, TypeError, KeyError, RecursionError) as error:
        raise ValueError(f"not a configuration of this version: {error}") from error


def check(options: Options) -> None:
    """Raise ValueError for a setting outside its range, before any data are read.

    Ranges that belong to one component (a rate, a weight, ρ) are checked when it is created.
    """
    ranges = {
        "epochs must be at least 1": options.epochs is None or options.epochs >= 1,
        "code must be at least 1": options.code is None or options.code >= 1,
        "batch-size must be at least 1": options.batch_size is None or options.batch_size >= 1,
        "patience must be at least one epoch": options.patience is None or options.patience >= 1,
        "validation must be a fraction in [0, 1)": 0 <= options.validation < 1,
        "learning-rate must be above 0": options.learning_rate is None or options.learning_rate > 0,
        "refinement-steps must be 0 or more": options.refinement_steps >= 0,
        "refinement-rate must be above 0": options.refinement_rate > 0,
        "warm-up must be 0 or more, and shorter than the epochs": (
            options.warm_up is None
            or 0 <= options.warm_up < (math.inf if options.epochs is None else options.epochs)
        ),
        "steps-per-epoch must be at least 1, and requires --stream": (
            options.steps_per_epoch is None or (options.stream and options.steps_per_epoch >= 1)
        ),
        "skip must be 0, or positive with --stream": options.skip == 0
        or (options.stream and options.skip > 0),
        "label must be used without --stream": options.label is None or not options.stream,
        "ignore must be used without --stream": not options.ignore or not options.stream,
        "missing must be refuse with --stream": options.missing == "refuse" or not options.stream,
        "missing must be refuse or mean with --refinement-steps": (
            options.missing != "weight-zero" or not options.refinement_steps
        ),
        "clip must be above 0": options.clip is None or options.clip > 0,
        "seed must lie in [0, 2³²)": 0 <= options.seed < 2**32,  # JAX truncates larger seeds
        "split-seed must lie in [0, 2³²)": (
            options.split_seed is None or 0 <= options.split_seed < 2**32
        ),
    }
    for rule, is_satisfied in ranges.items():
        if not is_satisfied:
            setting = rule.partition(" ")[0]
            raise ValueError(f"{rule}, got {getattr(options, setting.replace('-', '_'))}")
    check_form(image_form(options))
    check_dictionary(options.dictionary)
    _check_one_family(options)
    check_variational(options.variational)
    check_quantisation(options.quantised)


def _check_one_family(options: Options) -> None:
    """Refuse settings of several kinds of code."""
    families = {
        "--dictionary.activation": options.dictionary.activation,
        "--variational.posterior": options.variational.posterior,
        "--quantised.quantiser": options.quantised.quantiser,
    }
    given = [option for option, name in families.items() if name is not None]
    if len(given) > 1:
        raise ValueError(f"the code has one kind: say one of {', '.join(given)}")


def image_form(options: Options) -> ImageForm:
    """Form that the images of a folder are converted to; ValueError for sizes that are no sizes."""
    resize, crop = (
        None if text is None else parse_size(text, option)
        for option, text in (("resize", options.resize), ("crop", options.crop))
    )
    if isinstance(crop, int):
        raise ValueError(f"crop must be HEIGHTxWIDTH, such as {crop}x{crop}, got {crop}")
    return ImageForm(options.image_mode, resize, crop)


def _as_json(training: Training) -> dict[str, Any]:
    settings = dataclasses.asdict(training)
    settings["data_dir"] = None if training.data_dir is None else str(training.data_dir)
    settings["dictionary"]["prefixes"] = list(training.dictionary.prefixes)
    settings["quantised"]["levels"] = list(training.quantised.levels)
    return settings | {name: list(settings[name]) for name in TUPLES}


def _listed(kind: type, values: dict[str, Any]) -> Any:
    """Settings of a part from JSON, which has lists in place of tuples."""
    lists = {name: tuple(each) for name, each in values.items() if isinstance(each, list)}
    return build_record(kind, values | lists)


def build_record(kind: type, values: Any) -> Any:
    """Build a dataclass or NamedTuple from its fields in JSON and check their types.

    Args:
        kind: dataclass or NamedTuple annotated with plain types, tuples, unions and literals.
        values: values by field name.

    Returns:
        The record.

    Raises:
        ValueError: a value has another type than its field; the message names the field.
        TypeError: a field is missing or unknown, or the values are not a dict.
    """
    if not isinstance(values, dict):
        raise TypeError(f"{kind.__name__} must be a JSON object, got {values!r}")
    hints = get_type_hints(kind)
    for name, value in values.items():
        if name in hints and not fits(value, hints[name]):
            raise ValueError(f"{name} cannot be {value!r}")
    return kind(**values)


def fits(value: Any, hint: Any) -> bool:
    """Whether a value has the annotated type."""
    origin, parts = get_origin(hint), get_args(hint)
    if origin in (Union, UnionType):
        return any(fits(value, part) for part in parts)
    if origin is Literal:
        return value in parts
    if origin is tuple:
        return isinstance(value, tuple) and all(fits(each, parts[0]) for each in value)
    if origin is dict:
        return isinstance(value, dict)
    if isinstance(value, bool):  # bool is a subclass of int
        return hint is bool
    return isinstance(value, (int, float) if hint is float else hint)
