"""All commands as one type, which loads the modules of all: for shell completion and tests."""

from collections.abc import Callable
from typing import Annotated, Any

from tyro.conf import subcommand

from aejax.cli.commands.compare import Compare, compare
from aejax.cli.commands.data import ListData, PrepareData, list_data, prepare_data
from aejax.cli.commands.encode import Encode, Reconstruct, encode, reconstruct
from aejax.cli.commands.explore import Explore, explore
from aejax.cli.commands.export import Export, export
from aejax.cli.commands.plan import PlanCommand, print_plan
from aejax.cli.commands.publish import Publish, publish
from aejax.cli.commands.pull import Pull, pull
from aejax.cli.commands.push import Push, push
from aejax.cli.commands.report import Report, write_report
from aejax.cli.commands.runs import Runs, print_runs
from aejax.cli.commands.score import Score, write_scores
from aejax.cli.commands.sweep import Sweep, sweep
from aejax.cli.commands.train import Train, train
from aejax.cli.commands.verify import Verify, verify

Data = Annotated[ListData, subcommand("list")] | Annotated[PrepareData, subcommand("prepare")]
Command = (
    Annotated[Train, subcommand("train")]
    | Annotated[Sweep, subcommand("sweep")]
    | Annotated[PlanCommand, subcommand("plan")]
    | Annotated[Runs, subcommand("runs")]
    | Annotated[Compare, subcommand("compare")]
    | Annotated[Encode, subcommand("encode")]
    | Annotated[Reconstruct, subcommand("reconstruct")]
    | Annotated[Score, subcommand("score")]
    | Annotated[Explore, subcommand("explore")]
    | Annotated[Export, subcommand("export")]
    | Annotated[Publish, subcommand("publish")]
    | Annotated[Push, subcommand("push")]
    | Annotated[Pull, subcommand("pull")]
    | Annotated[Verify, subcommand("verify")]
    | Annotated[Report, subcommand("report")]
    | Annotated[Data, subcommand("data", description="List or prepare data sets.")]
)
ACTIONS: dict[type, Callable[[Any], int | None]] = {
    Train: train,
    Sweep: sweep,
    PlanCommand: print_plan,
    Runs: print_runs,
    Compare: compare,
    Encode: encode,
    Reconstruct: reconstruct,
    Score: write_scores,
    Explore: explore,
    Export: export,
    Publish: publish,
    Push: push,
    Pull: pull,
    Verify: verify,
    Report: write_report,
    ListData: list_data,
    PrepareData: prepare_data,
}
