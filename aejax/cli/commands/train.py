"""`aejax train`: one run in one folder, from its settings to its figures."""

import json
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Annotated, Any

import jax
import tyro

from aejax import checkpoints, sharding, training
from aejax.cli.process.devices import (
    Devices,
    initialize_distributed,
    is_main_process,
    make_placement,
    max_over_processes,
)
from aejax.cli.process.error_messages import explained, stoppable
from aejax.cli.process.progress import progress_bar
from aejax.cli.process.signals import Interrupted, Noted, deferred
from aejax.runs.builders import make_optimizer, make_trained_objective
from aejax.runs.configuration import Training, check
from aejax.runs.environment import check_platform, environment
from aejax.runs.examples import Examples, load_examples, total_steps, with_batch_size
from aejax.runs.history import check_length, read_history, recorded
from aejax.runs.integrity import identity_in, new_identity
from aejax.runs.lock import locked
from aejax.runs.metrics import measure
from aejax.runs.recipes import RECIPES, RecipeName
from aejax.runs.run import (
    About,
    check_location,
    checkpoints_folder,
    configuration_file,
    data_folder,
    decisive_settings,
    history_file,
    located,
    open_run,
    parameters_file,
    read_about,
    write_configuration,
    write_metrics,
    write_settings,
)
from aejax.training import TrainState
from aejax.training.records import Callback, Record


@dataclass(frozen=True)
class Train:
    """Train an autoencoder, or go on with a run.

    Example: aejax train --data digits --sizes 64 128 16 --corruption masking --out runs/digits

    Example: aejax train --recipe thirty-numbers --out runs/thirty-numbers

    Ctrl-C or SIGTERM ends the run after the epoch in hand, saved; the second one at once.
    """

    training: Annotated[Training, tyro.conf.arg(name="")] = field(default_factory=Training)
    """what is trained"""
    recipe: Annotated[
        RecipeName | None,
        tyro.conf.arg(
            metavar="NAME",
            help="start from settings of this name; options beside it win:\n"
            + "\n".join(f"{name}: {recipe.words}" for name, recipe in RECIPES.items()),
        ),
    ] = None
    out: Path = Path("runs/latest")
    """the run's folder"""
    from_: Annotated[Path | None, tyro.conf.arg(name="from")] = None
    """repeat the run in this folder in a new --out: its settings need not be said again"""
    resume: bool = False
    """go on with the run in --out; its settings need not be said again"""
    checkpoint: int | None = None
    """resume from the checkpoint of this step; the newest unless given"""
    keep: int = 3
    """how many of the newest checkpoints stay; the best stays besides"""
    save_every: int = 1
    """epochs between checkpoints; the last epoch is always saved"""
    devices: Annotated[Devices, tyro.conf.arg(name="")] = field(default_factory=Devices)
    pca: bool = True
    """compare with PCA of as many components; --no-pca saves its time"""
    quiet: bool = False
    """no progress bar"""
    json: bool = False
    """print the figures as JSON, for programs"""


def train(command: Train) -> None:
    """Train as the command says; write the run's folder; print its figures."""
    _check(command)
    with stoppable(command.out) as signals:
        metrics = _train(command, signals)
    if not is_main_process():
        return
    if command.json:
        print(json.dumps(metrics))
    else:
        _print(metrics, command.out)


def _train(command: Train, signals: Noted) -> dict[str, Any]:
    configuration, out = command.training, command.out
    initialize_distributed(command.devices)  # before anything else asks JAX for its devices
    check_platform()
    _refuse_used(command)
    placement = make_placement(command.devices)
    folder = _data_folder(command)
    examples = load_examples(located(configuration, folder))
    if command.from_ is not None:
        _compare(read_about(command.from_), examples)
    configuration = with_batch_size(configuration, examples)
    command = replace(command, training=configuration)
    objective = make_trained_objective(configuration, examples.shape)
    optimizer = make_optimizer(configuration, total_steps(configuration, examples))
    key = jax.random.key(configuration.seed)
    state = sharding.init_sharded(placement, objective, optimizer, key)
    examples.check(configuration, objective, state)
    with explained(out), locked(out) if is_main_process() else nullcontext():
        _refuse_used(command)
        state, history = _start(command, examples, folder, state)
        with _callbacks(command, examples, state, history, signals) as callbacks:
            examples.fit(configuration, objective, optimizer, state, history, callbacks, placement)
        metrics = measure(open_run(out), examples, pca=command.pca)
        if is_main_process():
            write_metrics(out, metrics)
    if examples.skipped:
        numbers = ", ".join(map(str, sorted(examples.skipped)))
        print(f"aejax: left out, as they cannot be read: examples {numbers}", file=sys.stderr)
    return metrics


def _check(command: Train) -> None:
    """Refuse what can be refused before any data are read."""
    check(command.training)
    check_location(command.out)
    for name, number in (("save-every", command.save_every), ("keep", command.keep)):
        if number < 1:
            raise ValueError(f"{name} must be at least 1, got {number}")
    if command.from_ is not None and command.resume:
        raise ValueError("--from starts a run of its own, --resume goes on with one: say either")
    if command.recipe is not None and (command.resume or command.from_ is not None):
        raise ValueError("--recipe starts from its own settings, not a run's: leave it out")
    if command.checkpoint is not None and not command.resume:
        raise ValueError("--checkpoint says where to resume from: say --resume too")


