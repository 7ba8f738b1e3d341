"""Page of the comparisons with Keras, Lightning, PyOD and pythae, docs/comparisons.md.

`python -m benchmarks.comparisons` formats the results of `benchmarks.peers_own_model`, of
`benchmarks.peers_anomalies` and of `benchmarks.peers_variational`.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from aejax.runs.atomic_files import write_text
from benchmarks import peers_anomalies, peers_own_model, peers_variational
from benchmarks.variational_cases import EXAMPLES, FEATURES, UNITS

PAGE = Path(__file__).parents[1] / "docs" / "comparisons.md"
HEAD = """# Comparisons with Keras, Lightning, PyOD and pythae

`make comparisons` installs the other packages in an environment of their own, runs the comparisons
and writes this page.
"""
OWN_MODEL = """
## A model of your own

One task in three frameworks: train a dense autoencoder of one's own (64-32-8-32-64, digits) with a
checkpoint after each epoch, resumption when the script is started again, a history in a file, early
stopping, and the best parameters at the end. Each script uses what the documentation of its
framework offers for this: [aejax](own_model/with_aejax.py),
[Keras](own_model/with_keras.py) (`BackupAndRestore`, `CSVLogger`, `ModelCheckpoint`,
`EarlyStopping`), [Lightning](own_model/with_lightning.py) (`ModelCheckpoint`,
`EarlyStopping`, `CSVLogger`, `ckpt_path="last"`). More code could save more of the state in the
other frameworks, such as the random states. Lines exclude blank lines, comments and the docstring.

Each script is run to its end twice, and killed with `kill -9` and started again twice: in the
middle, and two epochs before early stopping ends the undisturbed run. *Killed after* is the last
epoch in the history at the kill, *resumes with* the first epoch that the restarted script trains,
*last* the epoch after which early stopping ends it. *History* counts the epochs that are missing in
the history, and those that are there twice. *Difference* is the maximum absolute difference between
the reconstructions of the killed and of the undisturbed run, by the best parameters of each. *Kept
loss* is the validation loss of the parameters that the script uses at the end, *lowest loss* the
lowest in its history; they are equal if the best parameters are restored.

"""
LOSSES = ("kept loss", "lowest loss")
"""Names of measured losses, and columns of both tables."""

ANOMALIES = """
## Anomaly detection

Areas under the ROC curve, as mean ± standard deviation of {trials} trials: 0.5 for a random score,
1 for a perfect one. The data sets are those of scikit-learn, of which one class becomes rare, as in
the collection ODDS: 21 malignant tumours, 10 bottles of the first cultivar, 50 zeros. In each
trial, 60 % of the examples are for training, anomalies included and without labels, and 40 % for
the test. Features are standardised, except those of the last column; constant ones are left out.
The detectors have their default settings, but `AutoencoderTransformer` has the layers, epochs,
batch size and learning rate of PyOD's autoencoder, and `LinearAutoencoder` explains 90 % of the
variance. PyOD's detectors standardise the features themselves, and an isolation forest does not
depend on their scale. No setting was selected by these data.

"""

VARIATIONAL = """
## Variational losses

The models of pythae run their own forward passes, with the parameters, batch and noise of a small
aejax model with one hidden layer: {examples} examples of {features} features, {units} code units.
Values are objectives or terms of them in nats, norms of gradients in all parameters, or counts;
the difference is relative, and that of a gradient concerns all its entries. Computed in float64,
`VQVAE` in float32. Constants are left out, as pythae does.

