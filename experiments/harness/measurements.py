"""Saddle indices, convergence orders and epochs to alignment: tables of docs/theory.

Claim:    the Hessian's index equals the formula at all 42 critical points of six features and three
          units; gradient descent converges to gradient flow with order 1; small codes converge to
          PCA with order 4 at an inflection of the activation and 2 elsewhere; the rotation
          gradient aligns a code in the fewest epochs, and uniform L2 never does.
Source:   docs/theory, theorems 2, 7, 10 and 11; Bao et al. 2020 for the comparison of theorem 7.
Command:  python -m experiments.harness.measurements
Expected: counts as predicted; order 1 between 0.9 and 1.1, orders 4 and 2 within 0.1.
Run time: about ten minutes on two cores, most of it for codes that never align.
"""

import json
from collections.abc import Mapping, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import tyro

from aejax.data import load
from aejax.runs.atomic_files import write_text
from aejax.runs.environment import environment
from aejax.theory import epochs_to_alignment, pose, with_spectrum
from aejax.theory.learning import dynamics, nonlinear_encoders
from aejax.theory.optimum import landscape
from aejax.theory.trajectories.alignment_times import METHODS
from experiments.harness.markdown import replace_section, table
from experiments.harness.records import ROOT

RESULTS = ROOT / "docs" / "results" / "measurements.json"
DOCUMENT = ROOT / "docs" / "theory" / "measurements.md"
COMMAND = "python -m experiments.harness.measurements"

EIGENVALUES, UNITS = [6.0, 5, 4, 2, 1, 0.5], 3
"""Eigenvalues and number of code units of the enumerated landscape."""

ZERO_TOLERANCE = 1e-9
"""Hessian eigenvalues of smaller magnitude, for λ_1 = 1, are counted as zero."""

WIDTHS, SEEDS, MAX_EPOCHS = (16, 32, 64, 128, 256, 512), 3, 20_000
"""Numbers of features (λ_i = 1/i, four code units), seeds and epochs of the alignment times."""

ENCODINGS = {
    "tanh, b = 0": (nonlinear_encoders.Encoding(jnp.tanh, 0.0), 4),
    "tanh, b = 0.5": (nonlinear_encoders.Encoding(jnp.tanh, 0.5), 2),
    "logistic, b = 0": (nonlinear_encoders.Encoding(jax.nn.sigmoid, 0.0), 4),
    "logistic, b = 0.5": (nonlinear_encoders.Encoding(jax.nn.sigmoid, 0.5), 2),
}
"""Encoder (activation and bias) -> order, determined by the second derivative at the bias."""


def indices() -> list[dict[str, Any]]:
    """Loss, and predicted and counted index of the Hessian, for each subset of eigenvectors."""
    x = with_spectrum(jax.random.key(0), EIGENVALUES, examples=40)
    case, _ = landscape.landscape_or_obstacle(pose(x, UNITS))
    found = landscape.local_derivatives(case, landscape.critical_points(jax.random.key(1), case))
    subsets = landscape.subsets(case)
    predicted = [landscape.predicted_index(case.eigenvalues, each, UNITS) for each in subsets]
    return [
        {
            "subset": [i + 1 for i in subset],
            "loss": float(loss * EIGENVALUES[0]),
            "predicted": list(expected),
            "counted": [
                int(np.sum(curvatures < -ZERO_TOLERANCE)),
                int(np.sum(np.abs(curvatures) <= ZERO_TOLERANCE)),
            ],
        }
        for subset, loss, expected, curvatures in zip(
            subsets, found.loss, predicted, found.curvatures, strict=True
        )
    ]


def orders() -> dict[str, Any]:
    """Orders on digits: of gradient descent by step size, and of encoders by scale."""
    problem = pose(load("digits").x_train.reshape(-1, 64), 10)
    descent = dynamics.orders(dynamics.descent_maps(problem), dynamics.logistic_gains(problem))
    return {
        "steps": dynamics.STEP_COUNTS.tolist(),
        "descent": descent.tolist(),
        "encoders": {
            name: {
                "order": order,
                "scales": nonlinear_encoders.scales(encoding).tolist(),
                "measured": nonlinear_encoders.excess_orders(problem, encoding)[0].tolist(),
            }
            for name, (encoding, order) in ENCODINGS.items()
        },
    }


