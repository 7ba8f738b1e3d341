"""Default settings of `aejax train`, compared with scikit-learn's PCA of as many components.

A run without any option but its data, on images and tables: the test error of the default run, of
the same command without the linear path that starts as PCA, and of scikit-learn's PCA, fitted to
all train examples. The error is the mean over test examples of the sum over features of (x̂ − x)²,
in the units of the run, where pixels are in [0, 1] and columns of tables have variance 1. Finished
data sets are kept, so that an interrupted benchmark resumes.

Command:  python -m benchmarks.defaults
Run time: about half an hour on two cores.
"""

import json
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import jax.numpy as jnp
import numpy as np
import sklearn.datasets
import tyro
from sklearn.decomposition import PCA

import aejax
from aejax import data, runs
from aejax.runs.atomic_files import write_text
from aejax.runs.environment import environment
from aejax.runs.history import read_run_history
from aejax.runs.run import Run, read_configuration

ROOT = Path(__file__).parents[1]
RESULTS, PAGE = ROOT / "docs" / "results" / "defaults.json", ROOT / "docs" / "defaults.md"

TOLERANCE = 1.05
"""Ratio to the error of PCA up to which a run is as good."""

BLOCK = 1000
"""Number of examples that are reconstructed at a time."""

NAMES = (
    *("digits", "breast_cancer", "wine", "diabetes"),
    *("olivetti", "mnist", "fashion_mnist", "camvid"),
)
HEAD = """# Default settings compared with PCA

Test error of `aejax train --data DATA --out RUN`, without any other option, beside that of
scikit-learn's PCA with as many components as the run has code units: the mean over test examples of
the sum over features of (x̂ − x)², where pixels are in [0, 1] and columns of tables have variance 1.
PCA is fitted to all train examples; the run holds out a tenth of them for early stopping.

The default model has a hidden layer in each half and a *linear path* beside the layers, which
starts as PCA; the last kernels of the layers start at zero, so that the run starts with the error
of PCA. *Without* is the same command with `--linear-path False`; the outputs for pixels are then
logistic. A ratio is an error divided by that of PCA. `python -m benchmarks.defaults` measures this
page.

"""
COLUMNS = (
    *("data", "train", "features", "code", "PCA", "default", "ratio", "without", "ratio"),
    *("epochs", "seconds"),
)


@dataclass(frozen=True)
class Config:
    """Settings of the benchmark."""

    names: tuple[str, ...] = NAMES
    """data sets"""
    folder: Path = Path("../shared/data")
    """folder of `olivetti` and `camvid`, as .npz, and `mnist` and `fashion_mnist`, as IDX files"""
    seed: int = 0
    """seed of the runs"""
    fresh: bool = False
    """measure data sets again that have been measured"""


QUICK = Config(names=("wine",))


def measure(name: str, config: Config) -> dict[str, Any]:
    """Test errors of the runs and of PCA on a data set."""
    with TemporaryDirectory() as folder:
        source = _source(name, config.folder, Path(folder))
        found = {
            start: _run(source, Path(folder) / start, config.seed, options)
            for start, options in {"default": (), "without": ("--linear-path", "False")}.items()
        }
        dataset, run = data.load(source), found["default"].pop("run")
        found["without"].pop("run")
        x_train, x_test = (_normalised(run, x) for x in (dataset.x_train, dataset.x_test))
    code = found["default"]["code"]
    sizes = {"train": len(x_train), "test": len(x_test), "features": x_train.shape[1]}
    return sizes | {"pca": _pca_error(x_train, x_test, code)} | found


def main(config: Config = Config()) -> None:
    """Measure the data sets, and write the results and the page after each of them."""
    known = json.loads(RESULTS.read_text(encoding="utf-8")) if RESULTS.exists() else {}
    for name in config.names:
        if name not in known or config.fresh:
            known[name] = {"environment": environment()} | measure(name, config)
            ordered = {each: known[each] for each in NAMES if each in known}
            write_text(RESULTS, json.dumps(ordered, indent=1) + "\n")
        write_page()
        print(name, *_row(name, known[name]), flush=True)


def write_page() -> None:
    """Write the page from the stored results."""
    write_text(PAGE, page(json.loads(RESULTS.read_text(encoding="utf-8"))))


