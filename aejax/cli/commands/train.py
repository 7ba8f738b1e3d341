"""`aejax train`: trains a run, or resumes or repeats one, and writes its folder."""

import json
import sys
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import jax
import tyro

from aejax import checkpoints, sharding
from aejax.cli.process.devices import Devices, initialize_distributed, make_placement
from aejax.cli.process.output import print_notes
from aejax.objectives import Objective
from aejax.runs.advice import advice, longer_command
from aejax.runs.builders import (
    input_shape,
    make_optimizer,
    make_trained_objective,
    with_data_arguments,
)
from aejax.runs.codeword_restarting import restarts
from aejax.runs.configuration import Options, Training, check, fixed_settings
from aejax.runs.environment import check_platform, environment
from aejax.runs.error_messages import explain_errors, interruptible
from aejax.runs.examples import Examples, image_note, range_note, total_steps
from aejax.runs.factory_source import check_source, factory_digest, warn_of_changed_source
from aejax.runs.given_settings import given_settings
from aejax.runs.history import read_run_history
from aejax.runs.initial_state import start_from_data
from aejax.runs.integrity import identity_file, new_identity
from aejax.runs.lock import locked
from aejax.runs.loggers.logging_contexts import Logger
from aejax.runs.loggers.named_loggers import (
    DEFAULT,
    LoggerName,
    check_installed,
    example_images,
    named_loggers,
    used_loggers,
)
from aejax.runs.metrics import measure
from aejax.runs.model_shapes import check_output_shape
from aejax.runs.own_training import initial_state
from aejax.runs.processes import is_main_process
from aejax.runs.recipes import RECIPES, RecipeName, fit_recipe, fitting_note
from aejax.runs.recording import Recording, fit_recorded, has_checkpoints, restore_recorded
from aejax.runs.run import (
    About,
    check_location,
    checkpoint_settings,
    checkpoints_folder,
    configuration_file,
    data_folder,
    has_run,
    objective_file,
    open_run,
    parameters_file,
    read_about,
    read_configuration,
    with_data_path,
    write_configuration,
    write_metrics,
    write_settings,
    write_source,
)
from aejax.runs.signals import ReceivedSignals
from aejax.runs.streamed_examples import load_examples
from aejax.runs.threshold_solving import solve_thresholds
from aejax.training import TrainState
from aejax.training.records import Record


@dataclass(frozen=True)
class Train:
    """Train an autoencoder, or resume a run.

    Example: aejax train --data digits --code 16 --out runs/digits

    Example: aejax train --recipe thirty-numbers --out runs/thirty-numbers

    `aejax train my_model.py:make` trains the objective that the function `make` of a file (or
    `module:make`) returns; its typed parameters become options, which `--help` after it lists.

    Ctrl-C or SIGTERM stops the run after the current epoch and saves it; a second signal stops it
    at once.
    """

    training: Annotated[Options, tyro.conf.arg(name="")] = field(default_factory=Options)
    """settings of the training"""
    recipe: Annotated[
        RecipeName | None,
        tyro.conf.arg(
            metavar="NAME",
            help="start from named settings, which other options override:\n"
            + "\n".join(f"{name}: {recipe.summary}" for name, recipe in RECIPES.items()),
        ),
    ] = None
    out: Path = Path("runs/latest")
    """folder of the run"""
    from_: Annotated[Path | None, tyro.conf.arg(name="from")] = None
    """folder of a run to repeat with the same settings, in a new --out"""
    resume: bool = False
    """resume the run in --out with its settings; start it, with --data, if there is none"""
    checkpoint: int | None = None
    """step of the checkpoint to resume from; None: the newest"""
    keep: int = 3
    """number of newest checkpoints to keep; the best is always kept"""
    save_every: int | None = None
    """number of epochs between checkpoints; None: a checkpoint every ten seconds. The best and the
    last epoch are always saved"""
    loggers: tuple[LoggerName, ...] | None = None
    """destinations of the epochs' records, with images of reconstructions: epochs.csv and
    tensorboard/ in the folder of the run, Weights & Biases, MLflow; None: tensorboard, or those of
    the run that is resumed"""
    devices: Annotated[Devices, tyro.conf.arg(name="")] = field(default_factory=Devices)
    pca: bool = True
    """measure the test error of PCA with the same number of components"""
    quiet: bool = False
    """hide the progress: a bar in a terminal, a line every 10 seconds in a log file"""
    json: bool = False
    """print the metrics as JSON"""


def train(command: Train) -> None:
    """Train, write the folder of the run, and print its metrics."""
    _check(command)
    with interruptible(command.out) as signals:
        metrics = _train(command, signals)
    if not is_main_process():
        return
    if command.json:
        print(json.dumps(metrics))
    else:
        _print(metrics, command.out, pca=command.pca)
        history = read_run_history(command.out)
        line = advice(read_configuration(command.out), metrics, history, command.out)
        if line is not None:
            print(f"advice: {line}")