def alignments() -> dict[str, dict[str, list[int | None]]]:
    """Epochs until a code is aligned by method, width and seed; None if it never is."""
    return {
        method: {
            f"{width}": [
                epochs_to_alignment(
                    jax.random.key(seed),
                    1 / np.arange(1, width + 1),
                    4,
                    method,
                    max_epochs=MAX_EPOCHS,
                )
                for seed in range(SEEDS)
            ]
            for width in WIDTHS
        }
        for method in METHODS
    }


def render(results: Mapping[str, Any]) -> str:
    """Render the three tables as Markdown."""
    return "\n\n".join(
        [
            "**The Hessian's index** (theorem 2) at a random point of each critical set, "
            f"n = {len(EIGENVALUES)}, k = {UNITS}, λ = {', '.join(f'{v:g}' for v in EIGENVALUES)}: "
            "negative and zero eigenvalues, predicted and counted.",
            table(
                [
                    "subset I",
                    "loss",
                    "negative, predicted",
                    "counted",
                    "zero, predicted",
                    "counted",
                ],
                [_point(each) for each in results["indices"]],
            ),
            "**Orders of convergence** on the digits, k = 10. Gradient descent to gradient flow "
            "(theorem 10): minimum and maximum order over the modes, between two step counts.",
            table(["steps", "order"], _descent(results["orders"])),
            "Excess loss of an encoder over PCA by its scale ε (theorem 11): orders between "
            "consecutive scales, from the largest.",
            table(["encoder", "predicted", "measured"], _encoders(results["orders"])),
            f"**Epochs to alignment** (theorem 7), λ_i = 1/i, four units: mean over {SEEDS} random "
            f"starts; never means not within {MAX_EPOCHS} epochs from any start.",
            table(
                ["method", *(f"n = {width}" for width in WIDTHS)],
                [
                    [method, *(_epochs(found[f"{width}"]) for width in WIDTHS)]
                    for method, found in results["alignments"].items()
                ],
            ),
        ]
    )


def main() -> None:
    """Measure; write docs/results/measurements.json and its tables of docs/theory."""
    results = {
        "indices": indices(),
        "orders": orders(),
        "alignments": alignments(),
        "environment": environment(),
    }
    write_text(RESULTS, json.dumps(results, indent=1, ensure_ascii=False) + "\n")
    text = render(results)
    print(text)
    write_text(DOCUMENT, replace_section(DOCUMENT.read_text(encoding="utf-8"), COMMAND, text))


def _point(each: Mapping[str, Any]) -> list[str]:
    (negative, zero), (counted, counted_zero) = each["predicted"], each["counted"]
    subset = "{" + ", ".join(map(str, each["subset"])) + "}"
    return [subset, f"{each['loss']:.4g}", *map(str, (negative, counted, zero, counted_zero))]


def _descent(found: Mapping[str, Any]) -> list[list[str]]:
    steps = found["steps"]
    return [
        [f"{coarse} to {fine}", f"{min(measured):.3f} to {max(measured):.3f}"]
        for coarse, fine, measured in zip(steps, steps[1:], found["descent"], strict=False)
    ]


def _encoders(found: Mapping[str, Any]) -> list[list[str]]:
    return [
        [name, f"{each['order']}", ", ".join(f"{order:.3f}" for order in each["measured"])]
        for name, each in found["encoders"].items()
    ]


def _epochs(found: Sequence[int | None]) -> str:
    aligned = [epochs for epochs in found if epochs is not None]
    if not aligned:
        return "never"
    missing = len(found) - len(aligned)
    return f"{np.mean(aligned):.0f}" + (f" ({missing} never)" if missing else "")


if __name__ == "__main__":
    tyro.cli(main)