def page(found: Mapping[str, Any]) -> str:
    """Page of the results: the table, and the data sets on which the default run loses to PCA."""
    rows = [_row(name, each) for name, each in found.items()]
    ruler = ("---", *["---:"] * (len(COLUMNS) - 1))
    table = "\n".join(f"| {' | '.join(cells)} |" for cells in (COLUMNS, ruler, *rows))
    ratios = {name: each["default"]["error"] / each["pca"] for name, each in found.items()}
    lost = [name for name, ratio in ratios.items() if ratio > TOLERANCE]
    good = len(ratios) - len(lost)
    verdict = f"The default run is as good as PCA, within 5 %, on {good} of {len(ratios)} data sets"
    better = sum(ratio < 1 for ratio in ratios.values())
    misses = f"; it loses on {', '.join(lost)}" if lost else ""
    gains = sum(each["default"]["error"] < each["without"]["error"] for each in found.values())
    path = f"The linear path lowers its error on {gains} of {len(found)}."
    return f"{HEAD}{table}\n\n{verdict}{misses}; it is better on {better}. {path}\n"


def _source(name: str, shared: Path, folder: Path) -> str:
    """Value of `--data`: a name, or the path of a file that is written to the folder."""
    if name == "digits":
        return name
    if name in ("mnist", "fashion_mnist"):
        return str(shared / name)
    file = folder / f"{name}.npz"
    if name == "olivetti":
        with np.load(shared / "olivetti" / "olivetti_64x64.npz") as arrays:
            np.savez(file, x=arrays["images"])
    elif name == "camvid":
        with np.load(shared / "camvid" / "camvid_120x90.npz") as arrays:
            np.savez(file, x_train=arrays["train_images"], x_test=arrays["test_images"])
    else:
        np.savez(file, x=getattr(sklearn.datasets, f"load_{name}")().data)
    return str(file)


def _run(source: str, out: Path, seed: int, options: tuple[str, ...]) -> dict[str, Any]:
    """Train by the command line, and measure the run that it leaves."""
    words = ["train", "--data", source, "--seed", str(seed), "--out", str(out), "--quiet"]
    begin = time.perf_counter()
    subprocess.run([sys.executable, "-m", "aejax", *words, "--no-pca", *options], check=True)
    seconds = time.perf_counter() - begin
    run = runs.open(out)
    assert isinstance(run, Run)
    x_test = _normalised(run, data.load(source).x_test)
    blocks = [x_test[start : start + BLOCK] for start in range(0, len(x_test), BLOCK)]
    x_hat = np.concatenate(
        [aejax.reconstruct(run.objective, run.params, jnp.asarray(x)) for x in blocks]
    )
    settings = read_configuration(out)
    return {
        "error": _error(x_hat, x_test),
        "code": settings.sizes[-1],
        "sizes": list(settings.sizes),
        "loss": settings.loss,
        "normalise": settings.normalise,
        "best step": run.step,
        "epochs": len(read_run_history(out)),
        "seconds": round(seconds, 1),
        "run": run,
    }


def _normalised(run: Run, x: np.ndarray) -> np.ndarray:
    """Examples in the units of the run, as float32 rows."""
    return np.asarray(data.normalise(run.normalisation, x, dtype=np.float32)).reshape(len(x), -1)


def _pca_error(x_train: np.ndarray, x_test: np.ndarray, components: int) -> float:
    """Test error of scikit-learn's PCA, which is exact."""
    solver = "full" if len(x_train) < x_train.shape[1] else "covariance_eigh"
    pca = PCA(components, svd_solver=solver).fit(x_train.astype(np.float64))
    return _error(pca.inverse_transform(pca.transform(x_test.astype(np.float64))), x_test)


def _error(x_hat: Any, x: np.ndarray) -> float:
    """Mean over examples of the squared error, summed over features."""
    return float(np.mean(np.sum(np.square(np.subtract(x_hat, x, dtype=np.float64)), axis=1)))


def _row(name: str, found: Mapping[str, Any]) -> tuple[str, ...]:
    """Cells of a data set in the table."""
    default, without, pca = found["default"], found["without"], found["pca"]
    return (
        name,
        *(f"{found[size]:,}" for size in ("train", "features")),
        str(default["code"]),
        f"{pca:.4g}",
        *(f"{default['error']:.4g}", f"{default['error'] / pca:.3f}"),
        *(f"{without['error']:.4g}", f"{without['error'] / pca:.3f}"),
        *(str(default["epochs"]), f"{default['seconds']:.0f}"),
    )


if __name__ == "__main__":
    tyro.cli(main)