def _refuse_used(command: Train) -> None:
    if not is_main_process():
        return
    used = configuration_file(command.out).exists() or checkpoints_folder(command.out).exists()
    if used and not command.resume:
        raise ValueError(f"{command.out} holds a run: go on with --resume, or choose another --out")
    if parameters_file(command.out).exists() and not checkpoints.read_index(
        checkpoints_folder(command.out)
    ):
        raise ValueError(
            f"{command.out} holds exported parameters and no checkpoint to resume from: resume the "
            "run that it was exported from, or repeat it in another folder with --from"
        )


def _data_folder(command: Train) -> str | None:
    """Directory in which a relative path to the data was given, to this run or to its origin."""
    run = command.out if command.resume else command.from_
    recorded = None if run is None else read_about(run).folder
    if recorded is not None and Path(recorded, command.training.data).exists():
        return recorded
    return data_folder(command.training)  # where the data have been moved to, in a run --from


def _start(
    command: Train, examples: Examples, folder: str | None, state: TrainState
) -> tuple[TrainState, list[Record]]:
    """Where training starts, and the history up to there; the run's settings are written."""
    history: list[Record] = []
    # A run that was killed before its first checkpoint starts anew.
    place = checkpoints_folder(command.out)
    saved = (
        checkpoints.steps(place) or checkpoints.read_index(place) or command.checkpoint is not None
    )
    if command.resume and saved:
        state, history = _resume(command, examples, state)
        if is_main_process():
            write_configuration(command.out, command.training)
    elif is_main_process():
        about = About(environment(), examples.fingerprint, examples.shape, folder)
        write_settings(command.out, command.training, about, identity=new_identity())
    return state, history


def _resume(
    command: Train, examples: Examples, like: TrainState
) -> tuple[TrainState, list[Record]]:
    """The state of a checkpoint, and the history up to it."""
    folder, identity = checkpoints_folder(command.out), identity_in(command.out)
    state, _ = checkpoints.restore(
        folder,
        like,
        configuration=decisive_settings(command.training, examples.fingerprint, identity),
        normalisation=examples.normalisation,
        step=command.checkpoint,
    )
    checkpoints.check_best(folder, last=int(state.step))
    path, epochs = history_file(command.out), int(state.epoch)
    history = read_history(path, identity)[:epochs]
    check_length(path, history, epochs)
    return state, history


@contextmanager
def _callbacks(
    command: Train,
    examples: Examples,
    state: TrainState,
    history: list[Record],
    signals: Noted,
) -> Iterator[list[Callback]]:
    out, epochs = command.out, command.training.epochs
    past = list(history)
    quiet = command.quiet or not is_main_process()
    identity = identity_in(out) if is_main_process() else None  # only this process reads or writes
    settings = decisive_settings(command.training, examples.fingerprint, identity)

    def save(state: TrainState, record: Record) -> None:
        past.append(record)
        last = record["epoch"] == epochs or training.stalled(past, command.training.patience)
        number = max_over_processes(pending_signal() or 0)  # all processes save, or none does
        stop = signal.Signals(number) if number and not last else None
        if last or stop or record["epoch"] % command.save_every == 0:
            save_soon(
                checkpoints_folder(out),
                state,
                configuration=settings,
                normalisation=examples.normalisation,
                validation_loss=record.get("validation", {}).get("loss"),
                keep=command.keep,
            )
        if stop:
            raise Interrupted(
                f"{stop.name}: stopped after epoch {record['epoch']} of {epochs}, which is saved; "
                f"go on with: aejax train --resume --out {out}",
                stop,
            )

    with (
        deferred(signals) as pending_signal,
        checkpoints.in_background() as save_soon,
        recorded(history_file(out), out / "tensorboard", history, identity)
        if is_main_process()
        else nullcontext() as record_epoch,
        progress_bar(epochs, done=int(state.epoch), quiet=quiet) as show,
    ):
        yield [record_epoch, save, show] if record_epoch else [save]


def _compare(repeated: About, examples: Examples) -> None:
    """Refuse to repeat a run on other data; warn where something else may change its bits."""
    if repeated.fingerprint != examples.fingerprint:
        raise ValueError(
            "these are not the data of the run to be repeated: their fingerprint is "
            f"{examples.fingerprint}, and was {repeated.fingerprint}"
        )
    now = environment()
    others = [
        f"{name} was {repeated.environment.get(name)}, now {now[name]}"
        for name in now
        if repeated.environment.get(name) != now[name]
    ]
    if others:
        print(f"aejax: the last bits may differ: {'; '.join(others)}", file=sys.stderr)


def _print(metrics: dict[str, Any], out: Path) -> None:
    print(f"{metrics['measure']}:")
    print(f"  autoencoder, code of {metrics['code']}: {metrics['test_error']:.4f}")
    if metrics["pca_method"] == "skipped":
        print("  PCA: skipped")
    elif metrics["pca_test_error"] is not None:
        method = "" if metrics["pca_method"] == "exact" else f" ({metrics['pca_method']})"
        print(f"  PCA, {metrics['code']} components:  {metrics['pca_test_error']:.4f}{method}")
    else:
        print(f"  PCA, {metrics['code']} components:  none; they would keep all of the train data")
    print(f"run: {out}")