def _train(command: Train, signals: ReceivedSignals) -> dict[str, Any]:
    """Train a run in its folder; return its metrics."""
    options, out = command.training, command.out
    initialize_distributed(command.devices)  # before JAX initialises its backends
    check_platform()
    if command.resume and not has_run(out):
        command = replace(command, resume=False)
        _print_notes(f"{out} contains no run yet, which starts")
    _check_unused(command)
    placement = make_placement(command.devices)
    folder = _data_folder(command)
    located = with_data_path(options, folder)
    examples = load_examples(located)
    if command.recipe is not None:
        fitted = fit_recipe(located, RECIPES[command.recipe], examples.facts)
        if fitted != located:
            _print_notes(fitting_note(located, fitted))
            located, examples = fitted, load_examples(fitted)
    if command.from_ is not None:
        about = read_about(command.from_)
        warn_of_changed_source(command.from_, options.factory, about.source)
        _compare(about, examples)
    configuration = replace(examples.configuration, data=options.data)
    configuration = with_data_arguments(configuration, examples.shape)
    _print_notes(image_note(located, examples), range_note(configuration, examples))
    objective = make_trained_objective(configuration, examples.shape, examples.columns)
    optimizer = make_optimizer(configuration, total_steps(configuration, examples))
    key = jax.random.key(configuration.seed)
    start = partial(sharding.init_sharded, placement)
    if configuration.factory is not None:
        start = partial(initial_state, placement=placement)
    state = start(objective, optimizer, key)
    examples.check(objective, state.params, patience=configuration.patience)
    like = jax.ShapeDtypeStruct((1, *input_shape(configuration, examples.shape)), "float32")
    check_output_shape(objective, state.params, like)
    with explain_errors(out), locked(out):
        _check_unused(command)
        state, history = _start(command, configuration, examples, folder, state)
        fit_recorded(
            examples.fit,
            _recording(command, configuration, examples),
            state,
            history,
            signals=signals,
            loggers=_loggers(command, configuration, objective, examples),
            progress=not command.quiet,
            objective=objective,
            optimizer=optimizer,
            placement=placement,
            before_epoch=restarts(configuration, examples, objective, optimizer),
        )
        solve_thresholds(out, configuration, examples)
        metrics = measure(open_run(out), examples, pca=command.pca)
        if is_main_process():
            write_metrics(out, metrics)
    if examples.skipped:
        indices = ", ".join(map(str, sorted(examples.skipped)))
        _print_notes(f"left out, as they cannot be read: examples {indices}")
    return metrics


def _print_notes(*notes: str) -> None:
    """Print notes once for all processes."""
    if is_main_process():
        print_notes(*notes)


def _check(command: Train) -> None:
    """Raise ValueError for invalid options before any data are read."""
    _check_epochs(command)  # first, since the stored warm-up may be longer than the new epochs
    check(command.training)
    check_location(command.out)
    check_installed(command.loggers or ())
    for name, value in (("save-every", command.save_every), ("keep", command.keep)):
        if value is not None and value < 1:
            raise ValueError(f"{name} must be at least 1, got {value}")
    if command.from_ is not None and command.resume:
        raise ValueError("--from starts a new run, --resume continues one: use only one of them")
    if command.recipe is not None and (command.resume or command.from_ is not None):
        raise ValueError(
            "--recipe cannot be combined with --resume or --from, which use the settings of a run"
        )
    if command.checkpoint is not None and not command.resume:
        raise ValueError("--checkpoint requires --resume")


def _check_unused(command: Train) -> None:
    """Raise ValueError if the output folder contains a run that the command does not resume."""
    if not is_main_process():
        return
    if objective_file(command.out).exists():
        raise ValueError(
            f"{command.out} holds a run of aejax.runs.train: resume it in Python, with "
            "resume=True, or choose another --out"
        )
    used = configuration_file(command.out).exists() or checkpoints_folder(command.out).exists()
    if used and not command.resume:
        raise ValueError(f"{command.out} holds a run: say --resume, or choose another --out")
    if parameters_file(command.out).exists() and not checkpoints.read_index(
        checkpoints_folder(command.out)
    ):
        raise ValueError(
            f"{command.out} holds exported parameters and no checkpoint to resume from: resume the "
            "run that was exported, or repeat it in another folder with --from"
        )


def _check_epochs(command: Train) -> None:
    """Raise ValueError if a resumed run has a cosine schedule and another number of epochs."""
    if not (command.resume and configuration_file(command.out).exists()):
        return
    stored, epochs = read_configuration(command.out), command.training.epochs
    if stored.schedule == command.training.schedule == "cosine" and epochs != stored.epochs:
        assert epochs is not None  # a resumed run has complete settings
        raise ValueError(
            f"the cosine schedule of {command.out} ends at epoch {stored.epochs}, got --epochs "
            f"{epochs}: repeat the run with {longer_command(stored, command.out, epochs)}"
        )