"""


def page(
    own_model: Mapping[str, Any], anomalies: Mapping[str, Any], variational: Mapping[str, Any]
) -> str:
    """The page as Markdown.

    Args:
        own_model: record of `benchmarks.peers_own_model`.
        anomalies: record of `benchmarks.peers_anomalies`.
        variational: record of `benchmarks.peers_variational`.
    """
    text = HEAD + OWN_MODEL + _scripts(own_model["found"]) + "\n" + _kills(own_model["found"])
    text += _versions(own_model, ("aejax", "keras", "lightning", "torch", "jax"), peers_own_model)
    text += ANOMALIES.format(trials=anomalies["config"]["trials"]) + _areas(anomalies["found"])
    text += _versions(anomalies, ("aejax", "pyod", "scikit-learn", "torch"), peers_anomalies)
    sizes = {"examples": EXAMPLES, "features": FEATURES, "units": UNITS}
    text += VARIATIONAL.format(**sizes) + _losses_of_both(variational["found"])
    return text + _versions(variational, ("aejax", "pythae", "torch", "jax"), peers_variational)


def committed_page() -> str:
    """The page of the committed results."""
    files = (peers_own_model.RESULTS, peers_anomalies.RESULTS, peers_variational.RESULTS)
    return page(*(json.loads(file.read_text(encoding="utf-8")) for file in files))


def main() -> None:
    """Write docs/comparisons.md."""
    write_text(PAGE, committed_page())


def _scripts(found: Mapping[str, Any]) -> str:
    head = ["framework", "lines", "epochs", "two runs are bit-identical"]
    rows = [
        [name, peer["lines"], peer["epochs"], _yes(peer["reproducible"]), *_losses(peer)]
        for name, peer in found.items()
    ]
    return _table([*head, *LOSSES], rows)


def _kills(found: Mapping[str, Any]) -> str:
    head = ["framework", "killed after", "resumes with", "last", "history", "bit-identical"]
    rows = [
        [
            name,
            kill["recorded epochs at the kill"],
            kill["first epoch after the restart"],
            kill["last epoch"],
            _history(kill),
            _yes(kill["bit-identical"]),
            f"{kill['difference']:.2g}",
            *_losses(kill),
        ]
        for name, peer in found.items()
        for kill in peer["killed"].values()
    ]
    return _table([*head, "difference", *LOSSES], rows)


def _losses(found: Mapping[str, Any]) -> list[str]:
    return [f"{found[name]:.5f}" for name in LOSSES]


def _history(kill: Mapping[str, Any]) -> str:
    missing, repeated = (len(kill[f"{kind} epochs"]) for kind in ("missing", "repeated"))
    return f"{missing} missing, {repeated} twice" if missing or repeated else "complete"


def _areas(found: Mapping[str, Any]) -> str:
    problems = list(next(iter(found.values())))
    rows = [
        [name, *(f"{np.mean(areas[each]):.3f} ± {np.std(areas[each]):.3f}" for each in problems)]
        for name, areas in found.items()
    ]
    return _table(["detector", *problems], rows)


def _losses_of_both(found: list[dict[str, Any]]) -> str:
    """Table of values by both packages, and the reasons of the differences."""
    rows, reasons = [], []
    for each in found:
        name = each["model"], each["quantity"]
        values = [f"{each[side]:.6g}" for side in ("aejax", "pythae")]
        rows.append([f"`{name[0]}`", name[1], *values, f"{each['difference']:.0e}"])
        if name in peers_variational.DIFFERENCES:
            reasons.append(f"- `{name[0]}`, {name[1]}: {peers_variational.DIFFERENCES[name]}.\n")
    table = _table(["model of pythae", "quantity", "aejax", "pythae", "difference"], rows)
    return f"{table}\nReasons of the differences beyond rounding:\n\n{''.join(reasons)}"


def _versions(record: Mapping[str, Any], names: tuple[str, ...], module: Any) -> str:
    versions = ", ".join(f"{name} {record['environment'][name]}" for name in names)
    return (
        f"\n`python -m {module.__name__}`; {versions}; Python {record['environment']['python']}.\n"
    )


def _yes(value: bool) -> str:
    return "yes" if value else "no"


def _table(head: list[str], rows: list[list[Any]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "".join(f"| {' | '.join(map(str, line))} |\n" for line in lines)


if __name__ == "__main__":
    main()