def _data_folder(command: Train) -> str | None:
    """Directory from which a relative path to the data leads, for this run or the repeated one."""
    run = command.out if command.resume else command.from_
    recorded = None if run is None else read_about(run).folder
    if recorded is not None and Path(recorded, command.training.data).exists():
        return recorded
    return data_folder(command.training)  # also if the data of a repeated run have moved


def _start(
    command: Train,
    configuration: Training,
    examples: Examples,
    folder: str | None,
    state: TrainState,
) -> tuple[TrainState, list[Record]]:
    """Restore or write the run; return the state to train from and the history up to it."""
    recording = _recording(command, configuration, examples)
    # A run that was killed before its first checkpoint starts from the beginning.
    if command.resume and (has_checkpoints(command.out) or command.checkpoint is not None):
        recorded_source = read_about(command.out).source
        digests = identity_file(command.out)
        check_source(command.out, configuration.factory, recorded_source, digests=digests)
        state, history = restore_recorded(recording, state, step=command.checkpoint)
        if is_main_process():
            write_configuration(command.out, configuration)
            write_source(command.out, factory_digest(configuration.factory))
        return state, history
    if is_main_process():
        data = (examples.fingerprint, examples.shape, folder, examples.schema)
        source = factory_digest(configuration.factory)
        about = About(environment(), *data, source, _given(command))
        write_settings(command.out, configuration, about, identity=new_identity())
    return start_from_data(configuration, examples, state), []


def _loggers(
    command: Train, configuration: Training, objective: Objective, examples: Examples
) -> list[Logger]:
    names = command.loggers
    if names is None:
        names = used_loggers(command.out) if command.resume else DEFAULT
    return named_loggers(
        names,
        command.out,
        settings=fixed_settings(configuration) | {"epochs": configuration.epochs},
        images=example_images(objective, examples),
        epochs=configuration.epochs,
    )


def _given(command: Train) -> tuple[str, ...]:
    """Names of the settings that the user gave, to this run or to the one that it repeats."""
    if command.from_ is None:
        return given_settings(command.training)
    repeated, given = read_configuration(command.from_), read_about(command.from_).given
    if given is None:
        return given_settings(command.training)
    return given_settings(command.training, start=repeated, given=given)


def _recording(command: Train, configuration: Training, examples: Examples) -> Recording:
    return Recording(
        command.out,
        checkpoint_settings(configuration, examples.fingerprint, identity=None),
        examples.normalisation,
        epochs=configuration.epochs,
        patience=configuration.patience,
        keep=command.keep,
        save_every=command.save_every,
    )


def _compare(repeated: About, examples: Examples) -> None:
    """Refuse to repeat a run on other data; warn if the results may differ in the last bits."""
    if repeated.fingerprint != examples.fingerprint:
        raise ValueError(
            "these are not the data of the run to be repeated: their fingerprint is "
            f"{examples.fingerprint}, but was {repeated.fingerprint}"
        )
    now = environment()
    changes = [
        f"{name} was {repeated.environment.get(name)}, now {now[name]}"
        for name in now
        if repeated.environment.get(name) != now[name]
    ]
    if changes:
        print(
            f"aejax: the results may differ in the last bits: {'; '.join(changes)}", file=sys.stderr
        )


def _model_text(metrics: dict[str, Any]) -> str:
    if "active_units" in metrics:
        return f"dictionary, {metrics['active_units']:.4g} active units of {metrics['code']}"
    if "quantised" not in metrics:
        return f"autoencoder, code of {metrics['code']}"
    usage = metrics["quantised"]
    text = f"discrete autoencoder, {usage['bits']:.4g} bits per example"
    if usage["values"] is not None:
        text += f" of {usage['capacity']:.4g}, {usage['unused']} unused values"
    return f"{text}, perplexity {usage['perplexity']:.4g}, code of {metrics['code']}"


def _print(metrics: dict[str, Any], out: Path, *, pca: bool) -> None:
    print(f"{metrics['measure']}:")
    print(f"  {_model_text(metrics)}: {metrics['test_error']:.4f}")
    components = metrics.get("pca_components")
    if metrics["pca_method"] == "skipped":
        reason = ", since its components are not comparable with this kind of code" if pca else ""
        print(f"  PCA: skipped{reason}")
    elif metrics["pca_test_error"] is not None:
        method = "" if metrics["pca_method"] == "exact" else f" ({metrics['pca_method']})"
        print(f"  PCA, {components} components:  {metrics['pca_test_error']:.4f}{method}")
    else:
        print(f"  PCA, {components} components:  none; they would reconstruct all train data")
    if "active_units" in metrics:
        explained = metrics["explained_variance"]
        share = "" if explained is None else f"explained variance {explained:.4f}, "
        print(f"  {share}{metrics['dead_units']} units active on no test example")
    print(f"run: {out}")
